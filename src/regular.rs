//! Opens what is a regular file, and nothing that makes whoever opens it wait: a FIFO waits for a writer,
//! a device for whatever it likes.

use rustix::fs::{Mode, OFlags};
use std::fs::{File, FileType, canonicalize, metadata, read_link, symlink_metadata};
use std::io::{self, Read};
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

/// Why a file was not read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadError {
    /// What the system said.
    #[error("cannot be read ({0})")]
    System(#[from] io::Error),
    /// What is there instead of a file.
    #[error("is {0}, not a file")]
    NotAFile(&'static str),
    /// There is more of it than this many bytes.
    #[error("is longer than {0} bytes")]
    TooLong(u64),
}

/// Opens the regular file at `path`, or the one to which a symbolic link there leads. Only a file system
/// that hangs can make it wait.
pub(crate) fn open(path: &Path) -> Result<File, ReadError> {
    // Asked before, for opening a device may do something.
    must_be_regular(metadata(path)?.file_type())?;
    // What is there may be another thing by now: so it does not wait, and is asked again.
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = rustix::fs::open(path, flags, Mode::empty()).map_err(io::Error::from)?;
    let file = File::from(file);
    must_be_regular(file.metadata()?.file_type())?;
    Ok(file)
}

/// Reads a regular file of at most `bytes_max` bytes.
pub(crate) fn read(path: &Path, bytes_max: u64) -> Result<Vec<u8>, ReadError> {
    let mut bytes = Vec::new();
    open(path)?.take(bytes_max + 1).read_to_end(&mut bytes)?;
    match bytes.len() as u64 > bytes_max {
        true => Err(ReadError::TooLong(bytes_max)),
        false => Ok(bytes),
    }
}

fn must_be_regular(kind: FileType) -> Result<(), ReadError> {
    instead_of_file(kind).map_or(Ok(()), |what| Err(ReadError::NotAFile(what)))
}

/// Where the file at `path` is, or would be made: a symbolic link there is followed to its end, any other
/// path is as it was given.
///
/// # Errors
/// [`io::ErrorKind::NotFound`] if a link leads nowhere, and why it cannot be followed.
pub(crate) fn followed(path: &Path) -> io::Result<PathBuf> {
    match symlink_metadata(path) {
        Ok(found) if found.is_symlink() => canonicalize(path),
        Ok(_) | Err(_) => Ok(path.to_owned()),
    }
}

/// Whether a file there is the system's to name: `/dev/stdout`, which may lead to a file, is a link that
/// everyone uses.
pub(crate) fn is_of_the_system(path: &Path) -> bool {
    let is_named_so = |path: &Path| {
        let is_device = path.parent() == Some(Path::new("/dev"));
        is_device || path.starts_with("/dev/fd") || path.starts_with("/proc")
    };
    is_named_so(path) || read_link(path).is_ok_and(|path| is_named_so(&path))
}

/// What something is that is no regular file; `None` if it is one.
pub(crate) fn instead_of_file(kind: FileType) -> Option<&'static str> {
    match () {
        () if kind.is_file() => None,
        () if kind.is_dir() => Some("a directory"),
        () if kind.is_fifo() => Some("a FIFO"),
        () if kind.is_socket() => Some("a socket"),
        () => Some("a device"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;

    #[test]
    fn what_the_system_names_is_told_from_what_is_ours() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        symlink("/dev/stderr", path("errors")).unwrap();
        symlink("file", path("link")).unwrap();
        symlink(path("loop"), path("loop")).unwrap();
        for name in ["/dev/stdout", "/dev/fd/2", "/proc/self/fd/2"] {
            assert!(is_of_the_system(Path::new(name)), "{name}");
        }
        assert!(is_of_the_system(&path("errors")));
        for name in ["/dev/shm/log", "/var/log/log", "log"] {
            assert!(!is_of_the_system(Path::new(name)), "{name}");
        }
        assert!(!is_of_the_system(&path("link")));
        assert!(!is_of_the_system(&path("loop")));

        let nowhere = followed(&path("link")).unwrap_err();
        assert_eq!(nowhere.kind(), io::ErrorKind::NotFound);
        assert_eq!(followed(&path("file")).unwrap(), path("file"));
        fs::write(path("file"), "").unwrap();
        let file = fs::canonicalize(path("file")).unwrap();
        assert_eq!(followed(&path("link")).unwrap(), file);
        assert!(followed(&path("loop")).is_err());
    }

    #[test]
    fn what_is_no_file_is_named_and_nobody_waits_for_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let mode = Mode::from_raw_mode(0o600);
        rustix::fs::mkfifoat(rustix::fs::CWD, path("fifo"), mode).unwrap();
        let _socket = UnixListener::bind(path("socket")).unwrap();
        symlink(path("fifo"), path("link")).unwrap();
        symlink("loop", path("loop")).unwrap();
        let said = |path: &Path| read(path, 9).unwrap_err().to_string();
        assert_eq!(said(folder.path()), "is a directory, not a file");
        assert_eq!(said(&path("fifo")), "is a FIFO, not a file");
        assert_eq!(said(&path("link")), "is a FIFO, not a file");
        assert_eq!(said(&path("socket")), "is a socket, not a file");
        assert_eq!(said(Path::new("/dev/zero")), "is a device, not a file");
        assert!(said(&path("loop")).contains("symbolic links"));
        assert!(said(&path("none")).contains("No such file"));
    }

    #[test]
    fn a_file_is_read_to_its_end_or_refused_for_its_length() {
        let folder = tempfile::tempdir().unwrap();
        let (path, link) = (folder.path().join("file"), folder.path().join("link"));
        fs::write(&path, "123456789").unwrap();
        symlink(&path, &link).unwrap();
        assert_eq!(read(&link, 9).unwrap(), b"123456789");
        let said = read(&path, 8).unwrap_err().to_string();
        assert_eq!(said, "is longer than 8 bytes");
    }
}
