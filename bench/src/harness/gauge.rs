//! Looks at a running program now and then, from a thread of its own.

use super::proc::{self, Holds};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How often memory, threads and descriptors are looked at. The peak of the memory is kept by the
/// kernel; looking often only matters for what the last moments add.
const EVERY: Duration = Duration::from_millis(20);

/// Reads the gauge of a process by its id; `None` if there is nothing to be read.
type Read = Box<dyn FnMut(u32) -> Option<f64> + Send>;

/// Something else of a program that a scenario wants to know; what is kept is the most it showed.
pub struct Gauge {
    name: &'static str,
    every: Duration,
    read: Read,
}

impl Gauge {
    /// A gauge that is read every so often, by the process's id.
    pub fn new(
        name: &'static str,
        every: Duration,
        read: impl FnMut(u32) -> Option<f64> + Send + 'static,
    ) -> Gauge {
        Gauge {
            name,
            every,
            read: Box::new(read),
        }
    }

    /// Connections to `port` that stand at once, whoever made them.
    pub fn established_to(port: u16) -> Gauge {
        // A long table of connections is read seldom: it costs the kernel time.
        Gauge::new("established", Duration::from_secs(1), move |_| {
            proc::established_to(port).map(|count| count as f64)
        })
    }
}

impl fmt::Debug for Gauge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gauge")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// The most that was seen.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Peaks {
    pub(super) holds: Holds,
    pub(super) gauges: BTreeMap<&'static str, f64>,
}

impl Peaks {
    fn look(&mut self, now: Holds) {
        let most = &mut self.holds;
        most.rss_kib = most.rss_kib.max(now.rss_kib);
        most.rss_peak_kib = most.rss_peak_kib.max(now.rss_peak_kib);
        most.threads = most.threads.max(now.threads);
        most.descriptors = most.descriptors.max(now.descriptors);
    }
}

/// A thread that looks at a process until it is told to stop.
#[derive(Debug)]
pub(super) struct Watch {
    stop: mpsc::Sender<()>,
    thread: JoinHandle<Peaks>,
}

impl Watch {
    /// Looks at `pid`, which must not be waited for before [`Watch::stop`]: `kill` is called if it
    /// has not ended after `limit`.
    pub(super) fn start(
        pid: u32,
        gauges: Vec<Gauge>,
        limit: Option<Duration>,
        kill: impl FnOnce() + Send + 'static,
    ) -> std::io::Result<Watch> {
        let (stop, stopped) = mpsc::channel();
        let thread = std::thread::Builder::new().name("watch".into());
        let thread = thread.spawn(move || look(pid, gauges, limit, kill, &stopped))?;
        Ok(Watch { stop, thread })
    }

    /// What was seen until now.
    pub(super) fn stop(self) -> Peaks {
        drop(self.stop);
        self.thread
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }
}

fn look(
    pid: u32,
    gauges: Vec<Gauge>,
    limit: Option<Duration>,
    kill: impl FnOnce(),
    stopped: &mpsc::Receiver<()>,
) -> Peaks {
    let started = Instant::now();
    let mut kill = Some(kill);
    let mut gauges: Vec<(Gauge, Instant)> = gauges.into_iter().map(|g| (g, started)).collect();
    let mut peaks = Peaks::default();
    loop {
        if let Some(now) = proc::holds(pid) {
            peaks.look(now);
            for (gauge, due) in gauges.iter_mut().filter(|(_, due)| *due <= Instant::now()) {
                if let Some(shown) = (gauge.read)(pid) {
                    let most = peaks.gauges.entry(gauge.name).or_insert(shown);
                    *most = most.max(shown);
                }
                *due = Instant::now() + gauge.every;
            }
        }
        if limit.is_some_and(|limit| started.elapsed() > limit)
            && let Some(kill) = kill.take()
        {
            kill();
        }
        if stopped.recv_timeout(EVERY) != Err(RecvTimeoutError::Timeout) {
            return peaks;
        }
    }
}
