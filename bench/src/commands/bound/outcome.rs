//! The runs of one case: each a whole check of a farm of its own, and the bounds of that very run.

use super::Case;
use super::holds::{self, Bounds};
use proxy_bench::harness::bench::{Bench, Check};
use proxy_bench::harness::figures::Series;
use proxy_bench::harness::program::Program;
use proxy_bench::harness::report::Row;
use proxy_bench::harness::stage::{Cast, Stage};
use proxy_bench::harness::usage::Usage;
use proxy_bench::harness::verdicts::{Fineness, hold};
use proxy_bench::harness::{Error, Result};
use serde_json::json;
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

/// One run.
#[derive(Debug)]
struct Run {
    usage: Usage,
    bounds: Bounds,
    /// How long lanes were held in all, as the program counted it, in seconds.
    said_s: Option<f64>,
}

/// What came of them.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    runs: Vec<Run>,
    commands: Vec<String>,
    /// What was not true, and in which run.
    pub(super) wrong: Vec<String>,
}

impl Outcome {
    /// Runs the case as often as the options say.
    ///
    /// # Errors
    /// A farm or program that does not run to a good end.
    pub(super) fn of(bench: &Bench, case: &Case) -> Result<Outcome> {
        let mut outcome = Outcome::default();
        for number in 1..=bench.options.runs {
            let stage = bench.stage(&Cast::of(case.load.behaviours(), case.count))?;
            stage.settle();
            let program = program(bench, &stage, case)?;
            outcome.runs.push(measured(&program, &stage, case)?);
            outcome.commands = vec![stage.command(), stage.short(&program.command())];
            match hold(&stage, &results(&stage), Fineness::Exact) {
                Ok(_) => {}
                Err(Error::NotTrue(told)) => {
                    outcome.wrong.push(format!("{case}, run {number}:\n{told}"));
                }
                Err(error) => return Err(error),
            }
        }
        Ok(outcome)
    }

    fn series(&self, figure: impl Fn(&Run) -> f64) -> Series {
        self.runs.iter().map(figure).collect()
    }

    pub(super) fn row(&self, case: &Case) -> Row {
        let wall = self.series(|run| run.usage.wall_s);
        let bound = self.series(|run| seconds(run.bounds.bound()));
        let greedy = self.series(|run| seconds(run.bounds.greedy));
        let known = |run: &Run| Some(100.0 * seconds(run.bounds.sum) / run.said_s?);
        let known: Series = self.runs.iter().filter_map(known).collect();
        let verdicts = match self.wrong.len() {
            0 => Fineness::Exact.praise().to_owned(),
            wrong => format!("{wrong} OF {} RUNS NOT TRUE", self.runs.len()),
        };
        Row {
            values: vec![
                case.load.label().into(),
                case.lanes.to_string().into(),
                case.shards.to_string().into(),
                wall.clone().into(),
                self.series(|run| run.usage.cpu_s()).into(),
                self.series(|run| seconds(run.bounds.share)).into(),
                self.series(|run| seconds(run.bounds.longest)).into(),
                bound.clone().into(),
                greedy.clone().into(),
                wall.over(&bound).into(),
                wall.over(&greedy).into(),
                self.series(|run| run.usage.rss_peak_kib as f64 / 1024.0)
                    .into(),
                known.into(),
                verdicts.into(),
            ],
            commands: self.commands.clone(),
            runs: self.runs.iter().map(Run::json).collect(),
        }
    }
}

impl Run {
    fn json(&self) -> serde_json::Value {
        json!({
            "usage": self.usage,
            "sum_s": seconds(self.bounds.sum),
            "longest_s": seconds(self.bounds.longest),
            "greedy_s": seconds(self.bounds.greedy),
            "said_s": self.said_s,
        })
    }
}

fn measured(program: &Program, stage: &Stage, case: &Case) -> Result<Run> {
    let ended = program.start(Vec::new())?.wait()?;
    if !ended.status.success() {
        return Err(Error::Failed {
            command: program.command(),
            status: ended.status.to_string(),
            said: ended.said,
        });
    }
    let holds = holds::of(open(&stage.list())?, open(&results(stage))?, case.patience)?;
    Ok(Run {
        usage: ended.usage,
        bounds: Bounds::new(&holds, case.lanes),
        said_s: holds::said_s(&ended.said),
    })
}

fn program(bench: &Bench, stage: &Stage, case: &Case) -> Result<Program> {
    let size = Check {
        lanes: case.lanes,
        shards: case.shards,
        connect_timeout: case.patience.connect,
        timeout: case.patience.whole,
    };
    let program = bench.check(stage, size)?;
    Ok(program.to(results(stage)).within(case.limit()))
}

fn results(stage: &Stage) -> std::path::PathBuf {
    stage.path("results.jsonl")
}

fn open(path: &Path) -> Result<BufReader<File>> {
    let error = |error| Error::System {
        what: path.display().to_string(),
        error,
    };
    File::open(path).map(BufReader::new).map_err(error)
}

fn seconds(us: u64) -> f64 {
    us as f64 / 1e6
}
