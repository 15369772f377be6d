//! The worker over shards without sockets, with the bus played by hand; and once as a whole, over a
//! real Redis.

use super::end::{Credit, Said, Task, WorkerEnd, WorkerStat};
use super::{Settings, Worker, start};
use crate::cluster::bus;
use crate::cluster::bus::hub::Inner;
use crate::cluster::bus::policy::{Fingerprint, fingerprint};
use crate::cluster::bus::tests::redis::{Redis, cluster, wait_for};
use crate::cluster::jobs::take::Taken;
use crate::cluster::wire::Id;
use crate::cluster::{Form, News, Order};
use crate::dispatch::Shards;
use crate::lanes::Wish;
use crossbeam_channel::{Receiver, Sender, unbounded};
use proxy_shards::policy::PolicyOptions;
use proxy_shards::{
    ControlJob, ControlRecord, Job, ProbePolicy, Protocol, Protocols, Record, Report, Tally,
    Targets, Timing, Verdict,
};
use std::net::SocketAddr;
use std::num::{NonZeroU32, NonZeroUsize};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What a test sets, and sees, of its shards.
#[derive(Default)]
struct World {
    target_is_down: AtomicBool,
    /// Whether jobs stay under way.
    is_stuck: AtomicBool,
    submitted: AtomicUsize,
    under_way: Mutex<Vec<u64>>,
}

/// Two shards of 50 lanes: what listens on an even port is alive, the rest refuses.
struct Simulated {
    world: Arc<World>,
    tell: Sender<Report>,
    reports: Receiver<Report>,
}

impl Simulated {
    fn report(&self, shard: usize, records: Vec<Record>, controls: Vec<ControlRecord>) {
        let mut tally = Tally::default();
        for record in &records {
            tally.record(record.verdict, 1_000);
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
        self.tell.send(report).unwrap();
    }
}

impl Shards for Simulated {
    fn shards(&self) -> usize {
        2
    }
    fn lanes_per_shard(&self) -> usize {
        50
    }
    fn shard_of(&self, address: SocketAddr) -> usize {
        usize::from(address.port() / 2 % 2)
    }
    fn submit(&self, shard: usize, jobs: Vec<Job>) {
        self.world.submitted.fetch_add(jobs.len(), Ordering::SeqCst);
        if self.world.is_stuck.load(Ordering::SeqCst) {
            let mut under_way = self.world.under_way.lock().unwrap();
            return under_way.extend(jobs.iter().map(|job| job.id));
        }
        let record = |job: &Job| match job.address.port() % 2 {
            0 => {
                let mut record = Record::unprobed(job.id, Verdict::Alive);
                record.works.set(Protocol::Http, Targets::first(1));
                record.first = Some(Protocol::Http);
                record
            }
            _ => Record::unprobed(job.id, Verdict::Refused),
        };
        self.report(shard, jobs.iter().map(record).collect(), Vec::new());
    }
    fn control(&self, shard: usize, job: ControlJob) {
        let verdict = match self.world.target_is_down.load(Ordering::SeqCst) {
            true => Verdict::ConnectTimeout,
            false => Verdict::Alive,
        };
        let record = ControlRecord {
            id: job.id,
            target: job.target,
            verdict,
            timing: Timing::default(),
            learnt: None,
            own: None,
        };
        self.report(shard, Vec::new(), vec![record]);
    }
    fn reports(&self) -> &Receiver<Report> {
        &self.reports
    }
    fn set_policy(&self, _policy: Arc<ProbePolicy>) {}
    fn set_lanes(&self, _lanes: NonZeroUsize) {}
    fn set_pace(&self, _per_second: Option<NonZeroU32>) {}
    fn stop(self, _grace: Duration) -> Receiver<Report> {
        let under_way = std::mem::take(&mut *self.world.under_way.lock().unwrap());
        let cancelled = |id| Record::unprobed(id, Verdict::LocalCancelled);
        self.report(
            0,
            under_way.into_iter().map(cancelled).collect(),
            Vec::new(),
        );
        self.reports
    }
}

/// A worker and the other side of its end of the bus.
struct Bench {
    world: Arc<World>,
    tasks: Sender<Task>,
    said: Receiver<Said>,
    credit: Arc<Credit>,
    stat: Arc<WorkerStat>,
    inbox: Receiver<Inner>,
    worker: Worker,
    policy: u64,
    entries: u64,
}

fn settings(url: &str) -> Settings {
    let policy = ProbePolicy::new(PolicyOptions {
        targets: vec![url.into()],
        ..PolicyOptions::default()
    });
    Settings {
        policy: Arc::new(policy.unwrap()),
        control: Some(Duration::from_millis(100)),
        wish: Wish {
            lanes: NonZeroUsize::new(100).unwrap(),
            within: None,
        },
        batch_size: NonZeroUsize::new(1_000).unwrap(),
        connects_per_second: None,
    }
}

const TARGET: &str = "http://192.0.2.80/generate_204";

fn bench(world: World) -> Bench {
    let world = Arc::new(world);
    let (tell, reports) = unbounded();
    let shards = Simulated {
        world: world.clone(),
        tell,
        reports,
    };
    let (tasks, tasks_from) = unbounded();
    let (said, said_from) = unbounded();
    let (hub, inbox) = unbounded();
    let (credit, stat) = (Arc::<Credit>::default(), Arc::<WorkerStat>::default());
    let end = WorkerEnd {
        tasks: tasks_from,
        said,
        credit: credit.clone(),
        stat: stat.clone(),
        hub,
        fingerprint: Arc::<Fingerprint>::default(),
    };
    let settings = settings(TARGET);
    Bench {
        policy: fingerprint(&settings.policy),
        worker: start(shards, end, settings, 1_000).unwrap(),
        world,
        tasks,
        said: said_from,
        credit,
        stat,
        inbox,
        entries: 0,
    }
}

impl Bench {
    /// Gives it an entry of jobs on ports from `port` on.
    fn give(&mut self, port: u16, count: u16) {
        self.entries += 1;
        let job = |port: u16| Job {
            id: port.into(),
            protocols: Protocols::only(Protocol::Http),
            address: SocketAddr::from(([192, 0, 2, 1], port)),
            credentials: None,
        };
        let taken = Taken {
            id: Id {
                token: 1,
                number: self.entries,
            },
            jobs: (port..port + count).map(job).collect(),
            done: 0,
            policy: self.policy,
        };
        self.credit.took(count.into());
        self.tasks.send(Task::Taken(taken)).unwrap();
    }

    /// The verdicts of the next `count` jobs by id, each of which ends once.
    fn verdicts(&self, count: usize) -> Vec<(u64, Verdict)> {
        let mut all = Vec::new();
        while all.len() < count {
            let said = self
                .said
                .recv_timeout(Duration::from_secs(20))
                .expect("a report");
            let records = said.parts.iter().flat_map(|part| &part.records);
            all.extend(records.map(|record| (record.id, record.verdict)));
        }
        all.sort_unstable_by_key(|&(id, _)| id);
        assert!(
            all.windows(2).all(|pair| pair[0].0 < pair[1].0),
            "one ended twice"
        );
        all
    }
}

#[test]
fn every_job_that_it_takes_is_reported_once_and_vouched_for() {
    let mut bench = bench(World::default());
    wait_for("it has room", || bench.credit.room() > 0);
    // One batch at a time waits in each shard, and no more than an eighth of its lanes.
    assert!(
        (100..=112).contains(&bench.credit.room()),
        "{}",
        bench.credit.room()
    );
    for entry in 0..10 {
        bench.give(1_000 + 64 * entry, 64);
    }
    let verdicts = bench.verdicts(640);
    assert_eq!(verdicts.len(), 640);
    let expected = |id: u64| match id % 2 {
        0 => Verdict::Alive,
        _ => Verdict::Refused,
    };
    assert!(
        verdicts
            .iter()
            .all(|&(id, verdict)| verdict == expected(id))
    );
    wait_for("nothing is left", || bench.stat.get().taken == 0);
    assert_eq!(bench.stat.get().lanes, 100);
    bench.worker.stop();
}

#[test]
fn while_the_targets_do_not_answer_it_takes_nothing_and_says_why() {
    let world = World::default();
    world.target_is_down.store(true, Ordering::SeqCst);
    let mut bench = bench(world);
    let because = || bench.stat.get().idle_because;
    wait_for("it says why", || because().is_some());
    assert!(because().unwrap().contains("targets do not answer"));
    assert_eq!(bench.credit.room(), 0);
    bench.give(1, 10);
    bench.world.target_is_down.store(false, Ordering::SeqCst);
    wait_for("it has room again", || bench.credit.room() > 0);
    let verdicts = bench.verdicts(10);
    // Whether they came before it knew that the targets are away, or waited for them.
    let given_back = verdicts.iter().all(|(_, v)| *v == Verdict::LocalTarget);
    assert!(given_back || bench.world.submitted.load(Ordering::SeqCst) == 10);
    bench.worker.stop();
}

#[test]
fn what_failed_while_the_targets_went_away_is_no_verdict() {
    let mut bench = bench(World::default());
    wait_for("it has room", || bench.credit.room() > 0);
    bench.world.target_is_down.store(true, Ordering::SeqCst);
    bench.give(1, 40);
    for (id, verdict) in bench.verdicts(40) {
        match id % 2 {
            0 => assert_eq!(verdict, Verdict::Alive, "which proves itself"),
            _ => assert_eq!(verdict, Verdict::LocalTarget),
        }
    }
    wait_for("it takes nothing more", || {
        bench.stat.get().idle_because.is_some() && bench.credit.room() == 0
    });
    bench.worker.stop();
}

#[test]
fn a_worker_that_stops_gives_back_all_that_it_had() {
    let world = World::default();
    world.is_stuck.store(true, Ordering::SeqCst);
    let mut bench = bench(world);
    wait_for("it has room", || bench.credit.room() > 0);
    for entry in 0..5 {
        bench.give(1_000 + 64 * entry, 64);
    }
    wait_for("its shards are full", || {
        bench.world.submitted.load(Ordering::SeqCst) >= 100 && bench.stat.get().taken == 320
    });
    let Bench { worker, said, .. } = bench;
    worker.stop();
    let parts: Vec<_> = said.try_iter().flat_map(|said| said.parts).collect();
    assert!(
        parts
            .iter()
            .all(|part| part.is_last && part.bits == u64::MAX)
    );
    let records: Vec<_> = parts.iter().flat_map(|part| &part.records).collect();
    assert_eq!(records.len(), 320);
    assert!(
        records
            .iter()
            .all(|record| record.verdict == Verdict::LocalCancelled)
    );
}

#[test]
fn jobs_of_another_policy_are_given_back_unprobed() {
    let mut bench = bench(World::default());
    wait_for("it has room", || bench.credit.room() > 0);
    bench.policy += 1;
    bench.give(1, 10);
    assert!(
        bench
            .verdicts(10)
            .iter()
            .all(|(_, v)| *v == Verdict::LocalCancelled)
    );
    let other = settings("http://192.0.2.81/generate_204");
    bench.policy = fingerprint(&other.policy);
    bench.worker.setter().set(other);
    wait_for("it has room under the new one", || bench.credit.room() > 0);
    bench.give(101, 10);
    let verdicts = bench.verdicts(10);
    // The settings and the jobs come over two channels: jobs that came first were given back.
    let early = verdicts.iter().all(|(_, v)| *v == Verdict::LocalCancelled);
    if early {
        bench.give(201, 10);
    }
    let verdicts = if early { bench.verdicts(10) } else { verdicts };
    assert!(verdicts.iter().all(|(_, v)| !v.is_local()), "{verdicts:?}");
    bench.worker.stop();
}

#[test]
fn what_the_coordinator_asks_of_the_targets_comes_back_under_its_number() {
    let bench = bench(World::default());
    let job = ControlJob {
        id: 0x1_00,
        target: 0,
        address: "192.0.2.80:80".parse().unwrap(),
    };
    bench.tasks.send(Task::Control(job)).unwrap();
    let said = bench.inbox.recv_timeout(Duration::from_secs(20)).unwrap();
    let Inner::Controls(controls) = said else {
        panic!("a control record was to come");
    };
    assert_eq!((controls.len(), controls[0].id), (1, 0x1_00));
    bench.worker.stop();
}

/// The worker, the bus and a real Redis: two nodes, one of which leads.
#[test]
fn two_workers_share_the_jobs_of_a_leader() {
    let redis = Redis::start();
    let nodes = ["a", "b"].map(|name| {
        let world = Arc::<World>::default();
        let policy = settings(TARGET);
        let cluster = cluster(redis.address(), name, 1_000);
        let form = Form {
            encode: |_| Vec::new(),
            decode: |_| None,
        };
        let bus = bus::start(&cluster, form, &policy.policy, 0, drop).unwrap();
        let (tell, reports) = unbounded();
        let shards = Simulated {
            world: world.clone(),
            tell,
            reports,
        };
        let worker = start(shards, bus.worker, policy, 1_000).unwrap();
        let (news, leads) = (bus.news, Arc::<AtomicBool>::default());
        let (said, reported) = unbounded();
        let shared = leads.clone();
        let reader = std::thread::spawn(move || {
            for news in news {
                match news {
                    News::Leads { .. } => shared.store(true, Ordering::SeqCst),
                    News::Report(report) => said.send(report.records).unwrap(),
                    _ => {}
                }
            }
        });
        (
            world, bus.orders, bus.handle, worker, leads, reported, reader,
        )
    });
    let leads = || nodes.iter().find(|node| node.4.load(Ordering::SeqCst));
    wait_for("one leads", || leads().is_some());
    let (_, orders, _, _, _, reported, _) = leads().unwrap();
    let job = |id: u64| Job {
        id,
        protocols: Protocols::only(Protocol::Http),
        address: SocketAddr::from(([192, 0, 2, 1], id as u16)),
        credentials: None,
    };
    let mut seen = std::collections::HashMap::new();
    // A piece at a time, as a coordinator does: as many as there are lanes.
    for first in (1..2_000).step_by(200) {
        orders
            .send(Order::Jobs((first..first + 200).map(job).collect()))
            .unwrap();
        while seen.len() < first as usize + 199 {
            for record in reported
                .recv_timeout(Duration::from_secs(20))
                .expect("a report")
            {
                assert_eq!(
                    seen.insert(record.id, record.verdict),
                    None,
                    "one ended twice"
                );
            }
        }
    }
    let is_right = |(id, verdict): (&u64, &Verdict)| match id % 2 {
        0 => *verdict == Verdict::Alive,
        _ => *verdict == Verdict::Refused,
    };
    assert!(seen.iter().all(is_right));
    for (world, orders, handle, worker, _, _, reader) in nodes {
        assert!(world.submitted.load(Ordering::SeqCst) > 0, "both had some");
        let began = std::time::Instant::now();
        worker.stop();
        drop(orders);
        handle.stop(Duration::from_secs(2));
        assert!(began.elapsed() < Duration::from_secs(2));
        reader.join().unwrap();
    }
}
