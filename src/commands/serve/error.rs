//! Why the service could not start, or ended by itself.

use crate::config::ConfigError;
use crate::logging::LoggingError;
use crate::sources::fetch::FetchError;
use crate::store::StoreError;
use crate::traces::TracesError;
use proxy_shards::engine::StartError;
use std::io;
use std::net::SocketAddr;

/// Why the service could not start, or ended by itself; the text says what to do.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The configuration is not valid.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The log filter is not valid.
    #[error(transparent)]
    Logging(#[from] LoggingError),
    /// Spans cannot be exported.
    #[error(transparent)]
    Traces(#[from] TracesError),
    /// The API's address cannot be bound.
    #[error(
        "api.addr: cannot listen on {addr}: {error}; stop what uses the port, or choose another address"
    )]
    Listen {
        /// As configured.
        addr: SocketAddr,
        /// What the system said.
        error: io::Error,
    },
    /// The store cannot be opened or read.
    #[error("storage: {0}")]
    Store(#[from] StoreError),
    /// The sources cannot be fetched at all.
    #[error("aggregator: {0}")]
    Fetch(#[from] FetchError),
    /// The shards cannot start.
    #[error(transparent)]
    Engine(#[from] StartError),
    /// A row of the metrics' table is faulty.
    #[error("metrics: {0}; this is a bug")]
    Metrics(#[from] prometheus::Error),
    /// A thread, a runtime or a signal handler cannot be made.
    #[error("cannot start the thread `{name}`: {error}; raise LimitNPROC or LimitNOFILE")]
    Thread {
        /// Its name.
        name: &'static str,
        /// What the system said.
        error: io::Error,
    },
    /// A thread has ended by itself.
    #[error("the thread `{0}` ended by itself, which is a bug; its last words are in the log")]
    Died(&'static str),
    /// The service ended as it was told to, and its last save failed.
    #[error(
        "storage: what was known at the end was not saved: {0}; the next start goes on from the last save that did not fail"
    )]
    Unsaved(&'static str),
}
