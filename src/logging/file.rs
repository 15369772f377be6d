//! A log file that is rotated by its size: `log`, `log.1` … `log.N`, the newest first.

use crate::config::LogPlace;
use crate::regular::{followed, is_of_the_system};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Who may read a log: its owner, and the group of those who ship logs.
const MODE: u32 = 0o640;

/// A file that lines are appended to. It is opened at the first line, and again after a failure.
#[derive(Debug)]
pub(super) struct LogFile {
    place: LogPlace,
    open: Option<Open>,
    /// Whether the last line was written in part.
    torn: bool,
}

#[derive(Debug)]
struct Open {
    file: File,
    bytes: u64,
    /// What is renamed when it is too long; a device, a FIFO, `/dev/stdout` never is.
    rotated: Option<PathBuf>,
}

impl LogFile {
    pub(super) fn new(place: LogPlace) -> LogFile {
        LogFile {
            place,
            open: None,
            torn: false,
        }
    }

    /// The next line opens it anew: it may have been moved away.
    pub(super) fn close(&mut self) {
        self.open = None;
    }

    /// Its path, as configured.
    pub(super) fn path(&self) -> &Path {
        &self.place.path
    }

    /// Appends a line, in a new file if this one would become too long.
    ///
    /// # Errors
    /// The line is not there, or in part.
    pub(super) fn write(&mut self, line: &[u8]) -> io::Result<()> {
        let mut open = match self.open.take() {
            Some(open) => open,
            None => self.open()?,
        };
        let longer = open.bytes + line.len() as u64;
        if let Some(path) = &open.rotated
            && open.bytes > 0
            && longer > self.place.bytes_max
        {
            self.rotate(path)?;
            open = self.open()?;
        }
        if self.torn {
            open.bytes += self.append(&mut open.file, b"\n")?;
        }
        open.bytes += self.append(&mut open.file, line)?;
        self.open = Some(open);
        Ok(())
    }

    fn append(&mut self, file: &mut File, bytes: &[u8]) -> io::Result<u64> {
        let mut left = bytes;
        while !left.is_empty() {
            match file.write(left) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Ok(written) if written > 0 => {
                    left = &left[written..];
                    self.torn = !left.is_empty();
                }
                Ok(_) => return Err(ErrorKind::WriteZero.into()),
                Err(error) => return Err(error),
            }
        }
        Ok(bytes.len() as u64)
    }

    fn open(&self) -> io::Result<Open> {
        let path = &self.place.path;
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let is_new = !path.exists();
        let mut options = OpenOptions::new();
        options.append(true).create(true).mode(MODE);
        // Whoever opens a FIFO that nobody reads waits for a reader; a terminal would become ours.
        let flags = OFlags::NONBLOCK | OFlags::NOCTTY;
        let file = options
            .custom_flags(flags.bits().cast_signed())
            .open(path)?;
        fcntl_setfl(&file, fcntl_getfl(&file)? - OFlags::NONBLOCK)?;
        if is_new {
            // Whatever the umask says: a log that nobody can ship is of no use.
            file.set_permissions(Permissions::from_mode(MODE))?;
        }
        let found = file.metadata()?;
        let rotated = match found.is_file() && !is_of_the_system(path) {
            // A symbolic link stays.
            true => Some(followed(path)?),
            false => None,
        };
        Ok(Open {
            file,
            bytes: found.len(),
            rotated,
        })
    }

    /// Renames each file to the next number; what is beyond the last one to be kept goes.
    fn rotate(&self, path: &Path) -> io::Result<()> {
        let keep = self.place.keep;
        for number in (1..keep).rev() {
            rename(&numbered(path, number), &numbered(path, number + 1))?;
        }
        rename(path, &numbered(path, 1))?;
        // More were kept before.
        let beyond = (keep + 1..).map(|number| numbered(path, number));
        for path in beyond {
            if fs::remove_file(path).is_err() {
                break;
            }
        }
        Ok(())
    }
}

fn numbered(path: &Path, number: u32) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(format!(".{number}"));
    name.into()
}

/// Renames what is there.
fn rename(from: &Path, to: &Path) -> io::Result<()> {
    match fs::rename(from, to) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn file(folder: &tempfile::TempDir, bytes_max: u64, keep: u32) -> LogFile {
        LogFile::new(LogPlace {
            path: folder.path().join("logs/log"),
            bytes_max,
            keep,
        })
    }

    /// What the files hold, by name.
    fn held(folder: &tempfile::TempDir) -> Vec<(String, String)> {
        let files = fs::read_dir(folder.path().join("logs")).unwrap();
        let mut held: Vec<_> = files
            .map(|file| {
                let file = file.unwrap();
                let name = file.file_name().into_string().unwrap();
                (name, fs::read_to_string(file.path()).unwrap())
            })
            .collect();
        held.sort();
        held
    }

    fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        let pairs = pairs.iter();
        pairs
            .map(|(a, b)| ((*a).to_owned(), (*b).to_owned()))
            .collect()
    }

    #[test]
    fn a_file_is_rotated_before_it_is_too_long_and_so_many_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let mut log = file(&folder, 8, 2);
        for n in 0..9 {
            log.write(format!("l{n}\n").as_bytes()).unwrap();
        }
        let expected = [
            ("log", "l8\n"),
            ("log.1", "l6\nl7\n"),
            ("log.2", "l4\nl5\n"),
        ];
        assert_eq!(held(&folder), pairs(&expected));
        log.write(b"longer than the limit\n").unwrap();
        let expected = [
            ("log", "longer than the limit\n"),
            ("log.1", "l8\n"),
            ("log.2", "l6\nl7\n"),
        ];
        assert_eq!(held(&folder), pairs(&expected));
        // Fewer are kept from now on.
        let mut log = file(&folder, 8, 1);
        log.write(b"x\n").unwrap();
        let expected = [("log", "x\n"), ("log.1", "longer than the limit\n")];
        assert_eq!(held(&folder), pairs(&expected));
    }

    #[test]
    fn a_file_that_is_there_is_gone_on_with_and_its_owner_and_group_read_it() {
        let folder = tempfile::tempdir().unwrap();
        file(&folder, 100, 7).write(b"a\n").unwrap();
        file(&folder, 100, 7).write(b"b\n").unwrap();
        assert_eq!(held(&folder), pairs(&[("log", "a\nb\n")]));
        let mode = fs::metadata(folder.path().join("logs/log"))
            .unwrap()
            .permissions();
        assert_eq!(mode.mode() & 0o777, 0o640);
    }

    #[test]
    fn a_full_disk_is_an_error_and_the_next_line_is_tried_again() {
        let mut log = LogFile::new(LogPlace {
            path: "/dev/full".into(),
            bytes_max: 100,
            keep: 7,
        });
        for _ in 0..2 {
            let error = log.write(b"a\n").unwrap_err();
            assert_eq!(error.kind(), ErrorKind::StorageFull);
        }
    }

    #[test]
    fn a_link_stays_and_what_it_leads_to_is_rotated() {
        let folder = tempfile::tempdir().unwrap();
        let mut log = file(&folder, 8, 2);
        fs::create_dir(folder.path().join("logs")).unwrap();
        let link = folder.path().join("link");
        symlink(&log.place.path, &link).unwrap();
        log.place.path = link.clone();
        for n in 0..4 {
            log.write(format!("l{n}\n").as_bytes()).unwrap();
        }
        let expected = [("log", "l2\nl3\n"), ("log.1", "l0\nl1\n")];
        assert_eq!(held(&folder), pairs(&expected));
        assert!(fs::symlink_metadata(link).unwrap().is_symlink());
    }

    #[test]
    fn what_is_no_file_of_ours_is_never_renamed() {
        let folder = tempfile::tempdir().unwrap();
        let mut log = file(&folder, 8, 2);
        fs::create_dir(folder.path().join("logs")).unwrap();
        let fifo = log.place.path.clone();
        rustix::fs::mkfifoat(rustix::fs::CWD, &fifo, 0o600.into()).unwrap();
        // Nobody reads it, and nobody waits for that.
        assert!(log.write(b"a line\n").is_err());
        let mut both = OpenOptions::new();
        let _reader = both.read(true).write(true).open(&fifo).unwrap();
        for _ in 0..9 {
            log.write(b"a line\n").unwrap();
        }
        let names = fs::read_dir(folder.path().join("logs")).unwrap();
        assert_eq!(names.count(), 1);
    }

    #[test]
    fn after_half_a_line_the_next_one_begins_anew() {
        let folder = tempfile::tempdir().unwrap();
        let mut log = file(&folder, 100, 7);
        log.write(b"a\n").unwrap();
        log.open.as_mut().unwrap().file.write_all(b"half").unwrap();
        log.torn = true;
        log.open = None;
        log.write(b"b\n").unwrap();
        assert_eq!(held(&folder), pairs(&[("log", "a\nhalf\nb\n")]));
    }
}
