//! The ledger as one JSON file, in the form of the old service, so that whoever reads that file
//! can go on: `proxies` are the alive ones. Our whole ledger stands beside them, under a key of
//! its own, with a CRC over its content; without it, `proxies` is read.

use super::aside::{Recovered, move_aside};
use super::lock::{Lock, beside, folder_of};
use super::{Image, Store, StoreError, io_error};
use crate::regular::followed;
use form::Written;
pub(super) use form::parse;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, BufWriter, ErrorKind, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

pub(super) mod form;
mod old;
#[cfg(test)]
mod tests;

/// Longest file that is read, in bytes: some four million entries, few of them ever alive.
const FILE_BYTES_MAX: u64 = 1 << 30;

/// One JSON file, replaced as a whole by each save.
#[derive(Debug)]
pub(super) struct FileStore {
    path: PathBuf,
    /// Longest file that is written: one that is longer would not be read again.
    bytes_max: u64,
    recovered: Option<Recovered>,
    lock: Lock,
}

impl FileStore {
    /// The store in the file `path`, which need not exist yet.
    pub(super) fn open(path: &Path) -> Result<FileStore, StoreError> {
        Ok(FileStore {
            path: path.to_owned(),
            bytes_max: FILE_BYTES_MAX,
            recovered: None,
            lock: Lock::take(path)?,
        })
    }
}

/// What the file `path` holds. Nothing is made or changed.
pub(super) fn look(path: &Path) -> Result<Image, StoreError> {
    let Some(bytes) = bytes(path)? else {
        return Ok(Image::default());
    };
    parse(&bytes).map_err(|why| StoreError::unreadable(path, &why))
}

/// The file's bytes; `None` if there is no file.
fn bytes(path: &Path) -> Result<Option<Vec<u8>>, StoreError> {
    let mut bytes = Vec::new();
    let read =
        File::open(path).and_then(|file| file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes));
    match read {
        Ok(_) => Ok(Some(bytes)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(io_error("read", path)(error)),
    }
}

impl Store for FileStore {
    fn load(&mut self) -> Result<Image, StoreError> {
        let Some(bytes) = bytes(&self.path)? else {
            return Ok(Image::default());
        };
        match parse(&bytes) {
            Ok(image) => Ok(image),
            Err(why) => {
                self.recovered = Some(move_aside(&self.path, why)?);
                Ok(Image::default())
            }
        }
    }

    fn save(&mut self, image: &Image) -> Result<(), StoreError> {
        self.lock.keep(&self.path)?;
        let written = Written::of(image);
        // A symbolic link stays, and what it leads to is replaced.
        let path = &followed(&self.path).map_err(io_error("follow", &self.path))?;
        let new = beside(path, "new");
        let saved = write(&new, &written, self.bytes_max)
            .map_err(io_error("write", &new))
            .and_then(|()| fs::rename(&new, path).map_err(io_error("replace", path)));
        if saved.is_err() {
            // It may hold the room that is lacking. If it cannot go either, the next save tries.
            let _ = fs::remove_file(&new);
        }
        saved?;
        let folder = folder_of(path);
        File::open(folder)
            .and_then(|folder| folder.sync_all())
            .map_err(io_error("sync the folder", folder))
    }

    fn recovered(&mut self) -> Option<Recovered> {
        self.recovered.take()
    }
}

/// Writes the file and waits until it is on the disk. Only its owner may read it: it holds
/// credentials.
fn write(path: &Path, content: &Written<'_>, bytes_max: u64) -> io::Result<()> {
    let file = OpenOptions::new()
        .create(true)
        .truncate(true)
        .write(true)
        .mode(0o600)
        .open(path)?;
    file.set_permissions(Permissions::from_mode(0o600))?;
    let mut out = BufWriter::new(Bounded {
        file,
        left: bytes_max,
    });
    serde_json::to_writer(&mut out, content)?;
    out.write_all(b"\n")?;
    let out = out.into_inner().map_err(io::IntoInnerError::into_error)?;
    out.file.sync_all()
}

/// A file that takes so many bytes and no more.
struct Bounded {
    file: File,
    left: u64,
}

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.len() as u64 > self.left {
            let text = "the ledger has grown too long for a file that is read again; \
                        storage.type sled or sqlite has room for it";
            return Err(io::Error::new(ErrorKind::FileTooLarge, text));
        }
        let written = self.file.write(bytes)?;
        self.left -= written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}
