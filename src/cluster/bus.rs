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
mod threads;

#[cfg(test)]
pub(super) mod tests;

use super::keys::Keys;
use super::lease::worth::Worth;
use super::worker::end::WorkerEnd;
use super::{Form, News, Order};
use crate::config::Cluster;
use crate::store::keeper::Kept;
use crossbeam_channel::{Receiver, Sender, bounded, unbounded};
use hub::Hub;
use link::Stop;
use policy::Fingerprint;
use proxy_shards::ProbePolicy;
use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use threads::{BLOCK_MAX, Parts};

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

    /// Orders that were dropped, since the start, because this node did not lead, or could not have the
    /// leader hear them.
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

/// Starts the bus. `policy` is the one in force, as configured; `saved_at_ms` says when what this node
/// restored was saved, in milliseconds since the Unix epoch, and is 0 if it restored nothing; `kept` is
/// told how each checkpoint ended.
///
/// # Errors
/// A thread cannot be made. That Redis cannot be reached is none: it is news.
pub fn start(
    cluster: &Cluster,
    form: Form,
    policy: &ProbePolicy,
    saved_at_ms: u64,
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
        worth: Arc::new(Worth::new(saved_at_ms)),
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
        threads::spawn("cluster-hub", move || hub.run())?,
        threads::spawn_handing(&parts, jobs_from)?,
        threads::spawn_writing(&parts, writes_from, kept)?,
        threads::spawn_telling(&parts, said_from, tasks.clone())?,
    ];
    let others = vec![
        threads::spawn_lease(&parts)?,
        threads::spawn_following(&parts)?,
        threads::spawn_reading(&parts)?,
        threads::spawn_nodes(&parts)?,
        threads::spawn_taking(&parts, tasks)?,
    ];
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
