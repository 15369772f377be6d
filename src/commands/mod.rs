//! The subcommands: each reads its options, writes its results to the output it is given, and says
//! how it ended.

mod lists;
mod probe;
mod reach;
pub mod status;

pub mod check;
pub mod completions;
pub mod config;
pub mod doctor;
pub mod explain;
pub mod export;
pub mod health;
pub mod import;
pub mod judge;
pub mod man;
pub mod parse;
pub mod save;
pub mod serve;

pub use lists::{AddressArgs, ListArgs};
pub use reach::ReachArgs;
