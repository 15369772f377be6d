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
        Backend::Sled(path) => Backend::Sled(real(path, FOLDER)?),
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
    let place = regular::followed(path).map_err(|error| match error.kind() {
        ErrorKind::NotFound => in_the_way(path, NOWHERE, wanted),
        _ => io_error("follow the symbolic link", path)(error),
    })?;
    // The first that is there on the way up, without the store itself.
    let folder = path.ancestors().skip(1).find(|path| {
        let is_there = fs::symlink_metadata(path).is_ok();
        is_there && !path.as_os_str().is_empty()
    });
    for (path, wanted) in [(folder, FOLDER), (Some(&*place), wanted)] {
        let Some(path) = path else { continue };
        match fs::metadata(path) {
            Ok(found) => must_be(path, found.file_type(), wanted)?,
            Err(_) if Some(path) == folder => return Err(in_the_way(path, NOWHERE, wanted)),
            // It is made, or whoever opens it says why it cannot be.
            Err(_) => {}
        }
    }
    Ok(place)
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

/// Why the store on this host could not be opened, as far as that shows without opening it.
pub(crate) fn obstacle(backend: &Backend) -> Option<StoreError> {
    let backend = match followed(backend) {
        Ok(backend) => backend,
        Err(error) => return Some(error),
    };
    let path = backend.path()?;
    let lock = lock::name(path);
    let wrong_lock = fs::metadata(&lock).ok().and_then(|found| {
        let is_lock = must_be(&lock, found.file_type(), lock::WHAT);
        is_lock.err()
    });
    let inside = path.join("db");
    let closed = [&lock, path, &inside].into_iter().find_map(|path| {
        let error = access(path, Access::READ_OK | Access::WRITE_OK).err()?;
        let is_refused = error == Errno::ACCESS || error == Errno::PERM;
        is_refused.then(|| io_error("read and write it", path)(error.into()))
    });
    wrong_lock.or(closed)
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
