//! How the saves of the ledger end: whether the last failed and since when they do, and when one succeeded.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

/// A save that takes longer than this counts as one that fails: its disk hangs.
const HANGS_AFTER: Duration = Duration::from_secs(60);

/// It is written twice for each save, and read by whoever asks.
#[derive(Debug, Default)]
pub struct Saves(Mutex<Known>);

#[derive(Clone, Copy, Debug, Default)]
struct Known {
    /// The one that runs.
    begun: Option<(Instant, SystemTime)>,
    failing_since: Option<SystemTime>,
    saved_at: Option<SystemTime>,
}

impl Saves {
    /// When the first failed since one succeeded, or one began that does not end; `None`: the last
    /// succeeded, or there was none.
    pub fn failing_since(&self) -> Option<SystemTime> {
        self.failing_after(HANGS_AFTER)
    }

    fn failing_after(&self, patience: Duration) -> Option<SystemTime> {
        let known = self.known();
        let hangs = known.begun.filter(|(at, _)| at.elapsed() >= patience);
        known.failing_since.or(hangs.map(|(_, at)| at))
    }

    /// As of when what is known was saved last; `None`: never.
    pub fn saved_at(&self) -> Option<SystemTime> {
        self.known().saved_at
    }

    /// The service begins with what was saved then.
    pub fn restored(&self, at: SystemTime) {
        self.known().saved_at = Some(at);
    }

    pub(super) fn began(&self) {
        self.known().begun = Some((Instant::now(), SystemTime::now()));
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn failed(&self, at: SystemTime) {
        let mut known = self.known();
        known.begun = None;
        known.failing_since.get_or_insert(at);
    }

    pub(super) fn succeeded(&self, at: SystemTime) {
        *self.known() = Known {
            saved_at: Some(at),
            ..Known::default()
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_save_that_does_not_end_is_one_that_fails() {
        let (saves, patience) = (Saves::default(), Duration::from_millis(1));
        let now = SystemTime::now();
        saves.began();
        assert_eq!(saves.failing_since(), None, "it may take its time");
        std::thread::sleep(2 * patience);
        assert!(saves.failing_after(patience) >= Some(now));
        saves.succeeded(now);
        assert_eq!(saves.failing_after(patience), None);
        saves.began();
        saves.failed(now);
        std::thread::sleep(2 * patience);
        assert_eq!(saves.failing_after(patience), Some(now));
    }
}
