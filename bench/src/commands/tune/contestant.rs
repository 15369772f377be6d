//! One set of settings in the contest: its runs, and why it has no more of them.

use crate::commands::engine::{Deadlines, REFUSED};
use proxy_bench::harness::bench::Bench;
use proxy_bench::harness::figures::Series;
use proxy_bench::harness::program::{Ended, Program};
use proxy_bench::harness::report::Row;
use proxy_bench::harness::stage::Stage;
use proxy_bench::harness::usage::Usage;
use proxy_bench::harness::verdicts::{Fineness, hold};
use proxy_bench::harness::{Error, Result};
use proxy_bench::tune::settings::Settings;
use serde_json::{Value as Json, json};
use std::os::unix::process::ExitStatusExt as _;
use std::time::Duration;

/// Where contestants run.
pub(crate) struct Arena<'a> {
    pub(crate) bench: &'a Bench,
    pub(crate) stage: &'a Stage,
    pub(crate) deadlines: &'a Deadlines,
}

impl Arena<'_> {
    /// The engine over the farm's list, on CPUs of the program's; of the farm's too if there are
    /// more shards than those.
    pub(crate) fn program(&self, settings: &Settings) -> Program {
        let (bench, stage) = (self.bench, self.stage);
        let threads = settings.shards.get().max(bench.cpus.program.len());
        bench
            .own(["engine", "--list"])
            .with([stage.list()])
            .with(["--target", stage.target()])
            .with(self.deadlines.arguments())
            .with(settings.arguments())
            .on(&bench.cpus.for_threads(threads))
            .to(stage.path("rows.jsonl"))
            .within(self.patience(settings))
    }

    /// Longer than any run that goes well: every proxy silent, and a minute.
    fn patience(&self, settings: &Settings) -> Duration {
        let turns = self.bench.options.count.div_ceil(settings.lanes.get());
        let turns = u32::try_from(turns).unwrap_or(u32::MAX);
        Duration::from_secs(60) + self.deadlines.timeout.saturating_mul(turns)
    }

    /// Runs a program, and holds its rows against the truth.
    ///
    /// # Errors
    /// The harness's own trouble; the program's is a [`Trouble`].
    pub(crate) fn run(&self, program: &Program) -> Result<std::result::Result<Usage, Trouble>> {
        let ended = program.start(Vec::new())?.wait()?;
        if let Some(trouble) = Trouble::of(&ended) {
            return Ok(Err(trouble));
        }
        match hold(self.stage, &self.stage.path("rows.jsonl"), Fineness::Exact) {
            Ok(_) => Ok(Ok(ended.usage)),
            Err(Error::NotTrue(found)) => Ok(Err(Trouble::Untrue(found))),
            Err(error) => Err(error),
        }
    }
}

/// Why settings have no figures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// This host does not allow them.
    Refused(String),
    /// A run did not end in its time.
    Hung,
    /// A run failed.
    Failed(String),
    /// Verdicts were not the farm's truth.
    Untrue(String),
}

impl Trouble {
    fn of(ended: &Ended) -> Option<Trouble> {
        const KILL: i32 = 9;
        let said = || ended.said.trim().to_owned();
        match (ended.status.code(), ended.status.signal()) {
            (Some(0), _) => None,
            (Some(code), _) if code == i32::from(REFUSED) => Some(Trouble::Refused(said())),
            (_, Some(KILL)) => Some(Trouble::Hung),
            _ => Some(Trouble::Failed(format!("{}: {}", ended.status, said()))),
        }
    }

    /// Whether it is a defect, rather than a host that does not allow something.
    pub(crate) const fn is_defect(&self) -> bool {
        !matches!(self, Trouble::Refused(_))
    }

    /// For the last column of a table.
    pub(crate) fn text(&self) -> String {
        match self {
            Trouble::Refused(why) => format!("refused: {why}"),
            Trouble::Hung => "HUNG, and was killed".into(),
            Trouble::Failed(how) => format!("FAILED: {how}"),
            Trouble::Untrue(_) => "NOT TRUE".into(),
        }
    }

    /// What is too long for it.
    pub(crate) fn details(&self) -> Option<&str> {
        match self {
            Trouble::Untrue(found) => Some(found),
            Trouble::Refused(_) | Trouble::Hung | Trouble::Failed(_) => None,
        }
    }
}

/// Settings, and their runs so far.
#[derive(Debug)]
pub(super) struct Contestant {
    /// The knob, or what else it is called.
    pub(super) knob: String,
    /// Its value.
    pub(super) value: String,
    pub(super) settings: Settings,
    pub(super) trouble: Option<Trouble>,
    pub(super) cpu_us: Series,
    pub(super) wall_s: Series,
    rss_mib: Series,
    sleeps: Series,
    runs: Vec<Json>,
    command: String,
}

impl Contestant {
    pub(super) fn new(knob: &str, value: impl Into<String>, settings: Settings) -> Contestant {
        Contestant {
            knob: knob.to_owned(),
            value: value.into(),
            settings,
            trouble: None,
            cpu_us: Series::default(),
            wall_s: Series::default(),
            rss_mib: Series::default(),
            sleeps: Series::default(),
            runs: Vec::new(),
            command: String::new(),
        }
    }

    /// One more run, unless it is out.
    pub(super) fn run(&mut self, arena: &Arena<'_>) -> Result<()> {
        if self.trouble.is_some() {
            return Ok(());
        }
        let program = arena.program(&self.settings);
        self.command = arena.stage.short(&program.command());
        match arena.run(&program)? {
            Ok(usage) => self.note(&usage, arena.bench.options.count),
            Err(trouble) => self.trouble = Some(trouble),
        }
        Ok(())
    }

    fn note(&mut self, usage: &Usage, count: usize) {
        let count = count as f64;
        self.cpu_us.push(usage.cpu_s() * 1e6 / count);
        self.wall_s.push(usage.wall_s);
        self.rss_mib.push(usage.rss_peak_kib as f64 / 1024.0);
        self.sleeps.push(usage.switches_voluntary as f64 / count);
        self.runs.push(json!(usage));
    }

    /// Its row, against `base`.
    pub(super) fn row(&self, base: &Contestant) -> Row {
        let verdict = match &self.trouble {
            None => Fineness::Exact.praise().to_owned(),
            Some(trouble) => trouble.text(),
        };
        Row {
            values: vec![
                self.knob.as_str().into(),
                self.value.as_str().into(),
                self.cpu_us.clone().into(),
                self.cpu_us.over(&base.cpu_us).into(),
                self.wall_s.clone().into(),
                self.wall_s.over(&base.wall_s).into(),
                self.rss_mib.clone().into(),
                self.sleeps.clone().into(),
                verdict.into(),
            ],
            commands: vec![self.command.clone()],
            runs: self.runs.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trouble(script: &str, within: Duration) -> Option<Trouble> {
        let program = Program::new("sh", ["-c", script]).within(within);
        let running = program.start(Vec::new()).expect("started");
        Trouble::of(&running.wait().expect("ended"))
    }

    #[test]
    fn a_run_that_does_not_end_is_killed_and_said_to_hang() {
        let hung = trouble("exec sleep 600", Duration::from_millis(1));
        assert_eq!(hung, Some(Trouble::Hung));
        assert!(Trouble::Hung.is_defect());
    }

    #[test]
    fn what_the_host_declines_is_no_defect() {
        let long = Duration::from_secs(600);
        let refused = trouble("echo EINVAL >&2; exit 3", long).expect("refused");
        assert_eq!(refused, Trouble::Refused("EINVAL".into()));
        assert!(!refused.is_defect());
        let failed = trouble("echo why >&2; exit 2", long).expect("failed");
        assert!(
            failed.is_defect() && failed.text().ends_with("why"),
            "{failed:?}"
        );
        assert_eq!(trouble("exit 0", long), None);
    }
}
