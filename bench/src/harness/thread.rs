//! The CPU time of the thread that asks: for benches that run within one process.

use super::{Result, system};
use nix::time::{ClockId, clock_gettime};
use std::time::Duration;

/// CPU time of this thread since its start. Exact, while `/proc` counts from the last time slice.
///
/// # Errors
/// The system's refusal.
pub fn cpu_of_this_thread() -> Result<Duration> {
    let now = clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID);
    now.map(Duration::from)
        .map_err(|errno| system("clock_gettime")(errno.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_grows_with_the_threads_own_work_only() {
        let before = cpu_of_this_thread().expect("a clock");
        let busy = || {
            let until = Duration::from_millis(20);
            while cpu_of_this_thread().expect("a clock") < until {}
        };
        std::thread::spawn(busy).join().expect("joined");
        let after = cpu_of_this_thread().expect("a clock");
        assert!(after > before && after - before < Duration::from_millis(20));
    }
}
