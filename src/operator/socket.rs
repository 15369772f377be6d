//! Where the socket is, and how it comes to be there.

use crate::config::Backend;
use crate::store::followed;
use std::ffi::OsString;
use std::fs::{self, Permissions};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use tokio::net::UnixStream;

/// Longest path of a socket, in bytes: `sun_path` of unix(7) has 108, with a zero at its end.
const PATH_BYTES_MAX: usize = 107;

/// Where the socket of a service with this store is: `PATH.sock` beside a store that has a path; for
/// another `control.sock` in the folder that the service manager gives (`RUNTIME_DIRECTORY`), or none.
pub fn place(backend: &Backend) -> Option<PathBuf> {
    let followed = followed(backend).unwrap_or_else(|_| backend.clone());
    place_in(&followed, std::env::var_os("RUNTIME_DIRECTORY"))
}

/// The socket of the service that has this store, if it answers there: by now the store's path may be a link
/// that it was not when that service was started.
pub fn answered(backend: &Backend) -> Option<PathBuf> {
    let by_name = || place_in(backend, None);
    let mut places = place(backend).into_iter().chain(by_name());
    places.find(|place| is_answered(place))
}

fn place_in(backend: &Backend, runtime: Option<OsString>) -> Option<PathBuf> {
    match backend.path() {
        Some(path) => {
            let mut name = OsString::from(path);
            name.push(".sock");
            Some(name.into())
        }
        // It may name several, separated by colons.
        None => runtime
            .as_deref()
            .and_then(|all| all.as_bytes().split(|&byte| byte == b':').next())
            .filter(|first| !first.is_empty())
            .map(|first| Path::new(std::ffi::OsStr::from_bytes(first)).join("control.sock")),
    }
}

/// Whether a process listens on the socket at `path`. One that was killed has left its file behind;
/// where it cannot be told, as for another user, whoever asks there is told why.
fn is_answered(path: &Path) -> bool {
    asked(path).unwrap_or(true)
}

/// The same, or why it cannot be told.
pub(super) fn asked(path: &Path) -> io::Result<bool> {
    use io::ErrorKind::{ConnectionRefused, NotFound};
    is_short(path)?;
    match std::os::unix::net::UnixStream::connect(path) {
        Ok(_) => Ok(true),
        Err(error) if matches!(error.kind(), ConnectionRefused | NotFound) => Ok(false),
        Err(error) => Err(error),
    }
}

fn is_short(path: &Path) -> io::Result<()> {
    let length = path.as_os_str().len();
    if length <= PATH_BYTES_MAX {
        return Ok(());
    }
    let text = format!(
        "its path has {length} bytes, and a socket's has at most {PATH_BYTES_MAX}; \
         give the store a shorter storage.path"
    );
    Err(io::Error::other(text))
}

/// The socket, on which nothing is answered yet. Its file goes with it.
#[derive(Debug)]
pub(super) struct Socket {
    listener: UnixListener,
    file: SocketFile,
}

/// A socket on which whoever comes in can be answered. Its file goes with it.
pub(super) struct Open {
    listener: tokio::net::UnixListener,
    file: SocketFile,
}

/// Where a socket is, and which.
#[derive(Clone, Debug)]
pub(super) struct Place {
    path: PathBuf,
    /// These tell it from the one of the next process, which may have begun when this one ends.
    device: u64,
    inode: u64,
}

/// Removes the file at its end.
#[derive(Debug)]
struct SocketFile(Place);

impl Place {
    /// Whether who connects to the path comes in there; where it cannot be told, it is as it was.
    pub(super) fn is_there(&self) -> bool {
        match fs::symlink_metadata(&self.path) {
            Ok(found) => self.is(&found),
            Err(error) => error.kind() != io::ErrorKind::NotFound,
        }
    }

    fn is(&self, found: &fs::Metadata) -> bool {
        (found.dev(), found.ino()) == (self.device, self.inode)
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if fs::symlink_metadata(&self.0.path).is_ok_and(|found| self.0.is(&found)) {
            // If it cannot be removed, the next process replaces it.
            let _ = fs::remove_file(&self.0.path);
        }
    }
}

impl Open {
    pub(super) fn place(&self) -> Place {
        self.file.0.clone()
    }

    /// The next who comes in.
    pub(super) async fn accept(&self) -> io::Result<UnixStream> {
        let (stream, _) = self.listener.accept().await?;
        Ok(stream)
    }
}

impl Socket {
    /// Binds the socket at `path`. One that a process left there is replaced: to be called by the
    /// holder of the store's lock only.
    ///
    /// # Errors
    /// The path is too long, something else is there, or the file system refuses.
    pub(super) fn bind(path: &Path) -> io::Result<Socket> {
        is_short(path)?;
        match fs::symlink_metadata(path) {
            Ok(found) if found.file_type().is_socket() => fs::remove_file(path)?,
            Ok(_) => return Err(io::Error::other("something that is no socket has its name")),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        let listener = UnixListener::bind(path)?;
        let found = fs::symlink_metadata(path)?;
        let file = SocketFile(Place {
            path: path.to_owned(),
            device: found.dev(),
            inode: found.ino(),
        });
        // Until then who may connect is decided by the umask; whoever does is looked at again.
        fs::set_permissions(path, Permissions::from_mode(0o600))?;
        listener.set_nonblocking(true)?;
        Ok(Socket { listener, file })
    }

    /// Lets others come in. To be called on a tokio runtime with I/O.
    ///
    /// # Errors
    /// The runtime cannot watch it.
    pub(super) fn listen(self) -> io::Result<Open> {
        Ok(Open {
            listener: tokio::net::UnixListener::from_std(self.listener)?,
            file: self.file,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_beside_the_store() {
        let place = place_in(&Backend::Sled("data/ledger".into()), Some("/run/x".into()));
        assert_eq!(place, Some("data/ledger.sock".into()));
    }

    #[test]
    fn only_the_owner_may_connect_and_the_file_goes_with_the_socket() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s.sock");
        let socket = Socket::bind(&path).unwrap();
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        drop(socket);
        assert!(!path.exists());
    }

    #[test]
    fn one_that_was_left_is_replaced_and_anything_else_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s.sock");
        drop(UnixListener::bind(&path).unwrap());
        assert!(path.exists(), "the standard library leaves it");
        drop(Socket::bind(&path).unwrap());
        fs::write(&path, "mine").unwrap();
        assert!(Socket::bind(&path).is_err());
        assert_eq!(fs::read_to_string(&path).unwrap(), "mine");
    }

    #[test]
    fn a_socket_is_answered_while_its_process_listens_and_not_when_only_its_file_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s.sock");
        assert!(!is_answered(&path));
        let listener = UnixListener::bind(&path).unwrap();
        assert!(is_answered(&path));
        drop(listener);
        assert!(path.exists() && !is_answered(&path));
    }

    #[test]
    fn a_path_that_is_too_long_says_so() {
        let path = format!("/tmp/{}", "x".repeat(103));
        let error = Socket::bind(path.as_ref()).unwrap_err().to_string();
        assert!(
            error.contains("108 bytes") && error.contains("storage.path"),
            "{error}"
        );
    }
}
