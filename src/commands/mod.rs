//! The subcommands: each reads its options, writes its results to the output it is given, and says
//! how it ended.

pub mod parse;
pub mod serve;
