//! What cannot be read is moved aside, never deleted.

use super::lock::{beside, folder_of};
use super::{StoreError, io_error};
use std::fmt;
use std::fs;
use std::os::unix::ffi::OsStrExt;
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

/// What was moved aside from `path` and is still there, the oldest first. What belongs to a database
/// counts with it.
pub(super) fn lying_beside(path: &Path) -> Vec<PathBuf> {
    let begin = beside(path, "broken-");
    let begin = begin.file_name().unwrap_or_default().as_bytes();
    let files = fs::read_dir(folder_of(path))
        .into_iter()
        .flatten()
        .flatten();
    let is_whole = |name: &[u8]| {
        ![&b"-wal"[..], b"-shm", b"-journal"]
            .iter()
            .any(|end| name.ends_with(end))
    };
    let mut found: Vec<PathBuf> = files
        .map(|file| file.path())
        .filter(|file| {
            let name = file.file_name().unwrap_or_default().as_bytes();
            name.starts_with(begin) && is_whole(name)
        })
        .collect();
    found.sort();
    found
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_moved_aside_is_found_again_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger.db");
        assert_eq!(lying_beside(&path), [] as [PathBuf; 0]);
        let mut moved = Vec::new();
        for _ in 0..2 {
            fs::write(&path, "noise").unwrap();
            moved.push(move_aside(&path, "noise".to_owned()).unwrap().moved_to);
        }
        let mut wal = moved[0].clone().into_os_string();
        wal.push("-wal");
        fs::write(wal, "noise").unwrap();
        for other in ["ledger.db", "ledger.db.lock", "other.db.broken-1"] {
            fs::write(folder.path().join(other), "noise").unwrap();
        }
        assert_eq!(lying_beside(&path), moved);
    }
}
