//! Bodies that nobody asked for, that never come, or whose length is a lie.

use crate::GROWTH_MAX;
use crate::bystander::{Bystander, Habit};
use crate::service::{Place, Service};
use crate::wire::{self, Reader, exchange, pour, rest, status};
use std::io::Write;
use std::time::{Duration, Instant};

const ROUTES: [&str; 8] = [
    "GET /health",
    "GET /get-proxy",
    "GET /get-proxy?all=1",
    "GET /stat",
    "HEAD /get-proxy",
    "POST /reload",
    "POST /get-proxy",
    "DELETE /nowhere",
];

#[test]
fn a_promise_of_100_gb_is_refused_on_every_route_and_costs_nothing() {
    let service = Place::alive(500).serve();
    let memory = service.memory();
    for route in ROUTES {
        for more in ["", "Expect: 100-continue\r\n"] {
            let request = format!(
                "{route} HTTP/1.1\r\nHost: localhost\r\n{more}Content-Length: 100000000000\r\n\r\n"
            );
            let mut stream = wire::connect(service.address);
            stream.write_all(request.as_bytes()).unwrap();
            let piece = vec![b'x'; 64 << 10];
            let taken = pour(&mut stream, &piece, 1_000, Duration::from_secs(12));
            assert!(taken < 32 << 20, "{route}: {taken} bytes");
            // The answer may be lost to a reset, for the client sends on.
            let answer = rest(&mut stream);
            assert!(
                answer.is_empty() || status(&answer) == Some(413),
                "{route}: {}",
                answer.escape_ascii()
            );
            // Who waits for the answer has it.
            let mut waits = wire::connect(service.address);
            waits.write_all(request.as_bytes()).unwrap();
            assert_eq!(status(&rest(&mut waits)), Some(413), "{route}");
        }
    }
    service.keeps_within(memory, GROWTH_MAX);
    service.end();
}

#[test]
fn a_body_on_get_is_dropped_and_never_taken_for_a_request() {
    let service = Place::alive(10).serve();
    let mut kept = Reader::new(wire::connect(service.address));
    let hidden = "DELETE /hidden HTTP/1.1\r\nHost: localhost\r\n\r\n";
    for _ in 0..3 {
        let length = hidden.len();
        let answer = kept.ask(&format!(
            "GET /get-proxy HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n{hidden}"
        ));
        assert_eq!(answer.status, 200, "{}", answer.body);
        let answer = kept.ask(&format!(
            "GET /health HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n\
             {length:x}\r\n{hidden}\r\n0\r\n\r\n"
        ));
        assert_eq!((answer.status, answer.body.as_str()), (200, "ok"));
    }
    service.end();
}

const CHUNKED: &str =
    "POST /nowhere HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n";

#[test]
fn chunked_nonsense_is_refused_and_ends_the_connection() {
    let service = Place::alive(10).serve();
    let nonsense: [&[u8]; 16] = [
        b"zz\r\n",
        b"-1\r\nx\r\n0\r\n\r\n",
        b"0x5\r\nhello\r\n0\r\n\r\n",
        b"5 5\r\nhello\r\n0\r\n\r\n",
        b"+5\r\nhello\r\n0\r\n\r\n",
        b"\r\n\r\n",
        b";\r\n",
        b"ffffffffffffffff\r\nx",
        b"fffffffffffffffff\r\nx",
        b"00000000000000000000000000000000000000000000000000000001\r\nx\r\n0\r\n\r\nGARBAGE",
        b"5\r\nhello0\r\n\r\n",
        b"5\r\nhel",
        b"5\nhello\n0\n\n",
        b"5;\xff\x00\x01\r\nhello\r\n0\r\nX\r\n\r\n",
        b"0\r\nno colon\r\n\r\n",
        b"5\r\nhello\r\n0\r\n: no name\r\n\r\n",
    ];
    for chunks in nonsense {
        let request = [CHUNKED.as_bytes(), chunks].concat();
        let answer = exchange(service.address, &request);
        let text = String::from_utf8_lossy(&answer);
        let statuses: Vec<_> = text.split("HTTP/1.1 ").skip(1).map(|a| &a[..3]).collect();
        assert!(
            ["400", "404", "413"].contains(statuses.first().unwrap_or(&"400")),
            "{}: {text}",
            chunks.escape_ascii()
        );
        // What follows a body that was whole may only be refused.
        assert!(
            statuses[1..statuses.len().max(1)]
                .iter()
                .all(|s| *s == "400"),
            "{text}"
        );
    }
    service.end();
}

/// How a chunk that never ends is ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// Before many bytes of it were taken.
    Soon,
    /// When the time for a body is over. Nothing of it is kept.
    InTime,
}

/// The longest time for a body, and as much again for a busy machine.
const BODY_TIMEOUT: Duration = Duration::from_secs(20);

/// Sends `begin`, then `piece` over and over; panics unless the service ends that.
fn is_ended(service: &Service, end: End, begin: &str, piece: &[u8]) {
    let mut stream = wire::connect(service.address);
    stream.write_all(CHUNKED.as_bytes()).unwrap();
    stream.write_all(begin.as_bytes()).unwrap();
    let began = Instant::now();
    let taken = pour(&mut stream, piece, usize::MAX, Duration::from_secs(12));
    let answer = rest(&mut stream);
    assert!(began.elapsed() < BODY_TIMEOUT, "{:?}", began.elapsed());
    if end == End::Soon {
        assert!(taken < 32 << 20, "{begin:?}: {taken} bytes");
    }
    let status = status(&answer);
    assert!(
        matches!(status, None | Some(400 | 408 | 413)),
        "{begin:?}: {}",
        answer.escape_ascii()
    );
}

#[test]
fn chunks_that_never_end_are_not_read() {
    let service = Place::alive(500).serve();
    let memory = service.memory();
    let bystander = Bystander::start(service.address, Habit::Both);
    let long = vec![b'y'; 64 << 10];
    let extended = b"1;extension=yyyyyyyyyyyyyyyyyyyyyyyyyyyy\r\nx\r\n".repeat(1_024);
    for (begin, piece) in [
        ("5;name=", &long),
        ("0\r\nX-Trailer: ", &long),
        ("0\r\n", &b"X-Trailer: y\r\n".repeat(4_096)),
        ("", &extended),
        ("", &b"1\r\nx\r\n".repeat(10_000)),
        ("7fffffffffffffff\r\n", &long),
    ] {
        is_ended(&service, End::Soon, begin, piece);
    }
    if crate::long() {
        // A size may begin with zeros, and how many of them is not bounded but by time.
        is_ended(&service, End::InTime, "0000", &vec![b'0'; 64 << 10]);
    }
    service.keeps_within(memory, GROWTH_MAX);
    bystander.was_served();
    service.end();
}
