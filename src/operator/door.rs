//! Where the operator's commands come in, for as long as the service runs: the socket is made anew when it
//! is gone, as when its folder was emptied, or when its disk could not be written at the start.

use super::server::Visitors;
use super::socket::{Place, Socket, asked, place};
use crate::config::Backend;
use crate::coordinator::Event;
use crossbeam_channel::Sender;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::task::spawn_blocking;
use tokio::time::sleep;

/// How often it is seen that the socket is there.
const LOOK: Duration = Duration::from_secs(5);

/// Where the socket is, and the socket.
#[derive(Debug)]
pub struct Door {
    path: PathBuf,
    /// The one that was bound at the start.
    bound: Option<Socket>,
    /// Why there is none, as it was logged last.
    logged: Option<String>,
    look: Duration,
}

impl Door {
    /// The door of a service with this store, which it holds; none where the store has no place. Without
    /// a socket the service runs on; the log says why.
    pub fn of(backend: &Backend) -> Option<Door> {
        let Some(path) = place(backend) else {
            tracing::info!(
                "no socket for `proxy-checker save`, `export` and `import`: this store has no place, \
                 and RUNTIME_DIRECTORY is not set"
            );
            return None;
        };
        let bound = bind_where_nobody_answers(&path);
        let mut door = Door::at(path);
        door.bound = door.logged(bound);
        Some(door)
    }

    fn at(path: PathBuf) -> Door {
        Door {
            path,
            bound: None,
            logged: None,
            look: LOOK,
        }
    }

    /// Answers until the runtime ends. To be run on a tokio runtime with I/O and time.
    pub async fn serve(mut self, events: Sender<Event>) {
        let visitors = Visitors::new(events);
        let mut open = match self.bound.take().map(Socket::listen) {
            Some(Err(error)) => self.logged(Err(error)),
            Some(Ok(open)) => Some(open),
            None => None,
        };
        loop {
            let missed = missed(
                self.path.clone(),
                open.as_ref().map(|open| open.place()),
                self.look,
            );
            let made = match &open {
                Some(open) => tokio::select! {
                    never = visitors.answer(open) => match never {},
                    made = missed => made,
                },
                None => missed.await,
            };
            if let Some(anew) = self.logged(made.and_then(Socket::listen)) {
                open = Some(anew);
            }
        }
    }

    /// What was made, if it was; the same trouble is logged once.
    fn logged<T>(&mut self, made: io::Result<T>) -> Option<T> {
        let path = self.path.display();
        let error = match made {
            Ok(made) => {
                tracing::info!(socket = %path, "save, export and import are answered");
                self.logged = None;
                return Some(made);
            }
            Err(error) => error.to_string(),
        };
        if self.logged.as_ref() != Some(&error) {
            tracing::warn!(
                socket = %path, error,
                "`proxy-checker save`, `export` and `import` cannot ask this process; all else works"
            );
        }
        self.logged = Some(error);
        None
    }
}

/// Comes back when there is no socket at `path`, or another than the one `known`, with what came of making one.
async fn missed(path: PathBuf, known: Option<Place>, look: Duration) -> io::Result<Socket> {
    loop {
        sleep(look).await;
        let (path, known) = (path.clone(), known.clone());
        // On a disk that hangs it may take for ever, and visitors must not wait for it.
        let looked = spawn_blocking(move || match known.is_some_and(|known| known.is_there()) {
            true => None,
            false => Some(bind_where_nobody_answers(&path)),
        });
        if let Ok(Some(made)) = looked.await {
            return made;
        }
    }
}

fn bind_where_nobody_answers(path: &Path) -> io::Result<Socket> {
    if asked(path)? {
        let text =
            "another process answers there; give each its own store, or its own RUNTIME_DIRECTORY";
        return Err(io::Error::other(text));
    }
    Socket::bind(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::MetadataExt;
    use std::os::unix::net::UnixListener;

    impl Door {
        /// The door of a socket at `path`, which is looked for without rest.
        pub(in crate::operator) fn watched_closely(path: PathBuf) -> Door {
            let mut door = Door::at(path);
            door.bound = Socket::bind(&door.path).ok();
            door.look = Duration::from_millis(10);
            door
        }
    }

    #[test]
    fn the_socket_of_another_process_in_its_place_is_left_until_nobody_answers_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s.sock");
        let other = UnixListener::bind(&path).unwrap();
        let theirs = fs::symlink_metadata(&path).unwrap();
        let mut door = Door::at(path.clone());
        let refused = door.logged(bind_where_nobody_answers(&path));
        assert!(refused.is_none() && door.logged.is_some());
        let now = fs::symlink_metadata(&path).unwrap();
        assert_eq!(now.ino(), theirs.ino());
        drop(other);
        assert!(door.logged(bind_where_nobody_answers(&path)).is_some());
        assert_eq!(door.logged, None, "its next trouble is logged again");
    }
}
