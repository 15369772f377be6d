//! `proxy-bench first`: from the start of the service to the first proxy served, to all of them, and
//! to the end of the first sweep.

use super::Done;
use super::probing::Probing;
use super::steered::Steered;
use proxy_bench::harness::Result;
use proxy_bench::harness::bench::Bench;
use proxy_bench::harness::casts::MIX;
use proxy_bench::harness::figures::Series;
use proxy_bench::harness::options::Common;
use proxy_bench::harness::plot::Bars;
use proxy_bench::harness::report::{Column, Row, Value};
use proxy_bench::harness::served::Expected;
use proxy_bench::harness::service::Service;
use proxy_bench::harness::stage::{Cast, Stage};
use serde::{Deserialize, Serialize};
use std::net::TcpStream;
use std::process::ExitCode;
use std::time::Duration;

/// Measure the start of the service over a long list: until the API listens, until the first proxy
/// is served, until 10, 50 and 90 % of those that work are, and until everything was checked; then
/// the same after a restart that finds what the first one kept.
#[derive(Debug, clap::Args)]
#[command(mut_arg("count", |count| count.default_value("100000")))]
pub(crate) struct Options {
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    probing: Probing,
    /// Whether loopback's receiving is done by the farm's CPU; only root can change it
    #[arg(long, value_enum, default_value_t = Steered::No)]
    steered: Steered,
}

/// Between two looks until the first proxy is served.
const LOOK_OFTEN: Duration = Duration::from_millis(2);
/// Between two looks later; each costs the API a hundred microseconds.
const LOOK: Duration = Duration::from_millis(20);
/// A start that takes longer never ends.
const START_WITHIN: Duration = Duration::from_secs(60);
/// The parts of those that work whose serving is timed.
const PARTS: [f64; 3] = [0.1, 0.5, 0.9];
/// Nothing is checked a second time, and no list fetched again, while a start is measured.
const INTERVAL_SECONDS: u64 = 3_600;

const COLUMNS: [Column; 10] = [
    Column::text("store", 6),
    Column::figures("API listens", "s", 3, 20),
    Column::figures("ready", "s", 3, 20),
    Column::figures("first served", "s", 3, 20),
    Column::figures("10 % served", "s", 3, 20),
    Column::figures("50 % served", "s", 2, 18),
    Column::figures("90 % served", "s", 2, 18),
    Column::figures("all checked", "s", 2, 18),
    Column::figures("CPU", "s", 2, 16),
    Column::figures("peak RSS", "MiB", 0, 11),
];

/// When things happened, in seconds since the start of the process.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
struct Milestones {
    listens: f64,
    ready: f64,
    first: f64,
    parts: [f64; 3],
    /// The end of the sweep; without a store nothing is known until then.
    swept: Option<f64>,
    cpu_s: f64,
    rss_peak_kib: u64,
}

pub(crate) fn run(options: &Options) -> Done {
    let bench = Bench::new(&options.common)?;
    let _held = options.steered.hold(&bench)?;
    let mut report = bench.report("first", COLUMNS.to_vec())?;
    let count = options.common.count;
    let stage = bench.stage(&Cast::of(MIX, count))?;
    let expected = Expected::of(&stage)?;
    let mut rows: [(Vec<Milestones>, Vec<String>); 2] = Default::default();
    for run in 0..options.common.runs {
        let kept = format!("run-{run}");
        for (store, (runs, commands)) in [Store::Empty, Store::Kept].into_iter().zip(&mut rows) {
            let setup = options.probing.setup(INTERVAL_SECONDS);
            let mut service = Service::start(&bench, &stage, &setup, &kept)?;
            runs.push(watch(options, &mut service, &expected, store)?);
            *commands = commands_of(&stage, &service, commands);
            service.stop()?;
        }
    }
    for (store, (runs, commands)) in [Store::Empty, Store::Kept].into_iter().zip(&rows) {
        report.row(row(store, runs, commands))?;
    }
    report.note(format!(
        "{count} candidates, {} of them work; when all were checked they were served and nobody \
         else, and every verdict was given as often as it is right",
        expected.alive.len()
    ))?;
    report.end(&[("served", plot(&rows).svg()?)])?;
    Ok(ExitCode::SUCCESS)
}

/// What the service finds of an earlier one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Store {
    Empty,
    Kept,
}

impl Store {
    const fn label(self) -> &'static str {
        match self {
            Store::Empty => "empty",
            Store::Kept => "kept",
        }
    }
}

fn commands_of(stage: &Stage, service: &Service, first: &[String]) -> Vec<String> {
    match first {
        [] => vec![stage.command(), service.command().to_owned()],
        known => known.to_vec(),
    }
}

/// Watches a start; one with an empty store to the end of its first sweep.
fn watch(
    options: &Options,
    service: &mut Service,
    expected: &Expected,
    store: Store,
) -> Result<Milestones> {
    let mut times = Milestones::default();
    look(service, "the API", START_WITHIN, LOOK_OFTEN, |service| {
        Ok(TcpStream::connect(service.address()).is_ok())
    })?;
    times.listens = service.age_s();
    look(service, "/ready", START_WITHIN, LOOK_OFTEN, |service| {
        let answer = service.try_get("/ready")?;
        Ok(answer.is_some_and(|answer| answer.status == 200))
    })?;
    times.ready = service.age_s();
    let patience = options.probing.patience(options.common.count);
    let mut served = 0;
    look(service, "a first proxy", patience, LOOK_OFTEN, |service| {
        served = total(service)?;
        Ok(served > 0)
    })?;
    times.first = service.age_s();
    for (part, time) in PARTS.into_iter().zip(&mut times.parts) {
        let wanted = (expected.alive.len() as f64 * part).ceil() as u64;
        look(service, "proxies that work", patience, LOOK, |service| {
            served = served.max(total(service)?);
            Ok(served >= wanted)
        })?;
        *time = service.age_s();
    }
    if store == Store::Empty {
        let stat = service.swept(1, patience)?;
        times.swept = Some(service.age_s());
        service.hold(expected, &stat)?;
    }
    let now = service.process().now();
    let now = now.ok_or_else(|| service.fault("it has ended"))?;
    (times.cpu_s, times.rss_peak_kib) = (now.cpu_s, now.rss_peak_kib);
    Ok(times)
}

/// As [`Service::wait`], with a pause of its own.
fn look(
    service: &mut Service,
    what: &str,
    within: Duration,
    every: Duration,
    mut look: impl FnMut(&mut Service) -> Result<bool>,
) -> Result<()> {
    let until = service.age_s() + within.as_secs_f64();
    while !look(service)? {
        if service.age_s() > until {
            return Err(service.fault(&format!("{what}: not within {} s", within.as_secs())));
        }
        std::thread::sleep(every);
    }
    Ok(())
}

/// How many proxies are served now; each is asked for under one protocol.
fn total(service: &mut Service) -> Result<u64> {
    #[derive(Deserialize)]
    struct Said {
        total: u64,
    }
    let answer = service.try_get("/get-proxy?limit=1&format=json")?;
    let Some(answer) = answer.filter(|answer| answer.status == 200) else {
        return Ok(0);
    };
    let said: std::result::Result<Said, _> = serde_json::from_slice(&answer.body);
    let said = said.map_err(|error| service.fault(&format!("/get-proxy: {error}")))?;
    Ok(said.total)
}

fn row(store: Store, runs: &[Milestones], commands: &[String]) -> Row {
    let series = |of: &dyn Fn(&Milestones) -> f64| -> Value {
        runs.iter().map(of).collect::<Series>().into()
    };
    let swept: Series = runs.iter().filter_map(|times| times.swept).collect();
    Row {
        values: vec![
            store.label().into(),
            series(&|times| times.listens),
            series(&|times| times.ready),
            series(&|times| times.first),
            series(&|times| times.parts[0]),
            series(&|times| times.parts[1]),
            series(&|times| times.parts[2]),
            swept.into(),
            series(&|times| times.cpu_s),
            series(&|times| times.rss_peak_kib as f64 / 1024.0),
        ],
        commands: commands.to_vec(),
        runs: runs.iter().map(|times| serde_json::json!(times)).collect(),
    }
}

fn plot(rows: &[(Vec<Milestones>, Vec<String>); 2]) -> Bars {
    let group = |name: &str, of: &dyn Fn(&Milestones) -> f64| {
        let bars = rows.iter().map(|(runs, _)| runs.iter().map(of).collect());
        (name.to_owned(), bars.collect())
    };
    Bars {
        title: "From the start until proxies are served".into(),
        y: "seconds".into(),
        names: vec!["empty store".into(), "kept store".into()],
        groups: vec![
            group("API listens", &|times| times.listens),
            group("first served", &|times| times.first),
            group("10 %", &|times| times.parts[0]),
            group("50 %", &|times| times.parts[1]),
            group("90 %", &|times| times.parts[2]),
        ],
    }
}
