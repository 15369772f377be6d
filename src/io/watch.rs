//! Notices that the configuration file has other content than before.

use sha2::{Digest, Sha256};
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::PathBuf;
use std::time::SystemTime;

/// Longest file that is looked at, in bytes; no configuration is as long.
const FILE_BYTES_MAX: u64 = 64 << 20;

/// What the file system says of a file, cheaply.
type Look = (u64, Option<SystemTime>);

/// The file, as it was when it was last looked at.
#[derive(Debug)]
pub(super) struct Watch {
    path: PathBuf,
    look: Option<Look>,
    /// Whether `look` is news whose content was not read yet.
    unsettled: bool,
    content: Option<[u8; 32]>,
}

impl Watch {
    /// From now on. Reads the file.
    pub(super) fn new(path: PathBuf) -> Watch {
        let mut watch = Watch {
            path,
            look: None,
            unsettled: false,
            content: None,
        };
        watch.accept();
        watch
    }

    /// The file as it is now is known: somebody is about to read it.
    pub(super) fn accept(&mut self) {
        self.look = self.look().ok();
        self.content = self.hash().ok().or(self.content);
        self.unsettled = false;
    }

    /// Whether the content is other than before. It is read only when the file looks other than
    /// before, and has looked the same twice: a file that is being written is left alone. A file
    /// that is gone is no news; it may be about to be replaced.
    pub(super) fn poll(&mut self) -> bool {
        let Ok(look) = self.look() else { return false };
        if self.look != Some(look) {
            self.look = Some(look);
            self.unsettled = true;
            return false;
        }
        if !std::mem::take(&mut self.unsettled) {
            return false;
        }
        match self.hash() {
            Ok(hash) => self.content.replace(hash) != Some(hash),
            Err(_) => false,
        }
    }

    fn look(&self) -> io::Result<Look> {
        let metadata = fs::metadata(&self.path)?;
        Ok((metadata.len(), metadata.modified().ok()))
    }

    fn hash(&self) -> io::Result<[u8; 32]> {
        let mut bytes = Vec::new();
        let file = File::open(&self.path)?;
        file.take(FILE_BYTES_MAX).read_to_end(&mut bytes)?;
        Ok(Sha256::digest(&bytes).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;
    use std::time::Duration;

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
    fn a_file_that_is_gone_is_no_news_and_its_successor_is() {
        let (_folder, path) = scratch();
        let mut watch = Watch::new(path.clone());
        fs::remove_file(&path).unwrap();
        assert!(!watch.poll() && !watch.poll());
        fs::write(&path, "{}").unwrap();
        touch(&path, 10);
        assert_eq!([0; 3].map(|_| watch.poll()), [false; 3], "the same content");
        fs::write(&path, "{  }").unwrap();
        assert_eq!([0; 3].map(|_| watch.poll()), [false, true, false]);
    }
}
