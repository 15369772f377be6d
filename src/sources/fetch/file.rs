//! Reads a source from the disk, on a thread that may block.

use super::body::Body;
use super::error::FetchError;
use std::fs::{File, FileType};
use std::io::Read;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tokio::time::timeout;

/// Bytes read at once.
const PIECE_BYTES: usize = 64 * 1024;

/// How much longer than the time limit a read that hangs in the kernel is waited for.
const GRACE: Duration = Duration::from_secs(1);

/// Feeds the file at `path` to `body` within `time_max`.
pub(super) async fn read(path: &Path, body: Body, time_max: Duration) -> Result<Body, FetchError> {
    let path = PathBuf::from(path);
    let reading = tokio::task::spawn_blocking(move || read_blocking(&path, body, time_max));
    match timeout(time_max + GRACE, reading).await {
        Ok(Ok(result)) => result,
        Ok(Err(_)) => Err(FetchError::Panicked),
        Err(_) => Err(FetchError::FileStuck),
    }
}

fn read_blocking(path: &Path, mut body: Body, time_max: Duration) -> Result<Body, FetchError> {
    let deadline = Instant::now() + time_max;
    let failed = |e: std::io::Error| FetchError::File(e.kind());
    // Asked before opening, because opening a FIFO waits for a writer.
    must_be_regular(std::fs::metadata(path).map_err(failed)?.file_type())?;
    let mut file = File::open(path).map_err(failed)?;
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
    match () {
        () if kind.is_file() => Ok(()),
        () if kind.is_dir() => Err(FetchError::NotAFile("a directory")),
        () if kind.is_fifo() => Err(FetchError::NotAFile("a FIFO")),
        () if kind.is_socket() => Err(FetchError::NotAFile("a socket")),
        () => Err(FetchError::NotAFile("a device")),
    }
}
