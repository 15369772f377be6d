//! What one client, and all of them together, may take from the server.

use proxy_shards::preflight;
use std::fs;
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
    /// Longest time that a large answer may wait until it is made.
    pub(super) turn_timeout: Duration,
    /// Longest time that a question to the coordinator may take.
    pub(super) question_timeout: Duration,
    /// Questions to the coordinator that may wait for their answer, all together.
    pub(super) questions_max: usize,
    /// Connections at once, whatever the descriptors. More wait in the backlog of the listener.
    pub(super) connections_max: usize,
    /// Descriptors that this process may have: the soft RLIMIT_NOFILE.
    pub(super) descriptors: u64,
    /// Descriptors that are not for connections.
    pub(super) descriptors_kept: u64,
}

/// Descriptors for what comes later than the API: sources side by side, names, files.
const DESCRIPTORS_LATER: u64 = 64;
/// Connections at once, however few descriptors there are.
const CONNECTIONS_MIN: usize = 8;

impl Limits {
    /// Those of this process, which has its shards and its store by now.
    pub(super) fn of_this_process() -> Limits {
        let open = fs::read_dir("/proc/self/fd").map_or(0, Iterator::count);
        Limits {
            descriptors: preflight::raise_nofile().soft,
            descriptors_kept: open as u64 + DESCRIPTORS_LATER,
            ..Limits::default()
        }
    }

    /// Connections at once, if `percent` of the descriptors may be used: those of the lanes are in
    /// tables of their own, so connections are what these are used for.
    pub(super) fn connections(&self, percent: u8) -> usize {
        let share = u128::from(self.descriptors) * u128::from(percent) / 100;
        let left = share.saturating_sub(self.descriptors_kept.into());
        let left = usize::try_from(left).unwrap_or(usize::MAX);
        left.clamp(
            CONNECTIONS_MIN.min(self.connections_max),
            self.connections_max,
        )
    }
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
            turn_timeout: Duration::from_secs(10),
            question_timeout: Duration::from_secs(1),
            questions_max: 16,
            connections_max: 4096,
            descriptors: u64::MAX,
            descriptors_kept: 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_keep_within_their_share_of_the_descriptors() {
        let check = |descriptors, percent, expected| {
            let limits = Limits {
                descriptors,
                descriptors_kept: 100,
                ..Limits::default()
            };
            assert_eq!(limits.connections(percent), expected);
        };
        check(u64::MAX, 1, 4096);
        check(20_000, 80, 4096);
        check(1_024, 80, 719);
        check(1_024, 50, 412);
        check(64, 100, 8);
        let few = Limits {
            connections_max: 2,
            ..Limits::default()
        };
        assert_eq!(few.connections(80), 2);
    }

    #[test]
    fn what_this_process_has_open_is_kept_from_the_connections() {
        let limits = Limits::of_this_process();
        assert!(limits.descriptors_kept > DESCRIPTORS_LATER);
        assert!(limits.descriptors < u64::MAX || limits.connections(1) == 4096);
    }
}
