//! One target, as the last rounds have it.

use super::UNTOLD_MAX;
use proxy_shards::target::Learnt;
use proxy_shards::{ControlRecord, Verdict};
use std::net::IpAddr;

/// How it fared, and what it said.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    pub(super) verdict: Option<Verdict>,
    pub(super) total_us: u32,
    pub(super) said: Option<Learnt>,
    pub(super) own: Option<IpAddr>,
    /// Since the end of which round it has answered in every one; `None` if not in the last.
    fine_since_ms: Option<u64>,
    /// Rounds in a row that said nothing of it.
    untold: u8,
}

impl Seen {
    /// Takes how its probe ended. What it said before is kept if it says nothing now.
    pub(super) fn take(&mut self, record: ControlRecord) {
        self.verdict = Some(record.verdict);
        self.total_us = record.timing.total_us;
        if record.verdict == Verdict::Alive {
            self.said = record.learnt.or(self.said.take());
            self.own = record.own.or(self.own);
        }
    }

    /// Its probe did not come back in time.
    pub(super) fn miss(&mut self) {
        self.verdict = Some(Verdict::LocalLate);
        self.total_us = 0;
    }

    /// A round ended. That this host was late says nothing of the target, unless it always is.
    pub(super) fn conclude(&mut self, now_ms: u64) {
        self.untold = match self.verdict {
            Some(Verdict::LocalLate) => self.untold.saturating_add(1),
            _ => 0,
        };
        self.fine_since_ms = match self.verdict {
            Some(Verdict::Alive) => self.fine_since_ms.or(Some(now_ms)),
            _ if self.is_untold() => self.fine_since_ms,
            _ => None,
        };
    }

    /// Whether the last round said nothing of it.
    pub(super) fn is_untold(&self) -> bool {
        (1..=UNTOLD_MAX).contains(&self.untold)
    }

    /// Whether it has answered in every round since one that ended by `began_ms`.
    pub(super) fn is_fine_since(&self, began_ms: u64) -> bool {
        self.fine_since_ms.is_some_and(|since| since <= began_ms)
    }

    /// What `old`, the same target under a policy before, has said.
    pub(super) fn remember(&mut self, old: Seen) {
        (self.said, self.own) = (old.said, old.own);
    }
}
