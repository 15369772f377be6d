//! `proxy-bench soak`: hours of a service whose list changes all the time.

mod judge;
mod run;
mod table;

use super::Done;
use super::probing::Probing;
use judge::Bounds;
use proxy_bench::harness::bench::Bench;
use proxy_bench::harness::casts::MIX;
use proxy_bench::harness::options::Common;
use proxy_bench::harness::service::Setup;
use proxy_bench::harness::stage::Cast;
use run::Soak;
use std::process::ExitCode;
use std::time::Duration;

/// Run the service for hours over a list of which a part is replaced at every interval, and see
/// whether its memory, descriptors and threads stay what they are after the warm-up, and whether
/// what is served after each sweep is the truth.
///
/// Exits with 1, and stops before its time, if one does not: memory may grow by less than 1 MB an
/// hour (not judged within the first 30 minutes), descriptors and threads not at all. SIGINT ends it
/// with what it has.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    probing: Probing,
    /// How long, in hours
    #[arg(long, default_value_t = 2.0, conflicts_with = "minutes")]
    hours: f64,
    /// How long, in minutes
    #[arg(long)]
    minutes: Option<f64>,
    /// What is not judged at the beginning, in minutes [default: a quarter of the time, at most 30]
    #[arg(long)]
    warm_up_minutes: Option<f64>,
    /// Pause between two changes of the list, two checks of an alive proxy and two saves, in seconds
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..))]
    interval: u64,
    /// How much of the list is replaced at each change, in percent
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u8).range(0..=100))]
    churn: u8,
    /// Between two samples, in seconds
    #[arg(long, default_value_t = 3.0)]
    every: f64,
}

impl Options {
    fn length(&self) -> Duration {
        Duration::from_secs_f64(self.minutes.map_or(self.hours * 3600.0, |m| m * 60.0))
    }

    fn bounds(&self) -> Bounds {
        let length_s = self.length().as_secs_f64();
        let usual_s = (length_s / 4.0).min(1800.0);
        Bounds {
            warm_up_s: self
                .warm_up_minutes
                .map_or(usual_s, |minutes| minutes * 60.0),
            interval_s: self.interval as f64,
            length_s,
        }
    }

    fn setup(&self) -> Setup {
        Setup {
            persist_seconds: self.interval,
            ..self.probing.setup(self.interval)
        }
    }
}

pub(crate) fn run(options: &Options) -> Done {
    let bench = Bench::new(&options.common)?;
    let mut report = bench.report("soak", table::COLUMNS.to_vec())?;
    let stage = bench.stage(&Cast::of(MIX, options.common.count))?;
    let mut soak = Soak::start(options, &bench, &stage)?;
    let commands = vec![stage.command(), soak.command().to_owned()];
    report.note(format!(
        "the first sweep was true, {} proxies are served; now {} % of the list are replaced every \
         {} s",
        soak.alive(),
        options.churn,
        options.interval
    ))?;
    let ending = soak.run();
    let (samples, sweeps) = soak.stop();
    let bounds = options.bounds();
    let fault = ending.fault().or_else(|| bounds.fault_at_the_end(&samples));
    report.row(table::row(&samples, &bounds, sweeps, commands))?;
    report.note(match &fault {
        Some(fault) => format!("FAILED: {fault}"),
        None => ending.words().to_owned(),
    })?;
    report.end(&[
        ("memory", table::memory(&samples, &bounds).svg()?),
        ("handles", table::handles(&samples, &bounds).svg()?),
    ])?;
    Ok(match fault {
        None => ExitCode::SUCCESS,
        Some(_) => ExitCode::FAILURE,
    })
}
