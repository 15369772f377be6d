//! Shards without sockets, and targets that are up or down as a test wants them.

use crate::dispatch::Shards;
use crossbeam_channel::{Receiver, Sender, unbounded};
use proxy_shards::{
    ControlJob, ControlRecord, Job, ProbePolicy, Protocol, Record, Report, Tally, Targets, Timing,
    Verdict, Works,
};
use std::cell::RefCell;
use std::net::SocketAddr;
use std::num::{NonZeroU32, NonZeroUsize};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

/// Shards that answer as `answer` says; jobs for which it says nothing stay under way until the
/// stop, or until somebody reports on them. The targets fare as `target` says, which is fine unless
/// a test says otherwise.
pub(super) struct Simulated<A> {
    pub(super) shards: usize,
    pub(super) answer: A,
    pub(super) target: Target,
    pub(super) under_way: RefCell<Vec<u64>>,
    /// Taken away to let the shards be lost.
    pub(super) tell: Rc<RefCell<Option<Sender<Report>>>>,
    pub(super) reports: Receiver<Report>,
    /// Whether they were stopped, for the test that keeps a clone.
    pub(super) stopped: Rc<RefCell<bool>>,
    /// The policies that were set.
    pub(super) policies: Rc<RefCell<Vec<Arc<ProbePolicy>>>>,
}

/// What is told of a target that is reached without a proxy, if anything.
pub(super) type Target = Box<dyn Fn(&ControlJob) -> Option<ControlRecord>>;

pub(super) fn fares(job: &ControlJob, verdict: Verdict) -> ControlRecord {
    ControlRecord {
        id: job.id,
        target: job.target,
        verdict,
        timing: Timing::default(),
        learnt: None,
        own: None,
    }
}

impl<A: Fn(&Job) -> Option<Verdict>> Simulated<A> {
    pub(super) fn new(shards: usize, answer: A) -> Simulated<A> {
        let (tell, reports) = unbounded();
        Simulated {
            shards,
            answer,
            target: Box::new(|job| Some(fares(job, Verdict::Alive))),
            under_way: RefCell::default(),
            tell: Rc::new(RefCell::new(Some(tell))),
            reports,
            stopped: Rc::default(),
            policies: Rc::default(),
        }
    }

    pub(super) fn report(&self, shard: usize, records: Vec<Record>) {
        tell(&self.tell, shard, records, Vec::new());
    }
}

pub(super) fn tell(
    to: &RefCell<Option<Sender<Report>>>,
    shard: usize,
    records: Vec<Record>,
    controls: Vec<ControlRecord>,
) {
    let mut tally = Tally::default();
    for record in &records {
        tally.record(record.verdict, record.timing.total_us);
    }
    let report = Report {
        shard,
        records,
        controls,
        tally,
        in_flight: 0,
        queued: 0,
        lag_us: 0,
        restarts: 0,
    };
    if let Some(tell) = &*to.borrow() {
        tell.send(report).unwrap();
    }
}

pub(super) fn record(id: u64, verdict: Verdict) -> Record {
    let mut works = Works::default();
    let first = (verdict == Verdict::Alive).then_some(Protocol::Http);
    if let Some(first) = first {
        works.set(first, Targets::first(1));
    }
    Record {
        attempts: 1,
        works,
        first,
        timing: Timing {
            total_us: 2_500,
            connect_us: 1_000,
            ..Timing::default()
        },
        ..Record::unprobed(id, verdict)
    }
}

impl<A: Fn(&Job) -> Option<Verdict>> Shards for Simulated<A> {
    fn shards(&self) -> usize {
        self.shards
    }
    fn lanes_per_shard(&self) -> usize {
        2
    }
    fn shard_of(&self, _address: SocketAddr) -> usize {
        0
    }
    fn submit(&self, shard: usize, jobs: Vec<Job>) {
        let mut records = Vec::new();
        for job in jobs {
            match (self.answer)(&job) {
                Some(verdict) => records.push(record(job.id, verdict)),
                None => self.under_way.borrow_mut().push(job.id),
            }
        }
        if !records.is_empty() {
            self.report(shard, records);
        }
    }
    fn control(&self, shard: usize, job: ControlJob) {
        let controls: Vec<_> = (self.target)(&job).into_iter().collect();
        if !controls.is_empty() {
            tell(&self.tell, shard, Vec::new(), controls);
        }
    }
    fn reports(&self) -> &Receiver<Report> {
        &self.reports
    }
    fn set_policy(&self, policy: Arc<ProbePolicy>) {
        self.policies.borrow_mut().push(policy);
    }
    fn set_lanes(&self, _lanes: NonZeroUsize) {}
    fn set_pace(&self, _per_second: Option<NonZeroU32>) {}
    fn stop(self, _grace: Duration) -> Receiver<Report> {
        *self.stopped.borrow_mut() = true;
        let cancelled = |id| record(id, Verdict::LocalCancelled);
        let records = self.under_way.take().into_iter().map(cancelled).collect();
        self.report(0, records);
        // What the tests tell holds no channel open any more.
        self.tell.take();
        self.reports
    }
}
