//! Where a store of this host really is, and whether its files are those that we left.

use super::{StoreError, io_error, lock};
use crate::config::Backend;
use crate::regular::{self, instead_of_file};
use rustix::fs::{Access, access};
use rustix::io::Errno;
use std::fs::{self, FileType};
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// The backend at the place to which its path leads: what belongs to a store (its lock, its log, what is
/// moved aside) lies beside the store itself, and a symbolic link to it stays one.
///
/// # Errors
/// [`StoreError::InTheWay`] for what would be lost if a store took its place, as `/dev/null` would be for
/// everyone, for what makes whoever opens it wait, for another kind of thing than the store is, and for a link
/// that leads nowhere: the disk that it leads to may not be mounted yet. [`StoreError::Io`] for a link that
/// cannot be followed.
pub(crate) fn followed(backend: &Backend) -> Result<Backend, StoreError> {
    Ok(match backend {
        // A folder has all within, but for its lock, which may not be allowed beside what a link leads to:
        // sled's own tells of two that have it by two names.
        Backend::Sled(path) => real(path, FOLDER).map(|_| backend.clone())?,
        Backend::File(path) => Backend::File(real(path, FILE)?),
        Backend::Sqlite(path) => Backend::Sqlite(real(path, FILE)?),
        Backend::Memory | Backend::Redis { .. } => backend.clone(),
    })
}

const FILE: &str = "a file";
const FOLDER: &str = "a folder";
const NOWHERE: &str = "a symbolic link that leads nowhere (is its disk mounted?)";

/// The file or folder at `path`, if there is one; a link is followed to its end.
fn real(path: &Path, wanted: &'static str) -> Result<PathBuf, StoreError> {
    // As it was configured, unless it is a link: people look for that in messages.
    let place = regular::followed(path).map_err(not_followed(path, wanted))?;
    // The first that is there on the way up, without the store itself.
    let folder = path.ancestors().skip(1).find(|path| {
        let is_there = fs::symlink_metadata(path).is_ok();
        is_there && !path.as_os_str().is_empty()
    });
    for (path, wanted) in [(folder, FOLDER), (Some(&*place), wanted)] {
        let Some(path) = path else { continue };
        match fs::metadata(path) {
            Ok(found) => must_be(path, found.file_type(), wanted)?,
            Err(error) if Some(path) == folder => return Err(not_followed(path, wanted)(error)),
            // It is made, or whoever opens it says why it cannot be.
            Err(_) => {}
        }
    }
    Ok(place)
}

fn not_followed(path: &Path, wanted: &'static str) -> impl FnOnce(io::Error) -> StoreError {
    move |error| match error.kind() {
        ErrorKind::NotFound => in_the_way(path, NOWHERE, wanted),
        _ => io_error("follow the symbolic link", path)(error),
    }
}

/// Refuses what is not `wanted`.
pub(super) fn must_be(path: &Path, kind: FileType, wanted: &'static str) -> Result<(), StoreError> {
    let what = match instead_of_file(kind) {
        None => FILE,
        Some("a directory") => FOLDER,
        Some(what) => what,
    };
    let is_wanted = what == wanted || (what == FILE && wanted != FOLDER);
    match is_wanted {
        true => Ok(()),
        false => Err(in_the_way(path, what, wanted)),
    }
}

fn in_the_way(path: &Path, what: &'static str, wanted: &'static str) -> StoreError {
    StoreError::InTheWay {
        path: path.to_owned(),
        what,
        wanted,
    }
}

/// [`followed`], unless the store could not be opened, as far as that shows without opening it.
pub(crate) fn openable(backend: &Backend) -> Result<Backend, StoreError> {
    let backend = followed(backend)?;
    let Some(path) = backend.path() else {
        return Ok(backend);
    };
    let lock = lock::name(path);
    if let Ok(found) = fs::metadata(&lock) {
        must_be(&lock, found.file_type(), lock::WHAT)?;
    }
    // A JSON file is replaced, not written.
    let access_wanted = match backend {
        Backend::File(_) => Access::READ_OK,
        _ => Access::READ_OK | Access::WRITE_OK,
    };
    for (path, wanted) in [
        (&*lock, Access::WRITE_OK),
        (path, access_wanted),
        (&path.join("db"), access_wanted),
    ] {
        // What is not there is made, and a disk may be read-only for now.
        if let Err(error @ (Errno::ACCESS | Errno::PERM)) = access(path, wanted) {
            return Err(io_error("read and write it", path)(error.into()));
        }
    }
    Ok(backend)
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
