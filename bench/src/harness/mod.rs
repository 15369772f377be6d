//! The harness: programs measured from outside, against a farm on a CPU of its own, and what came of
//! it as a table, JSON and plots.
//!
//! A scenario is a file of `commands/`. It asks [`bench::Bench`] for a farm (`stage.rs`) and for
//! programs (`program.rs`), runs them in rounds so that what is compared ran side by side, holds the
//! verdicts against the truth (`verdicts.rs`), and hands medians (`figures.rs`) to a report
//! (`report.rs`). Nothing of what is measured knows that it is.

pub mod bench;
pub mod options;

pub mod cpus;
pub mod machine;
pub mod steering;

pub mod gauge;
pub mod program;
pub mod stage;
pub mod thread;
pub mod usage;
pub mod verdicts;

pub mod casts;

pub mod answer;
pub mod asker;
pub mod served;
pub mod service;

pub mod figures;
pub mod plot;
pub mod report;
pub mod slope;

pub mod interrupt;
mod proc;

use std::io;
use std::path::{Path, PathBuf};

/// What the harness's own work ends with.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a measurement could not be made, or must not be believed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The system declined something.
    #[error("{what}: {error}")]
    System {
        /// What was asked of it.
        what: String,
        /// What it said.
        error: io::Error,
    },
    /// A program is not where it is expected.
    #[error("{0}: not there; build it with `cargo build --release --workspace`, or say --bin-dir")]
    NotBuilt(PathBuf),
    /// There are too few CPUs.
    #[error(
        "the figures need two CPUs, one for the farm and one for the program; this process may use {0}"
    )]
    TooFewCpus(usize),
    /// `--cpus` names one that is not there.
    #[error("--cpus: this process may not use CPU {0}")]
    NoSuchCpu(usize),
    /// The farm did not say that it is ready.
    #[error("the farm did not start: {0}")]
    NoFarm(String),
    /// A measured program failed.
    #[error("{command}\nended with {status}:\n{said}")]
    Failed {
        /// As one would type it.
        command: String,
        /// Its exit status or signal.
        status: String,
        /// The end of what it wrote to standard error.
        said: String,
    },
    /// Verdicts that are not the farm's truth.
    #[error("verdicts are not as the farm says:\n{0}")]
    NotTrue(String),
    /// A file of results or truth that cannot be read.
    #[error(transparent)]
    Lines(#[from] crate::truth::LinesError),
    /// A service that does not do what it should; the end of its log is told.
    #[error("the service: {what}\nThe end of its log:\n{said}")]
    Service {
        /// What is wrong.
        what: String,
        /// The end of what it wrote to standard error.
        said: String,
    },
    /// A load that was not served as it should be.
    #[error("{url}: {what}")]
    Load {
        /// What was asked for.
        url: String,
        /// What is wrong.
        what: String,
    },
    /// A plot that could not be drawn.
    #[error("plot: {0}")]
    Plot(String),
}

/// The same error with what was asked for before it.
pub(crate) fn system(what: impl Into<String>) -> impl FnOnce(io::Error) -> Error {
    let what = what.into();
    move |error| Error::System { what, error }
}

/// The same for an error about a file.
pub(crate) fn at(path: &Path) -> impl FnOnce(io::Error) -> Error {
    system(path.display().to_string())
}
