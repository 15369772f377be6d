//! Heads that never end: half sent, or far too long.

use crate::bystander::{Bystander, Habit};
use crate::service::{Place, Service};
use crate::wire::{self, connect_from, pour, rest, status};
use crate::{GROWTH_MAX, long};
use std::io::Write;
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

/// Clients that send half a head.
const CLIENTS: usize = 2_000;
/// How long they go on. The service closes each of them after 10 s.
const HOLD: Duration = Duration::from_secs(10);
/// The same in the long form, in which they come back.
const HOLD_LONG: Duration = Duration::from_secs(30);

/// What a client that sent half a head holds of the service's memory: the buffer that its head is read
/// into, and its connection. In the long form those who are closed and those who come back overlap.
const CLIENT_MAX: usize = 16 << 10;

/// The head as far as it is sent at first.
const HALF: &[u8] = b"GET /get-proxy HTTP/1.1\r\nHost: localhost\r\nX-Slow: ";

fn half_sent(nth: usize, service: &Service) -> TcpStream {
    let mut stream = connect_from(nth, service.address, None);
    stream.write_all(HALF).unwrap();
    stream
}

#[test]
fn half_sent_heads_of_2000_clients_hold_nobody_up_and_their_descriptors_come_back() {
    let service = Place::alive(500).serve();
    let (memory, descriptors) = (service.memory(), service.descriptors());
    let bystander = Bystander::start(service.address, Habit::Both);
    let until = Instant::now() + if long() { HOLD_LONG } else { HOLD };
    let mut clients: Vec<_> = (0..CLIENTS).map(|nth| half_sent(nth, &service)).collect();
    assert!(service.descriptors() > descriptors + CLIENTS / 2);
    while Instant::now() < until {
        for (nth, client) in clients.iter_mut().enumerate() {
            // A byte now and then: a head under way must not live longer for it.
            if client.write_all(b"y").is_err() && long() {
                *client = half_sent(nth, &service);
            }
        }
        thread::park_timeout(Duration::from_millis(250));
    }
    service.keeps_within(memory, GROWTH_MAX + CLIENTS * CLIENT_MAX);
    // The clients keep their side open: it is the service that closes. One more is the bystander.
    service.gives_back(descriptors + 1, Duration::from_secs(15));
    bystander.was_served();
    drop(clients);
    service.end();
}

#[test]
fn a_head_of_200_mb_is_not_read() {
    const PIECE: usize = 64 << 10;
    const TIMES: usize = (200 << 20) / PIECE;
    let service = Place::alive(500).serve();
    let memory = service.memory();
    let bystander = Bystander::start(service.address, Habit::Both);
    let one_header = vec![b'y'; PIECE];
    let many_headers = b"X-Many: y\r\n".repeat(PIECE / 11);
    let empty_lines = b"\r\n".repeat(PIECE / 2);
    let attacks: [(&[u8], &[u8], &[u16]); 5] = [
        (HALF, &one_header, &[431]),
        (b"GET /get-proxy HTTP/1.1\r\n", &many_headers, &[431]),
        (b"GET /get-proxy?", &one_header, &[431, 414]),
        (b"", &one_header, &[400, 431]),
        (b"", &empty_lines, &[400, 431]),
    ];
    for (begin, piece, expected) in attacks {
        let mut stream = wire::connect(service.address);
        stream.write_all(begin).unwrap();
        let taken = pour(&mut stream, piece, TIMES, Duration::from_secs(12));
        // What was taken is what the kernel buffers.
        assert!(
            taken < 32 << 20,
            "{taken} bytes of {:?}",
            begin.escape_ascii()
        );
        let answer = rest(&mut stream);
        let status = status(&answer);
        assert!(
            status.is_none_or(|status| expected.contains(&status)),
            "{}",
            answer.escape_ascii()
        );
    }
    service.keeps_within(memory, GROWTH_MAX);
    bystander.was_served();
    service.end();
}
