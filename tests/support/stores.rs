//! The kinds of store that keep something on this machine: a new one is one row.

#![allow(dead_code, reason = "each test binary uses its own part of this")]
#![allow(unreachable_pub, reason = "the test binaries are the public")]

use proxy_checker::config::Backend;
use proxy_checker::store::{self, Store, StoreError};
use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

/// A kind of store.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    /// As `storage.type` has it.
    pub name: &'static str,
    /// The store at a path.
    pub at: fn(PathBuf) -> Backend,
}

/// Every kind.
pub const KINDS: [Kind; 3] = [
    Kind {
        name: "sled",
        at: Backend::Sled,
    },
    Kind {
        name: "file",
        at: Backend::File,
    },
    Kind {
        name: "sqlite",
        at: Backend::Sqlite,
    },
];

impl Kind {
    /// The store in a folder of its own.
    pub fn within(self, folder: &Path) -> Backend {
        (self.at)(folder.join("ledger"))
    }

    /// By its name.
    pub fn named(name: &str) -> Kind {
        let kind = KINDS.into_iter().find(|kind| kind.name == name);
        kind.expect("a kind of the table")
    }
}

/// Every file in a folder, but for locks and what is empty.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for found in fs::read_dir(folder).expect("a folder") {
        let path = found.expect("an entry").path();
        let length = || fs::metadata(&path).map_or(0, |found| found.len());
        match path.is_dir() {
            true => files.extend(self::files(&path)),
            false if path.extension().is_some_and(|end| end == "lock") || length() == 0 => {}
            false => files.push(path),
        }
    }
    files.sort();
    files
}

/// Opens a store that nobody has open. A process that another thread of these tests has just forked
/// holds its lock, too, until it runs a program of its own.
pub fn open(backend: &Backend) -> Box<dyn Store> {
    let until = Instant::now() + Duration::from_secs(20);
    loop {
        match store::open(backend) {
            Ok(store) => return store,
            Err(StoreError::Busy { .. }) if Instant::now() < until => thread::yield_now(),
            Err(error) => panic!("{error}"),
        }
    }
}
