//! What a scenario works with: CPUs, programs, farms and the report, as the options have them.

use super::cpus::{Cpus, Pinned};
use super::machine::Machine;
use super::options::Common;
use super::program::Program;
use super::report::{Column, Report};
use super::stage::{Cast, Stage};
use super::{Error, Result, interrupt, system};
use crate::limits::raise_descriptors;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The bench on which a scenario measures. While it lives, this thread and those it starts are on
/// the farm's CPU.
#[derive(Debug)]
pub struct Bench {
    /// The options that every scenario has.
    pub options: Common,
    /// Who runs where.
    pub cpus: Cpus,
    /// The machine before the first run.
    pub machine: Machine,
    own: PathBuf,
    folder: PathBuf,
    _pinned: Pinned,
}

impl Bench {
    /// Looks at the machine, and has SIGINT and SIGTERM undo what the harness does to it.
    ///
    /// # Errors
    /// Less than two CPUs, or the system's refusals.
    pub fn new(options: &Common) -> Result<Bench> {
        let own = std::env::current_exe().map_err(system("this program's own path"))?;
        Bench::with(options, own)
    }

    /// The same with the path of `proxy-bench`, for tests, which are another program.
    ///
    /// # Errors
    /// As [`Bench::new`].
    pub fn with(options: &Common, own: PathBuf) -> Result<Bench> {
        interrupt::watch().map_err(system("signals"))?;
        raise_descriptors().map_err(system("RLIMIT_NOFILE"))?;
        let cpus = Cpus::of_this_host(options.cpus.as_ref())?;
        let machine = Machine::now(&cpus);
        let beside = || own.parent().map_or_else(PathBuf::new, Path::to_owned);
        Ok(Bench {
            folder: options.bin_dir.clone().unwrap_or_else(beside),
            options: options.clone(),
            machine,
            own,
            _pinned: Pinned::to(&[cpus.farm])?,
            cpus,
        })
    }

    /// A farm on its CPU.
    ///
    /// # Errors
    /// As [`Stage::set`].
    pub fn stage(&self, cast: &Cast) -> Result<Stage> {
        Stage::set(&self.own, cast, self.cpus.farm)
    }

    /// The same with `more` arguments of `proxy-bench farm`.
    ///
    /// # Errors
    /// As [`Stage::set`].
    pub fn stage_with(&self, cast: &Cast, more: &[&str]) -> Result<Stage> {
        Stage::set_with(&self.own, cast, more, self.cpus.farm)
    }

    /// `proxy-checker` on the program's first CPU.
    ///
    /// # Errors
    /// It is not built.
    pub fn checker(
        &self,
        arguments: impl IntoIterator<Item = impl Into<OsString>>,
    ) -> Result<Program> {
        let path = built(&self.folder, "proxy-checker")?;
        Ok(Program::new(path, arguments).on(&self.cpus.for_threads(1)))
    }

    /// `proxy-checker check` of the whole list of `stage`, a row for each proxy, on as many CPUs as it
    /// has shards.
    ///
    /// # Errors
    /// It is not built.
    pub fn check(&self, stage: &Stage, size: Check) -> Result<Program> {
        let ms = |time: Duration| format!("{}ms", time.as_millis());
        let program = self
            .checker(["check", "--allow-private", "--all", "--format", "jsonl"])?
            .with(["--test-url", stage.target()])
            .with(["--shards".into(), size.shards.to_string()])
            .with(["--concurrency".into(), size.lanes.to_string()])
            .with(["--timeout".into(), ms(size.timeout)])
            .with(["--connect-timeout".into(), ms(size.connect_timeout)])
            .with([stage.list()]);
        Ok(program.on(&self.cpus.for_threads(size.shards as usize)))
    }

    /// Another subcommand of this program on the program's first CPU.
    pub fn own(&self, arguments: impl IntoIterator<Item = impl Into<OsString>>) -> Program {
        Program::new(&self.own, arguments).on(&self.cpus.for_threads(1))
    }

    /// A report, whose table begins on standard output; it has the scenario's name unless the options
    /// give another.
    ///
    /// # Errors
    /// Those of standard output.
    pub fn report(&self, scenario: &str, columns: Vec<Column>) -> Result<Report> {
        let name = self.options.name.as_deref().unwrap_or(scenario);
        Report::begin(name, columns, &self.options.out, &self.machine)
    }
}

/// How a list is checked.
#[derive(Clone, Copy, Debug)]
pub struct Check {
    /// Probes at once.
    pub lanes: u32,
    /// Shards that share them.
    pub shards: u32,
    /// Longest time of a connect.
    pub connect_timeout: Duration,
    /// Longest time of a probe.
    pub timeout: Duration,
}

/// The path of a program in a folder of built ones.
fn built(folder: &Path, name: &str) -> Result<PathBuf> {
    let path = folder.join(name);
    match path.is_file() {
        true => Ok(path),
        false => Err(Error::NotBuilt(path)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_is_not_built_is_named() {
        let error = built(Path::new("/nowhere"), "proxy-checker").expect_err("nothing there");
        let text = error.to_string();
        assert!(
            text.starts_with("/nowhere/proxy-checker: not there"),
            "{text}"
        );
    }
}
