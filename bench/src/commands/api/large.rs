//! Everything of a large pool, over a farm of its own in which all are alive.

use super::measure::{Measured, Round};
use super::{INTERVAL_SECONDS, Options, Phase, table};
use proxy_bench::harness::Result;
use proxy_bench::harness::bench::Bench;
use proxy_bench::harness::report::Report;
use proxy_bench::harness::served::Expected;
use proxy_bench::harness::service::Service;
use proxy_bench::harness::stage::Cast;
use proxy_bench::load::Client;
use std::time::Duration;

/// Who is checked quickly and alive.
const ALIVE: &str = "forwards,late";
/// With its name in the table.
const ROUTES: [(&str, &str); 2] = [
    ("/get-proxy?all=1", "all=1, large"),
    ("/get-proxy?all=1&format=json", "all=1 JSON, large"),
];

/// Measures the listings of a pool of `options.large` proxies, and writes their rows.
pub(super) fn run(
    options: &Options,
    bench: &Bench,
    client: &Client,
    report: &mut Report,
) -> Result<()> {
    let stage = bench.stage(&Cast::of(ALIVE, options.large))?;
    let expected = Expected::of(&stage)?;
    let setup = options.probing.setup(INTERVAL_SECONDS);
    let mut service = Service::start(bench, &stage, &setup, "large")?;
    let patience = options.probing.patience(options.large);
    let stat = service.swept(1, patience)?;
    service.hold(&expected, &stat)?;
    let mut round = Round {
        client,
        connections: options.connections.into(),
        length: Duration::from_secs_f64(options.seconds),
        sweep: 1,
        probes: 0,
        patience,
    };
    let mut runs: [Vec<Measured>; ROUTES.len()] = Default::default();
    for _ in 0..options.common.runs {
        for ((path, _), runs) in ROUTES.iter().zip(&mut runs) {
            runs.push(round.of_service(&mut service, path, Phase::Quiet)?);
        }
    }
    service.hold(&expected, &stat)?;
    for ((path, name), runs) in ROUTES.iter().zip(&runs) {
        let commands = vec![stage.command(), service.command().to_owned()];
        let runs: Vec<&Measured> = runs.iter().collect();
        report.row(table::row(name, Phase::Quiet, &runs, commands))?;
        let bytes = runs.iter().map(|run| run.outcome.bytes as f64 / run.cpu_s);
        let bytes: proxy_bench::harness::figures::Series = bytes.map(|bytes| bytes / 1e6).collect();
        report.note(format!(
            "{path} of {} alive: {} MB a CPU second",
            options.large,
            bytes.text(0)
        ))?;
    }
    service.stop().map(drop)
}
