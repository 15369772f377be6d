//! SIGTERM at any moment, a second one, SIGSTOP and SIGCONT.

mod check;
mod crowd;
mod frozen;
mod random_stops;
mod stops;

use crate::support::Running;
use rustix::process::{Pid, Signal, kill_process};
use std::time::Duration;

/// What the service is promised to need from a signal to its end. The long form measures a release build
/// with it; the short one runs a debug build on a machine that others use too.
fn stop_within() -> Duration {
    super::times(Duration::from_secs(12), Duration::from_secs(5))
}

/// Sends a signal at once: to run `kill` takes longer than some of these moments last.
fn send(running: &Running, signal: Signal) {
    let pid = Pid::from_raw(i32::try_from(running.pid()).unwrap()).unwrap();
    kill_process(pid, signal).unwrap();
}
