//! What a store holds, read without changing it. A database changes its files when it is opened, and
//! most where they are damaged; so it is opened as a copy.

use super::lock::Lock;
use super::redis::RedisStore;
use super::{Image, StoreError, file, free, io_error, sled, sqlite};
use crate::config::Backend;
use std::env;
use std::fs;
use std::path::Path;

/// What is stored, for who only reads. Nothing is made, moved or changed; the copy of a database needs
/// as much room among the temporary files (`TMPDIR`) for as long as this lasts.
///
/// # Errors
/// [`StoreError::Busy`] if another process has it open, [`StoreError::Unreadable`] if it is damaged or
/// not ours, and what the file system or the server refuses.
pub fn look(backend: &Backend) -> Result<Image, StoreError> {
    match &free(backend)? {
        Backend::Memory => Ok(Image::default()),
        Backend::Redis { place, prefix } => RedisStore::open(place, prefix)?.look(),
        Backend::File(path) => unless_open(path, || file::look(path)),
        Backend::Sled(path) => unless_open(path, || copied(path, sled::look)),
        Backend::Sqlite(path) => unless_open(path, || copied(path, sqlite::look)),
    }
}

/// What `read` gives while nobody else can open the store; nothing where there is none.
fn unless_open(
    path: &Path,
    read: impl FnOnce() -> Result<Image, StoreError>,
) -> Result<Image, StoreError> {
    let _lock = Lock::take_if_there(path)?;
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Image::default()),
        _ => read(),
    }
}

/// What `read` gives, which copies the store to a place of its own.
fn copied(
    path: &Path,
    read: impl FnOnce(&Path, &Path) -> Result<Image, StoreError>,
) -> Result<Image, StoreError> {
    let scratch = tempfile::tempdir();
    let scratch = scratch.map_err(io_error("make a folder for a copy", &env::temp_dir()))?;
    read(path, &scratch.path().join("ledger"))
}

/// Copies a file of a store to where its copy is.
pub(super) fn copy(from: &Path, to: &Path) -> Result<(), StoreError> {
    let copied = fs::copy(from, to).map(drop);
    copied.map_err(io_error("copy it to the temporary files (TMPDIR)", from))
}
