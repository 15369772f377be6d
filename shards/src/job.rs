//! What goes into a shard and what comes back: jobs in, records and reports out.

use crate::judge::Exit;
use crate::tally::Tally;
use crate::target::Learnt;
use crate::works::{Protocols, Works};
use crate::{Credentials, Protocol, Verdict};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

/// One candidate to be probed: each of its protocols against each target, one probe after the other.
/// Names are resolved before: only addresses cross into a shard.
#[derive(Clone, Debug)]
pub struct Job {
    /// The submitter's own number for it, given back in the record.
    pub id: u64,
    /// Which protocols are tried, never none; the usual one of the port first.
    pub protocols: Protocols,
    /// Where it is dialled.
    pub address: SocketAddr,
    /// What it asks for, if anything.
    pub credentials: Option<Arc<Credentials>>,
}

/// A target to be reached without a proxy. It does not wait behind jobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ControlJob {
    /// The submitter's own number for it, given back in the record.
    pub id: u64,
    /// Its place in the policy that is in force when the probe starts.
    pub target: usize,
    /// Where it is dialled.
    pub address: SocketAddr,
}

/// How long each part of a probe took, in microseconds; 0: it was not reached or is not part of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timing {
    /// From the first SYN to the end.
    pub total_us: u32,
    /// TCP connect to the proxy.
    pub connect_us: u32,
    /// The proxy's own protocol, and TLS to the proxy itself.
    pub handshake_us: u32,
    /// TLS to the target.
    pub tls_us: u32,
    /// From the request to the first byte of the target's answer.
    pub first_byte_us: u32,
}

/// How one probe ended, and what it found out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// In one word.
    pub verdict: Verdict,
    /// How long its parts took.
    pub timing: Timing,
    /// What a judge saw.
    pub exit: Option<Exit>,
    /// What the target said, of a probe without a proxy.
    pub learnt: Option<Box<Learnt>>,
    /// Whether it was status 400 that ended it.
    pub bad_request: bool,
}

impl Ended {
    /// Nothing is known but how it ended.
    pub fn unprobed(verdict: Verdict) -> Ended {
        Ended {
            verdict,
            timing: Timing::default(),
            exit: None,
            learnt: None,
            bad_request: false,
        }
    }
}

/// How one job ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    /// [`Job::id`].
    pub id: u64,
    /// `Alive` if a protocol reached as many targets as are required; else what says most about
    /// the failure.
    pub verdict: Verdict,
    /// Probes made, at least 1 unless the job was cancelled before its first; 255 stands for more.
    pub attempts: u8,
    /// The targets that were reached by each protocol, whether that was enough or not.
    pub works: Works,
    /// The first protocol, in the order of trying, that reached enough targets.
    pub first: Option<Protocol>,
    /// Of the first probe of that protocol that reached its target; of the last probe if there is
    /// none.
    pub timing: Timing,
    /// What a judge saw, if one was reached: by that protocol, else by another one.
    pub exit: Option<Exit>,
    /// The protocols that trouble of this host left untried: that they reached nothing means nothing.
    pub untried: Protocols,
}

impl Record {
    /// The record of a job that was never probed.
    pub fn unprobed(id: u64, verdict: Verdict) -> Record {
        Record {
            id,
            verdict,
            attempts: 0,
            works: Works::default(),
            first: None,
            timing: Timing::default(),
            exit: None,
            untried: Protocols::NONE,
        }
    }
}

/// How one probe without a proxy ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ControlRecord {
    /// [`ControlJob::id`].
    pub id: u64,
    /// [`ControlJob::target`].
    pub target: usize,
    /// `Alive`: the target answered as it should.
    pub verdict: Verdict,
    /// How long that took.
    pub timing: Timing,
    /// What it said, if it answered at all.
    pub learnt: Option<Learnt>,
    /// Our own address as a judge saw it.
    pub own: Option<IpAddr>,
}

/// What a shard sends to the coordinator about every 100 ms or 1 024 records, and at once when a
/// probe without a proxy has ended.
#[derive(Clone, Debug)]
pub struct Report {
    /// Which shard.
    pub shard: usize,
    /// Jobs that ended since the last report, each exactly once.
    pub records: Vec<Record>,
    /// Probes without a proxy that ended since the last report, each exactly once.
    pub controls: Vec<ControlRecord>,
    /// Probes of proxies since the last report.
    pub tally: Tally,
    /// Probes of proxies under way now.
    pub in_flight: usize,
    /// Jobs that wait for a lane, for their first probe or for another.
    pub queued: usize,
    /// How late the shard came to its own tick at worst since the last report, in microseconds.
    pub lag_us: u32,
    /// Times that this shard was restarted after a panic, since the start.
    pub restarts: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_at_most_64_bytes() {
        assert!(size_of::<Record>() <= 64, "{}", size_of::<Record>());
    }
}
