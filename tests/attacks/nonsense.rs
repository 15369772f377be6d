//! Requests that are none, that are two, or that mean nothing.

use crate::service::{Place, Service};
use crate::wire::{exchange, status};
use serde_json::Value;

/// What the answer's status may be; 0: closed without one.
fn is_answered(service: &Service, request: &[u8], allowed: &[u16]) {
    let answer = exchange(service.address, request);
    let found = status(&answer).unwrap_or(0);
    assert!(
        allowed.contains(&found) && (found != 0 || answer.is_empty()),
        "{}\n{}",
        request.escape_ascii(),
        answer.escape_ascii()
    );
}

#[test]
fn what_is_not_http_1_is_closed() {
    let service = Place::alive(10).serve();
    let hello = [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".as_slice(),
        &[7; 500],
    ];
    let h2 = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    is_answered(&service, &hello.concat(), &[0, 400]);
    is_answered(&service, h2, &[0, 400, 505]);
    is_answered(
        &service,
        b"GET / HTTP/2.0\r\nHost: localhost\r\n\r\n",
        &[0, 400, 505],
    );
    is_answered(&service, b"GET /health\r\n", &[0, 400]);
    is_answered(&service, b"\x05\x01\x00", &[0, 400]);
    is_answered(&service, b"SSH-2.0-OpenSSH_9.6\r\n", &[0, 400]);
    is_answered(&service, &[0; 4_096], &[0, 400]);
    is_answered(&service, b"", &[0]);
    service.end();
}

#[test]
fn an_upgrade_to_http_2_is_not_taken() {
    let service = Place::alive(10).serve();
    let request =
        b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade, HTTP2-Settings, close\r\n\
        Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n";
    is_answered(&service, request, &[200]);
    let request = b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade, close\r\n\
        Upgrade: websocket\r\nSec-WebSocket-Key: AAAA\r\n\r\n";
    is_answered(&service, request, &[200]);
    service.end();
}

#[test]
fn lengths_that_contradict_each_other_are_refused() {
    let service = Place::alive(10).serve();
    let contradictions = [
        "Content-Length: 5\r\nContent-Length: 6\r\n",
        "Content-Length: 5, 6\r\n",
        "Content-Length: -1\r\n",
        "Content-Length: +5\r\n",
        "Content-Length: 0x5\r\n",
        "Content-Length: 18446744073709551616\r\n",
        "Content-Length: five\r\n",
        "Content-Length: \r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: identity\r\n",
        "Transfer-Encoding: chunked, gzip\r\n",
        "Transfer-Encoding: xchunked\r\n",
        "Content-Length : 5\r\n",
        " Content-Length: 5\r\n",
        "X: y\r\n folded\r\n",
        "X: a\0b\r\n",
        "X: a\rb\r\n",
        "X\0: y\r\n",
        ": y\r\n",
    ];
    for header in contradictions {
        // A second request behind the lie must not be answered: whose body it is is unknown.
        let request = format!(
            "POST /nowhere HTTP/1.1\r\nHost: localhost\r\n{header}\r\nhelloGET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"
        );
        let answer = exchange(service.address, request.as_bytes());
        let text = String::from_utf8_lossy(&answer);
        let found = status(&answer);
        assert!(matches!(found, None | Some(400)), "{header:?}: {text}");
        assert!(!text.ends_with("ok"), "{header:?}: smuggled: {text}");
    }
    service.end();
}

#[test]
fn odd_targets_hosts_and_line_ends_have_one_answer_that_is_not_ours_to_regret() {
    let service = Place::alive(10).serve();
    let close = "Connection: close\r\n\r\n";
    let cases: [(&str, &[u16]); 17] = [
        (
            "GET http://t/health HTTP/1.1\r\nHost: localhost\r\n",
            &[200, 400],
        ),
        (
            "GET http://other.example/health HTTP/1.1\r\nHost: localhost\r\n",
            &[200, 400],
        ),
        (
            "GET https://t/health HTTP/1.1\r\nHost: localhost\r\n",
            &[200, 400],
        ),
        (
            "CONNECT t:443 HTTP/1.1\r\nHost: localhost\r\n",
            &[400, 404, 405],
        ),
        ("GET t:443 HTTP/1.1\r\nHost: localhost\r\n", &[400, 404]),
        (
            "OPTIONS * HTTP/1.1\r\nHost: localhost\r\n",
            &[400, 404, 405],
        ),
        ("GET * HTTP/1.1\r\nHost: localhost\r\n", &[400, 404]),
        ("GET //health HTTP/1.1\r\nHost: localhost\r\n", &[404]),
        ("GET /../health HTTP/1.1\r\nHost: localhost\r\n", &[404]),
        ("GET /health/ HTTP/1.1\r\nHost: localhost\r\n", &[404]),
        ("GET health HTTP/1.1\r\nHost: localhost\r\n", &[400, 404]),
        ("GET /health HTTP/1.1\r\n", &[400]),
        ("GET /health HTTP/1.1\r\nHost: a\r\nHost: b\r\n", &[400]),
        ("GET /health HTTP/1.1\r\nHost: \r\n", &[200]),
        ("GET  /health HTTP/1.1\r\nHost: localhost\r\n", &[400]),
        ("GET /health HTTP/1.9\r\nHost: localhost\r\n", &[400]),
        ("get /health HTTP/1.1\r\nHost: localhost\r\n", &[400, 405]),
    ];
    for (request, allowed) in cases {
        is_answered(&service, format!("{request}{close}").as_bytes(), allowed);
    }
    // Line feeds alone end lines for many clients (RFC 9112, section 2.2).
    is_answered(&service, b"GET /health HTTP/1.1\nHost: t\n\n", &[200, 400]);
    is_answered(
        &service,
        b"GET /health\0 HTTP/1.1\r\nHost: localhost\r\n\r\n",
        &[400],
    );
    is_answered(
        &service,
        b"GE\0T /health HTTP/1.1\r\nHost: localhost\r\n\r\n",
        &[400],
    );
    service.end();
}

#[test]
fn nonsense_in_paths_and_queries_is_read_as_what_it_is() {
    let service = Place::alive(10).serve();
    let ask = |target: &str| {
        let request =
            format!("GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        let answer = exchange(service.address, request.as_bytes());
        let status = status(&answer).unwrap_or(0);
        let text = String::from_utf8_lossy(&answer).into_owned();
        if status >= 400 && !text.ends_with("\r\n\r\n") {
            let body = text.split_once("\r\n\r\n").unwrap().1;
            let body: Value = serde_json::from_str(body).unwrap();
            assert!(body["error"].is_string(), "{target}: {text}");
        }
        (status, text)
    };
    // More than there are, in however many digits, is all that there are.
    let nines = format!("/get-proxy?limit={}", "9".repeat(10_000));
    for target in ["/get-proxy?limit=99999999999999999999", &nines] {
        let (status, text) = ask(target);
        let lines = text.split_once("\r\n\r\n").unwrap().1.lines().count();
        assert_eq!((status, lines), (200, 10));
    }
    for (target, expected) in [
        ("/get-proxy?limit=-99999999999999999999", 400),
        ("/get-proxy?limit=1e9", 400),
        ("/get-proxy?limit=%00", 400),
        ("/get-proxy?limit=%ff%fe", 400),
        ("/get-proxy?limit=%D9%A3", 400),
        ("/get-proxy?protocol=%F0%9F%92%A9", 400),
        ("/get-proxy?protocol=%c0%af", 400),
        ("/get-proxy?%", 200),
        ("/get-proxy?%zz=%&&&==&?%u1234", 200),
        ("/get-proxy?limit[]=1&limit[a]=2", 200),
        ("/get%2Dproxy", 404),
        ("/get-proxy%00", 404),
        ("/get-proxy/%2e%2e/stat", 404),
        ("/%ff%fe%fd", 404),
        ("/proxy/%ff%fe", 400),
        ("/proxy/%00%0d%0a:80", 400),
        ("/proxy/1.2.3.4%3A99999999999999999999", 400),
        ("/proxy/..%2f..%2fetc%2fpasswd", 400),
    ] {
        assert_eq!(ask(target).0, expected, "{target}");
    }
    // Bytes that a target cannot have (RFC 3986) are refused, or stand for themselves.
    for target in ["/get-proxy?\u{e4}=\u{1F4A9}", "/\u{202e}", "/get-proxy?a b"] {
        assert!([200, 400, 404].contains(&ask(target).0), "{target}");
    }
    // What a client writes reaches neither header nor log as it is.
    let (_, text) = ask("/get-proxy?source=%0d%0aX-Injected:%20yes");
    assert!(!text.contains("\nX-Injected"), "{text}");
    service.end();
}
