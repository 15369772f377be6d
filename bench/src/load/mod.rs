//! Load for an HTTP server: as many requests as it answers, over kept connections, and how long
//! each answer took. From this process, or by `wrk` where that is installed.
//!
//! Each connection asks again when it has its answer: a server that stalls is asked less while it
//! does, so these latencies say what a client with so many connections sees, not what would be seen
//! at a given rate.

mod built_in;
pub mod nginx;
mod wrk;

use crate::harness::{Error, Result};
use hdrhistogram::Histogram;
use serde::Serialize;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// What is asked of whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Load {
    /// The server.
    pub address: SocketAddr,
    /// Path and query.
    pub path: String,
    /// Kept connections, each with one request at a time.
    pub connections: usize,
    /// For how long.
    pub length: Duration,
}

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Client {
    /// One thread of this process.
    BuiltIn,
    /// The program at this path, pinned to the CPU.
    Wrk {
        /// Where it is.
        path: PathBuf,
        /// The CPU that it runs on.
        cpu: usize,
    },
}

/// What came of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Outcome {
    /// Answers, all with status 200.
    pub answers: u64,
    /// From the first request to the last answer, in seconds.
    pub seconds: f64,
    /// Bytes of the answers, heads included.
    pub bytes: u64,
    /// How long they took.
    pub latency: Latency,
}

/// How long answers took, from the request's first byte to the answer's last, in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Latency {
    /// Half of them took no longer.
    pub p50: f64,
    /// 90 % of them.
    pub p90: f64,
    /// 99 % of them.
    pub p99: f64,
    /// 99.9 % of them.
    pub p99_9: f64,
    /// All of them.
    pub max: f64,
}

impl Client {
    /// The one word for it.
    pub const fn label(&self) -> &'static str {
        match self {
            Client::BuiltIn => "built-in",
            Client::Wrk { .. } => "wrk",
        }
    }
}

impl Load {
    /// Asks, and waits for the last answer.
    ///
    /// # Errors
    /// A server that is not there, an answer whose status is not 200, or none.
    pub fn run(&self, client: &Client) -> Result<Outcome> {
        let outcome = match client {
            Client::BuiltIn => built_in::run(self)?,
            Client::Wrk { path, cpu } => wrk::run(self, path, *cpu)?,
        };
        match outcome.answers {
            0 => Err(self.failed("no answer at all")),
            _ => Ok(outcome),
        }
    }

    fn failed(&self, what: impl Into<String>) -> Error {
        Error::Load {
            url: format!("http://{}{}", self.address, self.path),
            what: what.into(),
        }
    }
}

impl Outcome {
    /// Answers in a second.
    pub fn rate(&self) -> f64 {
        self.answers as f64 / self.seconds
    }
}

impl Latency {
    /// Of values in microseconds.
    fn of(histogram: &Histogram<u64>) -> Latency {
        let at = |percent| histogram.value_at_percentile(percent) as f64 / 1e3;
        Latency {
            p50: at(50.0),
            p90: at(90.0),
            p99: at(99.0),
            p99_9: at(99.9),
            max: histogram.max() as f64 / 1e3,
        }
    }
}

/// The program of this name in one of the folders of `PATH`.
pub fn on_path(name: &str) -> Option<PathBuf> {
    let folders = std::env::var_os("PATH")?;
    let mut found = std::env::split_paths(&folders).map(|folder| folder.join(name));
    found.find(|path| rustix::fs::access(path, rustix::fs::Access::EXEC_OK).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_in_milliseconds() {
        let mut histogram = Histogram::new(3).expect("a histogram");
        (1..=1000u64).for_each(|value| histogram.record(value * 1000).expect("recorded"));
        let latency = Latency::of(&histogram);
        for (found, expected) in [
            (latency.p50, 500.0),
            (latency.p90, 900.0),
            (latency.p99, 990.0),
            (latency.p99_9, 999.0),
            (latency.max, 1000.0),
        ] {
            // Three digits are kept.
            assert!(
                (found / expected - 1.0).abs() < 0.002,
                "{found} for {expected}"
            );
        }
    }

    #[test]
    fn a_program_is_found_on_the_path_or_not_at_all() {
        assert!(on_path("sh").is_some_and(|path| path.is_absolute()));
        assert_eq!(on_path("no-such-program-anywhere"), None);
    }
}
