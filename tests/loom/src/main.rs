//! Every order in which the threads of a protocol of ours may take their steps: that no ring of the bell is
//! slept over, that a sign of life says what it says, that slots are counted.
//!
//! The sources are the real ones; what is put in the place of the kernel, of glommio and of tokio stands in
//! `kernel`, `executor`, `semaphore` and `net/ring`. A lost wake-up is a thread that waits for ever, which
//! loom reports as a deadlock. `make loom` runs it.

#[cfg(not(loom))]
fn main() {
    eprintln!("built without --cfg loom there is nothing here to check: run `make loom`");
    std::process::exit(2);
}

// The names under which the sources know what is put in their place.
#[cfg(loom)]
extern crate self as glommio;
#[cfg(loom)]
extern crate self as io_uring;
#[cfg(loom)]
extern crate self as rustix;
#[cfg(loom)]
extern crate self as tokio;

#[cfg(loom)]
#[path = "../../../shards/src/beat.rs"]
mod beat;
#[cfg(loom)]
mod executor;
#[cfg(loom)]
mod kernel;
#[cfg(loom)]
mod net;
#[cfg(loom)]
mod semaphore;
#[cfg(loom)]
#[path = "../../../src/api/slots.rs"]
mod slots;

#[cfg(loom)]
mod models;

#[cfg(loom)]
pub use executor::spawn_local;
#[cfg(loom)]
pub use kernel::{cqueue, event, io};
#[cfg(loom)]
pub use semaphore::sync;

#[cfg(loom)]
fn main() {
    models::check_all();
}
