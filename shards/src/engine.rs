//! Starts and pins the shards once; submits jobs, collects reports, shuts down, and supervises a
//! shard that panicked.

use crate::beat::Beat;
use crate::controls::CONTROLS_AT_ONCE;
#[cfg(any(test, feature = "hooks"))]
use crate::hooks::{self, Faults};
use crate::job::{ControlJob, Job, Report};
use crate::net::Rope;
use crate::policy::ProbePolicy;
use crate::preflight::{self, Nofile, PreflightError};
use crate::shard::Mail;
use crate::supervisor::Start;
use crate::tuning::Tuning;
use crossbeam_channel::{Receiver, Sender, unbounded};
use std::cell::Cell;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::net::SocketAddr;
use std::num::{NonZeroU32, NonZeroUsize};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// More lanes than this in one shard serve nobody, whatever the descriptor limit.
const LANES_MAX: u64 = 100_000;

/// What to start.
#[derive(Clone, Debug)]
pub struct EngineOptions {
    /// Number of shards; one per CPU that this process may use if absent.
    pub shards: Option<NonZeroUsize>,
    /// Lanes of all shards together: the number of probes at once.
    pub lanes: NonZeroUsize,
    /// The knobs of each shard's ring.
    pub tuning: Tuning,
}

/// The running shards. Dropped without [`Engine::stop`], it stops without grace.
#[derive(Debug)]
pub struct Engine {
    shards: Vec<Handle>,
    lanes_per_shard: Cell<usize>,
    lanes_max: usize,
    reports: Receiver<Report>,
}

#[derive(Debug)]
struct Handle {
    mail: Sender<Mail>,
    rope: Rope,
    thread: Option<JoinHandle<()>>,
}

impl Handle {
    fn tell(&self, mail: Mail) {
        // A shard ends only after its `Stop`; what is said after that is said in vain.
        let _ = self.mail.send(mail);
        self.rope.pull();
    }
}

/// Why the engine could not start; the text says what to raise.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The host lacks something.
    #[error(transparent)]
    Preflight(#[from] PreflightError),
    /// A shard could not set itself up.
    #[error("shard {shard}: {reason}")]
    Shard {
        /// Which one.
        shard: usize,
        /// Why, and what to raise.
        reason: String,
    },
    /// No thread or eventfd could be made.
    #[error("cannot start a shard's thread: {0}: raise LimitNPROC or LimitNOFILE")]
    Thread(#[from] io::Error),
}

impl Engine {
    /// Raises the soft descriptor limit, checks the host, starts and pins the shards. Blocks until
    /// each has its ring.
    ///
    /// # Errors
    /// What this host lacks, with the remedy.
    pub fn start(options: EngineOptions, policy: Arc<ProbePolicy>) -> Result<Engine, StartError> {
        let nofile = preflight::raise_nofile();
        preflight::check(nofile)?;
        let cpus = core_affinity::get_core_ids().unwrap_or_default();
        let count = options.shards.map_or(cpus.len().max(1), NonZeroUsize::get);
        let lanes_max = lanes_max(nofile, options.tuning.slots_max);
        let (lanes, asked) = (share(options.lanes, count, lanes_max), options.lanes.get());
        log_grant(count, asked, lanes, nofile);
        let (sender, reports) = unbounded();
        let mut engine = Engine {
            shards: Vec::new(),
            lanes_per_shard: Cell::new(lanes),
            lanes_max,
            reports,
        };
        let (ready_in, ready) = unbounded();
        for number in 0..count {
            let pinned = options.tuning.pinned && !cpus.is_empty();
            let cpu = pinned.then(|| cpus[number % cpus.len()].id);
            let start = Start {
                number,
                cpu,
                lanes,
                lanes_max,
                tuning: options.tuning,
                policy: policy.clone(),
                reports: sender.clone(),
            };
            let ((mail, received), rope) = (unbounded(), Rope::new()?);
            let thread = start.spawn(received, rope.clone(), ready_in.clone())?;
            engine.shards.push(Handle {
                mail,
                rope,
                thread: Some(thread),
            });
        }
        drop(ready_in);
        for _ in 0..count {
            let (shard, outcome) = ready
                .recv()
                .unwrap_or((0, Err("ended before it was ready".into())));
            outcome.map_err(|reason| StartError::Shard { shard, reason })?;
        }
        #[cfg(any(test, feature = "hooks"))]
        hooks::follow(engine.pulse())?;
        Ok(engine)
    }

    /// Number of shards.
    pub fn shards(&self) -> usize {
        self.shards.len()
    }

    /// Lanes of one shard, after clamping to what the kernel grants its ring.
    pub fn lanes_per_shard(&self) -> usize {
        self.lanes_per_shard.get()
    }

    /// The shard that probes `address`, always the same one.
    pub fn shard_of(&self, address: SocketAddr) -> usize {
        shard_among(address, self.shards.len())
    }

    /// Hands jobs to a shard. Never blocks; each job comes back in exactly one record.
    ///
    /// # Panics
    /// If there is no such shard.
    pub fn submit(&self, shard: usize, jobs: Vec<Job>) {
        if !jobs.is_empty() {
            self.shards[shard].tell(Mail::Jobs(jobs));
        }
    }

    /// Reaches a target without a proxy, ahead of all jobs of `shard`; comes back in exactly one
    /// control record. Never blocks.
    ///
    /// # Panics
    /// If there is no such shard.
    pub fn control(&self, shard: usize, job: ControlJob) {
        self.shards[shard].tell(Mail::Control(job));
    }

    /// Where the reports arrive.
    pub fn reports(&self) -> &Receiver<Report> {
        &self.reports
    }

    /// Replaces the policy: jobs whose first probe was made end under the one they began with.
    pub fn set_policy(&self, policy: Arc<ProbePolicy>) {
        self.shards
            .iter()
            .for_each(|shard| shard.tell(Mail::Policy(policy.clone())));
    }

    /// Grows or shrinks the lanes of all shards together, within what the kernel grants.
    pub fn set_lanes(&self, lanes: NonZeroUsize) {
        let lanes = share(lanes, self.shards.len(), self.lanes_max);
        self.lanes_per_shard.set(lanes);
        self.shards
            .iter()
            .for_each(|shard| shard.tell(Mail::Lanes(lanes)));
    }

    /// Begins at most so many connections a second from now on, all shards together and evenly; absent:
    /// as many as there are lanes for. Probes without a proxy are not counted.
    pub fn set_pace(&self, per_second: Option<NonZeroU32>) {
        let shards = self.shards.len() as u32;
        let every = per_second.map_or(Duration::ZERO, |per_second| {
            Duration::from_secs(1) * shards / per_second.get()
        });
        self.shards
            .iter()
            .for_each(|shard| shard.tell(Mail::Pace(every)));
    }

    /// A way to ask the shards whether they live, for another thread.
    pub fn pulse(&self) -> Pulse {
        let ear = |shard: &Handle| (shard.mail.clone(), shard.rope.clone());
        Pulse(self.shards.iter().map(ear).collect())
    }

    /// Keeps a shard from everything else for so long.
    #[cfg(any(test, feature = "hooks"))]
    pub fn stall(&self, shard: usize, time: Duration) {
        self.shards[shard].tell(Mail::Stall(time));
    }

    /// Has every shard make these faults, and no others, from now on.
    #[cfg(any(test, feature = "hooks"))]
    pub fn spoil(&self, faults: &Faults) {
        self.pulse().spoil(faults);
    }

    /// Stops: queued jobs come back as `local_cancelled` at once, probes under way after `grace`.
    /// Returns when every shard has ended; the last reports are in the channel then.
    pub fn stop(mut self, grace: Duration) -> Receiver<Report> {
        self.end(Instant::now() + grace);
        self.reports.clone()
    }

    fn end(&mut self, at: Instant) {
        self.shards
            .iter()
            .for_each(|shard| shard.tell(Mail::Stop(at)));
        for shard in &mut self.shards {
            if let Some(Err(_panic)) = shard.thread.take().map(JoinHandle::join) {
                tracing::error!(
                    "a shard's thread ended with a panic; its jobs are lost: this is a bug"
                );
            }
        }
    }
}

/// A way to ask the shards whether they live.
#[derive(Clone, Debug)]
pub struct Pulse(Vec<(Sender<Mail>, Rope)>);

impl Pulse {
    /// Number of shards.
    pub fn shards(&self) -> usize {
        self.0.len()
    }

    /// Asks a shard; one that has ended does not answer.
    ///
    /// # Panics
    /// If there is no such shard.
    pub fn ask(&self, shard: usize, beat: Beat) {
        let (mail, rope) = &self.0[shard];
        let _ = mail.send(Mail::Beat(beat));
        rope.pull();
    }

    /// Has every shard make these faults, and no others, from now on.
    #[cfg(any(test, feature = "hooks"))]
    pub(crate) fn spoil(&self, faults: &Faults) {
        for (mail, rope) in &self.0 {
            let _ = mail.send(Mail::Faults(faults.clone()));
            rope.pull();
        }
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.end(Instant::now());
    }
}

/// Which of so many shards probes `address`, always the same one.
///
/// # Panics
/// If there are none.
pub fn shard_among(address: SocketAddr, shards: usize) -> usize {
    // The hasher's keys are fixed, so that a restart keeps the assignment.
    let mut hasher = DefaultHasher::new();
    address.hash(&mut hasher);
    (hasher.finish() % shards as u64) as usize
}

/// Most lanes of one shard: a slot of its ring is bounded by the soft RLIMIT_NOFILE, and probes
/// without a proxy have slots that no lane can take.
fn lanes_max(nofile: Nofile, slots_max: Option<NonZeroU32>) -> usize {
    let slots = slots_max.map_or(nofile.soft, |most| nofile.soft.min(most.get().into()));
    let slots = slots.saturating_sub(CONTROLS_AT_ONCE as u64);
    slots.clamp(1, LANES_MAX) as usize
}

/// Each shard's part of `lanes`, rounded up, within `lanes_max`.
fn share(lanes: NonZeroUsize, shards: usize, lanes_max: usize) -> usize {
    lanes.get().div_ceil(shards).clamp(1, lanes_max)
}

fn log_grant(shards: usize, asked: usize, lanes: usize, nofile: Nofile) {
    let granted = lanes * shards;
    if granted < asked {
        tracing::warn!(
            shards,
            asked,
            granted,
            nofile = nofile.soft,
            "fewer lanes than asked: a shard has at most RLIMIT_NOFILE lanes; raise LimitNOFILE or the number of shards"
        );
    } else {
        tracing::info!(
            shards,
            asked,
            granted,
            nofile = nofile.soft,
            "lanes granted"
        );
    }
}

#[cfg(test)]
mod tests;
