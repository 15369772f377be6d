//! One process per store: a lock on a file beside it, which the kernel drops with the process.

use super::{StoreError, io_error};
use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Held as long as the store is open.
#[derive(Debug)]
pub(super) struct Lock {
    _file: File,
}

impl Lock {
    /// Locks the store at `path`; the folder around it is made if it is missing.
    pub(super) fn take(path: &Path) -> Result<Lock, StoreError> {
        let folder = folder_of(path);
        fs::create_dir_all(folder).map_err(io_error("create the folder", folder))?;
        let name = beside(path, "lock");
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(&name)
            .map_err(io_error("create the lock file", &name))?;
        match file.try_lock() {
            Ok(()) => Ok(Lock { _file: file }),
            Err(TryLockError::WouldBlock) => Err(StoreError::busy(path)),
            Err(TryLockError::Error(error)) => Err(io_error("lock", &name)(error)),
        }
    }
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
