//! Random bytes, and requests with random damage.

use crate::bystander::{Bystander, Habit};
use crate::service::Place;
use crate::wire::{exchange, status};
use crate::{GROWTH_MAX, long};
use serde_json::Value;
use std::net::SocketAddr;
use std::thread;

/// Connections.
const CONNECTIONS: usize = 3_000;
const CONNECTIONS_LONG: usize = 100_000;

const WHOLE: [&str; 9] = [
    "GET /get-proxy?limit=3&protocol=http&format=json HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\n\r\n",
    "GET /get-proxy?all=1&max_latency_ms=5&max_age=9 HTTP/1.0\r\n\r\n",
    "GET /proxy/127.1.0.1%3A8080 HTTP/1.1\r\nHost: localhost\r\nX-Api-Key: key\r\n\r\n",
    "HEAD /stat?key=always HTTP/1.1\r\nHost: localhost\r\nConnection: keep-alive\r\n\r\n",
    "GET /metrics HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: gzip, br;q=0.1\r\n\r\n",
    "POST /report HTTP/1.1\r\nHost: localhost\r\nContent-Length: 40\r\n\r\n{\"address\":\"127.1.0.1:80\",\"outcome\":\"ok\"}",
    "DELETE /lease/abc HTTP/1.1\r\nHost: localhost\r\nIf-None-Match: \"1\", W/\"2\"\r\n\r\n",
    "PUT /reload HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n0\r\nX: y\r\n\r\n",
    "GET /health HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: 1.2.3.4, ::1\r\n\r\n",
];

/// What damage is made of.
const PIECES: [&[u8]; 16] = [
    b"\r\n",
    b"\r\n\r\n",
    b"\n",
    b"\0",
    b"\xff\xfe",
    b"%",
    b"%00",
    b"&",
    b"?",
    b": ",
    b"HTTP/1.1",
    b"99999999999999999999",
    b"-1",
    b"\xf0\x9f\x92\xa9",
    b"Transfer-Encoding: chunked\r\n",
    b"Content-Length: 7\r\n",
];

/// Bytes that are no request, or a damaged one, or several.
fn bytes(random: &mut fastrand::Rng) -> Vec<u8> {
    if random.u8(..4) == 0 {
        let mut bytes = vec![0; random.usize(..2_000)];
        random.fill(&mut bytes);
        return bytes;
    }
    let mut bytes = Vec::new();
    for _ in 0..random.usize(1..4) {
        bytes.extend_from_slice(random.choice(WHOLE).unwrap().as_bytes());
    }
    for _ in 0..random.usize(..6) {
        let at = random.usize(..bytes.len());
        match random.u8(..4) {
            0 => bytes[at] = random.u8(..),
            1 => drop(bytes.drain(at..(at + random.usize(1..20)).min(bytes.len()))),
            2 => drop(bytes.splice(at..at, random.choice(PIECES).unwrap().iter().copied())),
            _ => bytes.extend_from_within(at..),
        }
        if bytes.is_empty() {
            break;
        }
    }
    bytes
}

/// Panics on an answer that says that the service is at fault, unless in words of ours.
fn is_fit(request: &[u8], answer: &[u8]) {
    let shown = || format!("{}\n{}", request.escape_ascii(), answer.escape_ascii());
    if answer.is_empty() {
        return;
    }
    let status = status(answer).unwrap_or_else(|| panic!("no answer: {}", shown()));
    assert_ne!(status, 500, "{}", shown());
    if status > 500 {
        let text = String::from_utf8_lossy(answer);
        let body = text.split("\r\n\r\n").nth(1).unwrap_or_default();
        let ours = serde_json::Deserializer::from_str(body).into_iter::<Value>();
        let ours = ours
            .flatten()
            .next()
            .is_some_and(|b| b["error"].is_string());
        assert!(ours, "{}", shown());
    }
}

fn attack(address: SocketAddr, seed: u64, connections: usize) {
    let mut random = fastrand::Rng::with_seed(seed);
    for _ in 0..connections {
        let request = bytes(&mut random);
        is_fit(&request, &exchange(address, &request));
    }
}

#[test]
fn random_bytes_never_bring_a_panic_or_an_answer_that_is_not_ours() {
    const THREADS: usize = 4;
    let connections = if long() {
        CONNECTIONS_LONG
    } else {
        CONNECTIONS
    };
    let mut place = Place::alive(100);
    place.config["metrics"] = serde_json::json!({"enabled": true});
    let service = place.serve();
    let (memory, descriptors) = (service.memory(), service.descriptors());
    let bystander = Bystander::start(service.address, Habit::Both);
    let seed = fastrand::u64(..);
    eprintln!("seed {seed}");
    let attacks: Vec<_> = (0..THREADS)
        .map(|nth| {
            let address = service.address;
            thread::spawn(move || attack(address, seed + nth as u64, connections / THREADS))
        })
        .collect();
    for attack in attacks {
        attack.join().expect("see above, and the seed");
    }
    bystander.was_served();
    service.gives_back(descriptors, std::time::Duration::from_secs(15));
    service.keeps_within(memory, GROWTH_MAX);
    service.end();
}
