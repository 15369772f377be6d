//! Descriptors, ports and memory taken away and given back: nobody is blamed for them.

pub(crate) mod client;
pub(crate) mod harm;

mod build;
mod descriptors;
mod errors;
mod ports;

use std::time::Duration;

/// From the end of a trouble of this host until all is as it was: the longest pause after such trouble
/// (30 s) and a sweep. Less than the interval between two checks, which is 60 s by default.
const RECOVERED_WITHIN: Duration = Duration::from_secs(55);
