//! The checked configuration: it cannot be wrong. `raw` mirrors the JSON.
//!
//! Text goes through four rooms, and each reports everything that it finds: `json` (syntax, keys
//! given twice) → `shape` (unknown keys, wrong types) → `raw` (defaults) → `check` (ranges, words,
//! places, keys).

mod json;
mod raw;
mod shape;

mod alerts;
mod backup;
mod check;
mod checker;
mod cluster;
mod cors;
mod expect;
mod redis;
mod secret;
mod serving;
mod shown;
mod source;
mod storage;
mod targets;

mod change;
mod load;
mod problem;
mod schema;

#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
#[cfg(test)]
mod tests;

pub use cors::Origins;
pub use load::EXAMPLE;
pub(crate) use load::FILE_BYTES_MAX;
pub use problem::{ConfigError, Problem, Warning};
pub use redis::RedisPlace;
pub use schema::schema;
pub use secret::{JUDGE_SECRET_ENV, WebhookSecret, judge_secret, with_stand_ins};
pub use serving::{API_PATHS, listen_address};
pub(crate) use shown::masked;

use crate::alerts::Wanted;
use crate::network::Network;
use crate::sources::address::AddressPolicy;
use crate::sources::parse::Format;
use proxy_shards::{ProbePolicy, Scheme};
use std::net::SocketAddr;
use std::num::{NonZeroU32, NonZeroUsize};
use std::path::{Path, PathBuf};
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
    /// What an operator is told of, and where.
    pub alerts: Arc<Alerts>,
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
    /// Its name wherever it is shown, which no other source has: its URL as configured, with `***` in
    /// place of credentials and of keys in its query.
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
    /// Copies on a schedule, if there are to be any.
    pub backup: Option<Backup>,
}

/// Copies of the ledger on a schedule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backup {
    /// Time between two of them.
    pub every: Duration,
    /// How many are kept.
    pub keep: NonZeroUsize,
    /// Where they are.
    pub folder: PathBuf,
}

/// A store and its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Backend {
    /// Nowhere: nothing survives.
    Memory,
    /// A sled database in this folder.
    Sled(PathBuf),
    /// A JSON file, as the old service wrote it.
    File(PathBuf),
    /// A SQLite database in this file.
    Sqlite(PathBuf),
    /// A Redis.
    Redis {
        /// Where it is, and how one gets in.
        place: RedisPlace,
        /// Begins every key.
        prefix: Box<str>,
    },
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

impl Backend {
    /// Where it keeps its files; `None` if it has none on this machine.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Backend::Sled(path) | Backend::File(path) | Backend::Sqlite(path) => Some(path),
            Backend::Redis { .. } | Backend::Memory => None,
        }
    }
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
    /// The file that lines go to; absent: standard error.
    pub file: Option<LogPlace>,
    /// Where spans go, if anywhere.
    pub otlp: Option<Otlp>,
}

/// A collector of spans.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Otlp {
    /// The URL that spans are posted to.
    pub endpoint: Box<str>,
    /// Share of the API's requests that have a span, 1..=100.
    pub sample_percent: u8,
}

/// A log file that is rotated by its size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogPlace {
    /// Where it is.
    pub path: PathBuf,
    /// Longest file, in bytes; a line that would make it longer begins the next one.
    pub bytes_max: u64,
    /// Files that are kept beside the one that is written.
    pub keep: u32,
}

/// What an operator is told of, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alerts {
    /// Fewer alive proxies than this are an alarm; 0: never.
    pub alive_below: u64,
    /// A source that failed so often in a row is dead.
    pub source_failures: u32,
    /// Who is told.
    pub webhooks: Vec<Webhook>,
}

impl Default for Alerts {
    fn default() -> Alerts {
        Alerts {
            alive_below: 0,
            source_failures: 5,
            webhooks: Vec::new(),
        }
    }
}

/// A place that is told of alarms.
#[derive(Clone, PartialEq, Eq)]
pub struct Webhook {
    /// `http://` or `https://`; its path may hold a token.
    pub url: Url,
    /// What it is told of.
    pub wanted: Wanted,
    /// Signs what it is sent; absent: nothing is signed.
    pub secret: Option<WebhookSecret>,
}

impl Webhook {
    /// Its name in logs: where it is, without what may be secret.
    pub fn shown(&self) -> String {
        self.url.origin().ascii_serialization()
    }
}

impl std::fmt::Debug for Webhook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Webhook({})", self.shown())
    }
}
