//! Several buses over a real Redis, in one process.

mod leads;
mod node;
pub(in crate::cluster) mod redis;
mod shared;
mod trouble;
