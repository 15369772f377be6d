//! The judge over the wire: what clients ask, and what clients do to servers.

mod crowds;
mod peers;
mod running;

use super::limits::Limits;
use running::*;
use std::io::{ErrorKind, Write};
use std::net::{IpAddr, TcpStream};
use std::time::{Duration, Instant};

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
