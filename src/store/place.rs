//! Where a store of this host really is, and whether its files are those that we left.

use super::{StoreError, io_error};
use crate::config::Backend;
use crate::regular::{self, instead_of_file};
use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// The backend at the place to which its path leads: what belongs to a store (its lock, its log, what is
/// moved aside) lies beside the store itself, and a symbolic link to it stays one.
///
/// # Errors
/// [`StoreError::NotAFile`] for what would be lost if a store took its place, as `/dev/null` would be for
/// everyone, for what makes whoever opens it wait, and for a link that leads nowhere: the disk that it leads
/// to may not be mounted yet. [`StoreError::Io`] for a link that cannot be followed.
pub(crate) fn followed(backend: &Backend) -> Result<Backend, StoreError> {
    Ok(match backend {
        Backend::Sled(path) => Backend::Sled(real(path)?),
        Backend::File(path) => Backend::File(real(path)?),
        Backend::Sqlite(path) => Backend::Sqlite(real(path)?),
        Backend::Memory | Backend::Redis { .. } => backend.clone(),
    })
}

/// The file or folder at `path`; a link is followed to its end.
fn real(path: &Path) -> Result<PathBuf, StoreError> {
    let place = regular::followed(path).map_err(|error| match error.kind() {
        ErrorKind::NotFound => not_a_file(path, "a symbolic link that leads nowhere"),
        _ => io_error("follow the symbolic link", path)(error),
    })?;
    let kind = fs::metadata(&place).map(|found| found.file_type());
    match kind.ok().and_then(instead_of_file) {
        None | Some("a directory") => Ok(place),
        Some(what) => Err(not_a_file(path, what)),
    }
}

fn not_a_file(path: &Path, what: &'static str) -> StoreError {
    StoreError::NotAFile {
        path: path.to_owned(),
        what,
    }
}

/// For the log: what [`Stamp`] tells.
pub(super) const CHANGED: &str = "someone removed, replaced or wrote to the store while the service had it; what is known is \
                                  saved to what is there now";

/// A file, whatever it is called: its device, and its number there.
pub(super) type Identity = (u64, u64);

/// Which file stands at `path`.
pub(super) fn identity(path: &Path) -> io::Result<Identity> {
    Stamp::of(path).map(|stamp| stamp.file)
}

/// A file as it was left: who writes to it changes that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    pub(super) file: Identity,
    bytes: u64,
    /// Seconds and nanoseconds of the last write.
    written: (i64, i64),
}

impl Stamp {
    /// That of the file at `path`.
    pub(super) fn of(path: &Path) -> io::Result<Stamp> {
        let found = fs::metadata(path)?;
        Ok(Stamp {
            file: (found.dev(), found.ino()),
            bytes: found.len(),
            written: (found.mtime(), found.mtime_nsec()),
        })
    }
}
