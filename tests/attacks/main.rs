//! What strangers do to an API: every attack runs over loopback against the real binary, while a
//! normal client asks on and measures. The process must live, stay within a bound of memory, give
//! its descriptors back and serve the others.
//!
//! The attacks run one after another, for they measure. `make test-attacks` runs their long forms,
//! against a release build and with its bound on the latency.

#[path = "../support/mod.rs"]
mod support;

mod service;

mod bystander;
mod wire;

mod bodies;
mod descriptors;
mod floods;
mod framing;
mod greed;
mod heads;
mod nonsense;
mod pipelines;
mod random;
mod reloads;

use std::time::Duration;

/// A normal client waits at most this long for 99 of 100 answers. A debug build on a busy machine is
/// given more: there the bound only tells a service that serves from one that is held up.
const P99_MAX: Duration = Duration::from_millis(if cfg!(debug_assertions) { 1_000 } else { 50 });

/// What an attack may add to the memory of the service. Where thousands of connections stand or large
/// answers wait for their readers, more is allowed and said.
const GROWTH_MAX: usize = 48 << 20;

/// Whether the long forms were asked for.
fn long() -> bool {
    std::env::var_os("PROXY_CHECKER_ATTACKS").is_some_and(|form| form == "long")
}
