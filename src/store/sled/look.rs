//! A sled database, read from a copy.

use super::{SledStore, WITNESS, is_unfinished, wait_for_release};
use crate::store::look::copy;
use crate::store::{Image, Store, StoreError, io_error};
use std::ffi::OsStr;
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// What the database in the folder `path` holds, by a copy of it at `scratch`.
pub(in crate::store) fn look(path: &Path, scratch: &Path) -> Result<Image, StoreError> {
    let unreadable = |why: &str| StoreError::unreadable(path, why);
    if !path.is_dir() {
        return Err(unreadable("it is no folder, as a database of sled is"));
    }
    let held = wait_for_release(&path.join("db"));
    if held.is_err() {
        return Err(StoreError::busy(path));
    }
    let files = entries(path)?;
    if files.is_empty() {
        return Ok(Image::default());
    }
    if !["db", WITNESS].iter().any(|name| path.join(name).exists()) {
        return Err(unreadable("it is a folder with other things in it"));
    }
    copy_database(&files, scratch)?;
    let mut store = SledStore::open(scratch)?;
    let image = store.load()?;
    if let Some(recovered) = store.recovered() {
        return Err(unreadable(&recovered.why));
    }
    // Every save of ours leaves a witness.
    let is_ours = scratch.join(WITNESS).exists() || store.is_empty()?;
    match is_ours {
        true => Ok(image),
        false => Err(unreadable("it is a database of another program")),
    }
}

/// Copies what sled and we have made of `files`, and nothing else that may lie there.
fn copy_database(files: &[PathBuf], scratch: &Path) -> Result<(), StoreError> {
    let make = |folder: &Path| DirBuilder::new().mode(0o700).create(folder);
    make(scratch).map_err(io_error("make a folder for a copy", scratch))?;
    for file in files {
        let name = file.file_name().and_then(OsStr::to_str).unwrap_or_default();
        match name {
            "db" | "conf" | WITNESS => copy(file, &scratch.join(name))?,
            snapshot if snapshot.starts_with("snap.") && !is_unfinished(snapshot) => {
                copy(file, &scratch.join(name))?
            }
            "blobs" => {
                let folder = scratch.join(name);
                make(&folder).map_err(io_error("make a folder for a copy", &folder))?;
                for blob in entries(file)? {
                    copy(&blob, &folder.join(blob.file_name().unwrap_or_default()))?;
                }
            }
            _ => {}
        }
    }
    Ok(())
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>, StoreError> {
    let entries = fs::read_dir(folder).and_then(|found| {
        found
            .map(|file| Ok(file?.path()))
            .collect::<io::Result<_>>()
    });
    entries.map_err(io_error("read", folder))
}
