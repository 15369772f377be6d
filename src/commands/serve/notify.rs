//! What the service manager is told, by the protocol of sd_notify(3). Without one nothing is said.

use sd_notify::NotifyState;
use std::time::{Duration, Instant};

/// How often the text of `systemctl status` is renewed.
const STATUS_EVERY: Duration = Duration::from_secs(5);

/// Speaks to the service manager, if there is one.
#[derive(Debug)]
pub(super) struct Notify {
    watched: bool,
    status_due: Instant,
}

impl Notify {
    /// With whom the environment names.
    pub(super) fn new() -> Notify {
        Notify {
            watched: sd_notify::watchdog_enabled().is_some(),
            status_due: Instant::now(),
        }
    }

    /// The service serves.
    pub(super) fn ready(&self) {
        tell(&[NotifyState::Ready]);
    }

    /// The service ends.
    pub(super) fn stopping(&self) {
        tell(&[NotifyState::Stopping]);
    }

    /// Every part of the service has answered.
    pub(super) fn alive(&self) {
        if self.watched {
            tell(&[NotifyState::Watchdog]);
        }
    }

    /// One line about the work, from time to time.
    pub(super) fn status(&mut self, now: Instant, text: impl FnOnce() -> String) {
        if now >= self.status_due {
            self.status_due = now + STATUS_EVERY;
            tell(&[NotifyState::Status(&text())]);
        }
    }
}

/// A reload begins; [`reloaded`] is to follow, whatever came of it.
pub(super) fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell(&[NotifyState::Reloading, now]),
        Err(error) => tracing::debug!(%error, "no clock for the service manager"),
    }
}

/// The service goes on, with the new configuration or with the old one.
pub(super) fn reloaded() {
    tell(&[NotifyState::Ready]);
}

fn tell(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::warn!(%error, "the service manager cannot be told; check NOTIFY_SOCKET");
    }
}
