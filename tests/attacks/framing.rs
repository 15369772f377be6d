//! Requests of which two readers may think differently: whose they are, and where they end.

use crate::service::{Place, Service};
use crate::wire::{connect, rest};
use std::io::Write;

/// What is sent behind a request of which it may be a part: answered, it would say `ok`.
const BEHIND: &str = "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n";

/// The statuses of all answers to `request` and to what is sent behind it, up to the end of the
/// connection, which the service must bring about.
fn answers(service: &Service, request: &str) -> (Vec<u16>, String) {
    let mut stream = connect(service.address);
    stream
        .write_all(format!("{request}{BEHIND}").as_bytes())
        .unwrap();
    let answer = rest(&mut stream);
    let text = String::from_utf8_lossy(&answer).into_owned();
    let heads = text.split("HTTP/1.").skip(1);
    let statuses = heads.map(|head| head[2..5].parse().expect("a status"));
    (statuses.collect(), text)
}

/// RFC 9112, section 3.2: whoever stands in between may have sent it to another site.
#[test]
fn a_request_without_one_host_is_400_and_ends_the_connection() {
    let service = Place::alive(10).serve();
    for hosts in [
        "",
        "Host: localhost\r\nHost: other.example\r\n",
        "Host: localhost\r\nHost: localhost\r\n",
        "Host: localhost\r\nhost:\r\n",
        "Host: user@localhost\r\n",
        "Host: local host\r\n",
    ] {
        for line in [
            "GET /health",
            "GET /get-proxy",
            "POST /reload",
            "PUT /nowhere",
        ] {
            let (statuses, text) = answers(&service, &format!("{line} HTTP/1.1\r\n{hosts}\r\n"));
            assert_eq!(statuses, [400], "{line} {hosts:?}: {text}");
            assert!(text.contains("Invalid Host header"), "{text}");
            assert!(text.contains("\r\nconnection: close\r\n"), "{text}");
        }
    }
    let (statuses, text) = answers(&service, "GET /health HTTP/1.0\r\n\r\n");
    assert_eq!(statuses, [200], "HTTP/1.0 knows no Host: {text}");
    service.end();
}

/// RFC 9112, section 6.3: two lengths, of which each may be what someone in between believes.
#[test]
fn two_different_lengths_are_400_and_end_the_connection() {
    let service = Place::alive(10).serve();
    let head = "POST /nowhere HTTP/1.1\r\nHost: localhost\r\n";
    for lengths in [
        "Content-Length: 5\r\nContent-Length: 6\r\n",
        "Content-Length: 0\r\nContent-Length: 5\r\n",
        "Content-Length: 5, 6\r\n",
    ] {
        let (statuses, text) = answers(&service, &format!("{head}{lengths}\r\nhello"));
        assert_eq!(statuses, [400], "{lengths:?}: {text}");
    }
    service.end();
}

/// RFC 9112, section 6.1: the chunks count alone, and what follows on them is not answered.
#[test]
fn a_length_beside_chunks_says_nothing_and_ends_the_connection() {
    let service = Place::alive(10).serve();
    let (length, chunked) = ("Content-Length: 3\r\n", "Transfer-Encoding: chunked\r\n");
    for fields in [[length, chunked].concat(), [chunked, length].concat()] {
        let head = format!("POST /nowhere HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n");
        let (statuses, text) = answers(&service, &format!("{head}5\r\nhello\r\n0\r\n\r\n"));
        assert_eq!(statuses, [404], "{fields:?}: {text}");
        assert!(text.contains("\r\nconnection: close\r\n"), "{text}");
    }
    service.end();
}
