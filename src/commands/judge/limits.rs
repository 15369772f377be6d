//! What one client, and all of them together, may take.

use std::time::Duration;

/// Bounds of the judge.
#[derive(Clone, Debug)]
pub(super) struct Limits {
    /// Answers for one origin and minute; 0: no limit.
    pub(super) rate_per_minute: u32,
    /// Connections at once.
    pub(super) connections_max: usize,
    /// Connections at once from one origin.
    pub(super) connections_per_origin_max: usize,
    /// Longest time until the head of the request is whole.
    pub(super) head_timeout: Duration,
    /// Longest time from the first to the last byte.
    pub(super) exchange_timeout: Duration,
    /// Longest time that requests under way may take after the shutdown began.
    pub(super) shutdown_timeout: Duration,
    /// Pause before the next accept after one that failed.
    pub(super) accept_pause: Duration,
    /// Longest request head, in bytes; it bounds the read buffer of a connection too.
    pub(super) head_bytes_max: usize,
    /// Longest request body, in bytes. None is needed; it is read and dropped.
    pub(super) body_bytes_max: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            rate_per_minute: 120,
            connections_max: 4_096,
            connections_per_origin_max: 256,
            head_timeout: Duration::from_secs(5),
            exchange_timeout: Duration::from_secs(10),
            shutdown_timeout: Duration::from_secs(3),
            accept_pause: Duration::from_millis(50),
            head_bytes_max: 16 << 10,
            body_bytes_max: 64 << 10,
        }
    }
}
