//! The engine over a farm, with a book of what was asked of it and what came back.

use crate::support::PATIENCE;
use proxy_bench::farm::{Aim, Behaviour, Farm, FarmOptions};
use proxy_shards::hooks::{self, Faults, Place};
use proxy_shards::policy::PolicyOptions;
use proxy_shards::{
    Candidate, ControlJob, Engine, EngineOptions, Job, ProbePolicy, Tally, Tuning, Verdict,
};
use std::fs;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::panic::{self, PanicHookInfo};
use std::sync::Arc;
use std::time::Duration;

/// Of one round.
pub(super) const JOBS: usize = 2_000;
const SHARDS: usize = 2;
const LANES: usize = 1_000;
/// Probes without a proxy of one round.
const CONTROLS: usize = 4;

/// What the proxies do: alive by two protocols, and three kinds of failure.
const KINDS: [Behaviour; 5] = [
    Behaviour::Forwards,
    Behaviour::Socks5,
    Behaviour::Refuses,
    Behaviour::AsksAuth,
    Behaviour::Garbage,
];

/// Keeps panics that are asked for from standard error; others are told as ever.
pub(super) struct Quiet(Arc<Hook>);

type Hook = Box<dyn Fn(&PanicHookInfo<'_>) + Send + Sync>;

impl Quiet {
    pub(super) fn begin() -> Quiet {
        let before = Arc::new(panic::take_hook());
        let told = before.clone();
        panic::set_hook(Box::new(move |panic| {
            let words = panic.payload().downcast_ref::<String>();
            if !words.is_some_and(|words| words.starts_with(hooks::WORDS)) {
                told(panic);
            }
        }));
        Quiet(before)
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        // Not while one panics, which is a case that failed: the process ends.
        if !std::thread::panicking() {
            drop(panic::take_hook());
            let before = self.0.clone();
            panic::set_hook(Box::new(move |panic| before(panic)));
        }
    }
}

/// What came of a round.
pub(super) struct Round {
    /// Of each job, in their order: as it ended, and as its proxy is.
    pub(super) verdicts: Vec<(Verdict, Verdict)>,
    /// Probes that ended as a fault of ours, those without a proxy too.
    pub(super) faults: u64,
    /// Restarts of shards.
    pub(super) restarts: u64,
    pub(super) panicked_inside: u64,
    pub(super) panicked_outside: u64,
}

pub(super) struct Book {
    engine: Engine,
    farm: Farm,
    jobs: Vec<(Job, Verdict)>,
    target: SocketAddr,
    restarts: [u64; SHARDS],
}

/// Descriptors of this process.
pub(super) fn descriptors() -> usize {
    fs::read_dir("/proc/self/fd").unwrap().count()
}

impl Book {
    pub(super) fn open() -> Book {
        let farm = Farm::start(FarmOptions::default()).unwrap();
        let target = farm.target(Aim::NoContent);
        let at = target.split('/').nth(2).unwrap().parse().unwrap();
        let jobs = farm.mix(JOBS, &KINDS).into_iter().zip(0..);
        let jobs = jobs.map(|((url, kind), id)| {
            let expected = kind.verdict(Aim::NoContent);
            (job(id, &url), Verdict::from_label(expected).unwrap())
        });
        let policy = PolicyOptions {
            targets: vec![target.as_str().into()],
            timeout: PATIENCE,
            connect_timeout: PATIENCE,
            ..PolicyOptions::default()
        };
        let options = EngineOptions {
            shards: NonZeroUsize::new(SHARDS),
            lanes: NonZeroUsize::new(LANES).unwrap(),
            tuning: Tuning::default(),
        };
        let policy = Arc::new(ProbePolicy::new(policy).unwrap());
        Book {
            engine: Engine::start(options, policy).unwrap(),
            jobs: jobs.collect(),
            farm,
            target: at,
            restarts: [0; SHARDS],
        }
    }

    /// Hands every job out once under these faults, and takes each back: none may come twice.
    pub(super) fn round(&mut self, faults: &Faults) -> Round {
        let panicked = |inside: bool| -> u64 {
            let places = Place::ALL
                .into_iter()
                .filter(|at| at.is_in_probe() == inside);
            places.map(hooks::panics).sum()
        };
        let before = (panicked(true), panicked(false), self.restarts);
        self.engine.spoil(faults);
        for shard in 0..SHARDS {
            let jobs = self.jobs.iter().map(|(job, _)| job);
            let at_home = jobs.filter(|job| self.engine.shard_of(job.address) == shard);
            self.engine.submit(shard, at_home.cloned().collect());
        }
        for id in 0..CONTROLS {
            let job = ControlJob {
                id: id as u64,
                target: 0,
                address: self.target,
            };
            self.engine.control(id % SHARDS, job);
        }
        let (verdicts, faults) = self.come_back();
        let restarts = self.restarts.iter().sum::<u64>() - before.2.iter().sum::<u64>();
        Round {
            verdicts,
            faults,
            restarts,
            panicked_inside: panicked(true) - before.0,
            panicked_outside: panicked(false) - before.1,
        }
    }

    fn come_back(&mut self) -> (Vec<(Verdict, Verdict)>, u64) {
        let mut ended: Vec<Option<Verdict>> = vec![None; JOBS];
        let mut controls: [Option<Verdict>; CONTROLS] = [None; CONTROLS];
        let (mut left, mut tally) = (JOBS + CONTROLS, Tally::default());
        while left > 0 {
            let report = self.engine.reports().recv_timeout(PATIENCE);
            let report = report.unwrap_or_else(|e| panic!("{left} did not come back: {e}"));
            tally.merge(&report.tally);
            let restarts = &mut self.restarts[report.shard];
            *restarts = report.restarts.max(*restarts);
            for record in &report.records {
                let before = ended[record.id as usize].replace(record.verdict);
                assert_eq!(before, None, "{record:?} came twice");
            }
            for record in &report.controls {
                let before = controls[record.id as usize].replace(record.verdict);
                assert_eq!(before, None, "{record:?} came twice");
            }
            left -= report.records.len() + report.controls.len();
        }
        let expected = self.jobs.iter().map(|&(_, expected)| expected);
        let controls = controls.into_iter().flatten();
        let is_true = |verdict: &Verdict| [Verdict::Alive, Verdict::LocalFault].contains(verdict);
        assert!(controls.clone().all(|verdict| is_true(&verdict)));
        let controls = controls.filter(|&verdict| verdict == Verdict::LocalFault);
        let faults = tally.verdicts[Verdict::LocalFault as usize] + controls.count() as u64;
        (ended.into_iter().flatten().zip(expected).collect(), faults)
    }

    /// Ends it: nothing is left that comes back.
    pub(super) fn close(self) {
        let reports = self.engine.stop(Duration::ZERO);
        let more: usize = reports.try_iter().map(|report| report.records.len()).sum();
        assert_eq!(more, 0, "records of jobs that nobody handed out");
        self.farm.stop().unwrap();
    }
}

fn job(id: u64, url: &str) -> Job {
    let candidate: Candidate = url.parse().unwrap();
    let ip = candidate.host.ip().expect("the farm has addresses");
    Job {
        id,
        protocols: candidate.scheme.protocols(),
        address: (ip, candidate.port).into(),
        credentials: candidate.credentials,
    }
}
