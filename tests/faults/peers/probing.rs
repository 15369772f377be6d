//! The real engine over such peers: candidates in, what became of each out, and what is promised of all
//! of them whatever they say.

use super::parts::Part;
use super::server::{Peers, Visit};
use super::truth::Way;
use crate::support::PATIENCE;
use crate::times;
use crossbeam_channel::Receiver;
use proxy_bench::farm::{Aim, Behaviour, Farm, JUDGE_SECRET, TARGET_BODY};
use proxy_shards::heard::{self, Heard};
use proxy_shards::policy::{PolicyOptions, ProbePolicy};
use proxy_shards::target::{Secret, TargetOptions};
use proxy_shards::tuning::Tuning;
use proxy_shards::{Engine, EngineOptions, Job, Protocol, Protocols, Record, Verdict};
use sha2::{Digest, Sha256};
use std::fs;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::Once;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// A candidate: by which protocol it is probed, and what is there.
#[derive(Clone, Debug)]
pub(crate) struct Candidate {
    pub(crate) protocol: Protocol,
    pub(crate) part: Part,
}

/// What became of a candidate.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) candidate: Candidate,
    pub(crate) way: Way,
    pub(crate) record: Record,
    /// Connections that it was probed by.
    pub(crate) visits: Vec<Visit>,
    /// Bytes that each of them took, as the engine counted them.
    pub(crate) heard: Vec<u64>,
}

impl Outcome {
    pub(crate) fn is_alive(&self) -> bool {
        self.record.verdict == Verdict::Alive
    }

    /// Whether it answered as the target does, on any connection.
    pub(crate) fn has_answered(&self) -> bool {
        let answered = |visit: &Visit| self.way.is_answer(&visit.talk.meant, &visit.talk.said);
        self.visits.iter().any(answered)
    }
}

/// How late a probe may end. The suite's promise is half a second of a machine that measures; where
/// other tests take the CPUs from a build without optimisation, a thread may not run for seconds.
pub(crate) fn grace() -> Duration {
    times(Duration::from_secs(5), Duration::from_millis(500))
}

/// The one deadline of a probe: the good ones must be done within it, on a busy machine too.
pub(crate) fn deadline() -> Duration {
    times(Duration::from_secs(4), Duration::from_secs(3))
}

/// An engine, and what it is probed with.
pub(crate) struct Probing {
    engine: Engine,
    heard: Receiver<Heard>,
    farm: Farm,
}

impl Probing {
    pub(crate) fn start(lanes: usize) -> Probing {
        watch_shards();
        let farm = Farm::start(Default::default()).unwrap();
        let options = EngineOptions {
            shards: NonZeroUsize::new(2),
            lanes: NonZeroUsize::new(lanes).unwrap(),
            tuning: Tuning::default(),
        };
        let engine = Engine::start(options, policy(&farm, Aim::NoContent)).unwrap();
        assert!(engine.lanes_per_shard() * 2 >= lanes, "lanes: ulimit -n");
        Probing {
            engine,
            heard: heard::listen(),
            farm,
        }
    }

    /// A real proxy.
    pub(crate) fn proxy(&self, behaviour: Behaviour, number: usize) -> SocketAddr {
        let url = self.farm.proxy(behaviour, u32::try_from(number).unwrap());
        url.split_once("://").unwrap().1.parse().unwrap()
    }

    /// Probes all candidates for `aim`, and holds of each what is promised of all.
    pub(crate) fn probe(&self, aim: Aim, cast: Vec<Candidate>) -> Vec<Outcome> {
        let panics = PANICS.load(Ordering::SeqCst);
        self.heard.try_iter().for_each(drop);
        let parts: Arc<[Part]> = cast.iter().map(|one| one.part.clone()).collect();
        let peers = Peers::start(parts);
        self.engine.set_policy(policy(&self.farm, aim));
        let records = self.run(&cast, &peers);
        let mut outcomes: Vec<Outcome> = cast
            .into_iter()
            .zip(records)
            .map(|(candidate, record)| Outcome {
                way: Way {
                    protocol: candidate.protocol,
                    aim,
                },
                candidate,
                record: record.expect("every job comes back"),
                visits: Vec::new(),
                heard: Vec::new(),
            })
            .collect();
        let (visits, late) = peers.end();
        for visit in visits {
            outcomes[visit.number].visits.push(visit);
        }
        for told in self.heard.try_iter() {
            outcomes[Peers::number(told.from)].heard.push(told.bytes);
        }
        assert_eq!(PANICS.load(Ordering::SeqCst), panics, "a shard panicked");
        outcomes.iter().for_each(|outcome| hold(outcome, late));
        outcomes
    }

    /// Every job through the engine: the records in their order.
    fn run(&self, cast: &[Candidate], peers: &Peers) -> Vec<Option<Record>> {
        let mut shards = vec![Vec::new(); self.engine.shards()];
        for (number, candidate) in cast.iter().enumerate() {
            let at = number % shards.len();
            shards[at].push(Job {
                id: number as u64,
                protocols: Protocols::only(candidate.protocol),
                address: peers.address(number),
                credentials: None,
            });
        }
        for (shard, jobs) in shards.into_iter().enumerate() {
            self.engine.submit(shard, jobs);
        }
        let mut records = vec![None; cast.len()];
        let mut missing = cast.len();
        // Probes under way and jobs that wait, by shard, as they were last told.
        let mut under_way = vec![(0, 0); self.engine.shards()];
        while missing > 0 {
            let report = self.engine.reports().recv_timeout(PATIENCE);
            let report = report.unwrap_or_else(|_| {
                let pairs = cast.iter().zip(&records);
                let lost: Vec<_> = pairs.filter(|(_, record)| record.is_none()).collect();
                panic!("{missing} jobs never came back, {under_way:?}: {lost:?}")
            });
            under_way[report.shard] = (report.in_flight, report.queued);
            assert_eq!(report.restarts, 0, "a shard was restarted");
            missing -= report.records.len();
            for record in report.records {
                let before = records[record.id as usize].replace(record);
                assert!(before.is_none(), "a job came back twice: {before:?}");
            }
        }
        records
    }

    /// Waits until the farm has seen every connection end; then what this process holds.
    pub(crate) fn at_rest(&self) -> Holds {
        crate::support::eventually(PATIENCE, "no proxy is spoken to", || {
            (self.farm.connections() == 0).then_some(())
        });
        Holds::now()
    }
}

/// What is promised of every probe, by peers that were so `late` themselves.
fn hold(outcome: &Outcome, late: Duration) {
    let verdict = outcome.record.verdict;
    assert!(
        !verdict.is_local() || verdict == Verdict::LocalLate,
        "{outcome:?}"
    );
    assert!(
        !outcome.is_alive() || outcome.has_answered(),
        "alive without an answer: {outcome:?}"
    );
    let most = deadline() + grace();
    assert!(took(outcome) <= most, "over {most:?}: {outcome:?}");
    let lived = |visit: &Visit| visit.lived <= most + late;
    assert!(
        outcome.visits.iter().all(lived),
        "over {most:?}: {outcome:?}"
    );
}

/// How long the last probe took, by the engine.
pub(crate) fn took(outcome: &Outcome) -> Duration {
    Duration::from_micros(outcome.record.timing.total_us.into())
}

/// One line: the verdicts, and the worst of what is bounded.
pub(crate) fn summary(outcomes: &[Outcome]) -> String {
    let mut counts: Vec<(Verdict, usize)> = Vec::new();
    for verdict in Verdict::ALL {
        let same = outcomes.iter().filter(|one| one.record.verdict == verdict);
        counts.push((verdict, same.count()));
    }
    counts.retain(|&(_, count)| count > 0);
    let said: Vec<String> = (counts.iter())
        .map(|(verdict, count)| format!("{count} {}", verdict.label()))
        .collect();
    let took = outcomes.iter().map(took).max().unwrap_or_default();
    let lived = outcomes.iter().flat_map(|one| &one.visits);
    let lived = lived.map(|visit| visit.lived).max().unwrap_or_default();
    let heard = outcomes.iter().flat_map(|one| &one.heard).max();
    format!(
        "{}; at most {took:.3?} by the engine, {lived:.3?} by the peer, {} bytes",
        said.join(", "),
        heard.copied().unwrap_or_default()
    )
}

fn policy(farm: &Farm, aim: Aim) -> Arc<ProbePolicy> {
    let page: [u8; 32] = Sha256::digest(TARGET_BODY).into();
    let target = TargetOptions {
        tunnel: aim == Aim::Tunnel,
        judge: aim
            .is_judge()
            .then(|| Secret::new(JUDGE_SECRET.as_bytes()).unwrap()),
        expect_sha256: (aim == Aim::KnownBody).then_some(page),
        ..TargetOptions::from(farm.target(aim).as_str())
    };
    let options = PolicyOptions {
        targets: vec![target],
        timeout: deadline(),
        connect_timeout: deadline(),
        ca_pem: Some(farm.ca_pem().as_bytes().to_vec()),
        ..PolicyOptions::default()
    };
    Arc::new(ProbePolicy::new(options).unwrap())
}

/// Panics of shards so far.
static PANICS: AtomicUsize = AtomicUsize::new(0);

/// Counts panics of shards from now on: those that a probe survives too.
fn watch_shards() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            let name = std::thread::current().name().map(str::to_owned);
            if name.is_some_and(|name| name.starts_with("shard-")) {
                PANICS.fetch_add(1, Ordering::SeqCst);
            }
            before(panic);
        }));
    });
}

/// What this process holds of the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Holds {
    /// Bytes that are resident.
    pub(crate) memory: usize,
    pub(crate) descriptors: usize,
}

impl Holds {
    fn now() -> Holds {
        let statm = fs::read_to_string("/proc/self/statm").unwrap();
        let pages: usize = statm.split(' ').nth(1).unwrap().parse().unwrap();
        Holds {
            memory: pages * 4_096,
            descriptors: fs::read_dir("/proc/self/fd").unwrap().count(),
        }
    }
}

/// How long something took.
pub(crate) fn timed<T>(what: impl FnOnce() -> T) -> (T, Duration) {
    let begun = Instant::now();
    let done = what();
    (done, begun.elapsed())
}
