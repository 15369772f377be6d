//! Notices that the configuration file has other content than before.

use crate::config::FILE_BYTES_MAX;
use crate::regular::{self, ReadError};
use sha2::{Digest, Sha256};
use std::fs;
use std::io::{ErrorKind, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Of a longer file, which no configuration is, the beginning tells enough: it is refused whatever follows.
const READ_BYTES_MAX: u64 = FILE_BYTES_MAX + 1;
/// Bytes that are read at once.
const PIECE_BYTES: usize = 64 << 10;

/// What the file system says of a file, cheaply: which one it is, its length, and when its content and
/// what is known of it changed, in nanoseconds.
type Look = (u64, u64, u64, i128, i128);

/// The file, as it was when it was last looked at.
#[derive(Clone, Debug)]
pub(super) struct Watch {
    path: PathBuf,
    look: Result<Look, ErrorKind>,
    /// Whether `look` is news whose content was not read yet.
    unsettled: bool,
    /// Its digest, or why it cannot be read.
    content: Result<[u8; 32], ErrorKind>,
}

impl Watch {
    /// From now on. Reads the file.
    pub(super) fn new(path: PathBuf) -> Watch {
        let mut watch = Watch {
            path,
            look: Err(ErrorKind::Other),
            unsettled: false,
            content: Err(ErrorKind::Other),
        };
        watch.accept();
        watch
    }

    /// Which file it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The file as it is now is known: somebody is about to read it.
    pub(super) fn accept(&mut self) {
        self.look = self.look();
        self.content = self.digest();
        // What is written in the same tick of the file system's clock looks the same.
        self.unsettled = true;
    }

    /// Whether the content is other than before. It is read only when the file looks other than
    /// before, and has looked the same twice: a file that is being written, or is gone only until
    /// another takes its place, is left alone. One that stays away, or cannot be read, is news too:
    /// the next start would fail.
    pub(super) fn poll(&mut self) -> bool {
        let look = self.look();
        if self.look != look {
            self.look = look;
            self.unsettled = true;
            return false;
        }
        if !std::mem::take(&mut self.unsettled) {
            return false;
        }
        let content = self.digest();
        std::mem::replace(&mut self.content, content) != content
    }

    fn look(&self) -> Result<Look, ErrorKind> {
        let it = fs::metadata(&self.path).map_err(|error| error.kind())?;
        let nanoseconds = |s: i64, ns: i64| i128::from(s) * 1_000_000_000 + i128::from(ns);
        let modified = nanoseconds(it.mtime(), it.mtime_nsec());
        let changed = nanoseconds(it.ctime(), it.ctime_nsec());
        Ok((it.dev(), it.ino(), it.size(), modified, changed))
    }

    fn digest(&self) -> Result<[u8; 32], ErrorKind> {
        let read = || -> Result<[u8; 32], ReadError> {
            let mut file = regular::open(&self.path)?.take(READ_BYTES_MAX);
            let (mut digest, mut piece) = (Sha256::new(), vec![0; PIECE_BYTES]);
            loop {
                match file.read(&mut piece) {
                    Ok(0) => return Ok(digest.finalize().into()),
                    Ok(length) => digest.update(&piece[..length]),
                    Err(error) if error.kind() == ErrorKind::Interrupted => {}
                    Err(error) => return Err(error.into()),
                }
            }
        };
        read().map_err(|error| match error {
            ReadError::System(error) => error.kind(),
            ReadError::NotAFile("a directory") => ErrorKind::IsADirectory,
            ReadError::NotAFile(_) | ReadError::TooLong(_) => ErrorKind::InvalidInput,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;
    use std::time::{Duration, SystemTime};

    fn scratch() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.json");
        fs::write(&path, "{}").unwrap();
        (folder, path)
    }

    /// Gives the file another time of modification, as writing it later would.
    fn touch(path: &Path, seconds: u64) {
        let at = SystemTime::now() + Duration::from_secs(seconds);
        let file = File::options().write(true).open(path).unwrap();
        file.set_modified(at).unwrap();
    }

    #[test]
    fn other_content_is_news_once_and_only_when_it_has_settled() {
        let (_folder, path) = scratch();
        let mut watch = Watch::new(path.clone());
        assert!(!watch.poll());
        fs::write(&path, "{ }").unwrap();
        assert_eq!([0; 4].map(|_| watch.poll()), [false, true, false, false]);
    }

    #[test]
    fn a_file_that_was_only_touched_is_no_news() {
        let (_folder, path) = scratch();
        let mut watch = Watch::new(path.clone());
        touch(&path, 10);
        assert_eq!([0; 3].map(|_| watch.poll()), [false; 3]);
    }

    #[test]
    fn a_file_that_is_still_being_written_is_left_alone() {
        let (_folder, path) = scratch();
        let mut watch = Watch::new(path.clone());
        for length in 1..5 {
            fs::write(&path, "x".repeat(10 * length)).unwrap();
            assert!(!watch.poll());
        }
        assert!(watch.poll());
    }

    #[test]
    fn what_a_reload_has_read_is_no_news() {
        let (_folder, path) = scratch();
        let mut watch = Watch::new(path.clone());
        fs::write(&path, "{ }").unwrap();
        watch.accept();
        assert_eq!([0; 3].map(|_| watch.poll()), [false; 3]);
    }

    #[test]
    fn what_was_written_in_the_moment_of_a_reading_is_news() {
        let (_folder, path) = scratch();
        let mut watch = Watch::new(path.clone());
        watch.accept();
        let known = watch.look;
        // As the clock of the file system may tick too seldom to tell: only the content differs.
        watch.content = Ok([0; 32]);
        assert_eq!(watch.look(), known);
        assert_eq!([0; 2].map(|_| watch.poll()), [true, false]);
    }

    #[test]
    fn another_file_of_the_same_length_and_time_is_news() {
        let (folder, path) = scratch();
        let beside = folder.path().join("beside");
        fs::write(&beside, "[]").unwrap();
        let at = fs::metadata(&path).unwrap().modified().unwrap();
        let file = File::options().write(true).open(&beside).unwrap();
        file.set_modified(at).unwrap();
        let mut watch = Watch::new(path.clone());
        assert!(!watch.poll());
        fs::rename(&beside, &path).unwrap();
        assert_eq!([0; 3].map(|_| watch.poll()), [false, true, false]);
    }

    #[test]
    fn a_file_that_is_gone_for_a_moment_is_no_news() {
        let (_folder, path) = scratch();
        let mut watch = Watch::new(path.clone());
        fs::remove_file(&path).unwrap();
        assert!(!watch.poll());
        fs::write(&path, "{}").unwrap();
        assert_eq!([0; 3].map(|_| watch.poll()), [false; 3], "the same content");
    }

    #[test]
    fn a_file_that_stays_away_or_is_none_is_news_once_and_so_is_its_successor() {
        let (_folder, path) = scratch();
        let mut watch = Watch::new(path.clone());
        fs::remove_file(&path).unwrap();
        assert_eq!([0; 4].map(|_| watch.poll()), [false, true, false, false]);
        fs::create_dir(&path).unwrap();
        assert_eq!([0; 4].map(|_| watch.poll()), [false, true, false, false]);
        fs::remove_dir(&path).unwrap();
        fs::write(&path, "{}").unwrap();
        assert_eq!([0; 4].map(|_| watch.poll()), [false, true, false, false]);
    }
}
