//! The host's clock was set back: no moment that is kept lies in a time to come.
//!
//! What is due when goes by a clock that nobody sets, and needs nothing of this. But the moments that
//! readers see and stores keep are the host's: were they left, ages would be negative, and a restart
//! would take all that is checked from now on for older than the sweep that it belongs to: for an hour, or
//! for decades after a clock that said 2100.

use super::event::{Now, unix};
use super::state::State;
use std::time::SystemTime;

/// A clock that is set back by less, in milliseconds, is not worth a look through all that is known.
const STEP_MS: u64 = 1_000;

impl State {
    /// Sees whether the clock was set back since this was last called.
    pub(super) fn mind_the_clock(&mut self, now: Now) {
        let before_ms = std::mem::replace(&mut self.unix_ms, now.unix_ms);
        if now.unix_ms.saturating_add(STEP_MS) < before_ms {
            tracing::warn!(
                seconds = (before_ms - now.unix_ms) / 1_000,
                "the clock of this host was set back: what was learnt later than it says now was learnt now"
            );
            self.set_back(now);
        }
    }

    /// The same after a restart: an earlier process may have had a clock that was ahead.
    pub(super) fn mind_the_clock_of_before(&mut self, now: Now) {
        let latest_ms = self.asked.since_ms.max(self.ledger.last_check_ms());
        if now.unix_ms.saturating_add(STEP_MS) < latest_ms {
            tracing::warn!(
                seconds = (latest_ms - now.unix_ms) / 1_000,
                "what was saved is of a time to come: the clock of this host was ahead, or is behind"
            );
            self.set_back(now);
        }
    }

    fn set_back(&mut self, now: Now) {
        self.ledger.set_back(now.unix_ms, self.asked.since_ms);
        // 0 says that it is not known, or not yet.
        let latest_ms = now.unix_ms.max(2);
        self.asked.since_ms = self.asked.since_ms.min(latest_ms);
        self.asked.over_ms = self.asked.over_ms.min(latest_ms);
        let no_later = |at: SystemTime| at.min(unix(latest_ms));
        self.sweep.started = self.sweep.started.map(no_later);
        self.sweep.finished = self.sweep.finished.map(no_later);
        for origin in &mut self.origins.all {
            origin.stat.fetched_at = origin.stat.fetched_at.map(no_later);
        }
        self.freshness.set_back(latest_ms);
        self.publisher.note_pool();
        self.saves.unsaved = true;
    }
}
