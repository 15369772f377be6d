//! What the command line can do: one module a subcommand.

pub mod check;
pub mod parse;
pub mod serve;
