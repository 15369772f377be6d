//! What docs/reliability.md promises, and what tries to break it: peers, the kernel, the network, lists,
//! configurations, readers, clocks and signals at their worst.
//!
//! The cases run one after another, for they measure. `make test-faults` runs their long forms against
//! a release build. Seeds are printed; `PROXY_CHECKER_SEED` repeats a run.

#[path = "../support/alone.rs"]
mod alone;
#[path = "../support/stage.rs"]
mod stage;
#[path = "../support/mod.rs"]
mod support;

mod clock;
mod configurations;
mod kernel;
mod network;
mod panics;
mod peers;
mod readers;
mod reload_storm;
mod signals;
mod slow_peers;
mod sources;

use std::env;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Held by the case that runs.
static TURN: Mutex<()> = Mutex::new(());

/// Waits for the turn of a case: cases measure, so one runs at a time.
fn turn() -> MutexGuard<'static, ()> {
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The long form's number, if the long forms were asked for, or the short one's.
fn times<T>(short: T, long: T) -> T {
    let is_long = env::var_os("PROXY_CHECKER_FAULTS").is_some_and(|form| form == "long");
    if is_long { long } else { short }
}

/// The seed of a case, which it prints: the long forms try something else each time.
fn seed(of: &str) -> u64 {
    let given = env::var("PROXY_CHECKER_SEED").ok();
    let anew = || fastrand::u64(..1_000_000_000);
    let seed = given.map_or_else(
        || times(1, anew()),
        |text| text.parse().expect("PROXY_CHECKER_SEED is a number"),
    );
    eprintln!("{of}: PROXY_CHECKER_SEED={seed}");
    seed
}
