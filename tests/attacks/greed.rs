//! Large answers: asked for without pause, or never read.

use crate::bystander::{Bystander, Habit};
use crate::service::Place;
use crate::wire::{Reader, connect_from};
use crate::{GROWTH_MAX, long};
use std::io::{Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

const EVERYTHING: &str = "GET /get-proxy?all=1&format=json HTTP/1.1\r\nHost: localhost\r\n\r\n";
/// Alive proxies; an answer with all of them has some 600 KB.
const PROXIES: usize = 5_000;
/// Bytes of large answers that may wait for their readers, all together.
const WAITING_MAX: usize = 256 << 20;

#[test]
fn large_answers_that_nobody_reads_keep_within_their_bound_and_are_given_up() {
    // 130 answers of 2.6 MB are more than may wait; less would fit into the buffers of the kernel.
    const CLIENTS: usize = 130;
    let service = Place::alive(20_000).serve();
    let (memory, descriptors) = (service.memory(), service.descriptors());
    let bystander = Bystander::start(service.address, Habit::Stays);
    let clients: Vec<_> = (0..CLIENTS)
        .map(|nth| {
            let mut client = connect_from(nth, service.address, Some(4 << 10));
            client.write_all(EVERYTHING.as_bytes()).unwrap();
            client
        })
        .collect();
    // Each of them has the beginning of an answer, so all were asked.
    for mut client in &clients {
        client.read_exact(&mut [0; 16]).unwrap();
    }
    service.keeps_within(memory, WAITING_MAX + GROWTH_MAX);
    bystander.was_served();
    if long() {
        // The service gives the slow ones up by itself.
        service.gives_back(descriptors, Duration::from_secs(75));
    }
    drop(clients);
    service.gives_back(descriptors, Duration::from_secs(10));
    service.end();
}

#[test]
fn clients_that_ask_for_everything_without_pause_leave_others_their_turn() {
    const CLIENTS: usize = 8;
    const AHEAD: usize = 32;
    let service = Place::alive(PROXIES).serve();
    let memory = service.memory();
    let ended = Arc::new(AtomicBool::new(false));
    let clients: Vec<_> = (0..CLIENTS)
        .map(|nth| {
            let (address, ended) = (service.address, ended.clone());
            thread::spawn(move || {
                let mut client = Reader::new(connect_from(nth, address, None));
                let mut answers = 0;
                client.ask(&EVERYTHING.repeat(AHEAD));
                while !ended.load(Ordering::Relaxed) {
                    let answer = client.ask(EVERYTHING);
                    assert!([200, 503].contains(&answer.status), "{}", answer.body);
                    answers += 1;
                }
                answers
            })
        })
        .collect();
    let bystander = Bystander::start(service.address, Habit::Stays);
    thread::park_timeout(Duration::from_secs(if long() { 20 } else { 3 }));
    bystander.was_served();
    service.keeps_within(memory, WAITING_MAX + GROWTH_MAX);
    ended.store(true, Ordering::Relaxed);
    let answers: usize = clients.into_iter().map(|c| c.join().unwrap()).sum();
    assert!(answers > CLIENTS, "{answers} answers");
    service.end();
}
