//! The ledger across restarts: one trait, one backend a file, one contract test for all.

pub(crate) mod chunk;
pub(crate) mod entries;
mod json;
pub(crate) mod record;

mod changes;
pub(crate) mod reading;

mod aside;
mod late;
mod lock;
mod look;
mod place;

mod file;
mod memory;
mod redis;
mod sled;
mod sqlite;

pub mod backup;
pub mod keeper;
pub mod merge;
pub mod text;

#[cfg(test)]
mod contract;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;

pub use aside::Recovered;
pub use entries::Entries;
pub(crate) use late::LateStore;
pub use lock::Holder;
pub use look::look;
pub use merge::Merged;
use place::{Identity, Stamp, identity};
pub(crate) use place::{followed, openable};

use crate::config::Backend;
use serde::{Deserialize, Serialize};
use std::io;
use std::path::{Path, PathBuf};

/// What is saved and loaded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Image {
    /// When it was saved, in milliseconds since the Unix epoch.
    pub saved_at_ms: u64,
    /// What the candidates were last asked, and since when.
    pub asked: Asked,
    /// The names of the targets that the bits of the entries stand for, in their order; empty if
    /// an older version saved it, which did not say.
    pub targets: Vec<Box<str>>,
    /// The ledger, in its own order.
    pub entries: Entries,
}

/// What every candidate was last asked, so that a restart does not ask it again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Asked {
    /// Tells the targets, and what is demanded of them, from others; 0: an older version saved it,
    /// which did not say.
    pub policy: u64,
    /// When everything was last due, in milliseconds since the Unix epoch: what was checked since
    /// then has had its turn. 0: not known.
    pub since_ms: u64,
    /// When all of that had been checked, likewise; 0: not yet.
    pub over_ms: u64,
}

/// Why a store failed; the text names the place and the remedy.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another process has it open.
    #[error("{}: {holder} uses this store; stop that one, or give this one another place ({key})", path.display())]
    Busy {
        /// The store: a path, or a server and a key.
        path: PathBuf,
        /// Who has it, as far as that is known.
        holder: String,
        /// What says where the store is.
        key: &'static str,
    },
    /// The server failed, or did not answer in time.
    #[error("{place}: cannot {doing}: {why}; {remedy}")]
    Server {
        /// What was attempted.
        doing: &'static str,
        /// The server and the key.
        place: String,
        /// Why it failed.
        why: String,
        /// What to look at.
        remedy: &'static str,
    },
    /// The file system refused something.
    #[error("{}: cannot {doing}: {source}; see who owns it, and that the folder exists, may be written and has room", path.display())]
    Io {
        /// What was attempted.
        doing: &'static str,
        /// On which file or folder.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// Something else stands where the store, its folder or its lock belongs.
    #[error("{}: is {what}, where {wanted} belongs; move it away, or give storage.path another place", path.display())]
    InTheWay {
        /// Its path.
        path: PathBuf,
        /// What it is.
        what: &'static str,
        /// What would be there.
        wanted: &'static str,
    },
    /// There is no room for the database. What it had stored is as it was.
    #[error("{}: cannot {doing}: {why}; make room on the disk that it is on, have it mounted writable, or give it another place (storage.path)", path.display())]
    Full {
        /// What was attempted.
        doing: &'static str,
        /// The database's folder.
        path: PathBuf,
        /// Why it failed.
        why: String,
    },
    /// It is damaged or not ours, and who asked only reads.
    #[error(
        "{}: cannot be read ({why}), and nothing of it was changed; see that {key} names the ledger; where it is damaged, the service moves it aside when it starts, and begins anew", path.display()
    )]
    Unreadable {
        /// The store: a path, or a server and a key.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
        /// What says where the store is.
        key: &'static str,
    },
    /// The database failed, in a way that is not the fault of what it had stored.
    #[error("{}: cannot {doing}: {why}; see who owns it, and that the folder may be written and has room", path.display())]
    Database {
        /// What was attempted.
        doing: &'static str,
        /// The database's folder.
        path: PathBuf,
        /// Why it failed.
        why: String,
    },
}

impl StoreError {
    /// Whether room is all that it lacked.
    pub fn wants_room(&self) -> bool {
        match self {
            StoreError::Full { .. } => true,
            StoreError::Io { source, .. } => is_want_of_room(source),
            _ => false,
        }
    }

    /// Another process of this host has the file or folder.
    fn busy(path: &Path) -> StoreError {
        StoreError::Busy {
            path: path.to_owned(),
            holder: "another process".to_owned(),
            key: "storage.path",
        }
    }

    /// What is at this place is no ledger that can be read.
    fn unreadable(path: &Path, why: &str) -> StoreError {
        StoreError::Unreadable {
            path: path.to_owned(),
            why: why.to_owned(),
            key: "storage.path",
        }
    }
}

/// Keeps the ledger across restarts. An entry that no list can hold (port 0, a name that is none,
/// credentials that are empty or longer than 255 bytes) is left out.
pub trait Store: Send {
    /// What was saved last; empty if nothing was, or if it could not be read: then
    /// [`Store::recovered`] says where it went.
    fn load(&mut self) -> Result<Image, StoreError>;
    /// Replaces what is saved. After `Ok` it survives a crash of the process and of the machine;
    /// after an error either the image before or this one is there, as a whole.
    fn save(&mut self, image: &Image) -> Result<(), StoreError>;
    /// What was moved aside since the last call because it could not be read.
    fn recovered(&mut self) -> Option<Recovered> {
        None
    }
    /// What was stored and could be read only after the start, once: it is to be taken in.
    fn found(&mut self) -> Option<Image> {
        None
    }
}

/// The process of this host that has the store open, if the store is on this host and there is one.
pub fn holder(backend: &Backend) -> Option<Holder> {
    let followed = followed(backend).ok();
    let paths = [followed.as_ref().and_then(Backend::path), backend.path()];
    paths.into_iter().flatten().find_map(lock::held_by)
}

/// What earlier starts have moved aside because it could not be read and still lies beside the store,
/// the oldest first. Of a server it is not known.
pub fn set_aside(backend: &Backend) -> Vec<PathBuf> {
    let followed = followed(backend).ok();
    let path = followed.as_ref().and_then(Backend::path);
    path.map_or_else(Vec::new, aside::lying_beside)
}

/// [`followed`], unless a process has the store by the name of a link to it: it was moved and linked to while
/// that process ran.
fn free(backend: &Backend) -> Result<Backend, StoreError> {
    let followed = followed(backend)?;
    match backend.path() {
        Some(path) if followed != *backend && lock::held_by(path).is_some() => {
            Err(StoreError::busy(path))
        }
        _ => Ok(followed),
    }
}

/// Opens the store, for this process alone.
pub fn open(backend: &Backend) -> Result<Box<dyn Store>, StoreError> {
    Ok(match &free(backend)? {
        Backend::Memory => Box::new(memory::MemoryStore),
        Backend::Sled(path) => Box::new(sled::SledStore::open(path)?),
        Backend::File(path) => Box::new(file::FileStore::open(path)?),
        Backend::Sqlite(path) => Box::new(sqlite::SqliteStore::open(path)?),
        Backend::Redis { place, prefix } => Box::new(redis::RedisStore::open(place, prefix)?),
    })
}

/// Whether the disk, a quota or a limit on the size of files kept something from being written, or the file
/// system may only be read.
pub(crate) fn is_want_of_room(error: &io::Error) -> bool {
    use io::ErrorKind::{FileTooLarge, QuotaExceeded, ReadOnlyFilesystem, StorageFull, WriteZero};
    matches!(
        error.kind(),
        StorageFull | QuotaExceeded | FileTooLarge | WriteZero | ReadOnlyFilesystem
    )
}

/// For `map_err`: what was attempted, and where.
fn io_error(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> StoreError {
    let path = path.to_owned();
    move |source| StoreError::Io {
        doing,
        path,
        source,
    }
}
