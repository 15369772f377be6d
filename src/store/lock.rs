//! One process per store: a lock on a file beside it, which the kernel drops with the process.

use super::place::must_be;
use super::{StoreError, identity, io_error};
use crate::regular;
use std::ffi::OsString;
use std::fmt;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::ErrorKind;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// What it is, for messages.
pub(super) const WHAT: &str = "the lock of the store";

/// Held as long as the store is open.
#[derive(Debug)]
pub(super) struct Lock {
    file: File,
}

impl Lock {
    /// Locks the store at `path`; the folder around it is made if it is missing.
    pub(super) fn take(path: &Path) -> Result<Lock, StoreError> {
        let folder = folder_of(path);
        fs::create_dir_all(folder).map_err(io_error("create the folder", folder))?;
        let name = name(path);
        if let Ok(found) = fs::metadata(&name) {
            must_be(&name, found.file_type(), WHAT)?;
        }
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(&name)
            .map_err(io_error("create the lock file", &name))?;
        Lock::of(file, path, &name)
    }

    /// The same without making anything: where there is no file to lock, nobody has the store open.
    pub(super) fn take_if_there(path: &Path) -> Result<Option<Lock>, StoreError> {
        let name = name(path);
        match fs::metadata(&name) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Ok(found) => must_be(&name, found.file_type(), WHAT)?,
            Err(_) => {}
        }
        let file = File::open(&name).map_err(io_error("open the lock file", &name))?;
        Lock::of(file, path, &name).map(Some)
    }

    /// Takes it anew if its file was removed or another is in its place, before the store at `path` is
    /// written: another process may have it open by then.
    pub(super) fn keep(&mut self, path: &Path) -> Result<(), StoreError> {
        let name = name(path);
        let ours = self.file.metadata();
        let ours = ours.map(|found| (found.dev(), found.ino())).ok();
        if ours.is_some() && ours == identity(&name).ok() {
            return Ok(());
        }
        *self = Lock::take(path)?;
        tracing::warn!(
            lock = %name.display(),
            "the lock beside the store was removed while the service ran, and is made anew; it is no \
             leftover, and without it two services would write one store"
        );
        Ok(())
    }

    fn of(file: File, path: &Path, name: &Path) -> Result<Lock, StoreError> {
        match file.try_lock() {
            Ok(()) => Ok(Lock { file }),
            Err(TryLockError::WouldBlock) => Err(StoreError::busy(path)),
            Err(TryLockError::Error(error)) => Err(io_error("lock", name)(error)),
        }
    }
}

/// Whether another process has the store at `path` open, and which, if the kernel says so. Nothing is
/// made or changed.
pub(super) fn held_by(path: &Path) -> Option<Holder> {
    let file = regular::open(&name(path)).ok()?;
    match file.try_lock_shared() {
        Err(TryLockError::WouldBlock) => {
            let inode = file.metadata().map(|meta| meta.ino());
            let locks = fs::read_to_string("/proc/locks").unwrap_or_default();
            Some(Holder {
                path: path.to_owned(),
                pid: inode.ok().and_then(|inode| holder(&locks, inode)),
            })
        }
        Ok(()) | Err(TryLockError::Error(_)) => None,
    }
}

/// The process that has a store open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// Where the store is.
    pub path: PathBuf,
    /// Its number; unknown if it is in another container, for instance.
    pub pid: Option<u32>,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(pid) = self.pid else {
            return f.write_str("another process");
        };
        write!(f, "process {pid}")?;
        match fs::read_to_string(format!("/proc/{pid}/comm")) {
            Ok(name) => write!(f, " ({})", name.trim().escape_debug()),
            Err(_) => Ok(()),
        }
    }
}

/// Who holds a lock on `inode`, by the lines of `/proc/locks` (proc_locks(5)):
/// `1: FLOCK  ADVISORY  WRITE 4242 08:02:131 0 EOF`.
fn holder(locks: &str, inode: u64) -> Option<u32> {
    let holds = |line: &str| {
        let mut words = line.split_whitespace().skip(1);
        let (kind, _, _, pid) = (words.next()?, words.next()?, words.next()?, words.next()?);
        let place = words.next()?.rsplit(':').next()?;
        // 0 is a process that cannot be seen from here.
        let pid = pid.parse().ok().filter(|&pid| pid != 0);
        pid.filter(|_| kind == "FLOCK" && place.parse() == Ok(inode))
    };
    locks.lines().find_map(holds)
}

/// The file that is locked for the store at `path`.
pub(super) fn name(path: &Path) -> PathBuf {
    beside(path, "lock")
}

/// `path` with a further extension.
pub(super) fn beside(path: &Path, extension: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(".");
    name.push(extension);
    name.into()
}

/// The folder that holds `path`.
pub(super) fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_a_store_open_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let store = folder.path().join("store");
        assert_eq!(held_by(&store), None);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        let lock = Lock::take(&store).unwrap();
        let holder = held_by(&store).unwrap();
        // Where /proc/locks is hidden, nobody knows.
        assert!(holder.pid.is_none_or(|pid| pid == std::process::id()));
        drop(lock);
        assert_eq!(held_by(&store), None, "the file of the lock stays");
    }

    #[test]
    fn a_lock_that_was_removed_is_made_anew_unless_another_has_the_store_by_then() {
        let folder = tempfile::tempdir().unwrap();
        let store = folder.path().join("ledger");
        let remove = || fs::remove_file(beside(&store, "lock")).unwrap();
        let mut first = Lock::take(&store).unwrap();
        first.keep(&store).unwrap();
        remove();
        first.keep(&store).unwrap();
        assert!(Lock::take(&store).is_err(), "it is held again");
        remove();
        let second = Lock::take(&store).unwrap();
        assert!(first.keep(&store).is_err(), "the second has it");
        drop(second);
        first.keep(&store).unwrap();
    }

    #[test]
    fn a_lock_of_another_kind_or_file_or_nobody_is_not_taken_for_it() {
        let locks = "1: POSIX  ADVISORY  WRITE 11 08:02:131 0 EOF\n\
                     2: FLOCK  ADVISORY  WRITE 22 08:02:1310 0 EOF\n\
                     3: FLOCK  ADVISORY  WRITE 0 08:02:131 0 EOF\n\
                     nonsense\n\
                     4: FLOCK  ADVISORY  WRITE 44 00:2f:131 0 EOF\n";
        assert_eq!(holder(locks, 131), Some(44));
        assert_eq!(holder(locks, 13), None);
    }
}
