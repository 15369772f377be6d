//! Rounds in which every contestant checks the same farm.

use super::case::{Case, Load};
use proxy_bench::harness::Error;
use proxy_bench::harness::Result;
use proxy_bench::harness::bench::{Bench, Check};
use proxy_bench::harness::figures::Series;
use proxy_bench::harness::gauge::Gauge;
use proxy_bench::harness::program::Program;
use proxy_bench::harness::report::Row;
use proxy_bench::harness::stage::{Cast, Stage};
use proxy_bench::harness::usage::Usage;
use proxy_bench::harness::verdicts::{Fineness, hold};
use proxy_bench::reference::Kind;
use rustix::process::{Resource, getrlimit};
use std::time::Duration;

/// Descriptors of a program beside its sockets.
const DESCRIPTORS_BESIDE: u64 = 40;
/// Slots of each shard's ring that are kept for the probes without a proxy.
const SLOTS_KEPT: u64 = 8;
/// Where the silent are among the farm's ports.
const SILENT_DOOR: usize = 2;

/// Who checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Contestant {
    /// `proxy-checker check`, the whole program.
    Checker,
    /// A minimal checker.
    Reference(Kind),
}

impl Contestant {
    /// Its name in the table.
    pub(super) const fn label(self) -> &'static str {
        match self {
            Contestant::Checker => "proxy-checker",
            Contestant::Reference(kind) => kind.label(),
        }
    }

    const fn fineness(self) -> Fineness {
        match self {
            Contestant::Checker => Fineness::Exact,
            Contestant::Reference(_) => Fineness::AliveOnly,
        }
    }

    /// Why it cannot run; `None` if it can.
    pub(super) fn obstacle(self, case: &Case, bench: &Bench) -> Option<String> {
        let limit = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
        let (lanes, shards) = (u64::from(case.lanes), u64::from(case.shards));
        let takes = match self {
            Contestant::Reference(_) if shards > 1 => {
                return Some("it has one thread, and is compared on one shard".into());
            }
            Contestant::Checker => lanes.div_ceil(shards) + SLOTS_KEPT,
            Contestant::Reference(Kind::Raw) => lanes,
            Contestant::Reference(_) => lanes + DESCRIPTORS_BESIDE,
        };
        let cpus = bench.cpus.program.len() + 1;
        if shards > cpus as u64 {
            return Some(format!("{shards} shards, but {cpus} CPUs"));
        }
        let too_many =
            || format!("{lanes} lanes take {takes} descriptors or slots, RLIMIT_NOFILE is {limit}");
        (takes > limit).then(too_many)
    }

    fn program(self, bench: &Bench, stage: &Stage, case: &Case) -> Result<Program> {
        let results = stage.path("results.jsonl");
        let (connect_timeout, timeout) = case.patience();
        let program = match self {
            Contestant::Checker => {
                let size = Check {
                    lanes: case.lanes,
                    shards: case.shards,
                    connect_timeout,
                    timeout,
                };
                bench.check(stage, size)?.to(results)
            }
            Contestant::Reference(kind) => {
                let seconds = |time: Duration| format!("{}s", time.as_secs());
                let program = bench.own(["reference", kind.label()]);
                program
                    .with(["--list".into(), stage.list().display().to_string()])
                    .with(["--target", stage.target()])
                    .with(["--lanes".into(), case.lanes.to_string()])
                    .with(["--timeout".into(), seconds(timeout)])
                    .with(["--connect-timeout".into(), seconds(connect_timeout)])
                    .with(["--out".into(), results.display().to_string()])
                    .on(&bench.cpus.for_threads(case.shards as usize))
            }
        };
        Ok(program.within(case.limit()))
    }
}

/// What came of a contestant's runs.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) contestant: Contestant,
    pub(super) usages: Vec<Usage>,
    pub(super) to_raw: Series,
    count: f64,
    commands: Vec<String>,
    /// What was not true, and in which round.
    pub(super) wrong: Vec<String>,
}

impl Outcome {
    fn of(contestant: Contestant, count: usize) -> Outcome {
        Outcome {
            contestant,
            usages: Vec::new(),
            to_raw: Series::default(),
            count: count as f64,
            commands: Vec::new(),
            wrong: Vec::new(),
        }
    }

    fn series(&self, figure: impl Fn(&Usage) -> f64) -> Series {
        self.usages.iter().map(figure).collect()
    }

    /// CPU time, in microseconds a probe.
    pub(super) fn cpu(&self) -> Series {
        self.series(|usage| usage.cpu_s() / self.count * 1e6)
    }

    /// The most resident memory, in MiB.
    pub(super) fn rss(&self) -> Series {
        self.series(|usage| usage.rss_peak_kib as f64 / 1024.0)
    }

    /// What was seen of connections that stood at once, if it was looked at.
    pub(super) fn established(&self) -> Option<String> {
        let seen = self
            .usages
            .iter()
            .filter_map(|usage| usage.gauges.get("established"));
        let (most, name) = (
            seen.copied().max_by(f64::total_cmp)?,
            self.contestant.label(),
        );
        let descriptors = self
            .usages
            .iter()
            .map(|usage| usage.descriptors_peak)
            .max()?;
        Some(format!(
            "{name}: {most} connections stood at once, with {descriptors} descriptors open"
        ))
    }

    pub(super) fn row(&self, case: &Case) -> Row {
        let count = self.count;
        let switches = |usage: &Usage| {
            (usage.switches_voluntary + usage.switches_involuntary) as f64 / count * 1e3
        };
        let verdicts = match self.wrong.len() {
            0 => self.contestant.fineness().praise().to_owned(),
            wrong => format!("{wrong} OF {} RUNS NOT TRUE", self.usages.len()),
        };
        Row {
            values: vec![
                case.load.label().into(),
                case.lanes.to_string().into(),
                case.shards.to_string().into(),
                case.steering.label().into(),
                self.contestant.label().into(),
                self.cpu().into(),
                self.to_raw.clone().into(),
                self.series(|usage| usage.user_s / count * 1e6).into(),
                self.series(|usage| usage.system_s / count * 1e6).into(),
                self.series(|usage| usage.wall_s).into(),
                self.rss().into(),
                self.series(|usage| usage.descriptors_peak as f64).into(),
                self.series(switches).into(),
                verdicts.into(),
            ],
            commands: self.commands.clone(),
            runs: self
                .usages
                .iter()
                .filter_map(|usage| serde_json::to_value(usage).ok())
                .collect(),
        }
    }
}

/// Whether so many connections really stand at once is worth a look where no table of descriptors
/// could hold them; it costs too much to be looked at always.
fn gauges(case: &Case, stage: &Stage) -> Vec<Gauge> {
    match (case.load, stage.ports().get(SILENT_DOOR)) {
        (Load::Tarpit, Some(&port)) if case.is_wide() => vec![Gauge::established_to(port)],
        _ => Vec::new(),
    }
}

/// Every round has a farm of its own, and every contestant checks it; every other round in the
/// opposite order, so that nobody always comes after the same one.
pub(super) fn run(bench: &Bench, case: &Case, contestants: &[Contestant]) -> Result<Vec<Outcome>> {
    let count = case.count();
    let mut outcomes: Vec<_> = contestants.iter().map(|c| Outcome::of(*c, count)).collect();
    for round in 0..bench.options.runs {
        let stage = bench.stage(&Cast::of(case.load.behaviours(), count))?;
        let mut order: Vec<&mut Outcome> = outcomes.iter_mut().collect();
        if round % 2 == 1 {
            order.reverse();
        }
        for outcome in order {
            stage.settle();
            let program = outcome.contestant.program(bench, &stage, case)?;
            let running = program.start(gauges(case, &stage))?;
            outcome.usages.push(running.finish()?);
            outcome.commands = vec![stage.command(), stage.short(&program.command())];
            match hold(
                &stage,
                &stage.path("results.jsonl"),
                outcome.contestant.fineness(),
            ) {
                Ok(_) => {}
                Err(Error::NotTrue(told)) => {
                    let name = outcome.contestant.label();
                    outcome
                        .wrong
                        .push(format!("{name}, round {}:\n{told}", round + 1));
                }
                Err(error) => return Err(error),
            }
        }
    }
    let raw = |outcome: &&Outcome| outcome.contestant == Contestant::Reference(Kind::Raw);
    if let Some(base) = outcomes.iter().find(raw).map(Outcome::cpu) {
        outcomes
            .iter_mut()
            .for_each(|outcome| outcome.to_raw = outcome.cpu().over(&base));
    }
    Ok(outcomes)
}
