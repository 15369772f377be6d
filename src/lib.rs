//! The control plane of proxy-checker: sources → coordinator → shards → coordinator → snapshot →
//! API. `docs/architecture.md` is the map.

pub mod allocator;
pub mod cli;
pub mod commands;

pub mod candidates;
pub mod config;
pub mod network;
mod origin;
mod regular;
pub mod sources;

pub mod cluster;
pub mod control;
pub mod coordinator;
pub mod dispatch;
pub mod lanes;
pub mod ledger;
pub mod schedule;
pub mod snapshot;

pub mod alerts;
pub mod api;
pub mod metrics;
pub mod operator;
pub mod store;

mod ident;
pub mod io;
pub mod logging;
pub mod redis_link;
pub mod shutdown;
pub mod traces;
pub mod usage;
pub mod version;

#[cfg(any(test, fuzzing))]
pub mod fuzz;
#[cfg(test)]
mod properties;
