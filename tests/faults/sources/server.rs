//! A server of lists on loopback, each good until it is told to turn.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// A connection, plain or within TLS.
pub(super) trait Stream: Read + Write {}
impl<T: Read + Write> Stream for T {}

/// What a list does once it has turned: writes whatever answers the request with this head, given what
/// the list was while it was good. That the client leaves in the middle ends it.
pub(super) type Turn =
    Arc<dyn Fn(&mut dyn Stream, &str, &str) -> std::io::Result<()> + Send + Sync>;

/// Longest time that a write may wait for a client that does not read.
const WRITE_TIMEOUT: Duration = Duration::from_secs(20);

/// A list.
#[derive(Clone)]
struct List {
    text: String,
    turn: Option<Turn>,
}

struct Shared {
    lists: Mutex<BTreeMap<String, List>>,
    has_turned: Arc<AtomicBool>,
    /// Requests for what stands at no list's path.
    strayed: AtomicUsize,
}

/// The server. Its threads end with their connections, and the one that listens with the process.
pub(super) struct Server {
    pub(super) address: SocketAddr,
    shared: Arc<Shared>,
}

impl Server {
    /// One that serves nothing yet.
    pub(super) fn start() -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("bound");
        let shared = Arc::new(Shared {
            lists: Mutex::default(),
            has_turned: Arc::default(),
            strayed: AtomicUsize::new(0),
        });
        let seen = shared.clone();
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let seen = seen.clone();
                thread::spawn(move || {
                    let timed = stream.set_write_timeout(Some(WRITE_TIMEOUT));
                    // A client that has gone away is a part of nearly every case.
                    let _ = timed.and_then(|()| answer(stream, &seen));
                });
            }
        });
        Server { address, shared }
    }

    /// Serves `text` at `name`, until it turns; its URL.
    pub(super) fn list(&self, name: &str, text: &str, turn: Option<Turn>) -> String {
        self.set(name, text, turn);
        format!("http://{}/{name}", self.address)
    }

    /// Replaces the list at `name`.
    pub(super) fn set(&self, name: &str, text: &str, turn: Option<Turn>) {
        let list = List {
            text: text.to_owned(),
            turn,
        };
        let mut lists = self.shared.lists.lock().expect("no thread panics with it");
        lists.insert(format!("/{name}"), list);
    }

    /// From now on every list that can turn bad is.
    pub(super) fn turn(&self) {
        self.shared.has_turned.store(true, Ordering::SeqCst);
    }

    /// Whether they are, for another server that turns with this one.
    pub(super) fn switch(&self) -> Arc<AtomicBool> {
        self.shared.has_turned.clone()
    }

    /// How often something was asked for that is nowhere.
    pub(super) fn strayed(&self) -> usize {
        self.shared.strayed.load(Ordering::SeqCst)
    }
}

/// The head of a request; empty if it does not come.
pub(super) fn head(stream: &mut dyn Stream) -> String {
    let mut lines = BufReader::with_capacity(1, stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") && lines.read_line(&mut head).unwrap_or(0) > 0 {}
    head
}

fn answer(mut stream: TcpStream, shared: &Shared) -> std::io::Result<()> {
    let head = head(&mut stream);
    let path = head.split([' ', '?']).nth(1).unwrap_or_default();
    let list = shared
        .lists
        .lock()
        .expect("no panic with it")
        .get(path)
        .cloned();
    match list {
        None => {
            shared.strayed.fetch_add(1, Ordering::SeqCst);
            reply(&mut stream, "404 Not Found", "", b"")
        }
        Some(List {
            turn: Some(turn),
            text,
        }) if shared.has_turned.load(Ordering::SeqCst) => turn(&mut stream, &head, &text),
        Some(list) => reply(&mut stream, "200 OK", "", list.text.as_bytes()),
    }
}

/// Writes a whole answer.
pub(super) fn reply(
    stream: &mut dyn Stream,
    status: &str,
    headers: &str,
    body: &[u8],
) -> std::io::Result<()> {
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n"
    );
    stream.write_all(head.as_bytes())?;
    stream.write_all(body)
}
