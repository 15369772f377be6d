//! What cannot be read is moved aside, never deleted.

use super::lock::beside;
use super::{StoreError, io_error};
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// A store that could not be read was moved aside; the ledger starts empty. Its text is for the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recovered {
    /// Where the store is.
    pub path: PathBuf,
    /// Where its old content is now.
    pub moved_to: PathBuf,
    /// What was wrong with it.
    pub why: String,
}

impl fmt::Display for Recovered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}: could not be read ({}); moved to {}, and the ledger starts empty",
            self.path.display(),
            self.why,
            self.moved_to.display()
        )
    }
}

/// Moves `path` to `path.broken-TIME` (`-1`, `-2` … if that is taken).
pub(super) fn move_aside(path: &Path, why: String) -> Result<Recovered, StoreError> {
    let now = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
    let name = format!("broken-{}", now.as_secs());
    let mut moved_to = beside(path, &name);
    for again in 1.. {
        if fs::symlink_metadata(&moved_to).is_err() {
            break;
        }
        moved_to = beside(path, &format!("{name}-{again}"));
    }
    fs::rename(path, &moved_to).map_err(io_error("move the unreadable store aside", path))?;
    Ok(Recovered {
        path: path.to_owned(),
        moved_to,
        why,
    })
}
