//! `proxy-bench first`: from the start of the service to the first proxy served, and how old the
//! alive get.

mod ages;
mod freshness;
mod start;

use super::Done;
use super::probing::Probing;
use clap::ValueEnum;
use proxy_bench::harness::Result;
use proxy_bench::harness::bench::Bench;
use proxy_bench::harness::options::Common;
use proxy_bench::harness::steering::{self, Held, Steering};
use std::process::ExitCode;

/// Measure the start of the service over a long list: until the API listens, until the first proxy
/// is served, until 10, 50 and 90 % of those that work are, and until everything was checked; then
/// the same after a restart that finds what the first one kept.
///
/// And its freshness: of a list of which one in twenty works, how old the last check of each of
/// these gets, in intervals. Exits with 1 if 5 % of them ever are older than 1.5 intervals.
#[derive(Debug, clap::Args)]
#[command(mut_arg("count", |count| count.default_value("100000")))]
pub(crate) struct Options {
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    probing: Probing,
    /// Which part of it
    #[arg(long, value_enum, default_value_t = Part::Both)]
    part: Part,
    /// Runs of the freshness
    #[arg(long, default_value_t = 1)]
    fresh_runs: u32,
    /// Pause between two checks of an alive proxy, in seconds, for the freshness
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..))]
    interval: u64,
    /// How many such pauses are watched after the first sweep
    #[arg(long, default_value_t = 4)]
    intervals: u64,
    /// Whether loopback's receiving is done by the farm's CPU; only root can change it
    #[arg(long, value_enum, default_value_t = Steered::No)]
    steered: Steered,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Part {
    Start,
    Freshness,
    Both,
}

pub(crate) fn run(options: &Options) -> Done {
    let bench = Bench::new(&options.common)?;
    let _held = options.steered.hold(&bench)?;
    if options.part != Part::Freshness {
        start::run(options, &bench)?;
    }
    let is_fresh = options.part == Part::Start || freshness::run(options, &bench)?;
    Ok(match is_fresh {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}

/// Which steering of loopback is held meanwhile.
///
/// Steered, a burst of thousands overflows the queue of the farm's CPU
/// (`net.core.netdev_max_backlog`). What is dropped there is sent again, but for resets: a proxy that
/// resets then seems silent, and a verdict is not the farm's truth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Steered {
    Yes,
    /// Also where it cannot be set, as it mostly is not.
    No,
    /// Whatever is set.
    AsFound,
}

impl Steered {
    pub(super) fn hold(self, bench: &Bench) -> Result<Option<Held>> {
        match self {
            Steered::Yes => steering::hold(Steering::ToFarm, &bench.cpus).map(Some),
            Steered::No if steering::can_be_set().is_none() => {
                steering::hold(Steering::Off, &bench.cpus).map(Some)
            }
            Steered::No | Steered::AsFound => Ok(None),
        }
    }
}
