//! When a shard reports: seldom enough to cost nothing, soon enough that no lane waits for jobs. Pure.

use std::time::{Duration, Instant};

/// What ended is reported after this time.
const EVERY: Duration = Duration::from_millis(100);
/// What ended is reported as soon as it is this many records.
const RECORDS: usize = 1024;
/// Shortest time between two reports that ask for more jobs.
const SOON: Duration = Duration::from_millis(10);
/// Shortest sleep between two looks.
const PAUSE_MIN: Duration = Duration::from_millis(2);

/// The cadence of one shard's reports.
///
/// A report is also what asks for more jobs. If the last one was answered with some, there may be
/// more, and the next goes out before the shard runs dry: as soon as no more jobs wait than ended
/// since. If it was not, nothing is to be had, and the shard reports at leisure.
#[derive(Clone, Copy, Debug)]
pub struct Cadence {
    last: Instant,
    fed: bool,
}

impl Cadence {
    /// A report went out now, or there was none yet.
    pub fn new(now: Instant) -> Cadence {
        Cadence {
            last: now,
            fed: false,
        }
    }

    /// Jobs came in since.
    #[must_use]
    pub fn fed(self) -> Cadence {
        Cadence { fed: true, ..self }
    }

    /// Whether a report of `records` is due while `waiting` jobs have no lane yet.
    pub fn is_due(&self, records: usize, waiting: usize, now: Instant) -> bool {
        records >= RECORDS || records > 0 && now >= self.due_at(records, waiting)
    }

    /// How long the shard may sleep until it looks at its report again. What ends meanwhile looks by
    /// itself.
    pub fn pause(&self, records: usize, waiting: usize, now: Instant) -> Duration {
        let left = self.due_at(records, waiting).duration_since(now);
        match left.is_zero() {
            true => EVERY,
            false => left.max(PAUSE_MIN),
        }
    }

    /// When a report of `records` is due if nothing more ends until then.
    fn due_at(&self, records: usize, waiting: usize) -> Instant {
        match self.fed && waiting <= records {
            true => self.last + SOON,
            false => self.last + EVERY,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The milliseconds after the last report at which one of `records` is due.
    fn due(fed: bool, records: usize, waiting: usize) -> Option<u64> {
        let start = Instant::now();
        let cadence = Cadence::new(start);
        let cadence = if fed { cadence.fed() } else { cadence };
        let is_due =
            |ms: &u64| cadence.is_due(records, waiting, start + Duration::from_millis(*ms));
        (0..1_000).find(is_due)
    }

    #[test]
    fn what_ended_is_reported_every_100_ms_or_1024_records() {
        assert_eq!(due(false, 1, 0), Some(100));
        assert_eq!(due(false, 1_023, 0), Some(100));
        assert_eq!(due(false, 1_024, 9_999), Some(0));
        assert_eq!(due(true, 0, 0), None, "nothing is no report");
    }

    #[test]
    fn a_shard_that_is_being_fed_asks_for_more_before_it_runs_dry() {
        assert_eq!(due(true, 50, 51), Some(100));
        assert_eq!(due(true, 50, 50), Some(10));
        assert_eq!(due(true, 1, 0), Some(10));
    }

    #[test]
    fn a_report_that_was_not_answered_with_jobs_is_followed_at_leisure() {
        let start = Instant::now();
        let cadence = Cadence::new(start);
        assert_eq!(cadence.pause(1, 0, start), EVERY);
        assert_eq!(cadence.fed().pause(1, 0, start), SOON);
    }

    #[test]
    fn a_shard_with_nothing_to_report_does_not_look_all_the_time() {
        let start = Instant::now();
        for cadence in [Cadence::new(start), Cadence::new(start).fed()] {
            assert_eq!(cadence.pause(0, 0, start + EVERY), EVERY);
            assert_eq!(cadence.pause(0, 0, start + EVERY * 9), EVERY);
        }
        let nearly = start + EVERY - Duration::from_micros(1);
        assert_eq!(Cadence::new(start).pause(1, 0, nearly), PAUSE_MIN);
    }
}
