//! `proxy-bench api`: requests per second and latency of the API, with and without a sweep.

mod large;
mod measure;
mod table;

use super::Done;
use super::probing::Probing;
use super::steered::Steered;
use clap::ValueEnum;
use measure::{Measured, Round};
use proxy_bench::harness::Result;
use proxy_bench::harness::bench::Bench;
use proxy_bench::harness::casts::MIX;
use proxy_bench::harness::options::Common;
use proxy_bench::harness::report::Report;
use proxy_bench::harness::served::Expected;
use proxy_bench::harness::service::Service;
use proxy_bench::harness::stage::Cast;
use proxy_bench::load::nginx::Nginx;
use proxy_bench::load::{Client, on_path};
use std::process::ExitCode;
use std::time::Duration;

/// Nothing is checked again, and no list fetched, but in a sweep that is asked for.
const INTERVAL_SECONDS: u64 = 3_600;

/// Measure the API of the service over a farm: requests per second, latency, and requests per CPU
/// second of its thread, of each route, while nothing is checked and while one sweep follows
/// another. Beside it, where nginx is installed, nginx that answers 200.
///
/// Client, farm and harness share the farm's CPU, the service has the program's first: requests per
/// second say what is left of these, requests per CPU second can be compared. Exits with an error if
/// one answer is not 200.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    probing: Probing,
    /// Kept connections, each with one request at a time
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..))]
    connections: u16,
    /// How long each route is asked in each run
    #[arg(long, default_value_t = 5.0)]
    seconds: f64,
    /// How many proxies are alive in the pool whose listings are measured beside; 0: none are
    #[arg(long, default_value_t = 100_000)]
    large: usize,
    /// Who asks; wrk counts in whole seconds [default: wrk where it is installed]
    #[arg(long, value_enum)]
    client: Option<Asks>,
    /// Whether loopback's receiving is done by the farm's CPU; only root can change it
    #[arg(long, value_enum, default_value_t = Steered::No)]
    steered: Steered,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Asks {
    Wrk,
    BuiltIn,
}

/// What else goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Quiet,
    Sweeping,
}

impl Phase {
    const ALL: [Phase; 2] = [Phase::Quiet, Phase::Sweeping];

    const fn label(self) -> &'static str {
        match self {
            Phase::Quiet => "nothing",
            Phase::Sweeping => "a sweep",
        }
    }
}

const ROUTES: [&str; 6] = [
    "/get-proxy",
    "/get-proxy?limit=10",
    "/get-proxy?all=1",
    "/stat",
    "/health",
    "/metrics",
];

pub(crate) fn run(options: &Options) -> Done {
    let bench = Bench::new(&options.common)?;
    let _held = options.steered.hold(&bench)?;
    let client = client(options, &bench)?;
    let mut report = bench.report("api", table::COLUMNS.to_vec())?;
    let stage = bench.stage(&Cast::of(MIX, options.common.count))?;
    let expected = Expected::of(&stage)?;
    let setup = options.probing.setup(INTERVAL_SECONDS);
    let mut service = Service::start(&bench, &stage, &setup, "kept")?;
    let patience = options.probing.patience(options.common.count);
    let stat = service.swept(1, patience)?;
    service.hold(&expected, &stat)?;
    let nginx = on_path("nginx").map(|path| Nginx::start(&path, &bench.cpus.for_threads(1)));
    let nginx = nginx.transpose()?;
    let mut round = Round {
        client: &client,
        connections: options.connections.into(),
        length: Duration::from_secs_f64(options.seconds),
        sweep: 1,
        probes: 0,
        patience,
    };
    let mut all = Vec::new();
    for _ in 0..options.common.runs {
        all.push(measure(&mut round, &mut service, nginx.as_ref())?);
        // What was served meanwhile is held when the last sweep of the round is over.
        let stat = service.swept(round.sweep, patience)?;
        service.hold(&expected, &stat)?;
    }
    let commands = [stage.command(), service.command().to_owned()];
    say(&mut report, &all, &commands, nginx.as_ref())?;
    report.note(format!(
        "asked by the {} client over {} connections for {} s each time",
        client.label(),
        options.connections,
        options.seconds
    ))?;
    let proxies = expected.alive.len();
    report.note(format!(
        "{proxies} proxies were served; every answer was 200, and after each run what was served \
         was the truth"
    ))?;
    service.stop()?;
    nginx.map_or(Ok(()), Nginx::stop)?;
    drop(stage);
    if options.large > 0 {
        large::run(options, &bench, &client, &mut report)?;
    }
    report.end(&[("per-cpu", table::plot(&all).svg()?)])?;
    Ok(ExitCode::SUCCESS)
}

fn client(options: &Options, bench: &Bench) -> std::result::Result<Client, String> {
    let wrk = on_path("wrk").map(|path| Client::Wrk {
        path,
        cpu: bench.cpus.farm,
    });
    match (options.client, wrk) {
        (Some(Asks::BuiltIn), _) | (None, None) => Ok(Client::BuiltIn),
        (Some(Asks::Wrk) | None, Some(wrk)) => Ok(wrk),
        (Some(Asks::Wrk), None) => Err("--client wrk: wrk is not on PATH".into()),
    }
}

/// One run: every route with nothing else, nginx, and every route during sweeps.
#[derive(Debug, Default)]
struct Run {
    /// By phase and route.
    routes: [[Measured; ROUTES.len()]; 2],
    nginx: Option<Measured>,
}

fn measure(round: &mut Round<'_>, service: &mut Service, nginx: Option<&Nginx>) -> Result<Run> {
    let mut run = Run::default();
    for (phase, routes) in Phase::ALL.into_iter().zip(&mut run.routes) {
        for (path, measured) in ROUTES.into_iter().zip(routes) {
            *measured = round.of_service(service, path, phase)?;
        }
        if phase == Phase::Quiet {
            run.nginx = nginx.map(|nginx| round.of_nginx(nginx)).transpose()?;
        }
    }
    Ok(run)
}

fn say(report: &mut Report, all: &[Run], commands: &[String], nginx: Option<&Nginx>) -> Result<()> {
    for phase in Phase::ALL {
        for (place, path) in ROUTES.into_iter().enumerate() {
            let runs: Vec<_> = all
                .iter()
                .map(|run| &run.routes[phase as usize][place])
                .collect();
            report.row(table::row(path, phase, &runs, commands.to_vec()))?;
        }
    }
    let Some(nginx) = nginx else {
        return report.note("nginx is not on PATH: nothing to compare with");
    };
    let runs: Vec<_> = all.iter().filter_map(|run| run.nginx.as_ref()).collect();
    let command = vec![nginx.command().to_owned()];
    report.row(table::row(
        "nginx: return 200",
        Phase::Quiet,
        &runs,
        command,
    ))?;
    table::ratios(all)
        .into_iter()
        .try_for_each(|ratio| report.note(ratio))
}
