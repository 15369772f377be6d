//! The knobs of a probe ring. Each default is what the tuning bench found no better value for.

use std::num::NonZeroU32;
use std::time::Duration;

/// How the kernel runs what a ring has left to do (`io_uring_setup(2)`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TaskRun {
    /// Only when the shard asks for it: `IORING_SETUP_DEFER_TASKRUN`, with one submitter.
    Deferred,
    /// At the shard's next system call, without an interrupt: `IORING_SETUP_COOP_TASKRUN`.
    Cooperative,
    /// Whenever the kernel likes, interrupting the shard.
    Interrupting,
}

impl TaskRun {
    /// Every way.
    pub const ALL: [TaskRun; 3] = [
        TaskRun::Deferred,
        TaskRun::Cooperative,
        TaskRun::Interrupting,
    ];

    /// The one word for it on command lines and in tables.
    pub const fn label(self) -> &'static str {
        match self {
            TaskRun::Deferred => "deferred",
            TaskRun::Cooperative => "cooperative",
            TaskRun::Interrupting => "interrupting",
        }
    }

    /// The way that `label` names.
    pub fn from_label(label: &str) -> Option<TaskRun> {
        TaskRun::ALL.into_iter().find(|way| way.label() == label)
    }
}

/// Sizes and ways of a probe ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tuning {
    /// Entries of the submission queue, a power of two; a full one is submitted on the spot.
    pub submissions: u32,
    /// Least entries of the completion queue.
    pub completions_min: u32,
    /// Most entries of the completion queue; the lanes decide how many of them it has. 16 384 is the
    /// most that 8 MiB of locked memory allow.
    pub completions_max: u32,
    /// Most sockets of a ring, and so lanes of a shard, eight less; absent: RLIMIT_NOFILE.
    pub slots_max: Option<NonZeroU32>,
    /// Receive buffers, a power of two, at most 32 768.
    pub buffers: u16,
    /// Bytes in each.
    pub buffer_bytes: usize,
    /// How long completions are let gather while many are awaited; zero: not at all.
    pub nap: Duration,
    /// From so many operations in the kernel on.
    pub nap_crowd: usize,
    /// Until there are so many completions.
    pub nap_few: usize,
    /// How long the shard blocks in its ring before it goes to sleep by the executor, which takes
    /// several system calls more. Mail and timers that come meanwhile wait for so long.
    pub linger: Duration,
    /// Who decides when the kernel's work is done.
    pub task_run: TaskRun,
    /// Whether each shard stays on one CPU.
    pub pinned: bool,
}

impl Default for Tuning {
    fn default() -> Tuning {
        Tuning {
            submissions: 1024,
            completions_min: 4096,
            completions_max: 16_384,
            slots_max: None,
            buffers: 1024,
            buffer_bytes: 2048,
            nap: Duration::from_micros(200),
            nap_crowd: 256,
            nap_few: 16,
            linger: Duration::from_millis(2),
            task_run: TaskRun::Deferred,
            pinned: true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_is_found_by_its_label() {
        for way in TaskRun::ALL {
            assert_eq!(TaskRun::from_label(way.label()), Some(way));
        }
        assert_eq!(TaskRun::from_label("sometimes"), None);
    }
}
