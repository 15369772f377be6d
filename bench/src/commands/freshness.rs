//! `proxy-bench freshness`: how old the alive get while the dead are many, by the last check of each,
//! seen through the API.

mod ages;

use super::Done;
use super::probing::Probing;
use super::steered::Steered;
use ages::Ages;
use proxy_bench::harness::Result;
use proxy_bench::harness::bench::Bench;
use proxy_bench::harness::casts::FEW_ALIVE;
use proxy_bench::harness::figures::Series;
use proxy_bench::harness::options::Common;
use proxy_bench::harness::plot::Lines;
use proxy_bench::harness::report::{Column, Row};
use proxy_bench::harness::served::Expected;
use proxy_bench::harness::service::Service;
use proxy_bench::harness::stage::Cast;
use serde::Deserialize;
use serde_json::json;
use std::io::Write;
use std::process::ExitCode;
use std::time::{Duration, SystemTime};

/// Measure how old the last check of each alive proxy gets, in intervals, over a list of which one
/// in twenty works and many of the others keep their lane until the deadline. Exits with 1 if 5 % of
/// the alive ever are older than 1.5 intervals.
#[derive(Debug, clap::Args)]
#[command(mut_arg("count", |count| count.default_value("100000")))]
#[command(mut_arg("runs", |runs| runs.default_value("1")))]
pub(crate) struct Options {
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    probing: Probing,
    /// Pause between two checks of an alive proxy, in seconds
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..))]
    interval: u64,
    /// How many such pauses are watched after the first sweep
    #[arg(long, default_value_t = 4)]
    intervals: u64,
    /// Whether loopback's receiving is done by the farm's CPU; only root can change it
    #[arg(long, value_enum, default_value_t = Steered::No)]
    steered: Steered,
}

/// What 95 % of the alive must not be older than, in intervals.
const P95_MAX: f64 = 1.5;
/// Looks in an interval: reading every proxy costs the API milliseconds.
const LOOKS: u32 = 40;
/// Shown in the table, in percent of the alive.
const SHOWN: [f64; 4] = [50.0, 95.0, 99.0, 100.0];

const COLUMNS: [Column; 10] = [
    Column::figures("candidates", "", 0, 10),
    Column::figures("work", "", 0, 7),
    Column::figures("interval", "s", 0, 8),
    Column::figures("watched", "intervals", 1, 9),
    Column::figures("age p50", "intervals", 2, 16),
    Column::figures("age p95", "intervals", 2, 16),
    Column::figures("age p99", "intervals", 2, 16),
    Column::figures("age max", "intervals", 2, 16),
    Column::figures("CPU", "s", 1, 10),
    Column::figures("peak RSS", "MiB", 0, 11),
];

/// A run.
#[derive(Clone, Debug)]
struct Seen {
    oldest: Series,
    never_served: usize,
    watched: f64,
    cpu_s: f64,
    rss_peak_kib: u64,
}

pub(crate) fn run(options: &Options) -> Done {
    let bench = Bench::new(&options.common)?;
    let _held = options.steered.hold(&bench)?;
    let mut report = bench.report("freshness", COLUMNS.to_vec())?;
    let stage = bench.stage(&Cast::of(FEW_ALIVE, options.common.count))?;
    let expected = Expected::of(&stage)?;
    let mut runs = Vec::new();
    let mut commands = vec![stage.command()];
    for run in 0..options.common.runs {
        let setup = options.probing.setup(options.interval);
        let mut service = Service::start(&bench, &stage, &setup, &format!("run-{run}"))?;
        commands.truncate(1);
        commands.push(service.command().to_owned());
        runs.push(follow(options, &mut service, &expected)?);
        service.stop()?;
    }
    report.row(row(options, &expected, &runs, commands))?;
    let late: Vec<String> = runs.iter().filter_map(Seen::fault).collect();
    let praise = format!("fresh: p95 of the age is at most {P95_MAX} intervals in every run");
    report.note(match late.is_empty() {
        true => praise,
        false => format!("NOT FRESH: {}", late.join("; ")),
    })?;
    report.end(&[("ages", plot(&runs).svg()?)])?;
    if late.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    let late = late.join("; ");
    writeln!(std::io::stderr(), "proxy-bench: not fresh: {late}").ok();
    Ok(ExitCode::FAILURE)
}

/// Follows every proxy that works, from when it is first served until so many intervals after the
/// first sweep.
fn follow(options: &Options, service: &mut Service, expected: &Expected) -> Result<Seen> {
    let interval = Duration::from_secs(options.interval);
    let (mut ages, mut swept_at, mut first_at) = (Ages::default(), None, None);
    let patience = options.probing.patience(options.common.count).as_secs_f64();
    let watched = options.interval as f64 * options.intervals as f64;
    loop {
        let served = served(service)?;
        if !served.is_empty() {
            first_at.get_or_insert_with(|| service.age_s());
        }
        ages.look(now_s(), served);
        if swept_at.is_none() && is_swept(service)? {
            swept_at = Some(service.age_s());
        }
        match swept_at {
            Some(at) if service.age_s() > at + watched => break,
            None if service.age_s() > patience => {
                return Err(service.fault(&format!("the first sweep: not within {patience} s")));
            }
            _ => std::thread::sleep(interval / LOOKS),
        }
    }
    let stat = service.stat()?;
    service.hold(expected, &stat)?;
    let now = service.process().now();
    let now = now.ok_or_else(|| service.fault("it has ended"))?;
    Ok(Seen {
        never_served: expected.alive.len().saturating_sub(ages.len()),
        oldest: ages.oldest(interval.as_secs_f64()),
        watched: (service.age_s() - first_at.unwrap_or_default()) / interval.as_secs_f64(),
        cpu_s: now.cpu_s,
        rss_peak_kib: now.rss_peak_kib,
    })
}

/// Everyone who is served, with the time of the last check, in seconds since 1970.
fn served(service: &mut Service) -> Result<Vec<(String, f64)>> {
    #[derive(Deserialize)]
    struct Said {
        proxies: Vec<Proxy>,
    }
    #[derive(Deserialize)]
    struct Proxy {
        address: String,
        last_check: jiff::Timestamp,
    }
    let answer = service.try_get("/get-proxy?all=1&format=json")?;
    let Some(answer) = answer.filter(|answer| answer.status == 200) else {
        return Ok(Vec::new());
    };
    let said: std::result::Result<Said, _> = serde_json::from_slice(&answer.body);
    let said = said.map_err(|error| service.fault(&format!("/get-proxy: {error}")))?;
    let row = |proxy: Proxy| {
        (
            proxy.address,
            proxy.last_check.as_millisecond() as f64 / 1e3,
        )
    };
    Ok(said.proxies.into_iter().map(row).collect())
}

fn is_swept(service: &mut Service) -> Result<bool> {
    let ready = service.try_get("/ready")?;
    if ready.is_none_or(|answer| answer.status != 200) {
        return Ok(false);
    }
    let sweep = service.stat()?.sweep;
    Ok(sweep.total > 0 && sweep.finished.is_some())
}

fn now_s() -> f64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.unwrap_or_default().as_secs_f64()
}

impl Seen {
    /// Why they were not fresh, if they were not.
    fn fault(&self) -> Option<String> {
        if self.never_served > 0 {
            return Some(format!("{} that work were never served", self.never_served));
        }
        match self.oldest.percentile(95.0) {
            Some(p95) if p95 <= P95_MAX => None,
            Some(p95) => Some(format!("p95 of the age was {p95:.2} intervals")),
            None => Some("nobody was served".into()),
        }
    }
}

fn row(options: &Options, expected: &Expected, runs: &[Seen], commands: Vec<String>) -> Row {
    let series = |of: &dyn Fn(&Seen) -> f64| runs.iter().map(of).collect::<Series>();
    let age = |percent| -> Series {
        let age = |seen: &Seen| seen.oldest.percentile(percent);
        runs.iter().filter_map(age).collect()
    };
    let one = |figure: f64| -> Series { [figure].into_iter().collect() };
    let mut values = vec![
        one(expected.total as f64),
        one(expected.alive.len() as f64),
        one(options.interval as f64),
        series(&|seen| seen.watched),
    ];
    values.extend(SHOWN.map(age));
    values.push(series(&|seen| seen.cpu_s));
    values.push(series(&|seen| seen.rss_peak_kib as f64 / 1024.0));
    let run = |seen: &Seen| {
        let ages: Vec<_> = (1..=100)
            .map(|p| seen.oldest.percentile(f64::from(p)))
            .collect();
        json!({"oldest_by_percent_of_the_alive": ages, "never_served": seen.never_served})
    };
    Row {
        values: values.into_iter().map(Into::into).collect(),
        commands,
        runs: runs.iter().map(run).collect(),
    }
}

fn plot(runs: &[Seen]) -> Lines {
    let point = |percent: u32| {
        let percent = f64::from(percent);
        let ages = runs
            .iter()
            .filter_map(|seen| seen.oldest.percentile(percent));
        (percent, ages.collect())
    };
    let points = (1..=100).map(point).collect();
    Lines {
        title: "How old the alive get between two checks".into(),
        x: "percent of the alive that get no older".into(),
        y: "intervals".into(),
        lines: vec![("age at its oldest".into(), points)],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(oldest: &[f64], never_served: usize) -> Seen {
        Seen {
            oldest: oldest.iter().copied().collect(),
            never_served,
            watched: 4.0,
            cpu_s: 1.0,
            rss_peak_kib: 1024,
        }
    }

    #[test]
    fn one_in_twenty_may_be_older_and_no_more() {
        let mut ages = vec![1.1; 19];
        ages.push(9.0);
        assert_eq!(seen(&ages, 0).fault(), None);
        ages[0] = 1.6;
        let fault = seen(&ages, 0).fault().expect("two of twenty are old");
        assert!(fault.contains("1.60"), "{fault}");
    }

    #[test]
    fn who_is_never_served_is_not_fresh() {
        assert!(seen(&[1.0], 1).fault().is_some());
        assert!(seen(&[], 0).fault().is_some());
    }
}
