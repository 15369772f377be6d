//! What the ledger keeps of one candidate.

use proxy_shards::{Candidate, Verdict};

/// Failures in a row of a proxy that was alive, before it counts as dead for good. Each is followed
/// by a quick re-check; the pool lost it at the first.
pub const QUICK_RECHECKS: u32 = 2;

/// Where a candidate stands: decides when it is checked next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Never checked.
    New,
    /// Its last verdict is alive.
    Alive,
    /// It was alive until just now.
    Failing,
    /// It failed `times` in a row, the quick re-checks not counted.
    Dead {
        /// At least 1.
        times: u32,
    },
}

/// No source lists it any more.
pub(super) const UNLISTED: u16 = u16::MAX;
/// It was restored, and no source has listed it since the start.
pub(super) const UNCLAIMED: u16 = u16::MAX - 1;
/// Most sources that can be told apart.
pub const SOURCES_MAX: usize = UNCLAIMED as usize;

/// One candidate, flat: no heap but the candidate's own.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) candidate: Candidate,
    pub(super) checked_at_ms: u64,
    pub(super) alive_at_ms: u64,
    pub(super) latency_us: u32,
    pub(super) failures: u32,
    /// The first source that lists it, [`UNCLAIMED`] or [`UNLISTED`].
    pub(super) source: u16,
    pub(super) verdict: Option<Verdict>,
}

impl Row {
    pub(super) fn is_alive(&self) -> bool {
        self.verdict == Some(Verdict::Alive)
    }

    pub(super) fn standing(&self) -> Standing {
        let was_alive = self.alive_at_ms != 0;
        let quick = if was_alive { QUICK_RECHECKS } else { 0 };
        match self.verdict {
            None => Standing::New,
            Some(Verdict::Alive) => Standing::Alive,
            Some(_) if self.failures <= quick => Standing::Failing,
            Some(_) => Standing::Dead {
                times: self.failures - quick,
            },
        }
    }
}
