//! What clients do to servers, over the wire.

use super::*;
use crate::api::testing::{Reply, Server as Running, many, send, state};
use crate::snapshot::Stat;
use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream as Client;
use std::thread;
use tokio::sync::oneshot;

const GET_HEALTH: &[u8] = b"GET /health HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n";

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
fn a_head_split_over_many_packets_is_one_request() {
    let server = Running::start();
    let mut client = server.connect();
    for byte in GET_HEALTH {
        client.write_all(&[*byte]).unwrap();
    }
    assert_eq!(Reply::read(client).body, "ok");
}

#[test]
fn requests_in_one_packet_are_answered_in_turn() {
    let server = Running::start();
    let first = b"GET /ready HTTP/1.1\r\nHost: t\r\n\r\n";
    let reply = server.send(&[first, GET_HEALTH].concat());
    assert_eq!(reply.status, 503);
    assert!(reply.body.ends_with("\r\n\r\nok"), "{}", reply.body);
}

#[test]
fn a_client_that_closes_its_side_after_the_request_gets_its_answer() {
    let server = Running::start();
    let mut client = server.connect();
    client
        .write_all(b"GET /health HTTP/1.1\r\nHost: t\r\n\r\n")
        .unwrap();
    client.shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(Reply::read(client).body, "ok");
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
    kept.write_all(b"GET /health HTTP/1.1\r\nHost: t\r\n\r\n")
        .unwrap();
    for client in [silent, half, kept] {
        assert!(is_closed_by_server(client));
    }
    assert_eq!(server.get("/health").status, 200);
}

#[test]
fn a_head_above_the_limit_is_431() {
    let server = Running::start();
    let header = format!("X-Long: {}\r\n", "x".repeat(20_000));
    assert_eq!(server.ask("GET", "/health", &header).status, 431);
    let target = format!("/health?{}", "x".repeat(20_000));
    assert!([414, 431].contains(&server.get(&target).status));
    let headers = "X: y\r\n".repeat(200);
    assert_eq!(server.ask("GET", "/health", &headers).status, 431);
}

#[test]
fn a_promise_of_100_gb_is_413_at_once() {
    let server = Running::start();
    let reply = server.ask("POST", "/reload", "Content-Length: 100000000000\r\n");
    reply.is_refusal(413, "Request body too large");
    assert_eq!(reply.header("connection"), Some("close"));
}

#[test]
fn a_chunked_body_is_413_where_it_passes_the_limit() {
    let server = Running::within(Limits {
        body_bytes_max: 100,
        ..Limits::default()
    });
    let body = |len: usize| {
        let head = "POST /nowhere HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\
            Transfer-Encoding: chunked\r\n\r\n";
        let chunk = format!("{len:x}\r\n{}\r\n0\r\n\r\n", "x".repeat(len));
        server.send(format!("{head}{chunk}").as_bytes())
    };
    body(100).is_refusal(404, "Not found");
    body(101).is_refusal(413, "Request body too large");
}

#[test]
fn a_small_body_is_read_and_ignored() {
    let server = Running::start();
    let request = b"GET /health HTTP/1.1\r\nHost: t\r\nContent-Length: 5\r\n\r\nhello";
    let reply = server.send(&[request, GET_HEALTH].concat());
    assert_eq!(reply.status, 200);
    assert!(reply.body.ends_with("\r\n\r\nok"), "{}", reply.body);
}

#[test]
fn a_body_that_does_not_come_is_408_and_a_malformed_one_400() {
    let server = Running::within(Limits {
        body_timeout: Duration::from_millis(100),
        ..Limits::default()
    });
    let late = server.ask("POST", "/reload", "Content-Length: 5\r\n");
    late.is_refusal(408, "Request body not received in time");
    let head = "POST /reload HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n";
    let broken = server.send(head.as_bytes());
    broken.is_refusal(400, "Request body broken off or malformed");
}

#[test]
fn what_is_not_http_1_is_closed_and_the_server_goes_on() {
    let server = Running::start();
    let requests: [&[u8]; 8] = [
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0",
        b"GET / HTTP/2.0\r\nHost: t\r\n\r\n",
        b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03",
        b"\x05\x01\0",
        b"GET\r\n\r\n",
        b"GET /\xff\xfe?\x01 HTTP/1.1\r\n\r\n",
        b"GET /health HTTP/1.1\r\nno colon\r\n\r\n",
        b"CONNECT example.com:443 HTTP/1.1\r\nHost: example.com\r\nConnection: close\r\n\r\n",
    ];
    for request in requests {
        let mut client = server.connect();
        client.write_all(request).unwrap();
        client.shutdown(std::net::Shutdown::Write).unwrap();
        assert!(is_closed_by_server(client), "{}", request.escape_ascii());
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
fn a_client_that_does_not_read_its_answer_is_let_go() {
    let server = Running::within(Limits {
        connections_max: 1,
        answer_timeout: Duration::from_millis(100),
        ..Limits::default()
    });
    server.publish(many(150_000), Stat::default());
    let mut greedy = server.connect();
    let request = b"GET /get-proxy?all=1&format=json HTTP/1.1\r\nHost: t\r\n\r\n";
    greedy.write_all(request).unwrap();
    // The only slot is free again once the first client was given up.
    assert_eq!(server.get("/health").body, "ok");
    let mut received = Vec::new();
    let _ = greedy.read_to_end(&mut received);
    assert!(received.starts_with(b"HTTP/1.1 200 OK\r\n"));
    assert!(received.len() < 150_000 * 100, "{}", received.len());
}

#[test]
fn large_answers_that_nobody_reads_do_not_add_up() {
    let server = Running::within(Limits {
        answer_bytes_max: 1 << 20,
        ..Limits::default()
    });
    server.publish(many(150_000), Stat::default());
    let mut greedy = server.connect();
    let target = "/get-proxy?all=1&format=json";
    let request = format!("GET {target} HTTP/1.1\r\nHost: t\r\n\r\n");
    greedy.write_all(request.as_bytes()).unwrap();
    greedy.read_exact(&mut [0]).unwrap();
    let reply = server.get(target);
    assert_eq!(
        (reply.status, reply.header("retry-after")),
        (503, Some("5"))
    );
    assert_eq!(server.get("/get-proxy?limit=10").lines().len(), 10);
}

#[test]
fn a_whole_large_answer_arrives() {
    let server = Running::start();
    server.publish(many(150_000), Stat::default());
    let reply = server.get("/get-proxy?all=1&format=json");
    assert_eq!(reply.json()["proxies"].as_array().unwrap().len(), 150_000);
    assert_eq!(server.get("/get-proxy?all=1").lines().len(), 150_000);
}

#[test]
fn a_shutdown_closes_idle_connections_and_ends() {
    let mut server = Running::within(Limits {
        shutdown_timeout: Duration::from_secs(10),
        ..Limits::default()
    });
    let mut idle = server.connect();
    idle.write_all(b"GET /health HTTP/1.1\r\nHost: t\r\n\r\n")
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
        let request = b"POST /reload HTTP/1.1\r\nHost: t\r\n\r\n";
        send(address, request)
    });
    let request = server.reloads.blocking_recv().unwrap();
    let mut slow = server.connect();
    slow.write_all(b"GET /hea").unwrap();
    let thread = server.shut_down();
    request.reply.unwrap().send(Ok(3)).unwrap();
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
    async fn accept(&mut self) -> io::Result<TcpStream> {
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
    let (state, _settings, _reloads) = state();
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
