//! CPU time and memory as the kernel counts them, and what many runs say together.

use serde::{Deserialize, Serialize};
use std::fs;
use std::io;
use std::time::Duration;

/// What a figure counts.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) enum Unit {
    /// Milliseconds.
    Ms,
    /// Nanoseconds a piece.
    NsEach,
    /// Megabytes (10⁶ bytes).
    Mb,
    /// Bytes a piece.
    BytesEach,
}

impl Unit {
    /// The word behind the number.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Unit::Ms => "ms",
            Unit::NsEach => "ns each",
            Unit::Mb => "MB",
            Unit::BytesEach => "bytes each",
        }
    }

    /// The number.
    pub(crate) fn text(self, value: f64) -> String {
        match self {
            Unit::Ms if value < 100.0 => format!("{value:.2}"),
            Unit::Mb => format!("{value:.1}"),
            Unit::Ms | Unit::NsEach | Unit::BytesEach => format!("{value:.0}"),
        }
    }
}

/// One figure of one run.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Figure {
    pub(crate) name: String,
    pub(crate) unit: Unit,
    pub(crate) value: f64,
}

impl Figure {
    pub(crate) fn new(name: impl Into<String>, unit: Unit, value: f64) -> Figure {
        let name = name.into();
        Figure { name, unit, value }
    }

    pub(crate) fn ms(name: impl Into<String>, time: Duration) -> Figure {
        Figure::new(name, Unit::Ms, time.as_secs_f64() * 1e3)
    }
}

/// Median, least and most.
pub(crate) fn spread(values: &[f64]) -> (f64, f64, f64) {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let median = sorted[sorted.len() / 2];
    (median, sorted[0], sorted[sorted.len() - 1])
}

/// Time that this thread has been on a CPU: what other processes take does not count.
pub(crate) fn cpu() -> io::Result<Duration> {
    schedstat("thread-self")
}

/// Time that all threads of a process have been on a CPU, this one's own as `self`. Only threads that
/// live are counted.
pub(crate) fn cpu_of(process: &str) -> io::Result<Duration> {
    let mut sum = Duration::ZERO;
    for thread in fs::read_dir(format!("/proc/{process}/task"))? {
        let thread = thread?.file_name();
        let path = format!("{process}/task/{}", thread.to_string_lossy());
        sum += schedstat(&path).unwrap_or_default();
    }
    Ok(sum)
}

fn schedstat(task: &str) -> io::Result<Duration> {
    let text = fs::read_to_string(format!("/proc/{task}/schedstat"))?;
    let ns = text
        .split_whitespace()
        .next()
        .and_then(|ns| ns.parse().ok());
    ns.map(Duration::from_nanos)
        .ok_or_else(|| io::Error::other("no time in schedstat"))
}

/// Runs `work` and takes the CPU time of this thread.
pub(crate) fn timed<T>(work: impl FnOnce() -> T) -> io::Result<(T, Duration)> {
    let start = cpu()?;
    let done = work();
    Ok((done, cpu()? - start))
}

/// Bytes of a field of `/proc/<process>/status`: `VmRSS` is the memory now, `VmHWM` the most ever.
pub(crate) fn memory(process: &str, field: &str) -> io::Result<u64> {
    let text = fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kib.map(|kib| kib * 1024)
        .ok_or_else(|| io::Error::other("no such field"))
}
