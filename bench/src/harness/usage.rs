//! What a program used, as seen from outside.

use nix::sys::resource::{Usage as Children, UsageWho, getrusage};
use nix::sys::time::TimeVal;
use serde::Serialize;
use std::collections::BTreeMap;

/// One run of a program, from before its start until after its end.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Usage {
    /// Time on the clock, in seconds.
    pub wall_s: f64,
    /// CPU time in the program and its libraries, in seconds. How a run's CPU time falls into this
    /// and the next is the kernel's estimate; their sum is exact.
    pub user_s: f64,
    /// CPU time in the kernel for it, in seconds.
    pub system_s: f64,
    /// The most resident memory, in KiB. Unlike `ru_maxrss` it holds nothing of the harness's own.
    pub rss_peak_kib: u64,
    /// The most open descriptors that were seen.
    pub descriptors_peak: u64,
    /// The most threads that were seen.
    pub threads_peak: u64,
    /// Times that it went to sleep.
    pub switches_voluntary: u64,
    /// Times that it was made to give the CPU away.
    pub switches_involuntary: u64,
    /// The most that each gauge of the scenario showed.
    pub gauges: BTreeMap<&'static str, f64>,
}

impl Usage {
    /// All CPU time, in seconds.
    pub fn cpu_s(&self) -> f64 {
        self.user_s + self.system_s
    }
}

/// What a program that runs on holds and has used at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Moment {
    /// Since its start, in seconds.
    pub at_s: f64,
    /// CPU time so far, in seconds.
    pub cpu_s: f64,
    /// Resident memory, in KiB.
    pub rss_kib: u64,
    /// The most that it was until now.
    pub rss_peak_kib: u64,
    /// Open descriptors.
    pub descriptors: u64,
    /// Threads.
    pub threads: u64,
}

/// What the kernel has summed up of children that were waited for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reaped(Children);

impl Reaped {
    /// The sum until now.
    pub(super) fn now() -> std::io::Result<Reaped> {
        Ok(Reaped(getrusage(UsageWho::RUSAGE_CHILDREN)?))
    }

    /// Enters what came to it since `before` into `usage`.
    pub(super) fn since(self, before: Reaped, usage: &mut Usage) {
        let (now, before) = (self.0, before.0);
        let grown = |now: i64, before: i64| u64::try_from(now - before).unwrap_or(0);
        usage.user_s = seconds(now.user_time()) - seconds(before.user_time());
        usage.system_s = seconds(now.system_time()) - seconds(before.system_time());
        usage.switches_voluntary = grown(
            now.voluntary_context_switches(),
            before.voluntary_context_switches(),
        );
        usage.switches_involuntary = grown(
            now.involuntary_context_switches(),
            before.involuntary_context_switches(),
        );
    }
}

fn seconds(time: TimeVal) -> f64 {
    time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6
}
