//! The knobs of a probe ring. Each default is what the tuning bench found no better value for.

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

/// Sizes and ways of a probe ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tuning {
    /// Entries of the submission queue, a power of two; a full one is submitted on the spot.
    pub submissions: u32,
    /// Most entries of the completion queue; the lanes decide how many of them it has. 16 384 is the
    /// most that 8 MiB of locked memory allow.
    pub completions_max: u32,
    /// Receive buffers, a power of two, at most 32 768.
    pub buffers: u16,
    /// Bytes in each.
    pub buffer_bytes: usize,
    /// How long more completions are let gather when few came, though many are awaited; zero: never.
    /// Else the executor's own sleep costs more than the work.
    pub nap: Duration,
    /// From so many operations in the kernel on.
    pub nap_crowd: usize,
    /// When fewer completions than this came.
    pub nap_few: usize,
    /// Completions taken in one round, before the tasks that they woke run.
    pub round: usize,
    /// Who decides when the kernel's work is done.
    pub task_run: TaskRun,
    /// Whether each shard stays on one CPU.
    pub pinned: bool,
}

impl Default for Tuning {
    fn default() -> Tuning {
        Tuning {
            submissions: 1024,
            completions_max: 16_384,
            buffers: 1024,
            buffer_bytes: 2048,
            nap: Duration::from_micros(200),
            nap_crowd: 256,
            nap_few: 16,
            round: 256,
            task_run: TaskRun::Deferred,
            pinned: true,
        }
    }
}
