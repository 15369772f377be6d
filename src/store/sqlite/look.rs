//! A SQLite database, read from a copy.

use super::{SqliteStore, Trouble, look_at_head, with_end};
use crate::store::look::copy;
use crate::store::{Image, Store, StoreError};
use std::path::Path;

/// Files beside a database that hold a part of it: what was written and not yet moved into it.
const UNMOVED: [&str; 2] = ["-wal", "-journal"];

/// What the database in the file `path` holds, by a copy of it at `scratch`.
pub(in crate::store) fn look(path: &Path, scratch: &Path) -> Result<Image, StoreError> {
    let unreadable = |why: &str| StoreError::unreadable(path, why);
    if path.is_dir() {
        return Err(unreadable("it is a folder"));
    }
    if let Err(Trouble::Damaged(why)) = look_at_head(path) {
        return Err(unreadable(&why));
    }
    copy(path, scratch)?;
    for end in UNMOVED {
        let file = with_end(path, end);
        if file.exists() {
            copy(&file, &with_end(scratch, end))?;
        }
    }
    let mut store = SqliteStore::open(scratch)?;
    let image = store.load()?;
    match store.recovered() {
        None => Ok(image),
        Some(recovered) => Err(unreadable(&recovered.why)),
    }
}
