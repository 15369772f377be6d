//! How a command ends: the exit statuses, and why it did not do its work.

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
