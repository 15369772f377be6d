//! The ledger as one JSON file, in the form of the old service, so that whoever reads that file
//! can go on: `proxies` are the alive ones. Our whole ledger stands beside them, under a key of
//! its own, with a CRC over its content; without it, `proxies` is read.

use super::aside::{Recovered, move_aside};
use super::lock::{Lock, beside, folder_of};
use super::{Image, Store, StoreError, io_error, record};
use crate::ledger::Entry;
use old::{Proxy, Stats};
use proxy_shards::{Timing, Verdict, Works};
use serde::{Deserialize, Serialize};
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, BufWriter, ErrorKind, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

mod old;
#[cfg(test)]
mod tests;

/// The format of `ledger`.
const FORMAT: u32 = 1;

/// Longest file that is read, in bytes: some four million entries.
const FILE_BYTES_MAX: u64 = 1 << 30;

/// One JSON file, replaced as a whole by each save.
#[derive(Debug)]
pub(super) struct FileStore {
    path: PathBuf,
    recovered: Option<Recovered>,
    _lock: Lock,
}

/// The file as it is written.
#[derive(Serialize)]
struct Written<'a> {
    // The first and the last key belong together: one without the other is damage.
    ledger_format: u32,
    proxies: Vec<Proxy>,
    stats: Stats,
    updated: String,
    ledger: Ledger<&'a str>,
}

/// The file as it is read.
#[derive(Deserialize)]
struct Found {
    ledger_format: Option<u32>,
    proxies: Option<Vec<Proxy>>,
    updated: Option<String>,
    ledger: Option<Ledger<String>>,
}

/// Everything that is known, not only who is alive.
#[derive(Serialize, Deserialize)]
struct Ledger<Label> {
    saved_at_ms: u64,
    /// Of the content in its binary form, so spaces and the order of keys do not matter.
    crc32: u32,
    entries: Vec<Line<Label>>,
}

/// An entry.
#[derive(Serialize, Deserialize)]
struct Line<Label> {
    url: String,
    verdict: Option<Label>,
    latency_us: u32,
    checked_at_ms: u64,
    alive_at_ms: u64,
    failures: u32,
}

impl FileStore {
    /// The store in the file `path`, which need not exist yet.
    pub(super) fn open(path: &Path) -> Result<FileStore, StoreError> {
        Ok(FileStore {
            path: path.to_owned(),
            recovered: None,
            _lock: Lock::take(path)?,
        })
    }

    /// The file's bytes; `None` if there is no file.
    fn bytes(&self) -> Result<Option<Vec<u8>>, StoreError> {
        let mut bytes = Vec::new();
        let read = File::open(&self.path)
            .and_then(|file| file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes));
        match read {
            Ok(_) => Ok(Some(bytes)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(io_error("read", &self.path)(error)),
        }
    }
}

impl Store for FileStore {
    fn load(&mut self) -> Result<Image, StoreError> {
        let Some(bytes) = self.bytes()? else {
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
        let written = written(image);
        let new = beside(&self.path, "new");
        let saved = write(&new, &written)
            .map_err(io_error("write", &new))
            .and_then(|()| fs::rename(&new, &self.path).map_err(io_error("replace", &self.path)));
        if saved.is_err() {
            // It may hold the room that is lacking. If it cannot go either, the next save tries.
            let _ = fs::remove_file(&new);
        }
        saved?;
        let folder = folder_of(&self.path);
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
fn write(path: &Path, content: &Written<'_>) -> io::Result<()> {
    let file = OpenOptions::new()
        .create(true)
        .truncate(true)
        .write(true)
        .mode(0o600)
        .open(path)?;
    file.set_permissions(Permissions::from_mode(0o600))?;
    let mut out = BufWriter::new(file);
    serde_json::to_writer(&mut out, content)?;
    out.write_all(b"\n")?;
    let file = out.into_inner().map_err(io::IntoInnerError::into_error)?;
    file.sync_all()
}

fn written(image: &Image) -> Written<'_> {
    let entries = image.entries.iter().filter(|e| record::is_storable(e));
    let lines = entries.map(|entry| Line {
        url: entry.candidate.url().to_string(),
        verdict: entry.verdict.map(|v| v.label()),
        latency_us: entry.timing.total_us,
        checked_at_ms: entry.checked_at_ms,
        alive_at_ms: entry.alive_at_ms,
        failures: entry.failures,
    });
    Written {
        ledger_format: FORMAT,
        proxies: image.entries.iter().filter_map(Proxy::of).collect(),
        stats: Stats::of(image),
        updated: old::time_text(image.saved_at_ms),
        ledger: Ledger {
            saved_at_ms: image.saved_at_ms,
            crc32: crc(image),
            entries: lines.collect(),
        },
    }
}

/// Of the time and the storable entries, in their binary form.
fn crc(image: &Image) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(&image.saved_at_ms.to_le_bytes());
    let mut bytes = Vec::new();
    for entry in image.entries.iter().filter(|e| record::is_storable(e)) {
        bytes.clear();
        record::encode(entry, &mut bytes);
        crc.update(&bytes);
    }
    crc.finalize()
}

fn parse(bytes: &[u8]) -> Result<Image, String> {
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(format!("it is longer than {FILE_BYTES_MAX} bytes"));
    }
    let found: Found = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    match (found.ledger_format, found.ledger) {
        (Some(FORMAT), Some(ledger)) => image_of(ledger),
        (Some(other), Some(_)) => Err(format!(
            "it has format {other}; this version reads {FORMAT}, so a newer one may have written it"
        )),
        (None, None) => Ok(Image {
            saved_at_ms: found.updated.as_deref().map_or(0, old::time_of),
            entries: found
                .proxies
                .unwrap_or_default()
                .iter()
                .filter_map(Proxy::entry)
                .collect(),
        }),
        _ => Err("ledger_format and ledger are not both there".to_owned()),
    }
}

fn image_of(ledger: Ledger<String>) -> Result<Image, String> {
    let entries: Option<Vec<_>> = ledger.entries.into_iter().map(entry_of).collect();
    let image = Image {
        saved_at_ms: ledger.saved_at_ms,
        entries: entries.ok_or("it holds an entry that is none")?,
    };
    match crc(&image) == ledger.crc32 {
        true => Ok(image),
        false => Err("its CRC differs".to_owned()),
    }
}

fn entry_of(line: Line<String>) -> Option<Entry> {
    Some(Entry {
        candidate: line.url.parse().ok()?,
        verdict: match line.verdict {
            None => None,
            Some(label) => Some(Verdict::from_label(&label)?),
        },
        works: Works::default(),
        exit: None,
        timing: Timing {
            total_us: line.latency_us,
            ..Timing::default()
        },
        history: Box::default(),
        checked_at_ms: line.checked_at_ms,
        alive_at_ms: line.alive_at_ms,
        failures: line.failures,
    })
}
