//! Starts and pins the shards once; submits jobs, collects reports, shuts down, and supervises a
//! shard that panicked.

use crate::policy::ProbePolicy;
use crate::tally::Tally;
use crate::{Credentials, Protocol, Verdict};
use crossbeam_channel::Receiver;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

/// One candidate to be probed. Names are resolved before: only addresses cross into a shard.
#[derive(Clone, Debug)]
pub struct Job {
    /// The submitter's own number for it, given back in the record.
    pub id: u64,
    /// What the proxy speaks.
    pub protocol: Protocol,
    /// Where it is dialled.
    pub address: SocketAddr,
    /// What it asks for, if anything.
    pub credentials: Option<Arc<Credentials>>,
}

/// How one job ended, in 24 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    /// [`Job::id`].
    pub id: u64,
    /// The verdict of the last attempt.
    pub verdict: Verdict,
    /// Attempts made, at least 1 unless the job was cancelled before its first.
    pub attempts: u8,
    /// Microseconds from the first SYN to the end of the last attempt.
    pub total_us: u32,
    /// Microseconds that its TCP connect took; 0 if it never stood.
    pub connect_us: u32,
}

/// What a shard sends to the coordinator about every 100 ms or 1 024 records.
#[derive(Clone, Debug)]
pub struct Report {
    /// Which shard.
    pub shard: usize,
    /// Jobs that ended since the last report, each exactly once.
    pub records: Vec<Record>,
    /// Attempts since the last report, retries included.
    pub tally: Tally,
    /// Probes under way now.
    pub in_flight: usize,
    /// Jobs that wait for a lane.
    pub queued: usize,
    /// Times that this shard was restarted after a panic, since the start.
    pub restarts: u64,
}

/// What to start.
#[derive(Clone, Debug)]
pub struct EngineOptions {
    /// Number of shards; one per CPU that this process may use if absent.
    pub shards: Option<NonZeroUsize>,
    /// Lanes of all shards together: the number of probes at once.
    pub lanes: NonZeroUsize,
}

/// The running shards.
#[derive(Debug)]
pub struct Engine {}

/// Why the engine could not start; the text says what to raise.
#[derive(Debug, thiserror::Error)]
pub enum StartError {}

impl Engine {
    /// Starts and pins the shards. Blocks until each has its ring.
    pub fn start(_options: EngineOptions, _policy: Arc<ProbePolicy>) -> Result<Engine, StartError> {
        todo!()
    }
    /// Number of shards.
    pub fn shards(&self) -> usize {
        todo!()
    }
    /// Lanes of one shard, after clamping to what the kernel grants its ring.
    pub fn lanes_per_shard(&self) -> usize {
        todo!()
    }
    /// The shard that probes `address`, always the same one.
    pub fn shard_of(&self, _address: SocketAddr) -> usize {
        todo!()
    }
    /// Hands jobs to a shard. Never blocks; each job comes back in exactly one record.
    pub fn submit(&self, _shard: usize, _jobs: Vec<Job>) {
        todo!()
    }
    /// Where the reports arrive.
    pub fn reports(&self) -> &Receiver<Report> {
        todo!()
    }
    /// Replaces the policy: probes under way keep the one they started with.
    pub fn set_policy(&self, _policy: Arc<ProbePolicy>) {
        todo!()
    }
    /// Grows or shrinks the lanes of all shards together, within what the kernel grants.
    pub fn set_lanes(&self, _lanes: NonZeroUsize) {
        todo!()
    }
    /// Stops: queued jobs come back as `local_cancelled` at once, probes under way after `grace`.
    /// Returns when every shard has ended; the last reports are in the channel then.
    pub fn stop(self, _grace: Duration) -> Receiver<Report> {
        todo!()
    }
}
