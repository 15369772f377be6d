//! How late a shard comes to its own tick: what it measures, and when it sees a deadline, is wrong by
//! as much. A deadline that passed while the shard was late for long says nothing of the peer, whose
//! answer may have lain there. Pure.

use crate::verdict::Verdict;

use std::cell::Cell;
use std::time::{Duration, Instant};

/// A shard with work looks at its clock this often.
const TICK: Duration = Duration::from_millis(100);
/// A deadline counts if the shard was late for at most one in so many parts of the probe's time.
const LATE_SHARE: u64 = 4;

/// The tick of a shard.
#[derive(Debug)]
pub(crate) struct Lag {
    due: Cell<Instant>,
    worst: Cell<Duration>,
    /// All delays since the start, in microseconds.
    total_us: Cell<u64>,
}

impl Lag {
    /// The first tick is due one interval from now.
    pub(crate) fn new(now: Instant) -> Lag {
        Lag {
            due: Cell::new(now + TICK),
            worst: Cell::default(),
            total_us: Cell::default(),
        }
    }

    /// The shard slept on purpose, for want of work.
    pub(crate) fn rested(&self, now: Instant) {
        self.due.set(now + TICK);
    }

    /// The shard is awake: if its tick was due, it is so late.
    pub(crate) fn look(&self, now: Instant) {
        if let Some(late) = now.checked_duration_since(self.due.get()) {
            self.worst.set(self.worst.get().max(late));
            self.total_us
                .set(self.total_us.get() + late.as_micros() as u64);
            self.due.set(now + TICK);
        }
    }

    /// For how long it was late since the start, in microseconds, as far as it has looked.
    pub(crate) fn total_us(&self) -> u64 {
        self.total_us.get()
    }

    /// What `verdict` is worth, of a probe that ended now and lasted `span_us`; `before_us` was the
    /// total when it began. What is late beside the probe is counted too: then it is made again,
    /// which does no harm.
    pub(crate) fn judged(
        &self,
        verdict: Verdict,
        span_us: u32,
        before_us: u64,
        now: Instant,
    ) -> Verdict {
        if !verdict.is_timeout() {
            return verdict;
        }
        // The probe may have seen its deadline before the shard saw its tick.
        self.look(now);
        let late_us = self.total_us.get().saturating_sub(before_us);
        match late_us.saturating_mul(LATE_SHARE) > u64::from(span_us) {
            true => Verdict::LocalLate,
            false => verdict,
        }
    }

    /// Time until the tick: the shard is to sleep no longer.
    pub(crate) fn left(&self, now: Instant) -> Duration {
        self.due.get().saturating_duration_since(now)
    }

    /// The worst since the last call, in microseconds.
    pub(crate) fn take_us(&self) -> u32 {
        u32::try_from(self.worst.take().as_micros()).unwrap_or(u32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_delay_is_told_once_and_rest_is_none() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let lag = Lag::new(start);
        lag.look(at(40));
        assert_eq!(lag.left(at(40)), Duration::from_millis(60));
        lag.look(at(107));
        lag.look(at(210));
        assert_eq!((lag.take_us(), lag.take_us()), (7_000, 0));
        lag.rested(at(60_000));
        lag.look(at(60_100));
        assert_eq!(lag.take_us(), 0);
        assert_eq!(lag.left(at(70_000)), Duration::ZERO);
    }

    /// What a deadline is worth that passed 1 s after the start, when the shard had looked at its
    /// clock at these times and looks at it again then.
    fn check(looks_ms: &[u64], expected: Verdict) {
        let start = Instant::now();
        let lag = Lag::new(start);
        let at = |ms| start + Duration::from_millis(ms);
        looks_ms.iter().for_each(|&ms| lag.look(at(ms)));
        let timeout = Verdict::ResponseTimeout;
        assert_eq!(lag.judged(timeout, 1_000_000, 0, at(1_000)), expected);
        assert_eq!(
            lag.judged(Verdict::Refused, 1_000_000, 0, at(1_000)),
            Verdict::Refused,
            "what the peer said is not late"
        );
        let since = lag.total_us();
        assert_eq!(
            lag.judged(timeout, 1_000_000, since, at(1_000)),
            timeout,
            "what was late before the probe"
        );
    }

    #[test]
    fn a_deadline_counts_unless_the_shard_was_late_for_a_quarter_of_the_time() {
        let in_time: Vec<u64> = (1..10).map(|tick| tick * 100).collect();
        check(&in_time, Verdict::ResponseTimeout);
        // 30 ms late each time, seven times, and 90 ms at the end.
        let often = [130, 260, 390, 520, 650, 780, 910];
        check(&often[..6], Verdict::LocalLate);
        check(&[100, 340], Verdict::LocalLate);
        check(
            &[100, 200, 300, 400, 500, 600, 850],
            Verdict::ResponseTimeout,
        );
        // It comes to its tick for the first time when the deadline has long passed.
        check(&[], Verdict::LocalLate);
    }
}
