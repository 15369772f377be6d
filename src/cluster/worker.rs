//! The worker.

pub mod end;
