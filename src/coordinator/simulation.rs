//! A coordinator with simulated shards and targets, on a simulated clock: hours pass in seconds.

mod fixtures;
pub(crate) mod service;
mod trouble;

pub(crate) use fixtures::{SIX, candidate, config, controlled, list, number, source};

use super::{Action, Event, Lookup, Now, Purpose, Start, State};
use crate::config::Config;
use crate::snapshot::{Published, Snapshot};
use crate::sources::fetch::Fetched;
use crate::sources::parse::Parsed;
use crate::store::Image;
use proxy_shards::target::Learnt;
use proxy_shards::{
    ControlJob, ControlRecord, Job, Protocol, Protocols, Record, Report, Tally, Targets, Timing,
    Verdict, Works,
};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashSet, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

/// Unix time at which every simulation starts, in milliseconds.
pub(crate) const EPOCH_MS: u64 = 1_700_000_000_000;
/// How often a shard reports, in milliseconds.
const REPORT_MS: u64 = 100;

/// How a simulated job ends that begins at a time: what is tried, its verdict, what it reached, and
/// after how many milliseconds.
pub(crate) type Behaviour = Box<dyn FnMut(u32, Protocols, u64) -> (Verdict, Works, u64)>;
/// How a target answers without a proxy at a time: its verdict, and after how many milliseconds.
pub(crate) type Fate = Box<dyn FnMut(usize, u64) -> (Verdict, u64)>;

/// One simulated shard: lanes, a queue, and what it has to report.
#[derive(Default)]
struct Shard {
    queue: VecDeque<Job>,
    /// Probes under way by their end.
    lanes: BinaryHeap<Reverse<(u64, u64)>>,
    ended: Vec<(u64, Record)>,
    controls: Vec<(u64, ControlRecord)>,
}

/// A coordinator and everything around it.
pub(crate) struct Simulation {
    pub(crate) state: State,
    pub(crate) published: Published,
    pub(crate) now_ms: u64,
    /// Unix time at its start, in milliseconds.
    epoch_ms: u64,
    behaviour: Behaviour,
    fate: Fate,
    /// The address of every target's name.
    pub(crate) target_ip: Option<IpAddr>,
    /// What the outside has to say next.
    answers: VecDeque<Event>,
    shards: Vec<Shard>,
    lanes: usize,
    /// Probes at once that the host bears, if not all: it has no port for others.
    pub(crate) bears: Option<usize>,
    /// Indexes that are out, to catch a candidate that is handed out twice.
    out: HashSet<u32>,
    /// What a shard said last.
    said: Option<(usize, Vec<Record>)>,
    report_ms: u64,
    /// Number and time of every probe that started.
    pub(crate) probes: Vec<(u32, u64)>,
    /// Time of every publication.
    pub(crate) publications: Vec<u64>,
    pub(crate) images: Vec<Image>,
    /// Of names of proxies.
    pub(crate) lookups: Vec<Lookup>,
    /// Of names of targets.
    pub(crate) target_lookups: Vec<Purpose>,
    /// Shard, target and time of every probe without a proxy.
    pub(crate) controls: Vec<(usize, usize, u64)>,
    /// Actions other than those above, by name.
    pub(crate) others: Vec<&'static str>,
}

/// A behaviour that does not look at what is tried: what is alive reaches everything by all of it.
fn simple(mut behaviour: impl FnMut(u32, u64) -> (Verdict, u64) + 'static) -> Behaviour {
    Box::new(move |number, protocols, at| {
        let (verdict, after_ms) = behaviour(number, at);
        let mut works = Works::default();
        if verdict == Verdict::Alive {
            let all = Targets::from_bits(u8::MAX);
            protocols.in_order(0).for_each(|p| works.set(p, all));
        }
        (verdict, works, after_ms)
    })
}

fn route(shards: usize) -> impl Fn(SocketAddr) -> usize {
    move |address| number(address.ip()) as usize % shards
}

impl Simulation {
    /// Two shards of `lanes` lanes each.
    pub(crate) fn new(config: Config, lanes: usize, restored: Image) -> Simulation {
        let mut simulation = Simulation::still(config, lanes, restored);
        simulation.tell(Event::Tick);
        simulation
    }

    /// The same, before anything is asked of the targets.
    pub(crate) fn still(config: Config, lanes: usize, restored: Image) -> Simulation {
        Simulation::at(config, lanes, restored, EPOCH_MS)
    }

    /// The same at another time.
    pub(crate) fn at(config: Config, lanes: usize, restored: Image, epoch_ms: u64) -> Simulation {
        let now = Now {
            clock_ms: 0,
            unix_ms: epoch_ms,
        };
        let start = Start {
            config: Arc::new(config),
            shards: 2,
            lanes_per_shard: lanes,
            descriptors: 20_000,
            restored,
            seed: 7,
        };
        Simulation {
            state: State::new(start, now, &route(2)),
            published: Published::empty(now.system()),
            now_ms: 0,
            epoch_ms,
            behaviour: simple(|_, _| (Verdict::Alive, 50)),
            fate: Box::new(|_, _| (Verdict::Alive, 20)),
            target_ip: Some([192, 0, 2, 1].into()),
            answers: VecDeque::new(),
            shards: vec![Shard::default(), Shard::default()],
            lanes,
            bears: None,
            out: HashSet::new(),
            said: None,
            report_ms: REPORT_MS,
            probes: Vec::new(),
            publications: Vec::new(),
            images: Vec::new(),
            lookups: Vec::new(),
            target_lookups: Vec::new(),
            controls: Vec::new(),
            others: Vec::new(),
        }
    }

    /// From now on the proxies behave like this.
    pub(crate) fn behave(&mut self, behaviour: impl FnMut(u32, u64) -> (Verdict, u64) + 'static) {
        self.behaviour = simple(behaviour);
    }

    /// The same, by all that a job is and can say.
    pub(crate) fn behave_fully(
        &mut self,
        behaviour: impl FnMut(u32, Protocols, u64) -> (Verdict, Works, u64) + 'static,
    ) {
        self.behaviour = Box::new(behaviour);
    }

    /// From now on the targets fare like this without a proxy.
    pub(crate) fn fate(&mut self, fate: impl FnMut(usize, u64) -> (Verdict, u64) + 'static) {
        self.fate = Box::new(fate);
    }

    /// What readers see.
    pub(crate) fn snapshot(&self) -> Arc<Snapshot> {
        self.published.load()
    }

    /// The numbers of the published proxies.
    pub(crate) fn served(&self) -> Vec<u32> {
        let snapshot = self.snapshot();
        let ip = |proxy: &crate::snapshot::Proxy| proxy.candidate.host.ip().unwrap();
        let proxies = snapshot.pool.proxies().iter();
        proxies.map(|proxy| number(ip(proxy))).collect()
    }

    /// A source of the current reload delivers.
    pub(crate) fn deliver(&mut self, source: usize, list: Parsed) {
        self.tell(Event::Source {
            reload: self.state.sweep.id,
            source,
            outcome: Ok(Fetched::List(list)),
        });
    }

    /// The time, as the coordinator is told it.
    pub(crate) fn now(&self) -> Now {
        Now {
            clock_ms: self.now_ms,
            unix_ms: self.epoch_ms.wrapping_add(self.now_ms),
        }
    }

    /// The host's clock is set; the other one goes on.
    pub(crate) fn set_clock(&mut self, unix_ms: u64) {
        self.epoch_ms = unix_ms.wrapping_sub(self.now_ms);
    }

    /// Tells the coordinator something now.
    pub(crate) fn tell(&mut self, event: Event) {
        let now = self.now();
        let actions = self.state.handle(event, now, &route(self.shards.len()));
        for action in actions {
            self.perform(action, now);
        }
        self.assert_each_is_somewhere_once();
        if let Some(event) = self.answers.pop_front() {
            self.tell(event);
        }
    }

    /// Every candidate waits, is out, is looked up or is held: one of these.
    fn assert_each_is_somewhere_once(&self) {
        let state = &self.state;
        let out = state.dispatch.outstanding() + state.lookups.outstanding();
        let places = state.schedule.waiting() + out + state.control.held();
        assert_eq!(places, state.ledger.len(), "at {} ms", self.now_ms);
    }

    fn perform(&mut self, action: Action, now: Now) {
        match action {
            Action::Submit { shard, jobs } => {
                for job in &jobs {
                    let index = job.id as u32;
                    assert!(self.out.insert(index), "{index} was handed out twice");
                }
                self.shards[shard].queue.extend(jobs);
            }
            Action::Publish { pool, stat, stale } => {
                self.publications.push(self.now_ms);
                self.published.publish(pool, stat, now.system(), stale);
            }
            Action::Save(image) => self.images.push(image),
            Action::Lookup(lookup) => match lookup.purpose {
                Purpose::Proxy(_) => self.lookups.push(lookup),
                purpose @ Purpose::Target { .. } => {
                    self.target_lookups.push(purpose);
                    let ip = self.target_ip;
                    self.answers.push_back(Event::Resolved { purpose, ip });
                }
            },
            Action::Policy(_) => self.others.push("policy"),
            Action::Control { shard, job } => self.reach(shard, job),
            Action::Lanes(lanes) => {
                self.others.push("lanes");
                if self.state.config.checker.adaptive {
                    self.lanes = lanes.get().div_ceil(self.shards.len());
                    self.state.set_lanes(self.lanes);
                }
            }
            Action::Pace(_) => self.others.push("pace"),
            Action::Log(_) => unreachable!("a node alone tells nobody"),
        }
    }

    fn reach(&mut self, shard: usize, job: ControlJob) {
        self.controls.push((shard, job.target, self.now_ms));
        let (verdict, after_ms) = (self.fate)(job.target, self.now_ms);
        let record = ControlRecord {
            id: job.id,
            target: job.target,
            verdict,
            timing: Timing {
                total_us: after_ms as u32 * 1_000,
                ..Timing::default()
            },
            learnt: (verdict == Verdict::Alive).then_some(Learnt {
                status: 200,
                content_type: None,
            }),
            own: None,
        };
        let end = self.now_ms + after_ms;
        self.shards[shard].controls.push((end, record));
    }

    fn start_probes(&mut self, shard: usize) {
        while self.shards[shard].lanes.len() < self.lanes
            && let Some(job) = self.shards[shard].queue.pop_front()
        {
            let under_way: usize = self.shards.iter().map(|shard| shard.lanes.len()).sum();
            let full = self.bears.is_some_and(|bears| under_way >= bears);
            let number = number(job.address.ip());
            self.probes.push((number, self.now_ms));
            let behaviour = &mut self.behaviour;
            let (verdict, works, after_ms) = match full {
                true => (Verdict::LocalPorts, Works::default(), 1),
                false => behaviour(number, job.protocols, self.now_ms),
            };
            let alive = Protocol::ALL.into_iter();
            let mut alive = alive.filter(|&p| !works.by(p).is_empty());
            let end = self.now_ms + after_ms;
            let record = Record {
                attempts: 1,
                works,
                first: alive.next().filter(|_| verdict == Verdict::Alive),
                timing: Timing {
                    total_us: after_ms as u32 * 1_000,
                    connect_us: 1,
                    ..Timing::default()
                },
                ..Record::unprobed(job.id, verdict)
            };
            let shard = &mut self.shards[shard];
            shard.lanes.push(Reverse((end, job.id)));
            shard.ended.push((end, record));
        }
    }

    fn end_probes(&mut self) {
        for shard in 0..self.shards.len() {
            while let Some(&Reverse((end, _))) = self.shards[shard].lanes.peek()
                && end <= self.now_ms
            {
                self.shards[shard].lanes.pop();
            }
        }
    }

    fn report(&mut self, shard: usize) {
        let now = self.now_ms;
        let busy = &mut self.shards[shard];
        let ended: Vec<(u64, Record)> = busy.ended.extract_if(.., |(end, _)| *end <= now).collect();
        let controls = busy.controls.extract_if(.., |(end, _)| *end <= now);
        let controls = controls.map(|(_, record)| record).collect();
        let mut tally = Tally::default();
        let records: Vec<Record> = ended.into_iter().map(|(_, record)| record).collect();
        for record in &records {
            assert!(self.out.remove(&(record.id as u32)));
            tally.record(record.verdict, record.timing.total_us);
        }
        if !records.is_empty() {
            self.said = Some((shard, records.clone()));
        }
        let report = Report {
            shard,
            records,
            controls,
            tally,
            in_flight: busy.lanes.len(),
            queued: busy.queue.len(),
            lag_us: 0,
            restarts: 0,
        };
        self.tell(Event::Report(report));
    }

    /// Lets time pass until `until_ms`.
    pub(crate) fn run_until(&mut self, until_ms: u64) {
        let mut idle_turns = 0;
        while self.now_ms < until_ms {
            for shard in 0..self.shards.len() {
                self.start_probes(shard);
            }
            let wake = self.state.wake_at(self.now());
            let ends = self.shards.iter().filter_map(|shard| shard.lanes.peek());
            let end = ends.map(|Reverse((end, _))| *end).min();
            let next = [Some(wake), Some(self.report_ms), end, Some(until_ms)];
            let next = next.into_iter().flatten().min().unwrap();
            idle_turns = if next > self.now_ms {
                0
            } else {
                idle_turns + 1
            };
            assert!(idle_turns < 50, "it spins at {} ms", self.now_ms);
            self.now_ms = next.max(self.now_ms);
            self.end_probes();
            if self.report_ms <= self.now_ms {
                self.report_ms += REPORT_MS;
                for shard in 0..self.shards.len() {
                    self.report(shard);
                }
            } else if wake <= self.now_ms {
                self.tell(Event::Tick);
            }
        }
    }

    /// The times at which `number` was probed.
    pub(crate) fn probed_at(&self, number: u32) -> Vec<u64> {
        let probes = self.probes.iter().filter(|(n, _)| *n == number);
        probes.map(|(_, at)| *at).collect()
    }
}
