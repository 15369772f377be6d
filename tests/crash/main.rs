//! Whatever happens to a store, the service starts, with the last image that was said to be saved or
//! the one after it, whole – or, if the disk itself lied, with none, and says so.
//!
//! `make test-crash` does each random thing 200 times for each kind of store; here it is 20. The seeds
//! are printed; `PROXY_CHECKER_SEED` repeats a run.

mod damaged;
mod images;
mod killed;
mod rooms;

#[path = "../support/stores.rs"]
mod stores;
#[path = "../support/mod.rs"]
mod support;

use std::env;

/// How often each random thing is done.
fn rounds() -> u64 {
    match env::var("PROXY_CHECKER_CRASH").as_deref() {
        Ok("long") => 200,
        _ => 20,
    }
}

/// The first seed; each round takes the next.
fn seed(of: &str) -> u64 {
    let given = env::var("PROXY_CHECKER_SEED").ok();
    let seed = given.map_or(1, |text| {
        text.parse().expect("PROXY_CHECKER_SEED is a number")
    });
    eprintln!("{of}: PROXY_CHECKER_SEED={seed}, {} rounds", rounds());
    seed
}
