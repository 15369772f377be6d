//! The judge over the wire: what clients ask, and what clients do to servers.

mod crowds;
mod peers;

use super::limits::Limits;
use super::server::{self, Door, Judge};
use crate::config::Network;
use proxy_shards::target::Secret;
use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// Longer than anything that a test waits for.
const PATIENCE: Duration = Duration::from_secs(20);
const NONCE: &str = "00112233445566778899aabbccddeeff";

/// A page that can be read without a seal.
fn page(_: &Secret, nonce: &str, peer: IpAddr, fields: &[(&str, &[u8])]) -> Vec<u8> {
    let mut page = format!("{nonce} {peer}\n");
    for (name, value) in fields {
        page += &format!("{name}: {}\n", value.escape_ascii());
    }
    page.into_bytes()
}

/// A running judge; dropped, it is shut down and must end.
struct Running {
    address: SocketAddr,
    judge: Arc<Judge>,
    shutdown: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// Limits that no test comes near to.
fn roomy() -> Limits {
    Limits {
        rate_per_minute: 0,
        head_timeout: PATIENCE,
        exchange_timeout: PATIENCE,
        ..Limits::default()
    }
}

impl Running {
    fn start() -> Running {
        Running::within(roomy())
    }

    fn within(limits: Limits) -> Running {
        Running::trusting(&[], limits)
    }

    fn trusting(trusted: &[&str], limits: Limits) -> Running {
        Running::behind(trusted, limits, Vec::new())
    }

    /// With a door that first fails with these codes.
    fn behind(trusted: &[&str], limits: Limits, errors: Vec<i32>) -> Running {
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

    fn connect(&self) -> TcpStream {
        connect_from([127, 0, 0, 1].into(), self.address)
    }

    fn send(&self, request: &[u8]) -> Reply {
        let mut client = self.connect();
        client.write_all(request).unwrap();
        Reply::read(client)
    }

    /// A request with this first part of its request line and these lines after it.
    fn ask(&self, start: &str, lines: &str) -> Reply {
        self.send(format!("{start} HTTP/1.1\r\nHost: t\r\n{lines}\r\n").as_bytes())
    }

    fn get(&self) -> Reply {
        self.ask(&format!("GET /?nonce={NONCE}"), "")
    }

    fn shut_down(&mut self) {
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
struct Scripted {
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

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}

/// A client with this address of the loopback network.
fn connect_from(ip: IpAddr, to: SocketAddr) -> TcpStream {
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
fn is_closed_by_server(mut client: TcpStream) -> bool {
    let mut rest = Vec::new();
    match client.read_to_end(&mut rest) {
        Ok(_) => true,
        Err(error) => error.kind() == ErrorKind::ConnectionReset,
    }
}

/// An answer, taken apart.
#[derive(Debug)]
struct Reply {
    status: u16,
    head: String,
    body: String,
}

impl Reply {
    /// Reads until the server closes.
    fn read(mut stream: TcpStream) -> Reply {
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

    fn header(&self, name: &str) -> Option<&str> {
        self.head
            .lines()
            .filter_map(|line| line.split_once(": "))
            .find_map(|(key, value)| key.eq_ignore_ascii_case(name).then_some(value))
    }

    /// Panics unless this is a refusal with exactly this status and these words.
    fn is_refusal(&self, status: u16, words: &str) {
        assert_eq!(self.header("content-type"), Some("application/json"));
        let json: serde_json::Value = serde_json::from_str(&self.body).expect(&self.body);
        let expected = serde_json::json!({ "error": words });
        assert_eq!((self.status, json), (status, expected));
    }
}

#[test]
fn any_path_with_a_nonce_is_answered_with_what_was_seen() {
    let judge = Running::start();
    for target in [
        format!("/?nonce={NONCE}"),
        format!("/any/path/at%20all?x=1&nonce={NONCE}"),
        format!("http://judge.example/?nonce={NONCE}"),
        format!("http://judge.example:8090?nonce={NONCE}"),
    ] {
        let reply = judge.ask(&format!("GET {target}"), "Via: 1.1 p\r\nX-Other: y\r\n");
        assert_eq!(reply.status, 200, "{target}");
        assert_eq!(reply.body, format!("{NONCE} 127.0.0.1\nvia: 1.1 p\n"));
    }
}

#[test]
fn the_answer_is_not_kept_anywhere_and_the_connection_closes() {
    let reply = Running::start().get();
    let media_type = reply.header("content-type");
    assert_eq!(media_type, Some("text/html; charset=utf-8"));
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    assert_eq!(reply.header("connection"), Some("close"));
    let length = reply.body.len().to_string();
    assert_eq!(reply.header("content-length"), Some(length.as_str()));
}

#[test]
fn a_client_of_http_1_0_is_answered_too() {
    let judge = Running::start();
    let reply = judge.send(format!("GET /?nonce={NONCE} HTTP/1.0\r\n\r\n").as_bytes());
    assert_eq!((reply.status, &reply.body[..32]), (200, NONCE));
}

#[test]
fn a_second_request_on_the_connection_is_not_answered() {
    let judge = Running::start();
    let request = format!("GET /?nonce={NONCE} HTTP/1.1\r\nHost: t\r\n\r\n");
    let mut client = judge.connect();
    client.write_all(request.repeat(2).as_bytes()).unwrap();
    assert!(is_closed_by_server(client));
    assert_eq!(judge.judge.state().counts.answered, 1);
}

#[test]
fn without_a_nonce_it_is_400_and_other_methods_are_405() {
    let judge = Running::start();
    for target in ["/", "/?nonce=abc", "/favicon.ico"] {
        let reply = judge.ask(&format!("GET {target}"), "");
        reply.is_refusal(400, "Give ?nonce= with 32 hexadecimal digits, once");
    }
    for method in ["POST", "PUT", "OPTIONS", "BREW"] {
        let reply = judge.ask(&format!("{method} /?nonce={NONCE}"), "");
        reply.is_refusal(405, "Method not allowed");
        assert_eq!(reply.header("allow"), Some("GET"));
    }
    let reply = judge.ask(&format!("HEAD /?nonce={NONCE}"), "");
    assert_eq!((reply.status, reply.body.as_str()), (405, ""));
    assert_eq!(judge.ask("CONNECT judge.example:443", "").status, 405);
}

#[test]
fn a_body_is_dropped_and_a_large_one_refused() {
    let judge = Running::start();
    let start = format!("GET /?nonce={NONCE}");
    let with_body = |length: usize| {
        let lines = format!("Content-Length: {length}\r\n");
        let head = format!("{start} HTTP/1.1\r\nHost: t\r\n{lines}\r\n");
        judge.send(&[head.into_bytes(), vec![b'x'; length.min(66_000)]].concat())
    };
    assert_eq!(with_body(65_536).status, 200);
    with_body(66_000).is_refusal(413, "Request body too large");
    let broken = judge.ask(&start, "Transfer-Encoding: chunked\r\n\r\nxyz\r\n");
    broken.is_refusal(400, "Request body broken off or malformed");
}

#[test]
fn a_shutdown_ends_silent_connections_and_lets_go_of_the_port() {
    let mut judge = Running::start();
    let silent = judge.connect();
    assert_eq!(judge.get().status, 200);
    let started = Instant::now();
    judge.shut_down();
    assert!(started.elapsed() < Duration::from_secs(10));
    assert!(is_closed_by_server(silent));
    assert!(TcpStream::connect(judge.address).is_err());
}

#[test]
fn running_out_of_descriptors_ends_nothing() {
    const ECONNABORTED: i32 = 103;
    const EMFILE: i32 = 24;
    const ENFILE: i32 = 23;
    let limits = Limits {
        accept_pause: Duration::from_millis(1),
        ..roomy()
    };
    let errors = vec![EMFILE, EMFILE, ECONNABORTED, ENFILE];
    let judge = Running::behind(&[], limits, errors);
    assert_eq!(judge.get().status, 200);
    assert_eq!(judge.judge.state().counts.not_accepted, 3);
}
