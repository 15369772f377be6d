//! So many shards on some CPUs, and what their threads used in each run.

use super::{Options, read};
use crate::commands::tune::{Arena, Trouble};
use proxy_bench::engine::Stat;
use proxy_bench::harness::Result;
use proxy_bench::harness::figures::Series;
use proxy_bench::harness::program::Program;
use proxy_bench::harness::report::Row;
use proxy_bench::tune::settings::Settings;
use serde_json::{Value as Json, json};
use std::num::NonZeroUsize;

/// So many shards on some CPUs, and their runs so far.
pub(super) struct Crew {
    pub(super) shards: NonZeroUsize,
    pub(super) cpus: Vec<usize>,
    pub(super) trouble: Option<Trouble>,
    /// CPU time of all shards, in microseconds a probe.
    pub(super) cpu_us: Series,
    /// The shard whose probes cost most, and the one that made most: over the mean of all.
    dearest: Series,
    fullest: Series,
    sleeps: Series,
    others_us: Series,
    runs: Vec<Json>,
    command: String,
}

impl Crew {
    pub(super) fn new(shards: NonZeroUsize, cpus: Vec<usize>) -> Crew {
        Crew {
            shards,
            cpus,
            trouble: None,
            cpu_us: Series::default(),
            dearest: Series::default(),
            fullest: Series::default(),
            sleeps: Series::default(),
            others_us: Series::default(),
            runs: Vec::new(),
            command: String::new(),
        }
    }

    fn program(&self, options: &Options, arena: &Arena<'_>) -> Program {
        let settings = Settings {
            shards: self.shards,
            lanes: self.shards.saturating_mul(options.lanes_per_shard),
            ..Settings::default()
        };
        let stat = [
            "--stat".into(),
            arena.stage.path("stat.json").into_os_string(),
        ];
        let program = arena.program(&settings).with(["--by-hash"]).with(stat);
        program.on(&self.cpus)
    }

    /// One more run, unless one went wrong.
    pub(super) fn run(&mut self, options: &Options, arena: &Arena<'_>) -> Result<()> {
        if self.trouble.is_some() {
            return Ok(());
        }
        let program = self.program(options, arena);
        self.command = arena.stage.short(&program.command());
        match arena.run(&program)? {
            Err(trouble) => self.trouble = Some(trouble),
            Ok(usage) => {
                let stat: Stat = read(&arena.stage.path("stat.json"))?;
                self.note(&stat, options.common.count);
                self.runs.push(json!({ "usage": usage, "threads": stat }));
            }
        }
        Ok(())
    }

    fn note(&mut self, stat: &Stat, records: usize) {
        let shards = stat.shards.iter().filter(|shard| shard.probes > 0);
        let probes: u64 = shards.clone().map(|shard| shard.probes).sum();
        let cpu_us: f64 = shards.clone().map(|shard| shard.cpu_us).sum();
        let sleeps: u64 = shards.clone().map(|shard| shard.sleeps).sum();
        let mean_us = cpu_us / probes as f64;
        let each_us = shards
            .clone()
            .map(|shard| shard.cpu_us / shard.probes as f64);
        let most = shards.map(|shard| shard.probes).max().unwrap_or(0);
        self.cpu_us.push(mean_us);
        self.dearest.push(each_us.fold(0.0, f64::max) / mean_us);
        self.fullest
            .push(most as f64 * stat.shards.len() as f64 / probes as f64);
        self.sleeps.push(sleeps as f64 / probes as f64);
        self.others_us.push(stat.others_cpu_us / records as f64);
    }

    pub(super) fn row(&self, base: &Series) -> Row {
        let verdict = self.trouble.as_ref();
        let cpus: Vec<_> = self.cpus.iter().map(usize::to_string).collect();
        Row {
            values: vec![
                self.shards.to_string().into(),
                cpus.join(",").into(),
                self.cpu_us.clone().into(),
                self.cpu_us.over(base).into(),
                self.dearest.clone().into(),
                self.fullest.clone().into(),
                self.sleeps.clone().into(),
                self.others_us.clone().into(),
                verdict
                    .map_or_else(|| "all true".into(), Trouble::text)
                    .into(),
            ],
            commands: vec![self.command.clone()],
            runs: self.runs.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proxy_bench::engine::ShardUse;

    #[test]
    fn a_crews_figures_are_over_the_mean_of_its_shards() {
        let one = NonZeroUsize::MIN;
        let mut crew = Crew::new(one.saturating_add(2), vec![1]);
        let shard = |probes, cpu_us| ShardUse {
            probes,
            cpu_us,
            sleeps: 10,
        };
        // The third has nothing to do, and what it costs to sleep is nobody's probe.
        let stat = Stat {
            shards: vec![shard(100, 1_000.0), shard(300, 5_000.0), shard(0, 7.0)],
            others_cpu_us: 200.0,
        };
        crew.note(&stat, 400);
        assert_eq!(crew.cpu_us.median(), Some(15.0));
        assert_eq!(crew.fullest.median(), Some(2.25));
        let dearest = crew.dearest.median().expect("one run");
        assert!((dearest - 5_000.0 / 300.0 / 15.0).abs() < 1e-9, "{dearest}");
        assert_eq!(
            (crew.sleeps.median(), crew.others_us.median()),
            (Some(0.05), Some(0.5))
        );
    }
}
