//! `proxy-bench sweep`: CPU, memory and truth of a check, beside minimal checkers in the same run.

mod case;
mod contest;
mod plots;

pub(super) use case::MIX;

use super::Done;
use case::{Case, Load, Steered};
use contest::Contestant;
use proxy_bench::harness::bench::Bench;
use proxy_bench::harness::options::Common;
use proxy_bench::harness::report::Column;
use proxy_bench::harness::steering;
use proxy_bench::reference::Kind;
use std::io::Write;
use std::process::ExitCode;

/// Measure whole checks of a farm: CPU a probe, wall time, memory, descriptors, context switches.
///
/// In each round every contestant checks the same farm once, so that a ratio is of one and the same
/// minute. Exits with 1 if a verdict is not what the farm says.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    common: Common,
    /// What the proxies do
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = Load::ALL)]
    load: Vec<Load>,
    /// Probes at once
    #[arg(long, value_delimiter = ',', default_values_t = [1_000, 19_000])]
    lanes: Vec<u32>,
    /// Shards of the checker
    #[arg(long, value_delimiter = ',', default_values_t = [1])]
    shards: Vec<u32>,
    /// Whether the farm's CPU receives on loopback, as a network card would
    #[arg(long, value_enum, default_value_t = Steered::Both)]
    steered: Steered,
    /// Minimal checkers to be run beside; without a name none
    #[arg(long, value_enum, value_delimiter = ',', num_args = 0.., default_values_t = Kind::ALL)]
    against: Vec<Kind>,
}

const COLUMNS: [Column; 14] = [
    Column::text("load", 7),
    Column::text("lanes", 6),
    Column::text("shards", 6),
    Column::text("receive", 11),
    Column::text("contestant", 13),
    Column::figures("CPU", "µs a probe", 1, 22),
    Column::figures("to raw", "ratio", 2, 17),
    Column::figures("user", "µs", 1, 5).middle(),
    Column::figures("system", "µs", 1, 6).middle(),
    Column::figures("wall", "s", 2, 6).middle(),
    Column::figures("peak RSS", "MiB", 1, 8).middle(),
    Column::figures("fds", "peak", 0, 6).middle(),
    Column::figures("switches", "a 1 000 probes", 1, 14).middle(),
    Column::text("verdicts", 10),
];

pub(crate) fn run(options: &Options) -> Done {
    let bench = Bench::new(&options.common)?;
    let mut report = bench.report("sweep", COLUMNS.to_vec())?;
    let (mut wrong, mut plots) = (Vec::new(), plots::Plots::default());
    for case in cases(options) {
        if let Some(why) = steering::obstacle(case.steering) {
            report.note(format!("{case}: left out: {why}"))?;
            continue;
        }
        let mut contestants = vec![Contestant::Checker];
        contestants.extend(
            options
                .against
                .iter()
                .map(|kind| Contestant::Reference(*kind)),
        );
        contestants.retain(|contestant| match contestant.obstacle(&case, &bench) {
            None => true,
            Some(why) => {
                // A note that cannot be printed is told by the row that comes next.
                report
                    .note(format!("{case}, {}: left out: {why}", contestant.label()))
                    .ok();
                false
            }
        });
        let _held = steering::hold(case.steering, &bench.cpus)?;
        let results = contest::run(&bench, &case, &contestants)?;
        for result in &results {
            report.row(result.row(&case))?;
            if let Some(told) = result.established() {
                report.note(format!("{case}, {told}"))?;
            }
            wrong.extend(result.wrong.iter().map(|told| format!("{case}, {told}")));
        }
        plots.add(&case, &results);
    }
    report.end(&plots.drawn()?)?;
    if wrong.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    writeln!(std::io::stderr(), "\n{}", wrong.join("\n"))?;
    Ok(ExitCode::FAILURE)
}

fn cases(options: &Options) -> Vec<Case> {
    let mut cases = Vec::new();
    for &shards in &options.shards {
        for &steering in options.steered.both() {
            for &load in &options.load {
                cases.extend(options.lanes.iter().map(|&lanes| Case {
                    load,
                    lanes,
                    shards,
                    steering,
                    count_min: options.common.count,
                }));
            }
        }
    }
    cases
}
