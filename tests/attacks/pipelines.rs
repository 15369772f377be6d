//! Requests without end whose answers nobody reads.

use crate::bystander::{Bystander, Habit};
use crate::service::Place;
use crate::wire::{connect_from, pour};
use crate::{GROWTH_MAX, long};
use std::thread;
use std::time::Duration;

/// Requests of each client.
const REQUESTS: usize = 1_000_000;
/// A client takes this silence for the end.
const SILENCE: Duration = Duration::from_secs(1);
/// An answer that nobody reads is given up after this, and its connection with it.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);

/// Panics unless a million requests like this from each of four clients, which read nothing, cost
/// little memory and hold nobody up.
fn never_read(request: &'static str) {
    const AT_ONCE: usize = 1_000;
    let service = Place::alive(500).serve();
    let (memory, descriptors) = (service.memory(), service.descriptors());
    let bystander = Bystander::start(service.address, Habit::Both);
    let address = service.address;
    let clients: Vec<_> = (0..4)
        .map(|nth| {
            thread::spawn(move || {
                let mut stream = connect_from(nth, address, None);
                let piece = request.repeat(AT_ONCE);
                let taken = pour(&mut stream, piece.as_bytes(), REQUESTS / AT_ONCE, SILENCE);
                (stream, taken)
            })
        })
        .collect();
    let clients: Vec<_> = clients.into_iter().map(|c| c.join().unwrap()).collect();
    for (_, taken) in &clients {
        assert!(
            *taken < request.len() * REQUESTS,
            "the service goes on reading though its answers wait: {request}"
        );
    }
    service.keeps_within(memory, GROWTH_MAX);
    bystander.was_served();
    if long() {
        service.gives_back(descriptors, ANSWER_TIMEOUT + Duration::from_secs(10));
    }
    drop(clients);
    service.gives_back(descriptors, Duration::from_secs(10));
    service.end();
}

#[test]
fn a_million_requests_never_read_are_not_answered_into_memory() {
    never_read("GET /get-proxy HTTP/1.1\r\nHost: localhost\r\n\r\n");
}

#[test]
fn nor_are_a_million_whose_answers_have_no_body() {
    never_read("HEAD /get-proxy HTTP/1.1\r\nHost: localhost\r\n\r\n");
}

#[test]
fn nor_are_a_million_for_everything() {
    never_read("GET /get-proxy?all=1&format=json HTTP/1.1\r\nHost: localhost\r\n\r\n");
}
