//! The bus: carries what the nodes say to each other over one Redis.
//!
//! Threads with a blocking connection each, one purpose a thread, so that a read that waits delays
//! nothing else, and in their middle the hub, which never waits for Redis (`hub.rs`).
//!
//! | thread | what it does |
//! |---|---|
//! | `cluster-hub` | one order of news for the coordinator; its orders, as long as it leads |
//! | `cluster-lease` | takes, renews and returns the lease |
//! | `cluster-follow` | reads the checkpoint and the log |
//! | `cluster-log` | writes both, and words to the leader |
//! | `cluster-jobs` | hands jobs out |
//! | `cluster-reports` | reads reports and words |
//! | `cluster-take`, `cluster-tell` | take jobs for the worker, and report for it |
//! | `cluster-nodes` | what each node says of itself |

pub(super) mod hub;
pub(super) mod link;
pub(super) mod policy;

#[cfg(test)]
pub(super) mod tests;

use super::jobs::HandingOut;
use super::jobs::take::Taking;
use super::keys::Keys;
use super::lease::{Lease, reign::Reign};
use super::log::follow::{Following, Position};
use super::log::{Write, Writing};
use super::nodes::Nodes;
use super::reports::Reading;
use super::reports::tell::{Owned, Telling};
use super::wire::Id;
use super::worker::end::{Credit, Said, Task, WorkerEnd, WorkerStat};
use super::{Form, News, Order};
use crate::config::Cluster;
use crate::store::keeper::Kept;
use crossbeam_channel::{Receiver, Sender, bounded, unbounded};
use hub::{Hub, Inner};
use link::{Line, Stop, Who};
use policy::Fingerprint;
use proxy_shards::ProbePolicy;
use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// The longest time that a read waits on purpose.
const BLOCK_MAX: Duration = Duration::from_millis(250);
/// How long an answer is waited for, by those whose delay ends no lease.
const PATIENCE_MIN: Duration = Duration::from_millis(500);
const PATIENCE_MAX: Duration = Duration::from_secs(5);

/// A running bus.
pub struct Bus {
    /// What the coordinator wants carried.
    pub orders: Sender<Order>,
    /// What it is told. It must be read: the bus offers one piece at a time, and holds back the rest.
    pub news: Receiver<News>,
    /// For the worker of this node.
    pub worker: WorkerEnd,
    /// For who started it.
    pub handle: Handle,
}

/// The threads of a bus.
pub struct Handle {
    finish: Sender<Infallible>,
    stop: Sender<Infallible>,
    /// Those that end by themselves when all that was ordered and reported is written.
    writers: Vec<JoinHandle<()>>,
    others: Vec<JoinHandle<()>>,
    fingerprint: Arc<Fingerprint>,
    dropped: Arc<AtomicU64>,
}

impl Handle {
    /// This node has its jobs probed by another policy from now on, as configured: nothing learnt.
    pub fn set_policy(&self, policy: &ProbePolicy) {
        self.fingerprint.set(policy);
    }

    /// Orders that were dropped, since the start, because this node did not lead.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Ends the bus in good order: what was ordered until now is written, if Redis answers, then the
    /// lease is given back. The worker has ended before. Returns within `time`; a thread that Redis keeps
    /// longer ends by itself.
    pub fn stop(self, time: Duration) {
        let began = Instant::now();
        drop(self.finish);
        join(self.writers, began + time / 2);
        drop(self.stop);
        join(self.others, began + time);
    }
}

fn join(threads: Vec<JoinHandle<()>>, until: Instant) {
    for thread in threads {
        while !thread.is_finished() && Instant::now() < until {
            thread::sleep(Duration::from_millis(2));
        }
    }
}

/// What all threads have in common.
struct Parts<'a> {
    cluster: &'a Cluster,
    keys: Keys,
    block: Duration,
    reign: Arc<Reign>,
    hub: Sender<Inner>,
    backlog: Arc<AtomicUsize>,
    ready: Arc<AtomicBool>,
    position: Arc<Position>,
    fingerprint: Arc<Fingerprint>,
    leaders: Arc<AtomicU64>,
    credit: Arc<Credit>,
    stat: Arc<WorkerStat>,
    owned: Arc<Owned>,
    form: Form,
    stop: Stop,
}

impl Parts<'_> {
    fn line(&self, who: Who) -> Line {
        let lease = self.cluster.lease;
        let times = match who {
            // Several tries within what is kept in reserve.
            Who::Lease => (lease / 5, Duration::ZERO),
            _ => (lease.clamp(PATIENCE_MIN, PATIENCE_MAX), self.block),
        };
        let (hub, stop) = (self.hub.clone(), self.stop.clone());
        Line::new(who, &self.cluster.redis, times, hub, stop)
    }
}

/// Starts the bus. `policy` is the one in force, as configured; `kept` is told how each checkpoint
/// ended.
///
/// # Errors
/// A thread cannot be made. That Redis cannot be reached is none: it is news.
pub fn start(
    cluster: &Cluster,
    form: Form,
    policy: &ProbePolicy,
    kept: impl FnMut(Kept) + Send + 'static,
) -> io::Result<Bus> {
    let (finish, finished) = bounded(0);
    let (stop, stopped) = bounded(0);
    let (hub_in, inbox) = unbounded();
    let parts = Parts {
        cluster,
        keys: Keys::new(&cluster.prefix),
        block: (cluster.lease / 4).min(BLOCK_MAX),
        reign: Arc::default(),
        hub: hub_in,
        backlog: Arc::default(),
        ready: Arc::default(),
        position: Arc::default(),
        fingerprint: Arc::default(),
        leaders: Arc::default(),
        credit: Arc::default(),
        stat: Arc::default(),
        owned: Arc::default(),
        form,
        stop: Stop(stopped),
    };
    parts.fingerprint.set(policy);
    let dropped = Arc::<AtomicU64>::default();
    let (orders, orders_from) = unbounded();
    let (news, news_from) = bounded(0);
    let (tasks, tasks_from) = unbounded();
    let (said, said_from) = unbounded();
    let (jobs, jobs_from) = unbounded();
    let (writes, writes_from) = unbounded();
    let hub = Hub {
        reign: parts.reign.clone(),
        news,
        inbox,
        orders: orders_from,
        jobs,
        writes,
        tasks: tasks.clone(),
        backlog: parts.backlog.clone(),
        dropped: dropped.clone(),
        finish: Stop(finished),
    };
    let writers = vec![
        spawn("cluster-hub", move || hub.run())?,
        spawn_handing(&parts, jobs_from)?,
        spawn_writing(&parts, writes_from, kept)?,
        spawn_telling(&parts, said_from, tasks.clone())?,
    ];
    let others = start_others(&parts, tasks)?;
    Ok(Bus {
        orders,
        news: news_from,
        worker: WorkerEnd {
            tasks: tasks_from,
            said,
            credit: parts.credit.clone(),
            stat: parts.stat.clone(),
            hub: parts.hub.clone(),
            fingerprint: parts.fingerprint.clone(),
        },
        handle: Handle {
            finish,
            stop,
            writers,
            others,
            fingerprint: parts.fingerprint.clone(),
            dropped,
        },
    })
}

fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> io::Result<JoinHandle<()>> {
    thread::Builder::new().name(name.into()).spawn(run)
}

fn spawn_handing(
    parts: &Parts<'_>,
    jobs: Receiver<(u64, Vec<proxy_shards::Job>)>,
) -> io::Result<JoinHandle<()>> {
    let handing = HandingOut {
        keys: parts.keys.clone(),
        node: parts.cluster.node.clone(),
        lease: parts.cluster.lease,
        reign: parts.reign.clone(),
        hub: parts.hub.clone(),
        fingerprint: parts.fingerprint.clone(),
        jobs,
        line: parts.line(Who::Jobs),
    };
    spawn("cluster-jobs", move || handing.run())
}

fn spawn_writing(
    parts: &Parts<'_>,
    writes: Receiver<Write>,
    kept: impl FnMut(Kept) + Send + 'static,
) -> io::Result<JoinHandle<()>> {
    let writing = Writing {
        keys: parts.keys.clone(),
        node: parts.cluster.node.clone(),
        lease: parts.cluster.lease,
        reign: parts.reign.clone(),
        form: parts.form,
        writes,
        hub: parts.hub.clone(),
        kept,
        line: parts.line(Who::Log),
    };
    spawn("cluster-log", move || writing.run())
}

fn spawn_telling(
    parts: &Parts<'_>,
    said: Receiver<Said>,
    tasks: Sender<Task>,
) -> io::Result<JoinHandle<()>> {
    let telling = Telling {
        keys: parts.keys.clone(),
        node: parts.cluster.node.clone(),
        lease: parts.cluster.lease,
        owned: parts.owned.clone(),
        said,
        tasks,
        line: parts.line(Who::Tell),
        stop: parts.stop.clone(),
    };
    spawn("cluster-tell", move || telling.run())
}

/// The threads that end when the bus stops.
fn start_others(parts: &Parts<'_>, tasks: Sender<Task>) -> io::Result<Vec<JoinHandle<()>>> {
    let lease = Lease {
        keys: parts.keys.clone(),
        node: parts.cluster.node.clone(),
        lease: parts.cluster.lease,
        reign: parts.reign.clone(),
        hub: parts.hub.clone(),
        ready: parts.ready.clone(),
        fingerprint: parts.fingerprint.clone(),
        line: parts.line(Who::Lease),
        stop: parts.stop.clone(),
    };
    let following = Following {
        keys: parts.keys.clone(),
        block: parts.block,
        reign: parts.reign.clone(),
        form: parts.form,
        hub: parts.hub.clone(),
        backlog: parts.backlog.clone(),
        ready: parts.ready.clone(),
        position: parts.position.clone(),
        loaded: None,
        useless: None,
        line: parts.line(Who::Follow),
        stop: parts.stop.clone(),
    };
    let reading = Reading {
        keys: parts.keys.clone(),
        node: parts.cluster.node.clone(),
        block: parts.block,
        reign: parts.reign.clone(),
        hub: parts.hub.clone(),
        backlog: parts.backlog.clone(),
        line: parts.line(Who::Reports),
        stop: parts.stop.clone(),
    };
    let nodes = Nodes {
        keys: parts.keys.clone(),
        node: parts.cluster.node.clone(),
        lease: parts.cluster.lease,
        reign: parts.reign.clone(),
        position: parts.position.clone(),
        end: Id::default(),
        leaders: parts.leaders.clone(),
        worker: parts.stat.clone(),
        hub: parts.hub.clone(),
        line: parts.line(Who::Nodes),
        stop: parts.stop.clone(),
    };
    let taking = Taking {
        keys: parts.keys.clone(),
        node: parts.cluster.node.clone(),
        lease: parts.cluster.lease,
        block: parts.block,
        fingerprint: parts.fingerprint.clone(),
        leaders: parts.leaders.clone(),
        credit: parts.credit.clone(),
        stat: parts.stat.clone(),
        owned: parts.owned.clone(),
        tasks,
        line: parts.line(Who::Take),
        stop: parts.stop.clone(),
    };
    Ok(vec![
        spawn("cluster-lease", move || lease.run())?,
        spawn("cluster-follow", move || following.run())?,
        spawn("cluster-reports", move || reading.run())?,
        spawn("cluster-nodes", move || nodes.run())?,
        spawn("cluster-take", move || taking.run())?,
    ])
}
