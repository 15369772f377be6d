//! The checked configuration: it cannot be wrong. `raw` mirrors the JSON.
//!
//! Text goes through four rooms, and each reports everything that it finds: `json` (syntax, keys
//! given twice) → `shape` (unknown keys, wrong types) → `raw` (defaults) → `check` (ranges, words,
//! places, keys).

mod json;
mod raw;
mod shape;

mod check;
mod checker;
mod cluster;
mod cors;
mod expect;
mod redis;
mod secret;
mod serving;
mod source;
mod targets;

mod change;
mod load;
mod problem;

#[cfg(test)]
mod tests;

pub use cors::Origins;
pub use load::EXAMPLE;
pub use problem::{ConfigError, Problem, Warning};
pub use redis::RedisPlace;
pub use secret::{JUDGE_SECRET_ENV, judge_secret};
pub use serving::{API_PATHS, listen_address};

use crate::network::Network;
use crate::sources::address::AddressPolicy;
use crate::sources::parse::Format;
use proxy_shards::{ProbePolicy, Scheme};
use std::net::SocketAddr;
use std::num::{NonZeroU32, NonZeroUsize};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use url::Url;

/// Everything the service needs to know.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where lists come from and when.
    pub aggregator: Aggregator,
    /// How candidates are probed.
    pub checker: Checker,
    /// How long a snapshot lasts.
    pub snapshot: SnapshotLife,
    /// How the snapshot is served.
    pub api: Api,
    /// Where the ledger survives a restart.
    pub storage: Storage,
    /// The machines that work together, if this is one of several.
    pub cluster: Option<Cluster>,
    /// What Prometheus sees.
    pub metrics: Metrics,
    /// What the log says.
    pub logging: Logging,
}

/// Where lists come from and when.
#[derive(Clone, Debug)]
pub struct Aggregator {
    /// Time between two checks of an alive proxy, and between two fetches of the sources.
    pub interval: Duration,
    /// The enabled sources, in the order of the file.
    pub sources: Vec<Source>,
    /// `User-Agent` for sources and probes.
    pub user_agent: Box<str>,
    /// Which addresses may be dialled.
    pub addresses: AddressPolicy,
    /// Longest time that one source may take.
    pub source_timeout: Duration,
    /// Longest body that is read from one source, in bytes.
    pub source_bytes_max: u64,
}

/// A place that lists proxies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// As configured, but without credentials; its name in `/stat`, logs and metrics.
    pub url: Box<str>,
    /// Where that is.
    pub location: Location,
    /// What proxies without a scheme are taken for.
    pub hint: Scheme,
    /// Which forms are looked for in it.
    pub format: Format,
}

/// Where a source is read from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Location {
    /// `http://` or `https://`.
    Web(Url),
    /// `file://` or a plain path.
    File(PathBuf),
}

/// How candidates are probed.
#[derive(Clone, Debug)]
pub struct Checker {
    /// Mode, target, expectation, deadlines, retries.
    pub policy: Arc<ProbePolicy>,
    /// Time between two probes of the targets without a proxy; `None`: there are none.
    pub control: Option<Duration>,
    /// Lanes of all shards together.
    pub concurrency: NonZeroUsize,
    /// Shards; one per CPU if absent.
    pub shards: Option<NonZeroUsize>,
    /// Most connections that are begun in a second, all shards together; absent: as many as there
    /// are lanes for.
    pub connects_per_second: Option<NonZeroU32>,
    /// Upper bound of the jobs handed to a shard at once.
    pub batch_size: NonZeroUsize,
    /// Longest pause between two checks of a dead proxy; zero: checked at every interval.
    pub backoff_max: Duration,
    /// Whether the governor may lower the number of lanes; only then do the shares below bound them.
    pub adaptive: bool,
    /// Share of the descriptors that connections of the API may use, and governed lanes of the table
    /// of their ring, 1..=100.
    pub max_fd_usage_percent: u8,
    /// Share of the CPUs that may be used, 1..=100.
    pub max_cpu_usage_percent: u8,
}

/// How long a snapshot lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SnapshotLife {
    /// How long the last snapshot with an alive proxy is served, as stale, when nothing is alive any
    /// more though the targets answer.
    pub stale_max: Duration,
}

impl Default for SnapshotLife {
    fn default() -> SnapshotLife {
        SnapshotLife {
            stale_max: Duration::from_secs(600),
        }
    }
}

/// How the snapshot is served.
#[derive(Clone, Debug)]
pub struct Api {
    /// Where the API listens.
    pub addr: SocketAddr,
    /// SHA-256 of each key; `None`: no key is asked for.
    pub keys: Option<Arc<[[u8; 32]]>>,
    /// Whether strangers may be served without a key.
    pub allow_anonymous: bool,
    /// Requests per key and minute, if limited.
    pub rate_limit_per_minute: Option<NonZeroU32>,
    /// Requests per address and minute, if limited.
    pub rate_limit_per_ip: Option<NonZeroU32>,
    /// Whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Arc<[Network]>,
    /// Connections at once from one address that is no trusted proxy.
    pub connections_per_ip_max: usize,
    /// Clients that must say the same of a proxy before anything follows from it, at least 1.
    pub report_quorum: u8,
    /// Pages of which origins may read answers.
    pub cors_origins: Origins,
}

/// Where the ledger survives a restart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Storage {
    /// Which backend, with its place.
    pub backend: Backend,
    /// Time between two saves.
    pub persist_interval: Duration,
}

/// A store and its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Backend {
    /// A sled database in this folder.
    Sled(PathBuf),
    /// A JSON file, as the old service wrote it.
    File(PathBuf),
}

/// One node of several.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cluster {
    /// The Redis that they share.
    pub redis: RedisPlace,
    /// The name of this node, which no other has.
    pub node: Box<str>,
    /// Begins every key in Redis; nodes with the same prefix are one cluster.
    pub prefix: Box<str>,
    /// How long a leader leads without being heard, and how long jobs of a node that is not heard
    /// stay with it.
    pub lease: Duration,
}

/// What Prometheus sees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metrics {
    /// Whether the endpoint is served.
    pub enabled: bool,
    /// Its path.
    pub endpoint: Box<str>,
    /// Prefix of every family.
    pub namespace: Box<str>,
    /// Whether a key is needed to read it.
    pub require_key: bool,
}

/// What the log says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Logging {
    /// A level, or a filter by module (`info,proxy_checker::api=debug`).
    pub level: Box<str>,
    /// JSON lines instead of text.
    pub json: bool,
}
