//! How the saves of the ledger end: whether the last failed and since when they do, and when one succeeded.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

/// It is written once for each save, and read by whoever asks.
#[derive(Debug, Default)]
pub struct Saves(Mutex<Ends>);

#[derive(Clone, Copy, Debug, Default)]
struct Ends {
    failing_since: Option<SystemTime>,
    saved_at: Option<SystemTime>,
}

impl Saves {
    /// When the first failed since one succeeded; `None`: the last succeeded, or there was none.
    pub fn failing_since(&self) -> Option<SystemTime> {
        self.ends().failing_since
    }

    /// As of when what is known was saved last; `None`: never since the start.
    pub fn saved_at(&self) -> Option<SystemTime> {
        self.ends().saved_at
    }

    fn ends(&self) -> MutexGuard<'_, Ends> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn failed(&self, at: SystemTime) {
        self.ends().failing_since.get_or_insert(at);
    }

    pub(super) fn succeeded(&self, at: SystemTime) {
        *self.ends() = Ends {
            failing_since: None,
            saved_at: Some(at),
        };
    }
}
