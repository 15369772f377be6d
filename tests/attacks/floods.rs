//! More connections than there may be.

use crate::GROWTH_MAX;
use crate::bystander::{Bystander, Habit};
use crate::service::Place;
use crate::wire::connect_from;
use serde_json::json;
use std::io::{ErrorKind, Read};
use std::net::TcpStream;
use std::time::Duration;

/// Connections that the service has at once, whatever the descriptors.
const CONNECTIONS_MAX: usize = 4_096;
/// Longest head of a request, and so what a connection may buffer.
const HEAD_MAX: usize = 16 << 10;

#[test]
fn a_flood_beyond_the_cap_takes_no_more_than_the_cap_and_who_is_connected_is_served() {
    const CLIENTS: usize = CONNECTIONS_MAX + 1_000;
    let service = Place::alive(500).serve();
    let (memory, descriptors) = (service.memory(), service.descriptors());
    let bystander = Bystander::start(service.address, Habit::Stays);
    let clients: Vec<_> = (0..CLIENTS)
        .map(|nth| connect_from(nth, service.address, None))
        .collect();
    let open = service.descriptors();
    assert!(open > CLIENTS / 2, "{open}: no flood");
    assert!(open <= descriptors + CONNECTIONS_MAX + 8, "{open}");
    service.keeps_within(memory, GROWTH_MAX + CONNECTIONS_MAX * HEAD_MAX);
    bystander.was_served();
    drop(clients);
    service.gives_back(descriptors, Duration::from_secs(10));
    let newcomer = Bystander::start(service.address, Habit::Both);
    newcomer.was_served();
    service.end();
}

#[test]
fn one_address_has_its_share_of_the_connections_and_no_more() {
    const SHARE: usize = 50;
    let mut place = Place::alive(10);
    place.config["api"]["max_connections_per_ip"] = json!(SHARE);
    let service = place.serve();
    let bystander = Bystander::start(service.address, Habit::Both);
    let descriptors = service.descriptors();
    let flood: Vec<_> = (0..SHARE * 4)
        .map(|_| connect_from(0, service.address, None))
        .collect();
    let closed = flood.iter().filter(|stream| is_closed(stream)).count();
    assert_eq!(closed, SHARE * 3);
    assert!(service.descriptors() <= descriptors + SHARE + 8);
    bystander.was_served();
    drop(flood);
    service.gives_back(descriptors, Duration::from_secs(10));
    service.end();
}

/// Whether the service has closed it, or does so in a moment.
fn is_closed(mut stream: &TcpStream) -> bool {
    stream
        .set_read_timeout(Some(Duration::from_millis(50)))
        .unwrap();
    match stream.read(&mut [0]) {
        Ok(read) => read == 0,
        Err(error) => error.kind() == ErrorKind::ConnectionReset,
    }
}

#[test]
fn a_burst_of_connections_makes_nobody_wait_for_a_second_handshake() {
    const BURST: usize = 1_000;
    let service = Place::alive(10).serve();
    let address = service.address;
    // Nobody accepts while the process is stopped: all of them wait in the backlog.
    service.running.signal("STOP");
    let clients: Vec<_> = (0..BURST)
        .map(|nth| connect_from(nth, address, None))
        .collect();
    service.running.signal("CONT");
    assert_eq!(clients.len(), BURST);
    drop(clients);
    service.end();
}
