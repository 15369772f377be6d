//! `proxy-bench shards`: whether a shard's work depends on the other shards, and how many of them one
//! coordinator could serve.

mod crew;

use super::Done;
use super::engine::Deadlines;
use super::tune::{Arena, Trouble, steer, yes_or_no};
use crew::Crew;
use proxy_bench::harness::bench::Bench;
use proxy_bench::harness::figures::Series;
use proxy_bench::harness::options::Common;
use proxy_bench::harness::plot::Bars;
use proxy_bench::harness::report::{Column, Report};
use proxy_bench::harness::stage::Cast;
use proxy_bench::harness::{Error, Result};
use serde_json::Value as Json;
use std::io::Write;
use std::num::NonZeroUsize;
use std::path::Path;
use std::process::ExitCode;

/// Measure what each shard uses, with more and more of them, on one CPU and on several.
///
/// The engine runs alone; each shard has as many lanes, and the proxies whose address hashes to it.
/// These think for a time before they answer, so that each shard has the same to do in a second
/// however many there are: with proxies that answer at once (`--behaviour forwards`) the shards on
/// one CPU share what that CPU can do, and each wakes up for less. CPU time is that of the shards'
/// threads, as the kernel counts it. If `cargo bench --bench coordinator` has left its report in
/// --out, the number of shards that one coordinator could serve is worked out too: a model, and said
/// to be one. Exits with 1 if a run failed or gave a wrong verdict.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    common: Common,
    /// Numbers of shards; the first is what the others are compared with
    #[arg(long, value_delimiter = ',', default_value = "1,2,12")]
    shards: Vec<NonZeroUsize>,
    /// Lanes of each shard
    #[arg(long, default_value = "1000")]
    lanes_per_shard: NonZeroUsize,
    /// What the proxies do: labels of `proxy-bench farm --behaviour`, with commas between
    #[arg(long, default_value = "late")]
    behaviour: String,
    /// Have loopback's receive work done by the farm's CPU
    #[arg(long, default_value = "yes", value_name = "yes|no", value_parser = yes_or_no, action = clap::ArgAction::Set)]
    steered: bool,
    #[command(flatten)]
    deadlines: Deadlines,
}

const COLUMNS: [Column; 9] = [
    Column::text("shards", 6),
    Column::text("CPUs", 5),
    Column::figures("CPU", "µs a probe", 1, 19),
    Column::figures("CPU", "× first row", 3, 21),
    Column::figures("dearest", "× mean", 3, 19),
    Column::figures("fullest", "× mean", 3, 19),
    Column::figures("sleeps", "a probe", 3, 19),
    Column::figures("others", "µs a record", 2, 18),
    Column::text("verdicts", 8),
];

pub(crate) fn run(options: &Options) -> Done {
    let bench = Bench::new(&options.common)?;
    let stage = bench.stage(&Cast::of(&*options.behaviour, options.common.count))?;
    let arena = Arena {
        bench: &bench,
        stage: &stage,
        deadlines: &options.deadlines,
    };
    let mut report = bench.report("shards", COLUMNS.to_vec())?;
    let _held = steer(options.steered, &bench, &mut report)?;
    let mut crews = crews(options, &bench);
    for round in 0..options.common.runs {
        writeln!(
            std::io::stderr(),
            "round {} of {}",
            round + 1,
            options.common.runs
        )
        .ok();
        let half = crews.len().div_ceil(2);
        let order = (0..crews.len()).map(|n| (n + round as usize * half) % crews.len());
        for at in order.collect::<Vec<_>>() {
            crews[at].run(options, &arena)?;
        }
    }
    let base = crews
        .first()
        .map(|crew| crew.cpu_us.clone())
        .unwrap_or_default();
    for crew in &crews {
        report.row(crew.row(&base))?;
        if let Some(details) = crew.trouble.as_ref().and_then(Trouble::details) {
            report.note(details)?;
        }
    }
    model(
        &base,
        &options.common.out.join("coordinator.json"),
        &mut report,
    )?;
    report.end(&[("cpu", plot(&crews)?)])?;
    let is_defect = |crew: &Crew| crew.trouble.as_ref().is_some_and(Trouble::is_defect);
    Ok(match crews.iter().any(is_defect) {
        true => ExitCode::FAILURE,
        false => ExitCode::SUCCESS,
    })
}

/// Each number of shards on one CPU, and on one CPU for each where there are as many: the farm's is
/// the last to be taken.
fn crews(options: &Options, bench: &Bench) -> Vec<Crew> {
    let mut crews = Vec::new();
    for &shards in &options.shards {
        let mut on = |cpus: Vec<usize>| crews.push(Crew::new(shards, cpus));
        on(bench.cpus.for_threads(1));
        let own = bench.cpus.for_threads(shards.get());
        if shards.get() > 1 && own.len() >= shards.get() {
            on(own);
        }
    }
    crews
}

fn read<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T> {
    let error = |error: std::io::Error| Error::System {
        what: path.display().to_string(),
        error,
    };
    let bytes = std::fs::read(path).map_err(error)?;
    serde_json::from_slice(&bytes).map_err(|e| error(e.into()))
}

/// What the coordinator's bench measured for each number of shards: CPU time in microseconds a record.
fn coordinator(report: &Json) -> Vec<(String, f64)> {
    let rows = report["rows"].as_array().map_or(&[][..], Vec::as_slice);
    let row = |row: &Json| {
        let shards = row["values"][0].as_str()?.to_owned();
        Some((shards, row["values"][1]["median"].as_f64()?))
    };
    rows.iter().filter_map(row).collect()
}

/// Works out how many shards one coordinator could serve: what a shard uses for a probe over what
/// the coordinator uses for its record.
fn model(shard_us: &Series, path: &Path, report: &mut Report) -> Result<()> {
    let Some(shard_us) = shard_us.median() else {
        return Ok(());
    };
    let measured = read::<Json>(path).map(|report| coordinator(&report));
    let Ok(measured) = measured else {
        return report.note("\nno model: run `cargo bench --bench coordinator` first");
    };
    report.note("\nMODEL, not measured: every shard always busy, one record a probe, a CPU for each and one for the coordinator")?;
    for (shards, record_us) in measured {
        let (most, busy) = (shard_us / record_us, shards.parse::<f64>());
        let busy = busy.map_or(f64::NAN, |shards| 100.0 * shards * record_us / shard_us);
        report.note(format!(
            "  at what it uses with {shards} shards ({record_us:.2} µs a record) one coordinator serves {most:.0}, and is busy {busy:.1} % of the time"
        ))?;
    }
    Ok(())
}

fn plot(crews: &[Crew]) -> Result<String> {
    let group = |crew: &Crew| {
        let cpus = match crew.cpus.len() {
            1 => "1 CPU".to_owned(),
            count => format!("{count} CPUs"),
        };
        (
            format!("{} shards, {cpus}", crew.shards),
            vec![crew.cpu_us.clone()],
        )
    };
    let bars = Bars {
        title: "What a shard uses, with so many of them".into(),
        y: "CPU µs a probe".into(),
        names: vec!["shards' threads".into()],
        groups: crews.iter().map(group).collect(),
    };
    bars.svg()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_coordinators_figures_are_read_from_its_report() {
        let report = json!({"rows": [
            {"values": ["12", {"median": 0.5}]},
            {"values": ["channel", {"median": null}]},
        ]});
        assert_eq!(coordinator(&report), [("12".to_owned(), 0.5)]);
        assert_eq!(coordinator(&json!({})), []);
    }
}
