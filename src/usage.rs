//! How much of the CPUs this process uses.

use rustix::time::{ClockId, clock_gettime};
use std::num::NonZeroUsize;
use std::thread;
use std::time::{Duration, Instant};

/// Shorter windows than this say little; whoever looks once a second is never a moment too early.
const WINDOW: Duration = Duration::from_millis(900);

/// Measures from one look to the next.
#[derive(Debug)]
pub struct Meter {
    cpus: NonZeroUsize,
    at: Instant,
    used: Duration,
}

impl Meter {
    /// Begins to measure. The CPUs that the process may use are those of its affinity and its
    /// cgroup's quota, whichever are fewer.
    pub fn start() -> Meter {
        Meter {
            cpus: thread::available_parallelism().unwrap_or(NonZeroUsize::MIN),
            at: Instant::now(),
            used: used(),
        }
    }

    /// The use since the last look in percent of the CPUs that the process may use, about once a
    /// second.
    pub fn look(&mut self) -> Option<u32> {
        let (now, used) = (Instant::now(), used());
        let passed = now.duration_since(self.at);
        if passed < WINDOW {
            return None;
        }
        let spent = used.saturating_sub(self.used);
        (self.at, self.used) = (now, used);
        Some(percent(spent, passed, self.cpus))
    }
}

/// CPU time of all threads of this process, the kernel's work for them included.
fn used() -> Duration {
    let spent = clock_gettime(ClockId::ProcessCPUTime);
    Duration::try_from(spent).unwrap_or_default()
}

fn percent(spent: Duration, passed: Duration, cpus: NonZeroUsize) -> u32 {
    let whole = passed.as_micros() * cpus.get() as u128;
    u32::try_from(spent.as_micros() * 100 / whole.max(1)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_is_of_all_cpus_together() {
        let check = |spent_ms, cpus, expected| {
            let (spent, passed) = (Duration::from_millis(spent_ms), Duration::from_secs(2));
            let cpus = NonZeroUsize::new(cpus).unwrap();
            assert_eq!(percent(spent, passed, cpus), expected);
        };
        check(0, 1, 0);
        check(1_900, 1, 95);
        check(4_000, 4, 50);
    }

    #[test]
    fn work_counts_once_the_window_is_over() {
        let mut meter = Meter::start();
        let mut looks = 0;
        let percent = loop {
            looks += 1;
            if let Some(percent) = meter.look() {
                break percent;
            }
        };
        assert!(looks > 1 && percent > 0, "{percent} % after {looks} looks");
    }
}
