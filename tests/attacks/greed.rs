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
/// The same through a filter that all pass, so that it is made anew each time.
const EVERYTHING_FAST: &str =
    "GET /get-proxy?all=1&format=json&max_latency_ms=99999 HTTP/1.1\r\nHost: localhost\r\n\r\n";
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
    leave_others_their_turn(&[EVERYTHING, EVERYTHING_FAST]);
}

#[test]
fn what_needs_no_key_is_no_lever_against_those_who_have_one() {
    const PAGES: [&str; 3] = ["/", "/openapi.json", "/metrics"];
    let gzip =
        |path| format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: gzip\r\n\r\n");
    let requests = PAGES.map(gzip);
    leave_others_their_turn(&requests.each_ref().map(String::as_str));
}

/// Clients that send `requests` in turn, many ahead, and one that wants a single proxy.
fn leave_others_their_turn(requests: &[&str]) {
    const CLIENTS: usize = 8;
    const AHEAD: usize = 32;
    let mut place = Place::alive(PROXIES);
    place.config["metrics"]["enabled"] = true.into();
    let service = place.serve();
    let memory = service.memory();
    let ended = Arc::new(AtomicBool::new(false));
    let clients: Vec<_> = (0..CLIENTS)
        .map(|nth| {
            let (address, ended) = (service.address, ended.clone());
            let request = requests[nth % requests.len()].to_owned();
            thread::spawn(move || {
                let mut client = Reader::new(connect_from(nth, address, None));
                let mut answers = 0;
                client.ask(&request.repeat(AHEAD));
                while !ended.load(Ordering::Relaxed) {
                    let answer = client.ask(&request);
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
