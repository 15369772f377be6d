//! What is known of every candidate: pure, verdicts in → state.

use proxy_shards::{Candidate, Verdict};

/// What is known of one candidate, as it is kept by a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The candidate itself.
    pub candidate: Candidate,
    /// How its last probe ended; `None` before the first.
    pub verdict: Option<Verdict>,
    /// Microseconds of the last probe that ended alive; 0 if none did.
    pub latency_us: u32,
    /// When the last verdict arrived, in milliseconds since the Unix epoch; 0: never.
    pub checked_at_ms: u64,
    /// When it was last alive, likewise.
    pub alive_at_ms: u64,
    /// Failures in a row since it was last alive.
    pub failures: u32,
}
