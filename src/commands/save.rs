//! `proxy-checker save`: has the running service save what it knows, now.

use super::reach::{ReachArgs, failed};
use super::status::Failure;
use crate::operator::client;
use clap::Args;
use std::io::Write;

const STATUS: &str = "\
Exit status: 0 all that was known is saved; 1 it is not, or no service runs; 2 wrong usage.";

/// Arguments of `save`.
#[derive(Args, Clone, Debug)]
#[command(after_help = STATUS)]
pub struct SaveArgs {
    #[command(flatten)]
    reach: ReachArgs,
}

/// Returns when it is on disk.
///
/// # Errors
/// No service answers, or its store took nothing.
pub fn run(args: &SaveArgs, stdout: &mut dyn Write) -> Result<(), Failure> {
    let socket = args.reach.socket()?;
    client::save(&socket).map_err(|error| failed(format!("{}: {error}", socket.display())))?;
    // Nobody has to read it.
    let _ = writeln!(stdout, "saved");
    Ok(())
}
