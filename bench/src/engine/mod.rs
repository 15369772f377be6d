//! The engine alone: a list in by batches, reports out, a row for each proxy at the end. What a
//! program has around it – sources, names, control probes, ledger – is not here.
//!
//! It runs in a process of its own (`proxy-bench engine`), which the harness measures from outside.
//! This folder and `tune/` are all that knows the engine; no farm and no reference does.

mod feed;
mod rows;
mod threads;

pub use feed::Deal;
pub use threads::{ShardUse, Stat};

use crate::tune::settings::Settings;
use feed::Feed;
use proxy_shards::policy::{PolicyError, PolicyOptions};
use proxy_shards::{
    Candidate, Engine, EngineOptions, Job, ProbePolicy, Record, Report, StartError,
};
use std::io::{self, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use threads::Threads;

/// What is probed, and how.
#[derive(Clone, Debug)]
pub struct Work<'a> {
    /// Proxies, one a line, each with its scheme and an address that is no name.
    pub list: &'a str,
    /// What is fetched through them; an `http` URL that ends in `generate_204`.
    pub target: &'a str,
    /// The one deadline of a probe.
    pub timeout: Duration,
    /// The part of it that the TCP connect may take.
    pub connect_timeout: Duration,
    /// Which shard gets which proxy.
    pub deal: Deal,
    /// Lanes, shards, and every knob.
    pub settings: Settings,
}

/// Why the engine could not do its work.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// This host does not allow these settings.
    #[error("{0}")]
    Refused(String),
    /// A line that is no proxy with an address.
    #[error("line {line}: {text:?} is no proxy with a scheme and an address")]
    Line {
        /// Its number, from 1.
        line: usize,
        /// What stands there.
        text: String,
    },
    /// The target or a deadline.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// The shards ended before their work did.
    #[error("the shards ended before their work did, which is a bug")]
    Lost,
    /// Rows or figures that could not be written or read.
    #[error(transparent)]
    System(#[from] io::Error),
}

impl From<StartError> for EngineError {
    fn from(error: StartError) -> EngineError {
        EngineError::Refused(error.to_string())
    }
}

/// Probes every proxy of the list and writes a row for each to `out`.
///
/// # Errors
/// [`EngineError`]: settings that this host declines, a list that is none, a write.
pub fn run(work: &Work<'_>, out: &mut impl Write) -> Result<Stat, EngineError> {
    let lines: Vec<&str> = work.list.lines().collect();
    let jobs = (0..).zip(&lines).map(|(index, line)| job(index, line));
    let jobs: Vec<Job> = jobs.collect::<Result<_, _>>()?;
    let policy = ProbePolicy::new(PolicyOptions {
        targets: vec![work.target.into()],
        timeout: work.timeout,
        connect_timeout: work.connect_timeout,
        ..PolicyOptions::default()
    })?;
    let engine = start(&work.settings, Arc::new(policy))?;
    let before = Threads::now()?;
    let (records, probes) = probe_all(&engine, jobs, work)?;
    let stat = Threads::now()?.since(&before, &probes);
    drop(engine);
    rows::write(out, &lines, &records)?;
    Ok(stat)
}

/// Starts the shards with all the lanes that are asked for.
fn start(settings: &Settings, policy: Arc<ProbePolicy>) -> Result<Engine, EngineError> {
    let options = EngineOptions {
        shards: Some(settings.shards),
        lanes: settings.lanes,
        tuning: settings.tuning,
    };
    let engine = Engine::start(options, policy)?;
    let (granted, asked) = (engine.lanes_per_shard() * engine.shards(), settings.lanes);
    match granted < asked.get() {
        true => Err(EngineError::Refused(format!(
            "{granted} lanes instead of {asked}: a ring has at most RLIMIT_NOFILE slots, and 8 of them are no lanes"
        ))),
        false => Ok(engine),
    }
}

/// Every job through the engine: their records in the order of the list, and the probes of each
/// shard.
fn probe_all(
    engine: &Engine,
    jobs: Vec<Job>,
    work: &Work<'_>,
) -> Result<(Vec<Option<Record>>, Vec<u64>), EngineError> {
    let mut records = vec![None; jobs.len()];
    let mut probes = vec![0; engine.shards()];
    let mut missing = jobs.len();
    let mut feed = Feed::new(engine, jobs, work.deal, work.settings.batch);
    feed.top_up(engine);
    while missing > 0 {
        let Ok(Report {
            shard,
            records: ended,
            ..
        }) = engine.reports().recv()
        else {
            return Err(EngineError::Lost);
        };
        missing = missing.saturating_sub(ended.len());
        feed.ended(shard, ended.len());
        feed.top_up(engine);
        for record in ended {
            probes[shard] += u64::from(record.attempts);
            records[record.id as usize] = Some(record);
        }
    }
    Ok((records, probes))
}

fn job(index: u64, line: &str) -> Result<Job, EngineError> {
    let wrong = || EngineError::Line {
        line: index as usize + 1,
        text: line.to_owned(),
    };
    let candidate: Candidate = line.parse().map_err(|_| wrong())?;
    let ip = candidate.host.ip().ok_or_else(wrong)?;
    Ok(Job {
        id: index,
        protocols: candidate.scheme.protocols(),
        address: SocketAddr::new(ip, candidate.port),
        credentials: candidate.credentials,
    })
}

#[cfg(test)]
mod tests;
