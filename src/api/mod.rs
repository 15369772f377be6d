//! The HTTP API: serves the snapshot, and nothing else decides anything here.
//!
//! One thread with one tokio current-thread runtime, and one beside it that renders and compresses
//! large answers, one at a time. A read of a few proxies never waits for anybody: it loads the
//! snapshot once and answers from it. Only questions about one proxy go to the coordinator, a few at
//! a time and for a moment, while all else goes on. `docs/api.md` describes the routes for clients.

mod answer;
mod auth;
mod buckets;
mod client;
mod coding;
mod cors;
mod cross_site;
mod crowd;
mod desk;
mod etag;
mod forwarded;
mod holder;
mod host;
mod leases;
mod limits;
mod listing;
mod mistyped;
mod patience;
mod press;
mod query;
mod questions;
mod rates;
mod refusal;
mod refused;
mod request_id;
mod routes;
mod select;
mod server;
mod shelf;
mod slots;
mod stamp;
mod tally;
#[cfg(test)]
mod testing;
mod time;
mod turns;
mod unique;
mod voices;

#[cfg(any(test, fuzzing))]
pub(crate) use server::fuzz;

pub use routes::reload::{Accepted, ReloadHandle, ReloadRequest};
pub use voices::Voices;

use crate::config::{self, Config};
use crate::coordinator::Event;
use crate::metrics::Metrics;
use crate::network::Network;
use crate::snapshot::Published;
use crossbeam_channel::Sender;
use limits::Limits;
use std::io;
use std::net::TcpListener;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::thread::{self, JoinHandle};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::watch;

/// The name of the thread that renders and compresses large answers.
const PRESS_THREAD: &str = "api-press";

/// What the API reads and whom it may ask.
#[derive(Clone, Debug)]
pub struct ApiState {
    /// Where the snapshot is published.
    pub snapshots: Arc<Published>,
    /// The part of the configuration that the API needs; a reload replaces it.
    pub settings: watch::Receiver<Arc<Settings>>,
    /// Where requests are counted, and what the metrics endpoint shows.
    pub metrics: Arc<Metrics>,
    /// Where `POST /reload` goes.
    pub reload: ReloadHandle,
    /// Where questions about one proxy go: the coordinator, the only one that reads the ledger.
    pub questions: Sender<Event>,
    /// Where the next round-robin answer starts; shared by all clients.
    pub cursor: Arc<AtomicUsize>,
    /// Tells those who report apart.
    pub voices: Voices,
}

/// What a reload may change while the API runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// SHA-256 of each key; `None`: no key is asked for.
    pub keys: Option<Arc<[[u8; 32]]>>,
    /// Whether, where and to whom the metrics are shown, and their prefix.
    pub metrics: config::Metrics,
    /// Share of this process's descriptors that may be used, in percent.
    pub descriptors_percent: u8,
    /// Requests per key and minute, if limited.
    pub rate_limit_per_minute: Option<NonZeroU32>,
    /// Requests per address and minute, if limited.
    pub rate_limit_per_ip: Option<NonZeroU32>,
    /// Whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Arc<[Network]>,
    /// Connections at once from one address that is no trusted proxy.
    pub connections_per_ip_max: usize,
    /// Pages of which origins may read answers.
    pub cors_origins: config::Origins,
}

impl From<&Config> for Settings {
    fn from(config: &Config) -> Settings {
        Settings {
            keys: config.api.keys.clone(),
            metrics: config.metrics.clone(),
            descriptors_percent: config.checker.max_fd_usage_percent,
            rate_limit_per_minute: config.api.rate_limit_per_minute,
            rate_limit_per_ip: config.api.rate_limit_per_ip,
            trusted_proxies: config.api.trusted_proxies.clone(),
            connections_per_ip_max: config.api.connections_per_ip_max,
            cors_origins: config.api.cors_origins.clone(),
        }
    }
}

/// Serves `listener` until `shutdown` is ready, then lets the requests under way end, for at most
/// 3 s. To be run on a tokio runtime with I/O and time.
///
/// # Errors
/// The listener cannot be registered with the runtime. What happens to single connections, and
/// running out of descriptors, is no error: the server goes on.
pub async fn serve(
    listener: TcpListener,
    state: ApiState,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    server::serve(listener, state, Limits::of_this_process(), shutdown).await
}

/// Runs [`serve`] on a thread named `api` with a runtime of its own, whose handle is there to see
/// that it runs.
///
/// # Errors
/// The runtime or the thread cannot be made.
pub fn spawn(
    listener: TcpListener,
    state: ApiState,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<(JoinHandle<()>, Handle)> {
    spawn_within(listener, state, Limits::of_this_process(), shutdown)
}

fn spawn_within(
    listener: TcpListener,
    state: ApiState,
    limits: Limits,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<(JoinHandle<()>, Handle)> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .thread_name(PRESS_THREAD)
        .max_blocking_threads(1)
        // Once it is there it stays: its CPU time can be read for as long as it is used.
        .thread_keep_alive(Duration::from_secs(86_400))
        .build()?;
    let handle = runtime.handle().clone();
    let thread = thread::Builder::new().name("api".into()).spawn(move || {
        if let Err(error) = runtime.block_on(server::serve(listener, state, limits, shutdown)) {
            tracing::error!(%error, "the API cannot listen; check api.addr");
        }
    })?;
    Ok((thread, handle))
}
