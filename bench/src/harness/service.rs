//! The service as a process of its own: `proxy-checker serve` over the list of a farm, and what it
//! says of itself.

use super::asker::{Answer, Asker};
use super::bench::Bench;
use super::program::Running;
use super::served::Expected;
use super::stage::Stage;
use super::usage::Usage;
use super::{Error, Result, at, system};
use rustix::process::Signal;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Pause between two looks at something that is waited for.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// How the service is set up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setup {
    /// Pause between two checks of an alive proxy, and between two fetches of the list, in seconds.
    pub interval_seconds: u64,
    /// Probes at once.
    pub lanes: u32,
    /// The deadline of a probe, in milliseconds.
    pub timeout_ms: u64,
    /// The part of it that the connect may take, in milliseconds.
    pub connect_timeout_ms: u64,
    /// Pause between two tries of the target without a proxy, in seconds.
    pub control_interval_seconds: u64,
    /// `sled` or `file`.
    pub store: String,
    /// Pause between two saves, in seconds.
    pub persist_seconds: u64,
}

impl Setup {
    fn config(&self, stage: &Stage, store: &Path, address: SocketAddr) -> Value {
        json!({
            "aggregator": {
                "interval_seconds": self.interval_seconds,
                "allow_private": true,
                "sources": [{"url": stage.list_url(), "type": "http", "enabled": true}],
            },
            "checker": {
                "test_url": stage.target(),
                "timeout_ms": self.timeout_ms,
                "connect_timeout_ms": self.connect_timeout_ms,
                "control_interval_seconds": self.control_interval_seconds,
                "concurrency_total": self.lanes,
                "shards": 1,
            },
            "api": {"addr": address.to_string()},
            "storage": {
                "type": self.store,
                "path": store,
                "persist_interval_seconds": self.persist_seconds,
            },
            "metrics": {"enabled": true},
            "logging": {"level": "info", "format": "text"},
        })
    }
}

/// What `/stat` says, as far as it is of interest.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct Stat {
    /// Candidates whose last verdict is alive.
    pub total_alive: u64,
    /// Candidates with another last verdict.
    pub total_dead: u64,
    /// Candidates.
    pub total_scraped: u64,
    /// Candidates by last verdict.
    pub verdicts: BTreeMap<String, u64>,
    /// The sweep.
    pub sweep: SweepStat,
}

/// The sweep in `/stat`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct SweepStat {
    /// The number of the reload that began it.
    pub id: u64,
    /// Candidates that belong to it.
    pub total: u64,
    /// When it was complete, if it is.
    pub finished: Option<String>,
}

/// A running service. Dropped, it is killed.
#[derive(Debug)]
pub struct Service {
    running: Running,
    address: SocketAddr,
    asker: Asker,
    command: String,
}

impl Service {
    /// Starts it on the program's first CPU, over the list of `stage`. What it knows is kept under
    /// the name `kept` in the scratch folder: the same name finds what an earlier one left.
    ///
    /// # Errors
    /// A program that is not built, a folder that cannot be written, no free port.
    pub fn start(bench: &Bench, stage: &Stage, setup: &Setup, kept: &str) -> Result<Service> {
        let address = free_port()?;
        let config = setup.config(stage, &stage.path(kept), address);
        let path = stage.path(&format!("{kept}.json"));
        std::fs::write(&path, format!("{config:#}\n")).map_err(at(&path))?;
        let arguments = ["serve".into(), "--config".into(), path];
        let program = bench.checker(arguments.map(PathBuf::into_os_string))?;
        Ok(Service {
            command: stage.short(&program.command()),
            running: program.start(Vec::new())?,
            address,
            asker: Asker::new(address),
        })
    }

    /// The process.
    pub fn process(&self) -> &Running {
        &self.running
    }

    /// Where its API listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its command, with `$DIR` for the scratch folder.
    pub fn command(&self) -> &str {
        &self.command
    }

    /// Since its start, in seconds.
    pub fn age_s(&self) -> f64 {
        self.running.started().elapsed().as_secs_f64()
    }

    /// Asks it; `None` while nobody answers.
    ///
    /// # Errors
    /// It has ended.
    pub fn try_get(&mut self, path: &str) -> Result<Option<Answer>> {
        match self.asker.get(path) {
            Ok(answer) => Ok(Some(answer)),
            Err(_) if self.running.now().is_some() => Ok(None),
            Err(error) => Err(self.fault(&format!("it has ended ({path}: {error})"))),
        }
    }

    /// Asks it for what it must have.
    ///
    /// # Errors
    /// No answer, or another status than 200.
    pub fn get(&mut self, path: &str) -> Result<Vec<u8>> {
        let answer = self.asker.get(path);
        let answer = answer.map_err(|error| self.fault(&format!("{path}: {error}")))?;
        match answer.status {
            200 => Ok(answer.body),
            status => Err(self.fault(&format!("{path}: {status} {}", answer.text()))),
        }
    }

    /// What `/stat` says.
    ///
    /// # Errors
    /// As [`Service::get`], and what is no such answer.
    pub fn stat(&mut self) -> Result<Stat> {
        let body = self.get("/stat")?;
        serde_json::from_slice(&body).map_err(|error| self.fault(&format!("/stat: {error}")))
    }

    /// Has it begin a new sweep, and returns the number of that.
    ///
    /// # Errors
    /// As [`Service::get`].
    pub fn reload(&mut self) -> Result<u64> {
        #[derive(Deserialize)]
        struct Said {
            reload_id: u64,
        }
        let answer = self.asker.post("/reload");
        let answer = answer.map_err(|error| self.fault(&format!("/reload: {error}")))?;
        let said: Option<Said> = serde_json::from_slice(&answer.body).ok();
        let said = said.filter(|_| answer.status == 200);
        let said = said.ok_or_else(|| self.fault(&format!("/reload: {}", answer.text())))?;
        Ok(said.reload_id)
    }

    /// Waits until everything was checked since the reload `id`.
    ///
    /// # Errors
    /// As [`Service::get`], and if it takes longer than `within`.
    pub fn swept(&mut self, id: u64, within: Duration) -> Result<Stat> {
        let mut stat = Stat::default();
        self.wait(&format!("the end of sweep {id}"), within, |service| {
            stat = match service.try_get("/ready")? {
                Some(answer) if answer.status == 200 => service.stat()?,
                _ => return Ok(false),
            };
            let sweep = &stat.sweep;
            Ok(sweep.id >= id && sweep.total > 0 && sweep.finished.is_some())
        })?;
        Ok(stat)
    }

    /// Looks again and again until something is so.
    ///
    /// # Errors
    /// Those of `look`, and if it takes longer than `within`.
    pub fn wait(
        &mut self,
        what: &str,
        within: Duration,
        mut look: impl FnMut(&mut Service) -> Result<bool>,
    ) -> Result<()> {
        let started = Instant::now();
        while !look(self)? {
            if started.elapsed() > within {
                let error = format!("{what}: not within {} s", within.as_secs());
                return Err(self.fault(&error));
            }
            std::thread::sleep(LOOK_EVERY);
        }
        Ok(())
    }

    /// Holds what it serves and what it says of the others against the truth.
    ///
    /// # Errors
    /// [`Error::NotTrue`] if they differ; as [`Service::get`].
    pub fn hold(&mut self, expected: &Expected, stat: &Stat) -> Result<()> {
        // Nothing alive is 503 and no fault of the service.
        let served = match self.try_get("/get-proxy?all=1")? {
            Some(answer) if answer.status == 200 => answer.text(),
            _ => String::new(),
        };
        expected.hold(served.lines())?;
        expected.hold_counts(&stat.verdicts)
    }

    /// Ends it in order; what it used.
    ///
    /// # Errors
    /// Another end than a good one.
    pub fn stop(self) -> Result<Usage> {
        self.running.signal(Signal::TERM)?;
        self.running.finish()
    }

    /// An error with the end of its log.
    pub fn fault(&self, what: &str) -> Error {
        Error::Service {
            what: what.to_owned(),
            said: self.running.said().unwrap_or_default(),
        }
    }
}

/// A port of loopback that was free a moment ago.
pub fn free_port() -> Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0");
    let address = listener.and_then(|listener| listener.local_addr());
    address.map_err(system("a free port"))
}
