//! Lists that are too large, too long, endless, compressed to death or led elsewhere.
//!
//! Each case begins with sources that are good: every one lists a proxy of its own. Then some of them turn
//! bad, each in its own way and all at once, and stay so. What was known must be served on, a good source
//! beside them must come through as it did before, memory must stay near the cap, and of each bad source
//! `/stat`, the metrics and the log must say what is wrong.

mod bodies;
mod changes;
mod files;
mod leads;
mod server;
mod trust;
mod turning;

use std::time::Duration;

/// Time that one source may take.
const SOURCE_TIMEOUT: Duration = Duration::from_secs(2);

/// Longest time from a change of the good source to what is served: an interval of one second, the fetch,
/// a probe and the publication, on a busy machine. A build for tests parses thirty times slower than a
/// release, and all lists are parsed on one thread.
fn usual() -> Duration {
    crate::times(Duration::from_secs(30), Duration::from_secs(4))
}

/// Cap of one list, in bytes.
fn cap() -> u64 {
    crate::times(1 << 20, 32 << 20)
}
