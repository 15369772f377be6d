//! What clients do to servers, over the wire.

use super::*;
use crate::api::testing::{Reply, Server as Running, many, send, state};
use crate::snapshot::Stat;
use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream as Client;
use std::thread;
use tokio::sync::oneshot;

mod requests;

const GET_HEALTH: &[u8] = b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

/// Whether the server has closed this connection, or does so before the client's patience ends.
fn is_closed_by_server(mut client: Client) -> bool {
    let mut rest = Vec::new();
    match client.read_to_end(&mut rest) {
        Ok(_) => true,
        Err(error) => error.kind() == ErrorKind::ConnectionReset,
    }
}

/// Whether nothing arrives for a moment.
fn is_left_waiting(client: &mut Client) -> bool {
    client
        .set_read_timeout(Some(Duration::from_millis(100)))
        .unwrap();
    let waits = matches!(client.read(&mut [0]), Err(e) if e.kind() == ErrorKind::WouldBlock);
    client
        .set_read_timeout(Some(crate::api::testing::PATIENCE))
        .unwrap();
    waits
}

#[test]
fn a_half_sent_head_is_closed_after_the_timeout_and_so_is_silence() {
    let server = Running::within(Limits {
        head_timeout: Duration::from_millis(100),
        ..Limits::default()
    });
    let silent = server.connect();
    let mut half = server.connect();
    half.write_all(b"GET /health HTTP/1.1\r\nHost: ").unwrap();
    let mut kept = server.connect();
    kept.write_all(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .unwrap();
    for client in [silent, half, kept] {
        assert!(is_closed_by_server(client));
    }
    assert_eq!(server.get("/health").status, 200);
}

#[test]
fn connections_above_the_cap_wait_for_their_turn() {
    let server = Running::within(Limits {
        connections_max: 2,
        ..Limits::default()
    });
    let (first, second) = (server.connect(), server.connect());
    let mut third = server.connect();
    third.write_all(GET_HEALTH).unwrap();
    assert!(is_left_waiting(&mut third));
    drop(first);
    assert_eq!(Reply::read(third).body, "ok");
    drop(second);
}

#[test]
fn connections_above_the_cap_of_their_address_are_closed_at_once_and_counted() {
    let server = Running::start();
    server.configure(crate::api::Settings {
        connections_per_ip_max: 2,
        ..crate::api::testing::settings()
    });
    let (mut first, second) = (server.connect(), server.connect());
    assert!(is_closed_by_server(server.connect()));
    assert!(is_closed_by_server(server.connect()));
    drop(second);
    // The server learns that on its own time.
    let page = loop {
        let mut client = server.connect();
        let asked = client
            .write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        let mut page = String::new();
        if asked.is_ok() && client.read_to_string(&mut page).is_ok() && !page.is_empty() {
            break page;
        }
    };
    assert!(
        page.contains("\nproxychecker_api_connections 2\n"),
        "{page}"
    );
    let refused = page
        .lines()
        .find_map(|line| line.strip_prefix("proxychecker_api_connections_refused_total "));
    assert!(refused.unwrap().parse::<u32>().unwrap() >= 2, "{page}");
    first.write_all(GET_HEALTH).unwrap();
    assert_eq!(Reply::read(first).body, "ok", "the old ones stay");
}

#[test]
fn a_client_that_does_not_read_its_answer_is_let_go() {
    let server = Running::within(Limits {
        connections_max: 1,
        answer_timeout: Duration::from_millis(100),
        ..Limits::default()
    });
    server.publish(many(100_000), Stat::default());
    let mut greedy = server.connect();
    let request = b"GET /get-proxy?all=1&format=json HTTP/1.1\r\nHost: localhost\r\n\r\n";
    greedy.write_all(request).unwrap();
    // The only slot is free again once the first client was given up.
    assert_eq!(server.get("/health").body, "ok");
    let mut received = Vec::new();
    let _ = greedy.read_to_end(&mut received);
    assert!(received.starts_with(b"HTTP/1.1 200 OK\r\n"));
    assert!(received.len() < 100_000 * 100, "{}", received.len());
}

#[test]
fn large_answers_that_nobody_reads_do_not_add_up() {
    let server = Running::within(Limits {
        answer_bytes_max: 1 << 20,
        shutdown_timeout: Duration::from_millis(10),
        ..Limits::default()
    });
    server.publish(many(100_000), Stat::default());
    let mut greedy = server.connect();
    let target = "/get-proxy?all=1&format=json";
    let request = format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    greedy.write_all(request.as_bytes()).unwrap();
    greedy.read_exact(&mut [0]).unwrap();
    let refused = server.get("/get-proxy?all=1&format=json&max_latency_ms=100000");
    assert_eq!(
        (refused.status, refused.header("retry-after")),
        (503, Some("5"))
    );
    let shared = server.get(target);
    assert_eq!(shared.status, 200, "it is in memory already");
    assert_eq!(server.get("/get-proxy?limit=10").lines().len(), 10);
}

#[test]
fn a_whole_large_answer_arrives() {
    let server = Running::start();
    server.publish(many(20_000), Stat::default());
    let reply = server.get("/get-proxy?all=1&format=json");
    assert_eq!(reply.json()["proxies"].as_array().unwrap().len(), 20_000);
    assert_eq!(server.get("/get-proxy?all=1").lines().len(), 20_000);
}

#[test]
fn a_shutdown_closes_idle_connections_and_ends() {
    let mut server = Running::within(Limits {
        shutdown_timeout: Duration::from_secs(10),
        ..Limits::default()
    });
    let mut idle = server.connect();
    idle.write_all(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .unwrap();
    idle.read_exact(&mut [0; 100]).unwrap();
    let started = Instant::now();
    server.shut_down().join().unwrap();
    assert!(started.elapsed() < Duration::from_secs(9));
    assert!(is_closed_by_server(idle));
    assert!(Client::connect(server.address).is_err());
}

#[test]
fn a_shutdown_lets_the_request_under_way_end_and_then_waits_no_longer() {
    let mut server = Running::within(Limits {
        shutdown_timeout: Duration::from_millis(300),
        ..Limits::default()
    });
    let address = server.address;
    let under_way = thread::spawn(move || {
        let request = b"POST /reload HTTP/1.1\r\nHost: localhost\r\n\r\n";
        send(address, request)
    });
    let request = server.reloads.blocking_recv().unwrap();
    let mut slow = server.connect();
    slow.write_all(b"GET /hea").unwrap();
    let thread = server.shut_down();
    let accepted = crate::api::Accepted {
        id: 3,
        needs_restart: Vec::new(),
    };
    request.reply.unwrap().send(Ok(accepted)).unwrap();
    assert_eq!(under_way.join().unwrap().status, 200);
    thread.join().unwrap();
    assert!(is_closed_by_server(slow));
}

/// A door that fails first and opens then.
struct Scripted {
    errors: VecDeque<i32>,
    door: tokio::net::TcpListener,
}

impl Door for Scripted {
    async fn accept(&mut self) -> io::Result<(TcpStream, std::net::IpAddr)> {
        match self.errors.pop_front() {
            Some(code) => Err(io::Error::from_raw_os_error(code)),
            None => Door::accept(&mut self.door).await,
        }
    }
}

#[test]
fn running_out_of_descriptors_ends_nothing() {
    const ECONNABORTED: i32 = 103;
    const EMFILE: i32 = 24;
    const ENFILE: i32 = 23;
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    listener.set_nonblocking(true).unwrap();
    let (state, _settings, _reloads, _questions) = state();
    let limits = Limits {
        accept_pause: Duration::from_millis(1),
        ..Limits::default()
    };
    let (shutdown, ends) = oneshot::channel::<()>();
    let server = thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let door = Scripted {
                errors: [EMFILE, EMFILE, ECONNABORTED, ENFILE].into(),
                door: tokio::net::TcpListener::from_std(listener).unwrap(),
            };
            let ends = async {
                let _ = ends.await;
            };
            serve_from(door, Server::new(state, limits), ends).await;
        });
    });
    assert_eq!(send(address, GET_HEALTH).body, "ok");
    drop(shutdown);
    server.join().unwrap();
}

#[test]
fn the_same_complaint_is_heard_once_a_minute() {
    let mut complaints = Complaints::default();
    let now = Instant::now();
    let heard = [0, 1, 59, 60, 61, 119, 120]
        .map(|secs| complaints.are_due(now + Duration::from_secs(secs)));
    assert_eq!(heard, [true, false, false, true, false, false, true]);
}
