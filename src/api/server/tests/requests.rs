//! Requests cut up, oversized, broken, or not HTTP at all.

use super::{GET_HEALTH, is_closed_by_server};
use crate::api::limits::Limits;
use crate::api::testing::{Reply, Server as Running};
use std::io::Write;
use std::time::Duration;

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
    let first = b"GET /ready HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let reply = server.send(&[first, GET_HEALTH].concat());
    assert_eq!(reply.status, 503);
    assert!(reply.body.ends_with("\r\n\r\nok"), "{}", reply.body);
}

#[test]
fn a_client_that_closes_its_side_after_the_request_gets_its_answer() {
    let server = Running::start();
    let mut client = server.connect();
    client
        .write_all(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .unwrap();
    client.shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(Reply::read(client).body, "ok");
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
        let head = "POST /nowhere HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
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
    let request = b"GET /health HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello";
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
    let head =
        "POST /reload HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n";
    let broken = server.send(head.as_bytes());
    broken.is_refusal(400, "Request body broken off or malformed");
}

#[test]
fn what_is_not_http_1_is_closed_and_the_server_goes_on() {
    let server = Running::start();
    let requests: [&[u8]; 8] = [
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0",
        b"GET / HTTP/2.0\r\nHost: localhost\r\n\r\n",
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
