//! The bell and the driver of the probe ring, the real ones, over a ring that is none.
#![allow(unsafe_code, dead_code, unreachable_pub)]

mod around;
#[path = "../../../../shards/src/net/bell.rs"]
pub(crate) mod bell;
#[path = "../../../../shards/src/net/driver.rs"]
pub(crate) mod driver;
pub(crate) mod ring;
pub(crate) mod settle;
