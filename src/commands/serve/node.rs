//! `serve` on one node of several: its coordinator, between the bus and the worker.

use super::error::ServeError;
use super::thread_error;
use crate::api::ReloadHandle;
use crate::cluster::{self, Form, Link, NodeStart, Outside, Publication, bus, worker};
use crate::config::{Cluster, Config};
use crate::coordinator::{Event, Outlets};
use crate::store::Image;
use crate::store::keeper::Kept;
use crossbeam_channel::{Receiver, bounded};
use proxy_shards::{Engine, preflight};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use tokio::sync::watch;

/// Told how each checkpoint ended.
pub(super) type Told = Box<dyn FnMut(Kept) + Send>;

/// Starts the bus, and the worker that owns the engine. What was restored is looked at only: whether
/// this node knows something, and since when.
pub(super) type Connect =
    fn(&Cluster, Engine, &Arc<Config>, &Image, Told) -> Result<Link, ServeError>;

/// The one place where a node is joined with its bus and its worker.
pub(super) fn connect(
    cluster: &Cluster,
    engine: Engine,
    config: &Arc<Config>,
    restored: &Image,
    told: Told,
) -> Result<Link, ServeError> {
    let form = Form {
        encode: Publication::to_json,
        decode: |bytes| Publication::from_json(bytes).ok(),
    };
    let knows = restored.entries.iter().next().is_some();
    let saved_at_ms = if knows { restored.saved_at_ms } else { 0 };
    let bus = bus::start(cluster, form, &config.checker.policy, saved_at_ms, told);
    let bus = bus.map_err(thread_error("cluster"))?;
    let descriptors = preflight::raise_nofile().soft;
    let worker = worker::start(
        engine,
        bus.worker,
        worker::Settings::from(&config.checker),
        descriptors,
    );
    let worker = worker.map_err(thread_error("cluster-worker"))?;
    let (setter, handle) = (worker.setter(), bus.handle);
    Ok(Link {
        orders: bus.orders,
        news: bus.news,
        configure: Box::new(move |config| setter.set(worker::Settings::from(&config.checker))),
        stop: Box::new(move |time| {
            worker.stop();
            handle.stop(time);
        }),
    })
}

/// What the coordinator of a node starts with.
pub(super) struct Start {
    pub(super) config: Arc<Config>,
    pub(super) cluster: Cluster,
    pub(super) restored: Image,
    pub(super) events: Receiver<Event>,
    pub(super) outlets: Outlets,
    pub(super) reload: ReloadHandle,
    pub(super) leads: watch::Sender<Option<u64>>,
}

/// Runs the coordinator on a thread of its own, as that of a node alone.
pub(super) fn coordinate(
    link: Link,
    start: Start,
) -> Result<(JoinHandle<()>, Receiver<()>), ServeError> {
    let (alive, lives) = bounded(1);
    let node = NodeStart {
        config: start.config,
        cluster: start.cluster,
        restored: start.restored,
        seed: fastrand::u64(..),
    };
    let outside = Outside {
        outlets: start.outlets,
        fetch: start.leads,
        reload: start.reload,
    };
    let events = start.events;
    let thread = thread::Builder::new().name("coordinator".into());
    let thread = thread.spawn(move || {
        // `alive` is dropped when the thread ends. Whoever started it waits, or is gone.
        let begun = || {
            let _ = alive.send(());
        };
        cluster::run(link, node, &events, &outside, begun);
    });
    let thread = thread.map_err(thread_error("coordinator"))?;
    lives.recv().map_err(|_| ServeError::Died("coordinator"))?;
    Ok((thread, lives))
}
