//! What is known of one candidate, for those who keep it and those who ask.

use super::feedback::Voices;
use proxy_shards::{Candidate, Exit, Timing, Verdict, Works};

/// What is known of one candidate, as it is kept by a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The candidate itself.
    pub candidate: Candidate,
    /// How its last probe ended; `None` before the first.
    pub verdict: Option<Verdict>,
    /// The targets that it reached by each protocol when it was last checked.
    pub works: Works,
    /// What a judge saw of it when it was last alive.
    pub exit: Option<Exit>,
    /// How long its last probe that ended alive took, part by part; zero if none did.
    pub timing: Timing,
    /// When the last verdict arrived, in milliseconds since the Unix epoch; 0: never.
    pub checked_at_ms: u64,
    /// When it was last alive, likewise.
    pub alive_at_ms: u64,
    /// Failures in a row since it was last alive.
    pub failures: u32,
    /// Its last checks, the oldest first, at most [`HISTORY_MAX`]; none of a candidate that was
    /// never alive.
    pub history: Box<[Check]>,
}

impl Entry {
    /// A candidate of which nothing is known.
    pub fn new(candidate: Candidate) -> Entry {
        Entry {
            candidate,
            verdict: None,
            works: Works::default(),
            exit: None,
            timing: Timing::default(),
            checked_at_ms: 0,
            alive_at_ms: 0,
            failures: 0,
            history: Box::default(),
        }
    }

    /// The smallest latency that `percent` of its last checks that ended alive did not exceed, in
    /// microseconds; `None` if none did.
    pub fn latency_percentile(&self, percent: usize) -> Option<u32> {
        let alive = self.history.iter().filter(|c| c.verdict == Verdict::Alive);
        let mut latencies: Vec<u32> = alive.map(|check| check.total_us).collect();
        latencies.sort_unstable();
        let rank = (latencies.len() * percent).div_ceil(100).max(1) - 1;
        latencies.get(rank).copied()
    }
}

/// Checks that are kept of a candidate that was alive once.
pub const HISTORY_MAX: usize = 16;

/// One check of a candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Check {
    /// When its verdict arrived, in seconds since the Unix epoch.
    pub at_s: u32,
    /// Microseconds of its probe.
    pub total_us: u32,
    /// How it ended.
    pub verdict: Verdict,
}

/// All that is known of one candidate, for those who ask about it.
#[derive(Clone, Debug)]
pub struct Facts {
    /// What the ledger keeps.
    pub entry: Entry,
    /// When its next check is due, in milliseconds since the Unix epoch; `None` while it is being
    /// checked.
    pub next_check_ms: Option<u64>,
    /// Whether its last verdict waits until the targets have answered without a proxy.
    pub held: bool,
    /// What clients said of it lately.
    pub voices: Voices,
    /// The sources that list it.
    pub sources: Vec<Box<str>>,
}
