//! What each thread of this process has used, as the kernel counts it. Threads must be looked at
//! before they end, and from another process that moment is hard to hit; so the process looks at
//! itself.

use nix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;
use std::{fs, io};

/// What a run used, thread by thread.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Stat {
    /// Each shard, in their order.
    pub shards: Vec<ShardUse>,
    /// CPU time of everything else, in microseconds: handing jobs over, taking reports in.
    pub others_cpu_us: f64,
}

/// What one shard did and used.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ShardUse {
    /// Probes that it made.
    pub probes: u64,
    /// CPU time of its thread, and of the one that glommio keeps beside it, in microseconds.
    pub cpu_us: f64,
    /// Times that it went to sleep.
    pub sleeps: u64,
}

/// One thread until now.
#[derive(Clone, Debug, Default, PartialEq)]
struct Used {
    name: String,
    cpu: Duration,
    sleeps: u64,
}

/// Every thread of this process at one moment, by its id.
#[derive(Clone, Debug)]
pub(super) struct Threads(BTreeMap<i32, Used>);

impl Threads {
    pub(super) fn now() -> io::Result<Threads> {
        let mut threads = BTreeMap::new();
        for entry in fs::read_dir("/proc/self/task")? {
            let name = entry?.file_name();
            // One that ends just now is no shard.
            if let Some(id) = name.to_str().and_then(|id| id.parse().ok())
                && let Some(used) = used(id)
            {
                threads.insert(id, used);
            }
        }
        Ok(Threads(threads))
    }

    /// What was used since `before`; each shard made so many `probes`.
    pub(super) fn since(&self, before: &Threads, probes: &[u64]) -> Stat {
        let mut stat = Stat {
            shards: probes.iter().map(|&probes| of_probes(probes)).collect(),
            others_cpu_us: 0.0,
        };
        for (id, now) in &self.0 {
            let nothing = Used::default();
            let before = before.0.get(id).unwrap_or(&nothing);
            let cpu_us = (now.cpu.saturating_sub(before.cpu)).as_secs_f64() * 1e6;
            match shard(&now.name).and_then(|number| stat.shards.get_mut(number)) {
                Some(shard) => {
                    shard.cpu_us += cpu_us;
                    shard.sleeps += now.sleeps.saturating_sub(before.sleeps);
                }
                None => stat.others_cpu_us += cpu_us,
            }
        }
        stat
    }
}

fn of_probes(probes: u64) -> ShardUse {
    ShardUse {
        probes,
        ..ShardUse::default()
    }
}

/// The number of a shard's thread, from its name.
fn shard(name: &str) -> Option<usize> {
    name.strip_prefix("shard-")?.parse().ok()
}

fn used(id: i32) -> Option<Used> {
    let read = |file: &str| fs::read_to_string(format!("/proc/self/task/{id}/{file}")).ok();
    let status = read("status")?;
    let switches = status
        .lines()
        .find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
    Some(Used {
        name: read("comm")?.trim_end().to_owned(),
        cpu: clock_gettime(clock_of(id)).ok()?.into(),
        sleeps: switches?.trim().parse().ok()?,
    })
}

/// The clock of a thread's CPU time. Exact also for one that runs just now, which
/// `/proc/self/task/*/schedstat` is not. The number is the kernel's (`CPUCLOCK_PERTHREAD_MASK |
/// CPUCLOCK_SCHED`) and that of `pthread_getcpuclockid(3)`, which takes no thread id.
fn clock_of(id: i32) -> ClockId {
    ClockId::from_raw((!id << 3) | 6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_of_a_thread_is_its_own() {
        let (stop, stopped) = std::sync::mpsc::channel::<()>();
        let (begun, begin) = std::sync::mpsc::channel();
        let before = Threads::now().expect("threads");
        // Other tests have shards too, but not that many.
        let busy = std::thread::Builder::new().name("shard-57".into());
        let busy = busy.spawn(move || {
            let clock = ClockId::CLOCK_THREAD_CPUTIME_ID;
            let used = || Duration::from(clock_gettime(clock).expect("a clock"));
            while used() < Duration::from_millis(20) {}
            begun.send(used()).expect("heard");
            stopped.recv().ok();
        });
        let busy = busy.expect("a thread");
        let used_us = begin.recv().expect("a time").as_secs_f64() * 1e6;
        let mut probes = [0; 58];
        probes[57] = 9;
        let stat = Threads::now().expect("threads").since(&before, &probes);
        let found = &stat.shards[57];
        assert_eq!((found.probes, stat.shards[56].cpu_us), (9, 0.0));
        let most = used_us + 1e6;
        assert!(used_us <= found.cpu_us && found.cpu_us < most, "{found:?}");
        drop(stop);
        busy.join().expect("joined");
    }

    #[test]
    fn only_shards_are_shards() {
        assert_eq!(shard("shard-11"), Some(11));
        assert_eq!((shard("shard-"), shard("coordinator")), (None, None));
    }
}
