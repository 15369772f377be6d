//! Reads a source from the disk, on a thread that may block.

use super::body::Body;
use super::error::FetchError;
use crate::regular::instead_of_file;
use std::collections::BTreeMap;
use std::fs::{File, FileType, OpenOptions};
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::OwnedMutexGuard;
use tokio::time::timeout;

/// Bytes read at once.
const PIECE_BYTES: usize = 64 * 1024;

/// How much longer than the time limit a read that hangs in the kernel is waited for.
const GRACE: Duration = Duration::from_secs(1);

/// The files that are being read. Of the process and not of a fetcher, which lasts until the next reload:
/// a read that hangs in the kernel holds its thread for as long as the mount is gone, so there must not
/// be one more at each interval and each reload.
static TURNS: Mutex<BTreeMap<PathBuf, Arc<tokio::sync::Mutex<()>>>> = Mutex::new(BTreeMap::new());

/// Feeds the file at `path` to `body` within `time_max`, once nobody else reads it.
pub(super) async fn read(path: &Path, body: Body, time_max: Duration) -> Result<Body, FetchError> {
    let path = PathBuf::from(path);
    let reading = async {
        let turn = turn(&path).await;
        let read = move || {
            let _turn = turn;
            read_blocking(&path, body, time_max)
        };
        tokio::task::spawn_blocking(read).await
    };
    match timeout(time_max + GRACE, reading).await {
        Ok(Ok(result)) => result,
        Ok(Err(_)) => Err(FetchError::Panicked),
        Err(_) => Err(FetchError::FileStuck),
    }
}

/// Waits until nobody reads the file at `path`.
async fn turn(path: &Path) -> OwnedMutexGuard<()> {
    let turn = {
        let mut turns = TURNS.lock().unwrap_or_else(PoisonError::into_inner);
        turns.retain(|_, turn| Arc::strong_count(turn) > 1);
        turns.entry(path.to_owned()).or_default().clone()
    };
    turn.lock_owned().await
}

fn read_blocking(path: &Path, mut body: Body, time_max: Duration) -> Result<Body, FetchError> {
    #[cfg(test)]
    hanging::wait(path);
    let deadline = Instant::now() + time_max;
    let failed = |e: std::io::Error| FetchError::File(e.kind());
    // Asked before opening, because opening a FIFO waits for a writer.
    must_be_regular(std::fs::metadata(path).map_err(failed)?.file_type())?;
    // Nor does it wait should the file have been replaced by one since.
    let nonblock = rustix::fs::OFlags::NONBLOCK.bits() as i32;
    let opened = OpenOptions::new()
        .read(true)
        .custom_flags(nonblock)
        .open(path);
    let mut file: File = opened.map_err(failed)?;
    must_be_regular(file.metadata().map_err(failed)?.file_type())?;
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        if Instant::now() >= deadline {
            return Err(body.timed_out(time_max));
        }
        match file.read(&mut piece) {
            Ok(0) => return Ok(body),
            Ok(length) => body.push(&piece[..length])?,
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
            Err(e) => return Err(failed(e)),
        }
    }
}

fn must_be_regular(kind: FileType) -> Result<(), FetchError> {
    instead_of_file(kind).map_or(Ok(()), |what| Err(FetchError::NotAFile(what)))
}

/// Reads that hang as on a mount that is gone, for tests.
#[cfg(test)]
pub(super) mod hanging {
    use super::*;
    use crossbeam_channel::{Receiver, Sender, bounded};
    use std::convert::Infallible;
    use std::sync::atomic::{AtomicUsize, Ordering};

    static READS: Mutex<Vec<Read>> = Mutex::new(Vec::new());

    #[derive(Clone)]
    struct Read {
        path: PathBuf,
        mended: Receiver<Infallible>,
        begun: Arc<AtomicUsize>,
    }

    /// From now on reads of this file hang, until what is given is dropped; how many do.
    pub(in crate::sources::fetch) fn begin(path: &Path) -> (Sender<Infallible>, Arc<AtomicUsize>) {
        let (mend, mended) = bounded(0);
        let begun = Arc::new(AtomicUsize::new(0));
        READS.lock().unwrap().push(Read {
            path: path.to_owned(),
            mended,
            begun: begun.clone(),
        });
        (mend, begun)
    }

    pub(super) fn wait(path: &Path) {
        let reads = READS.lock().unwrap().clone();
        if let Some(read) = reads.iter().find(|read| read.path == path) {
            read.begun.fetch_add(1, Ordering::SeqCst);
            // Ends when the other end is gone.
            let _ = read.mended.recv();
        }
    }
}
