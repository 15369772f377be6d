//! How many connections a shard may begin in a second, for networks whose NAT table is small. Pure:
//! a bucket of tokens whose fill is a moment, the one at which the next token is due.

use std::cell::Cell;
use std::time::{Duration, Instant};

/// What may be begun at once after a pause is worth this time, or one connection.
const BURST: Duration = Duration::from_millis(20);

/// The bucket. Without a pace it is always open and nobody looks at a clock.
#[derive(Debug)]
pub(crate) struct Pace {
    /// Time between two connections; zero: none.
    every: Cell<Duration>,
    due: Cell<Instant>,
}

impl Pace {
    /// No pace.
    pub(crate) fn none(now: Instant) -> Pace {
        Pace {
            every: Cell::new(Duration::ZERO),
            due: Cell::new(now),
        }
    }

    /// One connection in `every` from now on; zero: as many as come. Whoever waited for a slower pace
    /// waits no longer than for this one.
    pub(crate) fn set(&self, every: Duration, now: Instant) {
        self.every.set(every);
        self.due.set(self.due.get().min(now + every));
    }

    /// Whether a connection may begin now.
    pub(crate) fn is_open(&self, now: impl FnOnce() -> Instant) -> bool {
        self.every.get().is_zero() || self.due.get() <= now()
    }

    /// One begins.
    pub(crate) fn take(&self, now: impl FnOnce() -> Instant) {
        if !self.every.get().is_zero() {
            self.due.set(self.oldest(now()) + self.every.get());
        }
    }

    /// How many may begin now.
    pub(crate) fn room(&self, now: impl FnOnce() -> Instant) -> usize {
        let every = self.every.get();
        if every.is_zero() {
            return usize::MAX;
        }
        let now = now();
        let saved = now.checked_duration_since(self.oldest(now));
        saved.map_or(0, |saved| {
            1 + (saved.as_nanos() / every.as_nanos()) as usize
        })
    }

    /// How long until one may begin, if there is a pace.
    pub(crate) fn opens_in(&self, now: Instant) -> Option<Duration> {
        let paced = !self.every.get().is_zero();
        paced.then(|| self.due.get().saturating_duration_since(now))
    }

    /// When the next token was due; of a bucket that is full, the oldest one is lost.
    fn oldest(&self, now: Instant) -> Instant {
        let full = now.checked_sub(BURST);
        full.map_or(self.due.get(), |full| full.max(self.due.get()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Begins what may begin, every `step` for `time`; the moments.
    fn begun(pace: &Pace, start: Instant, time: Duration, step: Duration) -> Vec<Duration> {
        let mut begun = Vec::new();
        let mut at = Duration::ZERO;
        while at < time {
            let now = || start + at;
            while pace.is_open(now) {
                assert!(pace.room(now) > 0);
                pace.take(now);
                begun.push(at);
            }
            assert_eq!(pace.room(now), 0);
            at += step;
        }
        begun
    }

    fn paced(per_second: u32, start: Instant) -> Pace {
        let pace = Pace::none(start);
        pace.set(Duration::from_secs(1) / per_second, start);
        pace
    }

    #[test]
    fn in_the_long_run_the_pace_is_kept_whoever_is_late() {
        for (per_second, step_ms) in [(1, 1), (7, 20), (1_000, 5), (1_000, 20), (100_000, 13)] {
            let start = Instant::now();
            let pace = paced(per_second, start);
            let (time, step) = (Duration::from_secs(10), Duration::from_millis(step_ms));
            let count = begun(&pace, start, time, step).len() as u64;
            let asked = u64::from(per_second) * 10;
            let burst = 1 + u64::from(per_second) / 50;
            assert!(
                count <= asked + burst && count + burst >= asked,
                "{count} at {per_second}/s, looked at every {step_ms} ms"
            );
        }
    }

    #[test]
    fn no_window_has_more_than_its_share_and_a_burst() {
        let start = Instant::now();
        let pace = paced(2_000, start);
        // The bucket is looked at ever so often, and sometimes not for long.
        let steps = [1, 3, 250, 2, 40, 900, 1, 1];
        let (mut at, mut begun) = (Duration::ZERO, Vec::new());
        for step in steps.into_iter().cycle().take(400) {
            at += Duration::from_millis(step);
            while pace.is_open(|| start + at) {
                pace.take(|| start + at);
                begun.push(at);
            }
        }
        assert!(begun.len() > 4_000);
        for (first, &from) in begun.iter().enumerate() {
            let window = begun[first..].iter();
            let inside = window.take_while(|&&at| at < from + Duration::from_millis(100));
            let count = inside.count();
            assert!(count <= 200 + 40 + 1, "{count} in 100 ms from {from:?}");
        }
    }

    #[test]
    fn a_pause_saves_up_no_more_than_a_burst() {
        let start = Instant::now();
        let pace = paced(1_000, start);
        let later = start + Duration::from_secs(60);
        assert_eq!(pace.room(|| later), 21);
        let slow = paced(2, start);
        assert_eq!(slow.room(|| later), 1);
        slow.take(|| later);
        assert_eq!(slow.room(|| later), 0);
        assert_eq!(slow.opens_in(later), Some(Duration::from_millis(480)));
    }

    #[test]
    fn a_faster_pace_holds_at_once() {
        let start = Instant::now();
        let pace = Pace::none(start);
        pace.set(Duration::from_secs(12), start);
        pace.take(|| start);
        assert_eq!(pace.opens_in(start), Some(Duration::from_secs(12)));
        pace.set(Duration::from_millis(1), start);
        assert_eq!(pace.opens_in(start), Some(Duration::from_millis(1)));
    }

    #[test]
    fn without_a_pace_everything_may_begin_and_no_clock_is_read() {
        let pace = paced(1, Instant::now());
        pace.set(Duration::ZERO, Instant::now());
        let clock = || panic!("a clock was read");
        for _ in 0..1_000 {
            assert!(pace.is_open(clock));
            pace.take(clock);
        }
        assert_eq!(pace.room(clock), usize::MAX);
        assert_eq!(pace.opens_in(Instant::now()), None);
    }
}
