//! `judge`: the target that a proxy cannot imitate. Answers a nonce with what it saw of the request,
//! sealed.

use crate::commands::status::Failure;
use std::io::Write;

/// Arguments of `judge`.
#[derive(clap::Args, Clone, Debug)]
pub struct JudgeArgs {}

/// Serves until SIGTERM or SIGINT.
///
/// # Errors
/// What keeps it from starting.
pub fn run(args: &JudgeArgs, err: &mut dyn Write) -> Result<u8, Failure> {
    let _ = (args, err);
    todo!()
}
