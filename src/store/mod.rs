//! The ledger across restarts: one trait, one backend a file, one contract test for all.

pub(crate) mod chunk;
pub(crate) mod entries;
pub(crate) mod record;

mod aside;
mod lock;

mod file;
mod sled;

pub mod keeper;

#[cfg(test)]
mod contract;

pub use aside::Recovered;
pub use entries::Entries;

use crate::config::Backend;
use std::io;
use std::path::{Path, PathBuf};

/// What is saved and loaded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Image {
    /// When it was saved, in milliseconds since the Unix epoch.
    pub saved_at_ms: u64,
    /// The names of the targets that the bits of the entries stand for, in their order; empty if
    /// an older version saved it, which did not say.
    pub targets: Vec<Box<str>>,
    /// The ledger, in its own order.
    pub entries: Entries,
}

/// Why a store failed; the text names the place and the remedy.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another process has it open.
    #[error("{}: another process uses this store; stop that one, or give storage.path another place", path.display())]
    Busy {
        /// The store.
        path: PathBuf,
    },
    /// The file system refused something.
    #[error("{}: cannot {doing}: {source}; see that the folder exists, may be written and has room", path.display())]
    Io {
        /// What was attempted.
        doing: &'static str,
        /// On which file or folder.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// The database failed, in a way that is not the fault of what it had stored.
    #[error("{}: cannot {doing}: {why}; see that the folder may be written and has room", path.display())]
    Database {
        /// What was attempted.
        doing: &'static str,
        /// The database's folder.
        path: PathBuf,
        /// Why it failed.
        why: String,
    },
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
}

/// Opens the store, for this process alone.
pub fn open(backend: &Backend) -> Result<Box<dyn Store>, StoreError> {
    Ok(match backend {
        Backend::Sled(path) => Box::new(sled::SledStore::open(path)?),
        Backend::File(path) => Box::new(file::FileStore::open(path)?),
    })
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
