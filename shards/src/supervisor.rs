//! Runs a shard on its thread: an executor with a ring, started again if it panics.

use crate::cadence::Cadence;
use crate::job::Report;
use crate::jobs::Jobs;
use crate::lag::Lag;
use crate::net::Rope;
use crate::pace::Pace;
use crate::policy::ProbePolicy;
use crate::preflight;
use crate::shard::{Mail, Seat, Shard};
use crate::tuning::Tuning;
use crossbeam_channel::{Receiver, Sender};
use glommio::{LocalExecutorBuilder, Placement};
use std::cell::{Cell, RefCell};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// A ring that gets no memory is tried again for this long: what a process that just ended had
/// locked comes back late.
const MEMORY_PATIENCE: Duration = Duration::from_secs(3);
/// A shard that panicked starts again after this.
const RESTART_PAUSE: Duration = Duration::from_millis(100);

/// glommio preempts nobody. It takes an executor that was preempted before it ran its first task for one
/// that has none (0.9, `LocalExecutor::run_task_queues` says `false`), and lets it sleep: a thread that
/// lost its CPU for that long at that place slept until something else happened, which might be never.
/// The ring's driver lets it run dry instead (`net/around.rs`).
const PREEMPT_AFTER: Duration = Duration::from_secs(1 << 30);

/// What a shard's thread needs to begin.
pub(crate) struct Start {
    pub(crate) number: usize,
    pub(crate) cpu: Option<usize>,
    pub(crate) lanes: usize,
    pub(crate) lanes_max: usize,
    pub(crate) tuning: Tuning,
    pub(crate) policy: Arc<ProbePolicy>,
    pub(crate) reports: Sender<Report>,
}

/// Where a shard says, once, whether it could start.
pub(crate) type Ready = Sender<(usize, Result<(), String>)>;

impl Start {
    /// Starts the thread. It ends after [`Mail::Stop`], when every job has been reported.
    pub(crate) fn spawn(
        self,
        mail: Receiver<Mail>,
        rope: Rope,
        ready: Ready,
    ) -> io::Result<JoinHandle<()>> {
        thread::Builder::new()
            .name(format!("shard-{}", self.number))
            .spawn(move || {
                let cpu = self.cpu;
                supervise(&self.seat(mail, rope), cpu, &ready);
            })
    }

    fn seat(self, mail: Receiver<Mail>, rope: Rope) -> Rc<Seat> {
        Rc::new(Seat {
            number: self.number,
            mail,
            rope,
            reports: self.reports,
            jobs: Rc::new(RefCell::new(Jobs::default())),
            controls: RefCell::default(),
            cadence: Cell::new(Cadence::new(Instant::now())),
            policy: RefCell::new(self.policy),
            lanes: Cell::new(self.lanes),
            lanes_max: self.lanes_max,
            pace: Pace::none(Instant::now()),
            lag: Lag::new(Instant::now()),
            tuning: self.tuning,
            stop_at: Cell::new(None),
            restarts: Cell::new(0),
            ring: RefCell::default(),
        })
    }
}

/// Runs a shard until it is told to stop; if its executor panics, starts it again with the jobs
/// that it had.
fn supervise(seat: &Rc<Seat>, cpu: Option<usize>, ready: &Ready) {
    let mut ready = Some(ready);
    loop {
        let life = catch_unwind(AssertUnwindSafe(|| live(seat, cpu, &mut ready)));
        let trouble = match life {
            Ok(Ok(())) => return,
            Ok(Err(reason)) => reason,
            Err(_) => "its executor panicked".to_owned(),
        };
        // What never ran has no jobs, and whoever starts it waits for a word.
        if let Some(ready) = ready.take() {
            let _ = ready.send((seat.number, Err(trouble)));
            return;
        }
        seat.restarts.set(seat.restarts.get() + 1);
        seat.recover();
        tracing::error!(
            shard = seat.number,
            trouble,
            "shard restarts; the probes under way are made again"
        );
        thread::sleep(RESTART_PAUSE);
        seat.read_mail();
        if seat.stop_at.get().is_some() {
            return seat.report();
        }
    }
}

/// One life of a shard: an executor with a ring.
fn live(seat: &Rc<Seat>, cpu: Option<usize>, ready: &mut Option<&Ready>) -> Result<(), String> {
    let patience = Instant::now() + MEMORY_PATIENCE;
    loop {
        match attempt(seat, cpu, ready) {
            Ok(()) => return Ok(()),
            Err(e) if e.raw_os_error() == Some(libc::ENOMEM) && Instant::now() < patience => {
                let shard = seat.number;
                tracing::warn!(
                    shard,
                    "no memory for the ring yet; a process that just ended gives its share back late"
                );
                thread::sleep(RESTART_PAUSE);
            }
            Err(e) => return Err(preflight::explain(e).to_string()),
        }
    }
}

fn attempt(seat: &Rc<Seat>, cpu: Option<usize>, ready: &mut Option<&Ready>) -> io::Result<()> {
    let placement = cpu.map_or(Placement::Unbound, Placement::Fixed);
    // A CPU that cannot be pinned to, as in some containers, costs speed and nothing else.
    let executor = executor(placement).or_else(|_| executor(Placement::Unbound))?;
    executor.run(async {
        let shard = Shard::new(seat)?;
        if let Some(ready) = ready.take() {
            let _ = ready.send((seat.number, Ok(())));
        }
        shard.serve().await
    })
}

/// The smallest executor: the sockets are on the shard's own ring, so glommio's needs no depth and
/// no registered memory (its default of 30 MiB exceeds a plain user's memlock).
fn executor(placement: Placement) -> io::Result<glommio::LocalExecutor> {
    LocalExecutorBuilder::new(placement)
        .ring_depth(128)
        .io_memory(0)
        .record_io_latencies(false)
        .preempt_timer(PREEMPT_AFTER)
        .make()
        .map_err(io::Error::from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::without_syscall;
    use crate::policy::PolicyOptions;
    use crossbeam_channel::unbounded;

    #[test]
    fn nobody_is_preempted_however_long_the_thread_was_away() {
        executor(Placement::Unbound).unwrap().run(async {
            thread::sleep(Duration::from_millis(150));
            assert!(!glommio::executor().need_preempt());
        });
    }

    #[test]
    fn an_executor_that_panics_before_it_is_ready_is_no_start() {
        let policy = Arc::new(ProbePolicy::new(PolicyOptions::default()).unwrap());
        let ((_mail, received), (ready_in, ready)) = (unbounded(), unbounded());
        let start = Start {
            number: 3,
            cpu: None,
            lanes: 1,
            lanes_max: 1,
            tuning: Tuning::default(),
            policy,
            reports: unbounded().0,
        };
        let shard = without_syscall(libc::SYS_io_uring_enter, move || {
            start
                .spawn(received, Rope::new().unwrap(), ready_in)
                .unwrap()
        });
        let (number, outcome) = ready.recv_timeout(Duration::from_secs(20)).unwrap();
        assert_eq!((number, outcome.is_err()), (3, true));
        shard.join().unwrap();
    }
}
