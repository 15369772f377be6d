//! What the coordinator uses for a record, and what handing reports over uses, by the number of
//! shards.
//!
//! `cargo bench --bench coordinator` prints the table and leaves `coordinator.json` where
//! `proxy-bench shards` looks for it. The coordinator is the service's own, on a clock of its own;
//! the shards answer at once, so that nothing else is measured.

#[path = "../shared/answers.rs"]
mod answers;
mod channel;
mod house;

use clap::Parser;
use house::{House, Pass};
use proxy_bench::harness::cpus::Cpus;
use proxy_bench::harness::figures::Series;
use proxy_bench::harness::machine::Machine;
use proxy_bench::harness::report::{Column, Report, Row};
use serde_json::json;
use std::error::Error;
use std::num::NonZeroUsize;
use std::path::PathBuf;

/// What the coordinator uses for a record, by the number of shards.
#[derive(Debug, Parser)]
struct Options {
    /// Runs of each row, in turns
    #[arg(long, default_value_t = 5)]
    runs: u32,
    /// Candidates that it knows
    #[arg(long, default_value_t = 200_000)]
    count: u32,
    /// Numbers of shards
    #[arg(long, value_delimiter = ',', default_value = "1,2,12")]
    shards: Vec<NonZeroUsize>,
    /// Where the report goes
    #[arg(long, value_name = "DIR", default_value = "target/bench")]
    out: PathBuf,
    /// Given by cargo, and of no meaning here
    #[arg(long, hide = true)]
    bench: bool,
}

const COLUMNS: [Column; 6] = [
    // These two are what `proxy-bench shards` reads.
    Column::text("shards", 6),
    Column::figures("CPU", "µs a record", 3, 22),
    Column::figures("longest step", "ms", 1, 18),
    Column::figures("publications", "a pass", 0, 14),
    Column::figures("sending", "µs a report", 2, 20),
    Column::figures("taking", "µs a report", 2, 20),
];

/// All runs with one number of shards.
struct Runs {
    shards: NonZeroUsize,
    record_us: Series,
    longest_ms: Series,
    publications: Series,
    send_us: Series,
    take_us: Series,
    passes: Vec<serde_json::Value>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::parse();
    let cpus = Cpus::of_this_host(None)?;
    let machine = Machine::now(&cpus);
    let mut report = Report::begin("coordinator", COLUMNS.to_vec(), &options.out, &machine)?;
    let mut all: Vec<Runs> = options
        .shards
        .iter()
        .map(|&shards| Runs::new(shards))
        .collect();
    for _ in 0..options.runs {
        all.iter_mut()
            .try_for_each(|runs| runs.run(options.count))?;
    }
    all.into_iter()
        .try_for_each(|runs| report.row(runs.row(&options)))?;
    report.note(format!(
        "{} candidates, a tenth of them alive; a pass probes each once, all of them due at once",
        options.count
    ))?;
    Ok(report.end(&[])?)
}

impl Runs {
    fn new(shards: NonZeroUsize) -> Runs {
        Runs {
            shards,
            record_us: Series::default(),
            longest_ms: Series::default(),
            publications: Series::default(),
            send_us: Series::default(),
            take_us: Series::default(),
            passes: Vec::new(),
        }
    }

    fn run(&mut self, count: u32) -> Result<(), Box<dyn Error>> {
        let mut house = House::new(self.shards.get(), count)?;
        // The first finds all of them new, the second does not.
        let passes = [house.pass()?, house.pass()?];
        let records: u64 = passes.iter().map(|pass| pass.records).sum();
        let spent_s: f64 = passes.iter().map(|pass| pass.spent.as_secs_f64()).sum();
        let longest = passes
            .iter()
            .map(|pass| pass.longest)
            .max()
            .unwrap_or_default();
        let publications: u64 = passes.iter().map(|pass| pass.publications).sum();
        self.record_us.push(spent_s * 1e6 / records as f64);
        self.longest_ms.push(longest.as_secs_f64() * 1e3);
        self.publications
            .push(publications as f64 / passes.len() as f64);
        let of = |pass: &Pass| json!({ "records": pass.records, "cpu_s": pass.spent.as_secs_f64(), "publications": pass.publications });
        self.passes.push(passes.iter().map(of).collect());
        let handed = channel::hand_over(self.shards.get())?;
        self.send_us.push(handed.send_us);
        self.take_us.push(handed.take_us);
        Ok(())
    }

    fn row(self, options: &Options) -> Row {
        Row {
            values: vec![
                self.shards.to_string().into(),
                self.record_us.into(),
                self.longest_ms.into(),
                self.publications.into(),
                self.send_us.into(),
                self.take_us.into(),
            ],
            commands: vec![format!(
                "cargo bench --bench coordinator -- --count {} --shards {}",
                options.count, self.shards
            )],
            runs: self.passes,
        }
    }
}
