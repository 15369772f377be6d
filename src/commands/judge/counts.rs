//! What happened in the last minute, as one line of the log: requests are not logged one by one, so
//! that nobody can fill a disk.

/// Counts since the last line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    /// Pages sent.
    pub(super) answered: u64,
    /// Requests above the rate of their origin.
    pub(super) limited: u64,
    /// Requests without a nonce, with another method, or with a body that is none.
    pub(super) refused: u64,
    /// Requests of a trusted reverse proxy that did not say who asked.
    pub(super) unattributed: u64,
    /// Connections that were too slow.
    pub(super) timed_out: u64,
    /// Connections that broke off, or were not HTTP.
    pub(super) broken: u64,
    /// Connections that gave way to younger ones.
    pub(super) gave_way: u64,
    /// Connections that could not be accepted.
    pub(super) not_accepted: u64,
}

impl Counts {
    /// Says what they are, unless nothing happened, and starts again.
    pub(super) fn report(&mut self, open: usize) {
        let counts = std::mem::take(self);
        if counts == Counts::default() {
            return;
        }
        tracing::info!(
            answered = counts.answered,
            limited = counts.limited,
            refused = counts.refused,
            timed_out = counts.timed_out,
            broken = counts.broken,
            gave_way = counts.gave_way,
            not_accepted = counts.not_accepted,
            open,
            "requests of the last minute"
        );
        if counts.unattributed > 0 {
            tracing::warn!(
                requests = counts.unattributed,
                "a trusted proxy does not say who asks: let it add the peer to X-Forwarded-For (docs/judge.md)"
            );
        }
    }
}
