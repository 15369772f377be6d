//! Several machines as one: jobs, reports and the log of the ledger carried over a Redis.
//!
//! One node leads: it fetches the sources, keeps the ledger and the schedule, hands out jobs and
//! judges what comes back, by the same coordinator as a single node. Every node's worker takes jobs,
//! as many as it has free lanes, and vouches for its own verdicts by its own probes of the targets
//! without a proxy. Whatever the leader judged and published it logs; the others follow that log, so
//! they serve what it serves, and know what it knows when one of them has to lead.
//!
//! What is said over the bus stands here; how it is carried is the bus' own affair.

pub mod bus;
pub mod worker;

mod keys;
mod scripts;
mod wire;

mod checkpoint;
mod jobs;
mod lease;
mod log;
mod nodes;
mod reports;

mod figures;
mod stat;

mod follower;
mod node;
mod run;

#[cfg(test)]
mod fake;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;

pub use bus::Bus;
pub use figures::FiguresError;
pub use node::{Deed, Node, NodeStart};
pub use run::{Configure, Link, Outside, run};
pub use stat::ClusterStat;
pub use wire::line::Form;

use crate::ledger::{Entry, Experience};
use crate::snapshot::Stat;
use crate::store::Image;
use proxy_shards::{Candidate, ControlJob, Host, Job, Report};
use std::sync::Arc;

/// What the bus tells the coordinator of this node, in this order and no other.
#[derive(Debug)]
pub enum News {
    /// The ledger as the last checkpoint has it; [`Image::default`] if there is none. Sent first, again
    /// whenever the log has a gap, and after this node led, since it may have judged what was never
    /// logged: then all that was known is replaced. [`News::Log`] goes on from there.
    Checkpoint(Box<Image>),
    /// What the leader logged, whoever it is: also what this node logged itself before it was deposed.
    Log(Vec<Logged>),
    /// This node leads from now on, and all that was logged before has been delivered.
    Leads {
        /// Larger than that of every leader before; what is written under a smaller one is refused.
        token: u64,
    },
    /// It does not lead, or does not any more: nothing that it hands out, logs or saves arrives.
    Follows {
        /// The name of the node that leads; `None`: none does, or that is not known.
        leader: Option<Box<str>>,
    },
    /// Jobs ended, on whatever node; only told to the leader. [`Report::shard`] is always 0, and
    /// [`Report::in_flight`] and the like are those of all nodes together.
    Report(Box<Report>),
    /// The nodes, whenever one of them changed, at most once a second.
    Nodes(Vec<NodeStat>),
    /// Redis does not answer, for this reason, or (`None`) answers again.
    Link(Option<Box<str>>),
    /// Someone asked for a reload on another node; only told to the leader.
    Reload,
    /// A client of another node said how a proxy served it; only told to the leader.
    Heard(Word),
}

/// What the coordinator of this node wants carried. What only the leader may say is dropped, and
/// counted, if this node does not lead any more; while it leads all of it is carried, in this order, so
/// that the log has no hole: if that cannot be, it leads no longer.
#[derive(Debug)]
pub enum Order {
    /// To be probed by whoever has free lanes. Leader only.
    Jobs(Vec<Job>),
    /// To be reached without a proxy by this node's own worker; comes back in a [`News::Report`].
    Control(ControlJob),
    /// Appended to the log as a whole. Leader only.
    Log(Vec<Logged>),
    /// Replaces the checkpoint; it holds all that was logged before it. Leader only. Answered by
    /// [`News`] never; how it ended is told to `kept`.
    Checkpoint(Box<Image>),
    /// The leader is to reload.
    Reload,
    /// The leader is to hear this.
    Heard(Word),
}

/// One line of the log.
#[derive(Clone, Debug)]
pub enum Logged {
    /// What is known of a candidate, after a verdict.
    Judged {
        /// All that a store keeps of it.
        entry: Box<Entry>,
        /// The first source that lists it, by its place in [`Stat::sources`].
        source: Option<u16>,
    },
    /// A candidate is on no list any more, and forgotten.
    Forgotten(Candidate),
    /// The leader published a snapshot of all that was logged before.
    Published(Arc<Publication>),
}

/// What readers are to see, but for the pool, which follows from the ledger.
#[derive(Clone, Debug)]
pub struct Publication {
    /// The generation of the snapshot: the same on all nodes.
    pub generation: u64,
    /// When the leader published it, in milliseconds since the Unix epoch.
    pub at_ms: u64,
    /// The figures.
    pub stat: Arc<Stat>,
    /// Whether the pool is the last good one, held: then that which was published before stays.
    pub stale: bool,
}

/// What a client said of a proxy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    /// Where the proxy is.
    pub host: Host,
    /// Its port.
    pub port: u16,
    /// The name of the target that it was used for.
    pub target: Option<Box<str>>,
    /// What the client met with.
    pub experience: Experience,
    /// Tells the client from others, on all nodes alike.
    pub client: u64,
}

/// One node, as all see it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeStat {
    /// Its name.
    pub name: Box<str>,
    /// Whether it leads.
    pub leads: bool,
    /// Lanes of all its shards.
    pub lanes: u64,
    /// Probes under way.
    pub in_flight: u64,
    /// Jobs that it has taken and not finished.
    pub taken: u64,
    /// Milliseconds since it was last heard.
    pub silent_ms: u64,
    /// Log entries that it has not followed yet.
    pub lag: u64,
    /// Why it takes no jobs, if it does not: its targets do not answer, or its configuration probes
    /// otherwise than the leader's.
    pub idle_because: Option<Box<str>>,
    /// Its version.
    pub version: Box<str>,
}
