//! `explain`: probes one proxy and prints every stage, what was said, and the rule behind the verdict.

use crate::commands::status::Failure;
use std::io::Write;

/// Arguments of `explain`.
#[derive(clap::Args, Clone, Debug)]
pub struct ExplainArgs {}

/// Probes the proxy and tells what happened.
///
/// # Errors
/// What keeps it from starting.
pub fn run(args: &ExplainArgs, out: impl Write, err: &mut dyn Write) -> Result<u8, Failure> {
    let _ = (args, out, err);
    todo!()
}
