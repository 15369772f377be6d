//! `proxy-bench bound`: how long a sweep lasts against what it must last.

mod holds;
mod outcome;

use super::Done;
use super::steered::Steered;
use super::sweep;
use holds::Patience;
use outcome::Outcome;
use proxy_bench::harness::bench::Bench;
use proxy_bench::harness::casts;
use proxy_bench::harness::options::Common;
use proxy_bench::harness::report::Column;
use std::fmt;
use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

/// Measure whole sweeps against their bound: none is shorter than the time for which its candidates
/// hold lanes ÷ lanes, nor than the longest of them; and against lanes that each take the next of the
/// list the moment they are free.
///
/// How long each candidate held its lane comes from the rows of the same run, at least. Exits with 1
/// if a verdict is not what the farm says.
#[derive(Debug, clap::Args)]
#[command(mut_arg("count", |count| count.default_value("100000")))]
#[command(mut_arg("runs", |runs| runs.default_value("3")))]
pub(crate) struct Options {
    #[command(flatten)]
    common: Common,
    /// What the proxies do
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = [Load::Mix])]
    loads: Vec<Load>,
    /// Probes at once
    #[arg(long, value_delimiter = ',', default_values_t = [19_000, 38_000],
        value_parser = clap::value_parser!(u32).range(1..=100_000))]
    lanes: Vec<u32>,
    /// Shards of the checker, for each number of lanes in turn [default: one for every 19000 lanes]
    #[arg(long, value_delimiter = ',', value_parser = clap::value_parser!(u32).range(1..))]
    shards: Vec<u32>,
    /// How long a whole probe may take, in milliseconds
    #[arg(long, default_value_t = 15_000, value_parser = clap::value_parser!(u64).range(1..))]
    timeout_ms: u64,
    /// How long its connect may take, in milliseconds
    #[arg(long, default_value_t = 5_000, value_parser = clap::value_parser!(u64).range(1..))]
    connect_timeout_ms: u64,
    /// Whether loopback's receiving is done by the farm's CPU; only root can change it
    #[arg(long, value_enum, default_value_t = Steered::No)]
    steered: Steered,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Load {
    /// Of everything some, as in `sweep`.
    Mix,
    /// As lists are: one in twenty works, and one in four holds its lane until a deadline.
    MixLists,
}

impl Load {
    const fn label(self) -> &'static str {
        match self {
            Load::Mix => "mix",
            Load::MixLists => "mix-lists",
        }
    }

    const fn behaviours(self) -> &'static str {
        match self {
            Load::Mix => sweep::MIX,
            Load::MixLists => casts::FEW_ALIVE,
        }
    }
}

/// Lanes that one shard has, if the options do not say otherwise.
const LANES_A_SHARD: u32 = 19_000;

/// One sweep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Case {
    load: Load,
    count: usize,
    lanes: u32,
    shards: u32,
    patience: Patience,
}

impl Case {
    /// When a run has certainly hung: each lane waits for each of its candidates, twice.
    fn limit(&self) -> Duration {
        let turns = self.count.div_ceil(self.lanes as usize);
        self.patience.whole * u32::try_from(2 * turns).unwrap_or(u32::MAX)
            + Duration::from_secs(120)
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (load, lanes, shards) = (self.load.label(), self.lanes, self.shards);
        write!(f, "{load}, {lanes} lanes, {shards} shards")
    }
}

const COLUMNS: [Column; 14] = [
    Column::text("load", 9),
    Column::text("lanes", 6),
    Column::text("shards", 6),
    Column::figures("wall", "s", 2, 20),
    Column::figures("CPU", "s", 2, 6).middle(),
    Column::figures("Σ/L", "s", 2, 6).middle(),
    Column::figures("longest", "s", 2, 7).middle(),
    Column::figures("B", "s", 2, 6).middle(),
    Column::figures("greedy", "s", 2, 6).middle(),
    Column::figures("wall/B", "ratio", 3, 19),
    Column::figures("wall/greedy", "ratio", 3, 19),
    Column::figures("peak RSS", "MiB", 1, 8).middle(),
    Column::figures("known", "% of Σ", 1, 6).middle(),
    Column::text("verdicts", 10),
];

pub(crate) fn run(options: &Options) -> Done {
    let pairs = pairs(&options.lanes, &options.shards)?;
    let bench = Bench::new(&options.common)?;
    let _held = options.steered.hold(&bench)?;
    let mut report = bench.report("bound", COLUMNS.to_vec())?;
    let cpus = bench.cpus.program.len() + 1;
    let mut wrong = Vec::new();
    for &load in &options.loads {
        for &(lanes, shards) in &pairs {
            let case = Case {
                load,
                lanes,
                shards,
                count: options.common.count,
                patience: options.patience(),
            };
            if shards as usize > cpus {
                report.note(format!("{case}: left out: {cpus} CPUs"))?;
                continue;
            }
            let outcome = Outcome::of(&bench, &case)?;
            report.row(outcome.row(&case))?;
            if shards as usize > bench.cpus.program.len() {
                report.note(format!("{case}: one of them shares its CPU with the farm"))?;
            }
            wrong.extend(outcome.wrong);
        }
    }
    report.note(EXPLAINED)?;
    report.end(&[])?;
    if wrong.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    writeln!(std::io::stderr(), "\n{}", wrong.join("\n"))?;
    Ok(ExitCode::FAILURE)
}

const EXPLAINED: &str = "Σ: of the alive their latency, of who was timed out the deadline, of the others the parts that \
     their rows tell; known: how much that is of the time that check itself counted, – if it was over too soon to say so. \
     B: the longer of Σ/L and the longest hold.";

impl Options {
    fn patience(&self) -> Patience {
        Patience {
            connect: Duration::from_millis(self.connect_timeout_ms.min(self.timeout_ms)),
            whole: Duration::from_millis(self.timeout_ms),
        }
    }
}

/// Lanes with their shards.
fn pairs(lanes: &[u32], shards: &[u32]) -> Result<Vec<(u32, u32)>, String> {
    let (many, for_each) = (lanes.len(), shards.len());
    match for_each {
        0 => Ok(lanes
            .iter()
            .map(|&l| (l, l.div_ceil(LANES_A_SHARD)))
            .collect()),
        _ if for_each == many => Ok(lanes.iter().copied().zip(shards.iter().copied()).collect()),
        _ => Err(format!(
            "--shards: {for_each} of them for {many} numbers of --lanes"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_number_of_lanes_has_its_shards() {
        assert_eq!(
            pairs(&[19_000, 38_000], &[]),
            Ok(vec![(19_000, 1), (38_000, 2)])
        );
        assert_eq!(pairs(&[100, 200], &[2, 1]), Ok(vec![(100, 2), (200, 1)]));
        assert!(pairs(&[100, 200], &[1]).is_err());
    }
}
