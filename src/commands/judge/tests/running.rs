//! A judge at work on a free port, with a page that can be read, and clients that write bytes.

use crate::commands::judge::limits::Limits;
use crate::commands::judge::server::{self, Door, Judge};
use crate::network::Network;
use proxy_shards::target::Secret;
use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;
use tokio::sync::oneshot;

/// Longer than anything that a test waits for.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);
pub(super) const NONCE: &str = "00112233445566778899aabbccddeeff";

/// A page that can be read without a seal.
pub(super) fn page(_: &Secret, nonce: &str, peer: IpAddr, fields: &[(&str, &[u8])]) -> Vec<u8> {
    let mut page = format!("{nonce} {peer}\n");
    for (name, value) in fields {
        page += &format!("{name}: {}\n", value.escape_ascii());
    }
    page.into_bytes()
}

/// A running judge; dropped, it is shut down and must end.
pub(super) struct Running {
    pub(super) address: SocketAddr,
    pub(super) judge: Arc<Judge>,
    shutdown: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// Limits that no test comes near to.
pub(super) fn roomy() -> Limits {
    Limits {
        rate_per_minute: 0,
        head_timeout: 10 * PATIENCE,
        exchange_timeout: 10 * PATIENCE,
        ..Limits::default()
    }
}

impl Running {
    pub(super) fn start() -> Running {
        Running::within(roomy())
    }

    pub(super) fn within(limits: Limits) -> Running {
        Running::trusting(&[], limits)
    }

    pub(super) fn trusting(trusted: &[&str], limits: Limits) -> Running {
        Running::behind(trusted, limits, Vec::new())
    }

    /// With a door that first fails with these codes.
    pub(super) fn behind(trusted: &[&str], limits: Limits, errors: Vec<i32>) -> Running {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        listener.set_nonblocking(true).unwrap();
        let secret = Secret::new(b"0123456789abcdef").unwrap();
        let trusted: Vec<Network> = trusted.iter().map(|t| t.parse().unwrap()).collect();
        let judge = Judge::new(secret, page, trusted.into(), limits);
        let (shutdown, ends) = oneshot::channel::<()>();
        let shared = Arc::clone(&judge);
        let thread = thread::spawn(move || {
            runtime().block_on(async {
                let door = Scripted {
                    errors: errors.into(),
                    door: tokio::net::TcpListener::from_std(listener).unwrap(),
                };
                let ends = async {
                    let _ = ends.await;
                };
                server::serve_from(door, shared, ends).await;
            });
        });
        Running {
            address,
            judge,
            shutdown: Some(shutdown),
            thread: Some(thread),
        }
    }

    pub(super) fn connect(&self) -> TcpStream {
        connect_from([127, 0, 0, 1].into(), self.address)
    }

    pub(super) fn send(&self, request: &[u8]) -> Reply {
        let mut client = self.connect();
        client.write_all(request).unwrap();
        Reply::read(client)
    }

    /// A request with this first part of its request line and these lines after it.
    pub(super) fn ask(&self, start: &str, lines: &str) -> Reply {
        self.send(format!("{start} HTTP/1.1\r\nHost: t\r\n{lines}\r\n").as_bytes())
    }

    pub(super) fn get(&self) -> Reply {
        self.ask(&format!("GET /?nonce={NONCE}"), "")
    }

    pub(super) fn shut_down(&mut self) {
        drop(self.shutdown.take());
        self.thread.take().unwrap().join().unwrap();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.shutdown.take());
        if let Some(thread) = self.thread.take() {
            assert!(thread.join().is_ok() || thread::panicking());
        }
    }
}

/// A door that fails first and opens then.
pub(super) struct Scripted {
    errors: VecDeque<i32>,
    door: tokio::net::TcpListener,
}

impl Door for Scripted {
    async fn accept(&mut self) -> io::Result<(tokio::net::TcpStream, SocketAddr)> {
        match self.errors.pop_front() {
            Some(code) => Err(io::Error::from_raw_os_error(code)),
            None => Door::accept(&mut self.door).await,
        }
    }
}

pub(super) fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}

/// A client with this address of the loopback network.
pub(super) fn connect_from(ip: IpAddr, to: SocketAddr) -> TcpStream {
    let stream = runtime().block_on(async {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind((ip, 0).into()).unwrap();
        socket.connect(to).await.unwrap().into_std().unwrap()
    });
    stream.set_nonblocking(false).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

/// Whether the server has closed this connection, or does so before the client's patience ends.
pub(super) fn is_closed_by_server(mut client: TcpStream) -> bool {
    let mut rest = Vec::new();
    match client.read_to_end(&mut rest) {
        Ok(_) => true,
        Err(error) => error.kind() == ErrorKind::ConnectionReset,
    }
}

/// An answer, taken apart.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    head: String,
    pub(super) body: String,
}

impl Reply {
    /// Reads until the server closes.
    pub(super) fn read(mut stream: TcpStream) -> Reply {
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).unwrap();
        let text = String::from_utf8(bytes).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").expect(&text);
        Reply {
            status: head.split(' ').nth(1).unwrap().parse().unwrap(),
            head: head.to_owned(),
            body: body.to_owned(),
        }
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.head
            .lines()
            .filter_map(|line| line.split_once(": "))
            .find_map(|(key, value)| key.eq_ignore_ascii_case(name).then_some(value))
    }

    /// Panics unless this is a refusal with exactly this status and these words.
    pub(super) fn is_refusal(&self, status: u16, words: &str) {
        assert_eq!(self.header("content-type"), Some("application/json"));
        let json: serde_json::Value = serde_json::from_str(&self.body).expect(&self.body);
        let expected = serde_json::json!({ "error": words });
        assert_eq!((self.status, json), (status, expected));
    }
}
