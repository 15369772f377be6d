//! Descriptors run out: while accepting, and under lanes that hold as many as they get.

use crate::bystander::{Bystander, Habit};
use crate::service::{Peer, Place};
use crate::support::{PATIENCE, eventually};
use crate::wire::{Reader, connect_from};
use std::process::Command;

const COMPLAINT: &str = "connections cannot be accepted";

/// Grants the running process this many descriptors.
fn grant(pid: u32, descriptors: usize) {
    let limit = format!("--nofile={descriptors}:20000");
    let status = Command::new("prlimit")
        .args(["--pid", &pid.to_string(), &limit])
        .status();
    assert!(status.expect("prlimit runs").success());
}

#[test]
fn running_out_of_descriptors_is_said_once_and_passes() {
    let mut service = Place::alive(100).serve();
    let pid = service.running.pid();
    let bystander = Bystander::start(service.address, Habit::Stays);
    let open = eventually(PATIENCE, "the bystander is connected", || {
        let before = service.descriptors();
        (service.ask("GET", "/health").0 == 200 && before == service.descriptors())
            .then_some(before)
    });
    // Room for three: the others find no descriptor.
    grant(pid, open + 3);
    let waiting: Vec<_> = (0..20)
        .map(|nth| connect_from(nth, service.address, None))
        .collect();
    service.running.after(COMPLAINT);
    // Served while the accepts fail, many times over.
    bystander.was_served();
    // Numbers below the limit that were free may be taken, but not for all.
    assert!(service.descriptors() < open + 20);
    grant(pid, 20_000);
    for client in waiting {
        let answer = Reader::new(client).ask("GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n");
        assert_eq!((answer.status, answer.body.as_str()), (200, "ok"));
    }
    let log = service.end();
    assert_eq!(log.matches(COMPLAINT).count(), 1, "{log}");
}

#[test]
fn lanes_full_of_silent_proxies_take_no_descriptor_from_the_api() {
    const NOFILE: usize = 256;
    const CLIENTS: usize = 40;
    let place = Place::new(2_000, Peer::SaysNothing).under(&format!("ulimit -n {NOFILE}"));
    let service = place.start();
    eventually(PATIENCE, "the lanes are full", || {
        // More than the process may have descriptors: each shard has a table of its own.
        (place.accepted() > NOFILE).then_some(())
    });
    let clients = (0..CLIENTS).map(|nth| connect_from(nth, service.address, None));
    let mut clients: Vec<_> = clients.map(Reader::new).collect();
    for client in &mut clients {
        let answer = client.ask("GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n");
        assert_eq!(answer.status, 200);
    }
    assert!(service.descriptors() < NOFILE);
    drop(clients);
    let log = service.end();
    assert!(!log.contains(COMPLAINT), "{log}");
}
