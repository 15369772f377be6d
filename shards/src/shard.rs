//! One shard: takes its mail, keeps its lanes at work, reports about every 100 ms, or sooner if it
//! may run out of jobs.

use crate::beat::Beat;
use crate::cadence::Cadence;
use crate::controls::{CONTROLS_AT_ONCE, Controls};
use crate::conversation::Plan;
#[cfg(any(test, feature = "hooks"))]
use crate::hooks::{self, Faults};
use crate::job::{ControlJob, Ended, Job, Report};
use crate::jobs::Jobs;
use crate::lag::{self, Lag, Weighed};
use crate::lane::{Lanes, control};
use crate::net::{self, Bell, Ring, RingOptions, Rope};
use crate::pace::Pace;
use crate::policy::ProbePolicy;
use crate::probe::Probe;
use crate::tuning::Tuning;
use crate::verdict::Verdict;
use crossbeam_channel::{Receiver, Sender, TryRecvError};
use futures_lite::future::{or, yield_now};
use glommio::timer::Timer;
use std::cell::{Cell, RefCell};
use std::io;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Lanes that wait for the pace are woken at most this often: for some of them at a time.
const PACE_MIN: Duration = Duration::from_millis(5);
/// A shard that has nothing to do looks for mail this often though nobody rings.
const QUIET: Duration = Duration::from_secs(1);
/// A shard that is to stop looks at its end this often.
const STOP_PAUSE: Duration = Duration::from_millis(20);

/// What the engine tells a shard.
#[derive(Debug)]
pub(crate) enum Mail {
    /// Probe these.
    Jobs(Vec<Job>),
    /// Reach a target without a proxy, at once.
    Control(ControlJob),
    /// Probe like this from now on.
    Policy(Arc<ProbePolicy>),
    /// Have at most this many probes at once.
    Lanes(usize),
    /// Begin one connection in this time; zero: as many as there are lanes for.
    Pace(Duration),
    /// End: what waits now, what is under way at this instant.
    Stop(Instant),
    /// Say that the shard lives.
    Beat(Beat),
    /// Take the executor down.
    #[cfg(test)]
    Panic,
    /// Keep the executor from everything else for so long.
    #[cfg(any(test, feature = "hooks"))]
    Stall(Duration),
    /// Make these faults, and no others, from now on.
    #[cfg(any(test, feature = "hooks"))]
    Faults(Faults),
}

/// What a shard has from its first start to its last, whatever becomes of its executor.
pub(crate) struct Seat {
    pub(crate) number: usize,
    pub(crate) mail: Receiver<Mail>,
    pub(crate) rope: Rope,
    pub(crate) reports: Sender<Report>,
    pub(crate) jobs: Rc<RefCell<Jobs>>,
    pub(crate) controls: RefCell<Controls>,
    pub(crate) cadence: Cell<Cadence>,
    pub(crate) policy: RefCell<Arc<ProbePolicy>>,
    pub(crate) lanes: Cell<usize>,
    pub(crate) lanes_max: usize,
    pub(crate) pace: Pace,
    pub(crate) lag: Lag,
    pub(crate) tuning: Tuning,
    pub(crate) stop_at: Cell<Option<Instant>>,
    pub(crate) restarts: Cell<u64>,
    /// Of the last life that began.
    pub(crate) ring: RefCell<Weak<Ring>>,
}

impl Seat {
    /// Reads what came, without waiting.
    pub(crate) fn read_mail(&self) {
        loop {
            match self.mail.try_recv() {
                Ok(Mail::Jobs(jobs)) => {
                    self.jobs.borrow_mut().add(jobs);
                    self.cadence.update(Cadence::fed);
                }
                Ok(Mail::Control(job)) => self.controls.borrow_mut().add(job),
                Ok(Mail::Policy(policy)) => drop(self.policy.replace(policy)),
                Ok(Mail::Lanes(lanes)) => self.lanes.set(lanes.clamp(1, self.lanes_max)),
                Ok(Mail::Pace(every)) => self.pace.set(every, Instant::now()),
                Ok(Mail::Stop(at)) => self.stop_at.set(Some(at)),
                Ok(Mail::Beat(beat)) => beat.answer(),
                #[cfg(test)]
                Ok(Mail::Panic) => panic!("as asked by a test"),
                #[cfg(any(test, feature = "hooks"))]
                Ok(Mail::Stall(time)) => std::thread::sleep(time),
                #[cfg(any(test, feature = "hooks"))]
                Ok(Mail::Faults(faults)) => hooks::set(faults, self.number),
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Disconnected) => {
                    // The engine is gone without a word: nobody waits for probes under way.
                    self.stop_at
                        .set(self.stop_at.get().or_else(|| Some(Instant::now())));
                    break;
                }
            }
        }
        if self.stop_at.get().is_some() {
            self.jobs.borrow_mut().cancel_waiting();
            self.controls.borrow_mut().cancel_waiting();
        }
    }

    /// The executor is gone: what was under way is put back in line, and its sockets are closed.
    pub(crate) fn recover(&self) {
        self.jobs.borrow_mut().recover();
        self.controls.borrow_mut().recover();
        if let Some(ring) = self.ring.take().upgrade() {
            ring.abandon();
        }
    }

    /// Whether nothing is left to do or to report.
    fn is_idle(&self) -> bool {
        self.jobs.borrow().is_empty() && self.controls.borrow().is_empty()
    }

    /// Until the shard is to look at everything again, if nothing rings before.
    fn pause(&self, now: Instant) -> Duration {
        let jobs = self.jobs.borrow();
        match self.stop_at.get() {
            Some(_) => STOP_PAUSE,
            None => (self.cadence.get()).pause(jobs.news(), jobs.ready(), now),
        }
    }

    fn report_if_due(&self, now: Instant) {
        let jobs = self.jobs.borrow();
        let due = self.cadence.get().is_due(jobs.news(), jobs.ready(), now);
        drop(jobs);
        if due {
            self.report();
        }
    }

    /// Sends what ended since the last report.
    pub(crate) fn report(&self) {
        let mut jobs = self.jobs.borrow_mut();
        let (records, tally) = jobs.take_ended();
        let report = Report {
            shard: self.number,
            records,
            controls: self.controls.borrow_mut().take_ended(),
            tally,
            in_flight: jobs.under_way(),
            queued: jobs.waiting(),
            lag_us: self.lag.take_us(),
            restarts: self.restarts.get(),
        };
        self.cadence.set(Cadence::new(Instant::now()));
        // Nobody listens any more only when the process ends.
        let _ = self.reports.send(report);
    }
}

/// One life of a shard, inside its executor.
pub(crate) struct Shard {
    seat: Rc<Seat>,
    pub(crate) ring: Rc<Ring>,
    pub(crate) jobs: Rc<RefCell<Jobs>>,
    pub(crate) plan: RefCell<Rc<Plan>>,
    pub(crate) lanes: Lanes,
}

impl Shard {
    /// Sets the ring up. Call inside a glommio executor.
    pub(crate) fn new(seat: &Rc<Seat>) -> io::Result<Rc<Shard>> {
        let lanes = seat.lanes.get();
        let slots = seat.lanes_max + CONTROLS_AT_ONCE;
        let options = RingOptions::for_lanes(lanes as u32, slots as u32, seat.tuning);
        let shard = Rc::new(Shard {
            ring: net::start(options)?,
            jobs: seat.jobs.clone(),
            plan: RefCell::new(Rc::new(Plan::new(seat.policy.borrow().clone()))),
            lanes: Lanes::default(),
            seat: seat.clone(),
        });
        shard.lanes.set_limit(lanes);
        seat.ring.replace(Rc::downgrade(&shard.ring));
        Ok(shard)
    }

    /// A lane's probe ended; `lag` is what [`Shard::lag`] was when it began.
    pub(crate) fn ended(&self, lane: usize, probe: &Probe, mut ended: Ended, lag: Weighed) {
        let now = Instant::now();
        let grace = self.judge(probe, &mut ended, lag, now);
        let mut jobs = self.jobs.borrow_mut();
        if let Some(grace) = grace {
            jobs.make_up(lane, grace);
        }
        jobs.end(lane, &ended, now);
        drop(jobs);
        self.seat.report_if_due(now);
    }

    /// Sees what the verdict of a probe is worth that began when [`Shard::lag`] was `lag`. If it ran into
    /// its deadline because this shard was late, that is the verdict, and the next has so much more time.
    fn judge(
        &self,
        probe: &Probe,
        ended: &mut Ended,
        lag: Weighed,
        now: Instant,
    ) -> Option<Duration> {
        let verdict = ended.verdict;
        if !lag::is_doubtful(verdict) {
            return None;
        }
        // The probe may have seen its deadline before the shard saw its tick.
        self.seat.lag.look(now);
        let policy = probe.plan.policy();
        let allowed = match verdict {
            Verdict::ConnectTimeout => policy.connect_timeout,
            _ => policy.timeout,
        };
        let span_us = ended.timing.total_us;
        let lost = lag::lost(span_us, lag::grown(lag, self.lag()));
        ended.verdict = lag::judged(verdict, allowed, probe.grace, span_us, lost);
        let is_late = ended.verdict == Verdict::LocalLate;
        is_late.then(|| lag::grace(allowed, probe.grace, lost))
    }

    /// How late the shard and its ring came so far, to be remembered when a probe begins.
    pub(crate) fn lag(&self) -> Weighed {
        let ring = self.ring.delays.weighed();
        self.seat.lag.weighed().wrapping_add(ring)
    }

    /// A probe without a proxy ended, likewise. What waits for it does not wait for the next report. That
    /// this shard was late says nothing of a target: it is asked again.
    pub(crate) fn control_ended(
        self: &Rc<Shard>,
        place: usize,
        probe: &Probe,
        mut ended: Ended,
        lag: Weighed,
    ) {
        let grace = self.judge(probe, &mut ended, lag, Instant::now());
        let mut controls = self.seat.controls.borrow_mut();
        let is_asked_again = grace.is_some_and(|grace| controls.again(place, grace));
        if !is_asked_again {
            controls.end(place, ended);
        }
        drop(controls);
        self.start_controls();
        self.seat.report();
    }

    fn start_controls(self: &Rc<Shard>) {
        let plan = self.plan.borrow().clone();
        let next = || {
            let mut controls = self.seat.controls.borrow_mut();
            let (place, job) = controls.start(plan.policy().targets.len())?;
            Some((place, job, controls.grace(place)))
        };
        // What is spawned runs at once until it first waits. It may end there, and then it writes
        // itself down: the book must be free.
        while let Some((place, job, grace)) = next() {
            let probe = Probe::direct(&plan, job).with_grace(grace);
            glommio::spawn_local(control(self.clone(), probe, place)).detach();
        }
    }

    /// Runs the shard until it is told to stop and every job has been reported.
    pub(crate) async fn serve(self: Rc<Shard>) -> io::Result<()> {
        let bell = Bell::hang(&self.seat.rope)?;
        while self.attend() {
            // While a target is being asked the shard keeps its ticks too: how late it is matters then.
            let quiet = self.seat.is_idle() && self.seat.stop_at.get().is_none();
            if quiet {
                or(bell.sleep(), async {
                    Timer::new(QUIET).await;
                })
                .await;
                self.seat.lag.rested(Instant::now());
            } else {
                let pause = self.pause(Instant::now());
                or(bell.sleep(), async {
                    Timer::new(pause).await;
                })
                .await;
                self.seat.lag.look(Instant::now());
            }
        }
        self.lanes.close();
        while !self.lanes.have_ended() {
            yield_now().await;
        }
        bell.silence(&self.seat.rope);
        Ok(())
    }

    /// How long to sleep while there is work and nobody rings.
    fn pause(&self, now: Instant) -> Duration {
        let pause = self.seat.pause(now).min(self.seat.lag.left(now));
        let waiting = self.jobs.borrow().ready() > 0 && self.lanes.have_room();
        match self.seat.pace.opens_in(now).filter(|_| waiting) {
            Some(opens) => pause.min(opens.max(PACE_MIN)),
            None => pause,
        }
    }

    /// How fast lanes may begin.
    pub(crate) fn pace(&self) -> &Pace {
        &self.seat.pace
    }

    /// One look at everything; `false` when the shard may end.
    fn attend(self: &Rc<Shard>) -> bool {
        self.seat.read_mail();
        let now = Instant::now();
        self.jobs.borrow_mut().resume(now);
        let policy = self.seat.policy.borrow();
        // Cloned only when it is new: all shards count their references in one place.
        if !std::ptr::eq(self.plan.borrow().policy(), &**policy) {
            *self.plan.borrow_mut() = Rc::new(Plan::new(policy.clone()));
        }
        drop(policy);
        self.start_controls();
        self.lanes.set_limit(self.seat.lanes.get());
        self.lanes.wake(self);
        // Not at every mail: the coordinator answers reports with mail.
        self.seat.report_if_due(now);
        if self.seat.controls.borrow().has_ended() {
            self.seat.report();
        }
        match self.seat.stop_at.get() {
            None => true,
            Some(_) if self.seat.is_idle() => false,
            Some(at) => {
                if at <= now {
                    self.ring.cancel_all();
                }
                true
            }
        }
    }
}
