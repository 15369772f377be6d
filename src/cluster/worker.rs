//! The `cluster-worker` thread: owns the shards of this node, tops them up with what the bus takes,
//! and reports what they and the targets say.
//!
//! It vouches for its verdicts itself, as `check` does: what is no proof is held until the targets
//! have answered without a proxy. What it cannot vouch for it reports as trouble of its own
//! (`local_…`), and the leader hands the job out again. That is also how it gives jobs back when it
//! stops or is given another policy: there is one way for a job to end, and no second one to get wrong.

mod book;
pub(super) mod end;
mod state;
mod targets;

#[cfg(test)]
mod tests;

pub use end::WorkerEnd;

use crate::config::Checker;
use crate::dispatch::Shards;
use crate::lanes::Wish;
use crossbeam_channel::{Receiver, Sender, select, tick, unbounded};
use proxy_shards::ProbePolicy;
use state::State;
use std::io;
use std::num::{NonZeroU32, NonZeroUsize};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// How often it looks at the time.
const TICK: Duration = Duration::from_millis(20);

/// What the configuration says of a worker.
#[derive(Clone, Debug)]
pub struct Settings {
    /// As configured: nothing learnt.
    pub policy: Arc<ProbePolicy>,
    /// Time between two probes of the targets without a proxy; absent: there are none.
    pub control: Option<Duration>,
    /// Lanes of all shards together, and what fewer are to keep within.
    pub wish: Wish,
    /// Upper bound of the jobs handed to a shard at once.
    pub batch_size: NonZeroUsize,
    /// Most connections that this node begins in a second.
    pub connects_per_second: Option<NonZeroU32>,
}

impl From<&Checker> for Settings {
    fn from(checker: &Checker) -> Settings {
        Settings {
            policy: checker.policy.clone(),
            control: checker.control,
            wish: Wish::from(checker),
            batch_size: checker.batch_size,
            connects_per_second: checker.connects_per_second,
        }
    }
}

/// What a worker is told by who started it.
#[derive(Debug)]
enum Change {
    Settings(Settings),
    Stop,
}

/// Tells a worker other settings; as many of them as one likes.
#[derive(Clone, Debug)]
pub struct Setter(Sender<Change>);

impl Setter {
    /// These settings are in force from now on.
    pub fn set(&self, settings: Settings) {
        // A worker that has ended needs none.
        let _ = self.0.send(Change::Settings(settings));
    }
}

/// A running worker.
#[derive(Debug)]
pub struct Worker {
    changes: Setter,
    thread: JoinHandle<()>,
}

impl Worker {
    /// A way to tell it other settings.
    pub fn setter(&self) -> Setter {
        self.changes.clone()
    }

    /// Whether it has ended though nobody asked it to.
    pub fn has_died(&self) -> bool {
        self.thread.is_finished()
    }

    /// Stops the shards and gives back what they had, within two seconds; returns when all of that is on
    /// its way to the bus, which is to be stopped after it.
    pub fn stop(self) {
        let _ = self.changes.0.send(Change::Stop);
        // A panic was logged by the thread's own end.
        let _ = self.thread.join();
    }
}

/// Starts the worker. `descriptors` is the soft RLIMIT_NOFILE, which bounds the lanes of a shard.
///
/// # Errors
/// The thread cannot be made.
pub fn start<S: Shards + Send + 'static>(
    shards: S,
    end: WorkerEnd,
    settings: Settings,
    descriptors: u64,
) -> io::Result<Worker> {
    let (changes, changes_from) = unbounded();
    let thread = thread::Builder::new().name("cluster-worker".into());
    let thread = thread.spawn(move || run(shards, end, settings, descriptors, &changes_from))?;
    Ok(Worker {
        changes: Setter(changes),
        thread,
    })
}

fn run<S: Shards>(
    shards: S,
    end: WorkerEnd,
    settings: Settings,
    descriptors: u64,
    changes: &Receiver<Change>,
) {
    let began = Instant::now();
    let now_ms = || u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    let (found, found_from) = unbounded();
    let tasks = end.tasks.clone();
    let ticks = tick(TICK);
    let mut state = State::new(&shards, end, settings, descriptors, found);
    loop {
        select! {
            recv(shards.reports()) -> report => match report {
                Ok(report) => state.report(&shards, report, now_ms()),
                Err(_) => {
                    tracing::error!("the shards of this node have ended, which is a bug");
                    break;
                }
            },
            recv(tasks) -> task => match task {
                Ok(task) => state.task(&shards, task),
                // The bus has ended; nothing can be reported any more.
                Err(_) => break,
            },
            recv(changes) -> change => match change {
                Ok(Change::Settings(settings)) => state.set(&shards, settings, now_ms()),
                Ok(Change::Stop) | Err(_) => break,
            },
            recv(found_from) -> found => {
                if let Ok(found) = found {
                    state.found(&found);
                }
            }
            recv(ticks) -> _ => {}
        }
        state.tend(&shards, now_ms());
    }
    let rest = shards.stop(Duration::ZERO);
    state.give_back(rest.try_iter());
}
