//! A coordinator with simulated shards, on a simulated clock: hours pass in seconds.

use super::{Action, Event, Lookup, Now, Start, State};
use crate::config::{
    Aggregator, Api, Backend, Checker, Config, Location, Logging, Metrics, SnapshotLife, Source,
    Storage,
};
use crate::snapshot::{Published, Snapshot};
use crate::sources::address::AddressPolicy;
use crate::sources::fetch::Fetched;
use crate::sources::parse::Format;
use crate::sources::parse::Parsed;
use crate::store::Image;
use proxy_shards::policy::PolicyOptions;
use proxy_shards::{Candidate, Job, ProbePolicy, Record, Report, Scheme, Tally, Timing, Verdict};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashSet, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

/// Unix time at which every simulation starts, in milliseconds.
pub(crate) const EPOCH_MS: u64 = 1_700_000_000_000;
/// How often a shard reports, in milliseconds.
const REPORT_MS: u64 = 100;

/// A configuration with one file source for each of `names`.
pub(crate) fn config(names: &[&str]) -> Config {
    Config {
        aggregator: Aggregator {
            interval: Duration::from_secs(60),
            sources: names.iter().map(|name| source(name)).collect(),
            user_agent: "test".into(),
            addresses: AddressPolicy::default(),
            source_timeout: Duration::from_secs(5),
            source_bytes_max: 1 << 20,
        },
        checker: Checker {
            policy: Arc::new(policy()),
            concurrency: NonZeroUsize::new(1_000).unwrap(),
            shards: None,
            batch_size: NonZeroUsize::new(100).unwrap(),
            control: None,
            backoff_max: Duration::from_secs(600),
            adaptive: false,
            max_fd_usage_percent: 80,
            max_cpu_usage_percent: 95,
        },
        snapshot: SnapshotLife::default(),
        api: Api {
            addr: "127.0.0.1:0".parse().unwrap(),
            keys: None,
            rate_limit_per_minute: None,
            rate_limit_per_ip: None,
            trusted_proxies: Arc::new([]),
        },
        storage: Storage {
            backend: Backend::File("unused".into()),
            persist_interval: Duration::from_secs(300),
        },
        metrics: Metrics {
            enabled: true,
            endpoint: "/metrics".into(),
            namespace: "test".into(),
            require_key: false,
        },
        logging: Logging {
            level: "info".into(),
            json: false,
        },
    }
}

/// A file source of that name.
pub(crate) fn source(name: &str) -> Source {
    Source {
        url: name.into(),
        location: Location::File(name.into()),
        hint: Scheme::Http,
        format: Format::Auto,
    }
}

fn policy() -> ProbePolicy {
    ProbePolicy::new(PolicyOptions::default()).unwrap()
}

/// The `n`th candidate, a public address.
pub(crate) fn candidate(n: u32) -> Candidate {
    let [_, b, c, d] = n.to_be_bytes();
    format!("http://9.{b}.{c}.{d}:8080").parse().unwrap()
}

/// Its number, from its address.
pub(crate) fn number(ip: IpAddr) -> u32 {
    let IpAddr::V4(ip) = ip else { return 0 };
    u32::from(ip) & 0x00ff_ffff
}

/// A list that holds those candidates.
pub(crate) fn list(numbers: impl IntoIterator<Item = u32>) -> Parsed {
    Parsed {
        candidates: numbers.into_iter().map(candidate).collect(),
        ..Parsed::default()
    }
}

/// How a simulated proxy answers a probe at a time: its verdict, and after how many milliseconds.
pub(crate) type Behaviour = Box<dyn FnMut(u32, u64) -> (Verdict, u64)>;

/// One simulated shard: lanes, a queue, and what it has to report.
#[derive(Default)]
struct Shard {
    queue: VecDeque<Job>,
    /// Probes under way by their end.
    lanes: BinaryHeap<Reverse<(u64, u64)>>,
    ended: Vec<(u64, Record)>,
}

/// A coordinator and everything around it.
pub(crate) struct Simulation {
    pub(crate) state: State,
    pub(crate) published: Published,
    pub(crate) now_ms: u64,
    behaviour: Behaviour,
    shards: Vec<Shard>,
    lanes: usize,
    /// Ids that are out, to catch a job that is handed out twice.
    out: HashSet<u64>,
    report_ms: u64,
    /// Number and time of every probe that started.
    pub(crate) probes: Vec<(u32, u64)>,
    /// Time of every publication.
    pub(crate) publications: Vec<u64>,
    pub(crate) images: Vec<Image>,
    pub(crate) lookups: Vec<Lookup>,
    /// Actions other than those above, by name.
    pub(crate) others: Vec<&'static str>,
}

fn route(shards: usize) -> impl Fn(SocketAddr) -> usize {
    move |address| number(address.ip()) as usize % shards
}

impl Simulation {
    /// Two shards of `lanes` lanes each.
    pub(crate) fn new(config: Config, lanes: usize, restored: Image) -> Simulation {
        let now = Now {
            clock_ms: 0,
            unix_ms: EPOCH_MS,
        };
        let start = Start {
            config: Arc::new(config),
            shards: 2,
            lanes_per_shard: lanes,
            allowed: |config, ip| {
                config.aggregator.addresses.allow_private || ip != IpAddr::from([127, 0, 0, 1])
            },
            restored,
            seed: 7,
        };
        let mut simulation = Simulation {
            state: State::new(start, now, &route(2)),
            published: Published::empty(now.system()),
            now_ms: 0,
            behaviour: Box::new(|_, _| (Verdict::Alive, 50)),
            shards: vec![Shard::default(), Shard::default()],
            lanes,
            out: HashSet::new(),
            report_ms: REPORT_MS,
            probes: Vec::new(),
            publications: Vec::new(),
            images: Vec::new(),
            lookups: Vec::new(),
            others: Vec::new(),
        };
        simulation.tell(Event::Tick);
        simulation
    }

    /// From now on the proxies behave like this.
    pub(crate) fn behave(&mut self, behaviour: impl FnMut(u32, u64) -> (Verdict, u64) + 'static) {
        self.behaviour = Box::new(behaviour);
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

    /// Tells the coordinator something now.
    pub(crate) fn tell(&mut self, event: Event) {
        let now = Now {
            clock_ms: self.now_ms,
            unix_ms: EPOCH_MS + self.now_ms,
        };
        let actions = self.state.handle(event, now, &route(self.shards.len()));
        for action in actions {
            self.perform(action, now);
        }
    }

    fn perform(&mut self, action: Action, now: Now) {
        match action {
            Action::Submit { shard, jobs } => {
                for job in &jobs {
                    assert!(self.out.insert(job.id), "{} was handed out twice", job.id);
                }
                self.shards[shard].queue.extend(jobs);
            }
            Action::Publish { pool, stat, .. } => {
                self.publications.push(self.now_ms);
                self.published.publish(pool, stat, now.system(), false);
            }
            Action::Save(image) => self.images.push(image),
            Action::Lookup(lookup) => self.lookups.push(lookup),
            Action::Policy(_) => self.others.push("policy"),
            Action::Control { .. } => self.others.push("control"),
            Action::Lanes(_) => self.others.push("lanes"),
        }
    }

    fn start_probes(&mut self, shard: usize) {
        while self.shards[shard].lanes.len() < self.lanes
            && let Some(job) = self.shards[shard].queue.pop_front()
        {
            let number = number(job.address.ip());
            self.probes.push((number, self.now_ms));
            let (verdict, after_ms) = (self.behaviour)(number, self.now_ms);
            let end = self.now_ms + after_ms;
            let record = Record {
                attempts: 1,
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
        let mut tally = Tally::default();
        let records: Vec<Record> = ended.into_iter().map(|(_, record)| record).collect();
        for record in &records {
            assert!(self.out.remove(&record.id));
            tally.record(record.verdict, record.timing.total_us);
        }
        let report = Report {
            shard,
            records,
            controls: Vec::new(),
            tally,
            in_flight: busy.lanes.len(),
            queued: busy.queue.len(),
            restarts: 0,
        };
        self.tell(Event::Report(report));
    }

    /// Lets time pass until `until_ms`.
    pub(crate) fn run_until(&mut self, until_ms: u64) {
        while self.now_ms < until_ms {
            for shard in 0..self.shards.len() {
                self.start_probes(shard);
            }
            let wake = self.state.wake_at(Now {
                clock_ms: self.now_ms,
                unix_ms: EPOCH_MS + self.now_ms,
            });
            let ends = self.shards.iter().filter_map(|shard| shard.lanes.peek());
            let end = ends.map(|Reverse((end, _))| *end).min();
            let next = [Some(wake), Some(self.report_ms), end, Some(until_ms)];
            let next = next.into_iter().flatten().min().unwrap();
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
