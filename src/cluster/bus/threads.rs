//! The threads of the bus: what each is given, and how long it waits for Redis.

use super::hub::Inner;
use super::link::{Line, Stop, Who};
use super::policy::Fingerprint;
use crate::cluster::Form;
use crate::cluster::jobs::HandingOut;
use crate::cluster::jobs::take::Taking;
use crate::cluster::keys::Keys;
use crate::cluster::lease::{Lease, reign::Reign, worth::Worth};
use crate::cluster::log::follow::{Following, Position};
use crate::cluster::log::{Write, Writing};
use crate::cluster::nodes::Nodes;
use crate::cluster::reports::Reading;
use crate::cluster::reports::tell::{Owned, Telling};
use crate::cluster::wire::Id;
use crate::cluster::worker::end::{Credit, Said, Task, WorkerStat};
use crate::config::Cluster;
use crate::coordinator::unix_ms;
use crate::store::keeper::Kept;
use crossbeam_channel::{Receiver, Sender};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize};
use std::thread::{self, JoinHandle};
use std::time::{Duration, SystemTime};

/// The longest time that a read waits on purpose.
pub(super) const BLOCK_MAX: Duration = Duration::from_millis(250);
/// How long an answer is waited for, by those whose delay ends no lease.
const PATIENCE_MIN: Duration = Duration::from_millis(500);
const PATIENCE_MAX: Duration = Duration::from_secs(5);

/// What all threads have in common.
pub(super) struct Parts<'a> {
    pub(super) cluster: &'a Cluster,
    pub(super) keys: Keys,
    pub(super) block: Duration,
    pub(super) reign: Arc<Reign>,
    pub(super) hub: Sender<Inner>,
    pub(super) backlog: Arc<AtomicUsize>,
    pub(super) ready: Arc<AtomicBool>,
    pub(super) worth: Arc<Worth>,
    pub(super) position: Arc<Position>,
    pub(super) fingerprint: Arc<Fingerprint>,
    pub(super) leaders: Arc<AtomicU64>,
    pub(super) credit: Arc<Credit>,
    pub(super) stat: Arc<WorkerStat>,
    pub(super) owned: Arc<Owned>,
    pub(super) form: Form,
    pub(super) stop: Stop,
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

pub(super) fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> io::Result<JoinHandle<()>> {
    thread::Builder::new().name(name.into()).spawn(run)
}

pub(super) fn spawn_handing(
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

pub(super) fn spawn_writing(
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

pub(super) fn spawn_telling(
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

pub(super) fn spawn_lease(parts: &Parts<'_>) -> io::Result<JoinHandle<()>> {
    let lease = Lease {
        keys: parts.keys.clone(),
        node: parts.cluster.node.clone(),
        lease: parts.cluster.lease,
        reign: parts.reign.clone(),
        hub: parts.hub.clone(),
        ready: parts.ready.clone(),
        worth: parts.worth.clone(),
        fingerprint: parts.fingerprint.clone(),
        vacant: None,
        last: 0,
        run: String::new(),
        line: parts.line(Who::Lease),
        stop: parts.stop.clone(),
    };
    spawn("cluster-lease", move || lease.run())
}

pub(super) fn spawn_following(parts: &Parts<'_>) -> io::Result<JoinHandle<()>> {
    let following = Following {
        keys: parts.keys.clone(),
        block: parts.block,
        reign: parts.reign.clone(),
        form: parts.form,
        hub: parts.hub.clone(),
        backlog: parts.backlog.clone(),
        ready: parts.ready.clone(),
        worth: parts.worth.clone(),
        position: parts.position.clone(),
        loaded: None,
        useless: None,
        line: parts.line(Who::Follow),
        stop: parts.stop.clone(),
    };
    spawn("cluster-follow", move || following.run())
}

pub(super) fn spawn_reading(parts: &Parts<'_>) -> io::Result<JoinHandle<()>> {
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
    spawn("cluster-reports", move || reading.run())
}

/// A number of this process: when it began, in milliseconds since the Unix epoch, and 12 random bits.
fn process() -> u64 {
    unix_ms(SystemTime::now()) << 12 | fastrand::u64(..1 << 12)
}

pub(super) fn spawn_nodes(parts: &Parts<'_>) -> io::Result<JoinHandle<()>> {
    let nodes = Nodes {
        keys: parts.keys.clone(),
        node: parts.cluster.node.clone(),
        process: process(),
        said: false,
        lease: parts.cluster.lease,
        reign: parts.reign.clone(),
        worth: parts.worth.clone(),
        position: parts.position.clone(),
        end: Id::default(),
        leaders: parts.leaders.clone(),
        worker: parts.stat.clone(),
        hub: parts.hub.clone(),
        line: parts.line(Who::Nodes),
        stop: parts.stop.clone(),
    };
    spawn("cluster-nodes", move || nodes.run())
}

pub(super) fn spawn_taking(parts: &Parts<'_>, tasks: Sender<Task>) -> io::Result<JoinHandle<()>> {
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
    spawn("cluster-take", move || taking.run())
}
