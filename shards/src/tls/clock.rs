//! A clock that tests set.

use rustls::pki_types::UnixTime;
use rustls::time_provider::TimeProvider;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// Seconds since 1970, as a test has them.
#[derive(Debug)]
pub(super) struct Clock(AtomicU64);

impl Clock {
    pub(super) fn at(seconds: u64) -> Arc<Clock> {
        Arc::new(Clock(seconds.into()))
    }

    pub(super) fn set(&self, seconds: u64) {
        self.0.store(seconds, Relaxed);
    }
}

impl TimeProvider for Clock {
    fn current_time(&self) -> Option<UnixTime> {
        let now = Duration::from_secs(self.0.load(Relaxed));
        Some(UnixTime::since_unix_epoch(now))
    }
}
