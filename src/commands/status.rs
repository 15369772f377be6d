//! How a command ends: the exit statuses, and why it did not do its work.

use std::io::{self, ErrorKind, Write};

/// Exit status of a command that could not do its work.
pub const EXIT_FAILED: u8 = 1;
/// Exit status of a command that was called wrongly.
pub const EXIT_USAGE: u8 = 2;
/// Exit status of `explain` for a proxy that is not alive.
pub const EXIT_NOT_ALIVE: u8 = 3;
/// Exit status of a command that was interrupted by SIGINT or SIGTERM.
pub const EXIT_INTERRUPTED: u8 = 130;

/// Why a command did not do its work; the text names the place and the remedy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// It was called wrongly: exit status 2.
    #[error("{0}")]
    Usage(String),
    /// It could not: exit status 1.
    #[error("{0}")]
    Failed(String),
}

impl Failure {
    /// Its exit status.
    pub fn status(&self) -> u8 {
        match self {
            Failure::Usage(_) => EXIT_USAGE,
            Failure::Failed(_) => EXIT_FAILED,
        }
    }
}

/// Writes all that a command prints. That nobody reads on, as in `| head`, is no failure.
pub(super) fn print(text: &[u8], stdout: &mut dyn Write) -> Result<(), Failure> {
    let written = stdout.write_all(text).and_then(|()| stdout.flush());
    written.or_else(|error: io::Error| match error.kind() {
        ErrorKind::BrokenPipe => Ok(()),
        _ => Err(Failure::Failed(format!(
            "cannot write to standard output: {error}"
        ))),
    })
}

/// How a command ends that only prints something, for its help.
pub(super) const PRINTS: &str =
    "Exit status: 0 it was printed; 1 it could not be written; 2 wrong usage.";
