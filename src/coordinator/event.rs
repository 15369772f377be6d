//! What the coordinator is told, and what it then wants done.

use crate::cluster::Logged;
use crate::config::Config;
use crate::ledger::{Experience, Facts};
use crate::snapshot::{Pool, Stat};
use crate::sources::fetch::Fetched;
use crate::store::{Image, Merged};
use proxy_shards::{Beat, ControlJob, Host, Job, ProbePolicy, Report};
use std::net::IpAddr;
use std::num::{NonZeroU32, NonZeroUsize};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::sync::oneshot;

/// One moment, on the two clocks that matter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    /// Milliseconds of a clock that never goes back.
    pub clock_ms: u64,
    /// Milliseconds since the Unix epoch, as the host believes.
    pub unix_ms: u64,
}

impl Now {
    /// The same moment as the standard library has it.
    pub fn system(self) -> SystemTime {
        unix(self.unix_ms)
    }
}

/// Milliseconds since the Unix epoch as the standard library has them.
pub(super) fn unix(ms: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_millis(ms)
}

/// Everything the coordinator can be told. Closed: there is no other way to reach the ledger.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "nearly all are reports, which a box would only make dearer"
)]
pub enum Event {
    /// Jobs ended.
    Report(Report),
    /// A reload begins: this configuration is in force, and everything is due.
    Configure {
        /// Number of the reload, and of its sweep.
        reload: u64,
        /// Validated.
        config: Arc<Config>,
    },
    /// A source was fetched, or failed.
    Source {
        /// The reload whose configuration numbers the sources.
        reload: u64,
        /// Which source of it.
        source: usize,
        /// What came of it; the text of a failure is fit to be shown.
        outcome: Result<Fetched, Box<str>>,
    },
    /// A host name was looked up.
    Resolved {
        /// [`Lookup::purpose`].
        purpose: Purpose,
        /// An address for that purpose, if the name has one.
        ip: Option<IpAddr>,
    },
    /// Someone wants to know what the ledger has about a proxy.
    Asked(Question),
    /// A client says how a proxy served it.
    Heard(Hearsay),
    /// Someone wants all that is known by now saved, and to be told how that ended.
    Save(oneshot::Sender<SaveOutcome>),
    /// A save ended.
    Saved(SaveOutcome),
    /// The checkpoint that other nodes read has ended so, where this one leads a cluster.
    Checkpointed(SaveOutcome),
    /// Someone wants a copy of all that is known.
    Export(oneshot::Sender<Image>),
    /// Someone has an image to be taken in.
    Import(Import),
    /// The process used so much of the CPUs that it may use, in percent, since it was last measured.
    Used {
        /// All threads together.
        cpu_percent: u32,
    },
    /// Someone wants to know whether the coordinator lives.
    Beat(Beat),
    /// Time has passed.
    Tick,
    /// No more jobs are to be handed out.
    Stop,
}

/// What the ledger has about the candidates of one address.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// How many there are.
    pub total: usize,
    /// What is known of them, at most [`ANSWERS_MAX`](crate::ledger::ANSWERS_MAX).
    pub facts: Vec<Facts>,
}

/// What the ledger has about a proxy. The answer is empty if it knows none of that address.
#[derive(Debug)]
pub struct Question {
    /// Where the proxy is.
    pub host: Host,
    /// Its port.
    pub port: u16,
    /// Where the answer goes.
    pub reply: oneshot::Sender<Known>,
}

/// What a client says of a proxy that it used.
#[derive(Debug)]
pub struct Hearsay {
    /// Where the proxy is.
    pub host: Host,
    /// Its port.
    pub port: u16,
    /// The name of the target that it was used for, if that is one of ours.
    pub target: Option<Box<str>>,
    /// What the client met with.
    pub experience: Experience,
    /// Tells the client from others.
    pub client: u64,
    /// Whether any candidate has that address.
    pub reply: oneshot::Sender<bool>,
}

/// What was exported elsewhere or before, to be taken in: unknown candidates are added, of known ones
/// the newer check wins.
#[derive(Debug)]
pub struct Import {
    /// All of it.
    pub image: Image,
    /// What came of it, once all is taken in.
    pub reply: oneshot::Sender<Merged>,
}

/// How a save ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SaveOutcome {
    /// It is on disk.
    Saved,
    /// It is not; the next one tries again.
    Failed,
}

/// A host name whose address is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lookup {
    /// What for; given back in [`Event::Resolved`].
    pub purpose: Purpose,
    /// The name.
    pub name: Box<str>,
}

/// What an address is wanted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// For the job of this id: an address that may be dialled.
    Proxy(u64),
    /// To reach a target without a proxy. The operator names targets, so any address will do.
    Target {
        /// The id of the probe.
        id: u64,
        /// Which of its addresses: another one after each failure.
        turn: usize,
    },
}

/// What the coordinator wants done.
#[derive(Clone, Debug)]
pub enum Action {
    /// Hand jobs to a shard.
    Submit {
        /// Which.
        shard: usize,
        /// At most one batch.
        jobs: Vec<Job>,
    },
    /// Reach a target without a proxy.
    Control {
        /// On which shard.
        shard: usize,
        /// Which, and where.
        job: ControlJob,
    },
    /// Look a name up.
    Lookup(Lookup),
    /// Probe by this policy from now on.
    Policy(Arc<ProbePolicy>),
    /// Have this many lanes, all shards together.
    Lanes(NonZeroUsize),
    /// Begin at most so many connections a second.
    Pace(Option<NonZeroU32>),
    /// Let readers see this.
    Publish {
        /// The alive.
        pool: Arc<Pool>,
        /// The figures.
        stat: Arc<Stat>,
        /// Whether the pool is the last good one, held.
        stale: bool,
    },
    /// Keep this across a restart.
    Save(Image),
    /// Tell the other nodes, if there are any: what was judged since they were last told.
    Log(Vec<Logged>),
}
