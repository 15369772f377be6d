//! What goes into a shard and what comes back: jobs in, records and reports out.

use crate::tally::Tally;
use crate::{Credentials, Protocol, Verdict};
use std::net::SocketAddr;
use std::sync::Arc;

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

/// How one probe ended and how long it took, in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ended {
    pub(crate) verdict: Verdict,
    pub(crate) total_us: u32,
    /// 0 if the connection never stood.
    pub(crate) connect_us: u32,
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
    /// Microseconds that the last attempt took, from its SYN to its end.
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
