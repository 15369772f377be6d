//! Deadlines of one ring, 16 ms apart. Entries are never removed: the owner drops a stale one when
//! its bucket comes up.

use std::time::{Duration, Instant};

const BUCKETS: u64 = 1024;

/// The grain of deadlines: one fires at most two ticks late.
pub(super) const TICK: Duration = Duration::from_millis(16);

/// What comes up: a slot, and the mark it had when it was added.
pub(super) type Due = (u32, u32);

/// A wheel of 1 024 buckets. All that waits is in one piece of memory, as long as the most that ever waited
/// at once: buckets of their own would each grow to the most that ever fell into one of them.
#[derive(Debug)]
pub(super) struct Wheel {
    start: Instant,
    /// The first tick that was not swept yet.
    next: u64,
    /// The first entry of each.
    buckets: Vec<u32>,
    entries: Vec<Entry>,
    /// The first entry that is of no bucket.
    free: u32,
    waiting: usize,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    due: Due,
    /// The one behind it.
    next: u32,
}

/// No entry.
const NONE: u32 = u32::MAX;

impl Wheel {
    pub(super) fn new(now: Instant) -> Wheel {
        Wheel {
            start: now,
            next: 0,
            buckets: vec![NONE; BUCKETS as usize],
            entries: Vec::new(),
            free: NONE,
            waiting: 0,
        }
    }

    fn tick(&self, at: Instant) -> u64 {
        (at.saturating_duration_since(self.start).as_micros() / TICK.as_micros()) as u64
    }

    /// When the first bucket with anything in it comes up, if there is one: until then no tick is
    /// needed.
    pub(super) fn due_at(&self) -> Option<Instant> {
        if self.waiting == 0 {
            return None;
        }
        let mut ticks = self.next..self.next + BUCKETS;
        let first = ticks.find(|tick| self.buckets[(tick % BUCKETS) as usize] != NONE)?;
        Some(self.start + Duration::from_micros(TICK.as_micros() as u64 * first))
    }

    /// A deadline past the horizon (16 s) comes up early; the owner puts it back.
    pub(super) fn add(&mut self, at: Instant, due: Due) {
        let tick = (self.tick(at) + 1).clamp(self.next, self.next + BUCKETS - 1);
        let bucket = &mut self.buckets[(tick % BUCKETS) as usize];
        let entry = Entry { due, next: *bucket };
        *bucket = match self.free {
            NONE => {
                self.entries.push(entry);
                // A ring has fewer slots than 2^32, and each waits a few times at most.
                self.entries.len() as u32 - 1
            }
            place => {
                self.free = std::mem::replace(&mut self.entries[place as usize], entry).next;
                place
            }
        };
        self.waiting += 1;
    }

    /// Takes all that is due at `now`.
    pub(super) fn sweep(&mut self, now: Instant, due: &mut Vec<Due>) {
        let until = self.tick(now);
        // After a pause of more than a round every bucket is due, once.
        self.next = self.next.max((until + 1).saturating_sub(BUCKETS));
        while self.next <= until {
            let bucket = &mut self.buckets[(self.next % BUCKETS) as usize];
            let mut place = std::mem::replace(bucket, NONE);
            while place != NONE {
                let entry = &mut self.entries[place as usize];
                due.push(entry.due);
                self.waiting -= 1;
                let behind = std::mem::replace(&mut entry.next, self.free);
                self.free = std::mem::replace(&mut place, behind);
            }
            self.next += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(deadline_ms: u64, sweep_ms: u64, comes_up: bool) {
        let start = Instant::now();
        let mut wheel = Wheel::new(start);
        wheel.add(start + Duration::from_millis(deadline_ms), (7, 1));
        let mut due = Vec::new();
        wheel.sweep(start + Duration::from_millis(sweep_ms), &mut due);
        assert_eq!(
            due == [(7, 1)],
            comes_up,
            "deadline {deadline_ms} ms, sweep at {sweep_ms} ms"
        );
        assert_eq!(wheel.due_at().is_none(), comes_up);
    }

    #[test]
    fn a_deadline_never_comes_up_before_its_time() {
        check(100, 99, false);
        check(100, 100, false);
        check(0, 0, false);
    }

    #[test]
    fn a_deadline_comes_up_within_two_ticks() {
        check(100, 132, true);
        check(0, 32, true);
        check(16, 48, true);
    }

    #[test]
    fn a_deadline_past_the_horizon_comes_up_early_to_be_put_back() {
        check(300_000, 16_000, false);
        check(300_000, 17_000, true);
    }

    #[test]
    fn the_first_deadline_says_when_a_tick_is_needed() {
        let start = Instant::now();
        let (mut wheel, mut due) = (Wheel::new(start), Vec::new());
        for (deadline_ms, slot) in [(9_000, 1), (5_000, 2), (300_000, 3)] {
            wheel.add(start + Duration::from_millis(deadline_ms), (slot, 0));
        }
        for (slot, from_ms) in [(2, 5_000), (1, 9_000), (3, 16_360)] {
            let at = wheel.due_at().expect("one waits");
            let window = Duration::from_millis(from_ms)..Duration::from_millis(from_ms) + 2 * TICK;
            assert!(window.contains(&(at - start)), "{slot}: {:?}", at - start);
            wheel.sweep(at, &mut due);
            assert_eq!(due.pop(), Some((slot, 0)));
        }
        assert_eq!((wheel.due_at(), due), (None, vec![]));
    }

    #[test]
    fn memory_is_that_of_what_waits_at_once_wherever_it_falls() {
        let start = Instant::now();
        let (mut wheel, mut due) = (Wheel::new(start), Vec::new());
        let mut now = start;
        for round in 0..3 * BUCKETS as u32 {
            for n in 0..100 {
                wheel.add(now + 5 * TICK, (round, n));
            }
            now += 8 * TICK;
            wheel.sweep(now, &mut due);
            due.sort_unstable();
            assert!(due.drain(..).eq((0..100).map(|n| (round, n))), "{round}");
        }
        assert_eq!(wheel.entries.len(), 100);
    }

    #[test]
    fn nothing_is_lost_over_a_pause_of_many_rounds() {
        let start = Instant::now();
        let mut wheel = Wheel::new(start);
        for n in 0..5_000u32 {
            wheel.add(start + Duration::from_millis(u64::from(n) * 7), (n, 0));
        }
        let mut due = Vec::new();
        wheel.sweep(start + Duration::from_secs(3_600), &mut due);
        due.sort_unstable();
        assert_eq!(wheel.due_at(), None);
        assert_eq!(due, (0..5_000).map(|n| (n, 0)).collect::<Vec<_>>());
    }
}
