//! The references: minimal checkers, each as fast as its kind can be, that the real one is held
//! against. One thread, HTTP proxies only, one absolute-form GET, a status that must be 204. They
//! share no code with the engine.

mod answer;
mod deadlines;
mod work;

mod epoll;
mod raw;
mod tokio;

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use work::Work;

/// A kind of reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, clap::ValueEnum)]
pub enum Kind {
    /// io_uring without an executor.
    Raw,
    /// tokio on one thread, a task a probe.
    Tokio,
    /// Edge-triggered epoll over plain sockets.
    Epoll,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Kind; 3] = [Kind::Raw, Kind::Tokio, Kind::Epoll];

    /// The one word for it on the command line and in tables.
    pub const fn label(self) -> &'static str {
        match self {
            Kind::Raw => "raw",
            Kind::Tokio => "tokio",
            Kind::Epoll => "epoll",
        }
    }
}

/// How a reference probes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// Probes at once.
    pub lanes: u32,
    /// For one probe, all in all.
    pub timeout: Duration,
    /// The part of it that connecting may take.
    pub connect_timeout: Duration,
}

/// Checks the list at `list` and writes a JSON line for each proxy, `{"proxy":…,"verdict":…}`, to
/// `out`.
///
/// # Errors
/// Files that cannot be read or written, a line of the list that is no `http://` proxy with an IPv4
/// address, or no descriptors or memory for so many lanes.
pub fn run(kind: Kind, list: &Path, target: &str, pace: Pace, out: &Path) -> io::Result<()> {
    let text = std::fs::read_to_string(list)?;
    let work = Arc::new(Work::new(text, target)?);
    let ends = match kind {
        Kind::Raw => raw::check(&work, pace)?,
        Kind::Tokio => tokio::check(&work, pace)?,
        Kind::Epoll => epoll::check(&work, pace)?,
    };
    work.write(&ends, std::fs::File::create(out)?)
}

#[cfg(test)]
mod tests;
