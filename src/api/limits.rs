//! What one client, and all of them together, may take from the server.

use std::time::Duration;

/// Bounds of the server. Only tests use others than the default.
#[derive(Clone, Debug)]
pub(super) struct Limits {
    /// Longest time from the first look for a request to the end of its head; also the longest
    /// idle time of a kept connection.
    pub(super) head_timeout: Duration,
    /// Longest time that a request's body may take.
    pub(super) body_timeout: Duration,
    /// Longest time that a client may take to read an answer which the kernel cannot buffer.
    pub(super) answer_timeout: Duration,
    /// Longest time that requests under way may take after the shutdown began.
    pub(super) shutdown_timeout: Duration,
    /// Pause before the next accept after one that failed.
    pub(super) accept_pause: Duration,
    /// Longest request head, in bytes; it bounds the read buffer of a connection too.
    pub(super) head_bytes_max: usize,
    /// Longest request body, in bytes. No route needs one; it is read and dropped.
    pub(super) body_bytes_max: u64,
    /// Bytes of large answers that may wait for their readers, all together.
    pub(super) answer_bytes_max: usize,
    /// Longest time that a question to the coordinator may take.
    pub(super) question_timeout: Duration,
    /// Questions to the coordinator that may wait for their answer, all together.
    pub(super) questions_max: usize,
    /// Connections at once. More wait in the backlog of the listener.
    pub(super) connections_max: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            head_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(10),
            answer_timeout: Duration::from_secs(60),
            shutdown_timeout: Duration::from_secs(3),
            accept_pause: Duration::from_millis(100),
            head_bytes_max: 16 << 10,
            body_bytes_max: 1 << 20,
            answer_bytes_max: 256 << 20,
            question_timeout: Duration::from_secs(1),
            questions_max: 16,
            connections_max: 4096,
        }
    }
}
