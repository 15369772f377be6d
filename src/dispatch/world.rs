//! Shards on a simulated clock, event by event: lanes, queues and the real pace of reports, but no
//! sockets and no cost of CPU. What the sweep simulations of `serve` and `check` have in common.

mod mix;

pub(crate) use mix::{Mix, assert_within, bound_us, greedy_us};

use proxy_shards::{
    Cadence, ControlJob, ControlRecord, Job, Record, Report, Tally, Timing, Verdict,
};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::time::{Duration, Instant};

/// How long a target takes to answer without a proxy, in microseconds.
const CONTROL_US: u64 = 20_000;

/// How one probe goes: its verdict, how long it holds a lane in microseconds, and whether its job goes
/// on with another one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Probe {
    pub(crate) verdict: Verdict,
    pub(crate) us: u64,
    pub(crate) more: bool,
}

/// How the probe of this number of a job goes that begins at this time, in microseconds.
pub(crate) type Fate = Box<dyn FnMut(&Job, u8, u64) -> Probe>;

struct Task {
    job: Job,
    probes: u8,
}

/// What happens to a shard.
enum What {
    /// A lane's probe ends.
    End(Task, Probe),
    /// A target has answered.
    Control(ControlRecord),
    /// The shard looks at its report.
    Look,
}

/// One simulated shard.
struct Shard {
    waiting: VecDeque<Task>,
    busy: usize,
    ended: Vec<Record>,
    controls: Vec<ControlRecord>,
    tally: Tally,
    cadence: Cadence,
    /// When it looks at its report next; an earlier look that was planned is none.
    look_us: u64,
}

/// Every shard, and the time.
pub(crate) struct World {
    pub(crate) now_us: u64,
    /// Sum of the time that lanes were held.
    pub(crate) held_us: u64,
    lanes: usize,
    shards: Vec<Shard>,
    fate: Fate,
    began: Instant,
    /// By time, then in the order in which they were planned.
    plans: BinaryHeap<Reverse<(u64, u64)>>,
    whats: hashbrown::HashMap<u64, (usize, What)>,
    planned: u64,
    reports: VecDeque<Report>,
}

impl World {
    /// Idle shards of `lanes` lanes each.
    pub(crate) fn new(shards: usize, lanes: usize, fate: Fate) -> World {
        let began = Instant::now();
        let shard = || Shard {
            waiting: VecDeque::new(),
            busy: 0,
            ended: Vec::new(),
            controls: Vec::new(),
            tally: Tally::default(),
            cadence: Cadence::new(began),
            look_us: u64::MAX,
        };
        World {
            now_us: 0,
            held_us: 0,
            lanes,
            shards: std::iter::repeat_with(shard).take(shards).collect(),
            fate,
            began,
            plans: BinaryHeap::new(),
            whats: hashbrown::HashMap::new(),
            planned: 0,
            reports: VecDeque::new(),
        }
    }

    pub(crate) fn shards(&self) -> usize {
        self.shards.len()
    }

    pub(crate) fn lanes(&self) -> usize {
        self.lanes
    }

    /// Jobs arrive at a shard.
    pub(crate) fn submit(&mut self, shard: usize, jobs: Vec<Job>) {
        let at = &mut self.shards[shard];
        let tasks = jobs.into_iter().map(|job| Task { job, probes: 0 });
        at.waiting.extend(tasks);
        at.cadence = at.cadence.fed();
        self.attend(shard);
    }

    /// A target is reached without a proxy.
    pub(crate) fn control(&mut self, shard: usize, job: ControlJob) {
        let record = ControlRecord {
            id: job.id,
            target: job.target,
            verdict: Verdict::Alive,
            timing: Timing::default(),
            learnt: None,
            own: None,
        };
        self.plan(self.now_us + CONTROL_US, shard, What::Control(record));
    }

    /// Lets time pass until a shard reports, or until then.
    pub(crate) fn next(&mut self, until_us: u64) -> Option<Report> {
        while self.reports.is_empty()
            && let Some(&Reverse((at, number))) = self.plans.peek()
            && at <= until_us
        {
            self.plans.pop();
            self.now_us = at;
            let (shard, what) = self.whats.remove(&number).expect("each is planned once");
            self.happen(shard, what);
        }
        let report = self.reports.pop_front();
        if report.is_none() {
            self.now_us = self.now_us.max(until_us);
        }
        report
    }

    fn plan(&mut self, at_us: u64, shard: usize, what: What) {
        self.planned += 1;
        self.whats.insert(self.planned, (shard, what));
        self.plans.push(Reverse((at_us, self.planned)));
    }

    fn happen(&mut self, shard: usize, what: What) {
        match what {
            What::End(task, probe) => {
                self.end(shard, task, probe);
                self.start(shard);
                self.report_if_due(shard);
            }
            What::Control(record) => {
                self.shards[shard].controls.push(record);
                self.report(shard);
            }
            What::Look if self.shards[shard].look_us == self.now_us => self.attend(shard),
            What::Look => {}
        }
    }

    fn end(&mut self, shard: usize, mut task: Task, probe: Probe) {
        let at = &mut self.shards[shard];
        at.busy -= 1;
        let total_us = u32::try_from(probe.us).unwrap_or(u32::MAX);
        at.tally.record(probe.verdict, total_us);
        if probe.more {
            task.probes += 1;
            return at.waiting.push_back(task);
        }
        let alive = probe.verdict == Verdict::Alive;
        let mut record = Record::unprobed(task.job.id, probe.verdict);
        record.attempts = task.probes + 1;
        record.timing = Timing {
            total_us,
            connect_us: 1,
            ..Timing::default()
        };
        if alive {
            let protocol = task.job.protocols.in_order(0).next();
            let protocol = protocol.expect("a job has a protocol");
            let all = proxy_shards::Targets::from_bits(u8::MAX);
            record.works.set(protocol, all);
            record.first = Some(protocol);
        }
        at.ended.push(record);
    }

    /// Lanes take what waits.
    fn start(&mut self, shard: usize) {
        while self.shards[shard].busy < self.lanes
            && let Some(task) = self.shards[shard].waiting.pop_front()
        {
            let probe = (self.fate)(&task.job, task.probes, self.now_us);
            self.shards[shard].busy += 1;
            self.held_us += probe.us;
            self.plan(self.now_us + probe.us, shard, What::End(task, probe));
        }
    }

    /// One look at everything, and the time of the next.
    fn attend(&mut self, shard: usize) {
        self.start(shard);
        self.report_if_due(shard);
        let now = self.now();
        let at = &mut self.shards[shard];
        let pause = at.cadence.pause(at.ended.len(), at.waiting.len(), now);
        at.look_us = self.now_us + pause.as_micros() as u64;
        let quiet = at.busy + at.waiting.len() + at.ended.len() == 0;
        let look_us = at.look_us;
        if !quiet {
            self.plan(look_us, shard, What::Look);
        }
    }

    fn report_if_due(&mut self, shard: usize) {
        let at = &self.shards[shard];
        if at
            .cadence
            .is_due(at.ended.len(), at.waiting.len(), self.now())
        {
            self.report(shard);
        }
    }

    fn report(&mut self, number: usize) {
        let now = self.now();
        let shard = &mut self.shards[number];
        shard.cadence = Cadence::new(now);
        self.reports.push_back(Report {
            shard: number,
            records: std::mem::take(&mut shard.ended),
            controls: std::mem::take(&mut shard.controls),
            tally: std::mem::take(&mut shard.tally),
            in_flight: shard.busy,
            queued: shard.waiting.len(),
            lag_us: 0,
            restarts: 0,
        });
    }

    fn now(&self) -> Instant {
        self.began + Duration::from_micros(self.now_us)
    }
}
