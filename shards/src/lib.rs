//! The data plane of proxy-checker: pinned executors, one per shard, whose lanes probe proxies
//! over an io_uring of their own. Jobs go in, reports come out; nothing else crosses.
//!
//! Only this crate names glommio and io-uring, and only `net` opens probe sockets.

pub mod candidate;
pub mod judge;
pub mod policy;
pub mod tally;
pub mod target;
pub mod verdict;
pub mod works;

pub mod conversation;
mod handshake;
mod rule;
mod tls;
mod verify;

pub mod beat;
pub mod cadence;
mod controls;
pub mod course;
pub mod engine;
pub mod governor;
pub mod heard;
#[cfg(any(test, feature = "hooks"))]
pub mod hooks;
pub mod job;
mod jobs;
mod lag;
mod lane;
mod net;
mod pace;
pub mod preflight;
mod probe;
mod shard;
mod supervisor;
pub mod tuning;

#[cfg(any(test, fuzzing))]
pub mod fuzz;

pub use beat::{Beat, Sign};
pub use cadence::Cadence;
pub use candidate::{Candidate, Credentials, Host, Protocol, Scheme};
pub use engine::{Engine, EngineOptions, Pulse, StartError};
pub use governor::{Cause, Governor};
pub use job::{ControlJob, ControlRecord, Ended, Job, Record, Report, Timing};
pub use judge::{Anonymity, Exit};
pub use net::socket_verdict;
pub use policy::ProbePolicy;
pub use probe::Laps;
pub use tally::Tally;
pub use target::Target;
pub use tuning::{TaskRun, Tuning};
pub use verdict::{Stage, Verdict};
pub use works::{Protocols, Require, TARGETS_MAX, Targets, Works};
