//! A thousand reloads under load: nobody is refused, nothing is closed, nothing grows.

use crate::service::{KEYS, Place, Service};
use crate::support::{PATIENCE, eventually};
use crate::wire::{self, Reader};
use serde_json::{Value, json};
use std::net::{Shutdown, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

const RELOADS: usize = 1_000;
/// Reloads after which memory is looked at first: by then everything was used once.
const WARM: usize = 200;
/// What the other reloads may add to it.
const GROWTH_MAX: usize = 16 << 20;
/// Clients that ask without pause.
const CLIENTS: usize = 8;

/// A client that asks without pause over one connection until told to end; how often it was served.
fn client(address: SocketAddr, ended: Arc<AtomicBool>) -> JoinHandle<usize> {
    thread::spawn(move || {
        let mut reader = Reader::new(wire::connect(address));
        let mut answers = 0;
        while !ended.load(Ordering::Relaxed) {
            let answer = reader
                .ask("GET /get-proxy HTTP/1.1\r\nHost: localhost\r\nX-Api-Key: always\r\n\r\n");
            assert_eq!(answer.status, 200, "{}", answer.body);
            answers += 1;
        }
        answers
    })
}

/// Edits what a reload may change: keys, shares and sources.
fn edit(place: &mut Place, nth: usize) {
    let (variable, _) = KEYS[nth % 2];
    place.config["api"]["api_key_env"] = json!(variable);
    place.config["checker"]["max_fd_usage_percent"] = json!(50 + nth % 50);
    place.config["checker"]["max_connects_per_second"] = json!(100_000 + nth);
    let url = format!("more-{}.txt", nth % 7);
    let source = json!({"url": url, "type": "http", "enabled": nth.is_multiple_of(3)});
    second_source(place, source);
    place.write();
}

fn second_source(place: &mut Place, source: Value) {
    let sources = place.config["aggregator"]["sources"].as_array_mut();
    let sources = sources.unwrap();
    sources.truncate(1);
    sources.push(source);
}

fn reload(service: &Service) -> Value {
    let (status, body) = service.ask("POST", "/reload?key=always");
    assert_eq!(status, 200, "{body}");
    serde_json::from_str(&body).unwrap()
}

/// Status of an answer to who shows this key.
fn shown(service: &Service, key: &str) -> u16 {
    service.ask("GET", &format!("/get-proxy?key={key}")).0
}

fn with_keys() -> Place {
    let mut place = Place::alive(50);
    place.config["api"]["enable_api_key_auth"] = json!(true);
    edit(&mut place, 0);
    place
}

#[test]
fn a_thousand_reloads_under_load_fail_no_request_and_close_nothing() {
    let mut place = with_keys();
    let service = place.serve();
    let inode = service.listening_inode();
    let ended = Arc::new(AtomicBool::new(false));
    let clients: Vec<_> = (0..CLIENTS)
        .map(|_| client(service.address, ended.clone()))
        .collect();
    let mut warm = (0, 0);
    for nth in 1..=RELOADS {
        edit(&mut place, nth);
        if nth.is_multiple_of(2) {
            reload(&service);
        } else {
            service.running.signal("HUP");
        }
        if nth == WARM {
            warm = (service.memory(), service.descriptors());
        }
    }
    edit(&mut place, 1);
    reload(&service);
    // The last word counts, and at once.
    assert_eq!(
        (shown(&service, "late"), shown(&service, "early")),
        (200, 401)
    );
    service.keeps_within(warm.0, GROWTH_MAX);
    assert!(service.descriptors() <= warm.1 + 8);
    ended.store(true, Ordering::Relaxed);
    let served: usize = clients.into_iter().map(|c| c.join().unwrap()).sum();
    eprintln!("{served} requests served");
    assert!(served > RELOADS, "{served} requests are no load");
    assert_eq!(service.listening_inode(), inode);
    eventually(PATIENCE, "the last sources are in force", || {
        let (_, stat) = service.ask("GET", "/stat?key=always");
        let stat: Value = serde_json::from_str(&stat).unwrap();
        (stat["sources"].as_object().unwrap().len() == 1).then_some(())
    });
    service.running.signal("TERM");
    let ran = service.running.end(PATIENCE);
    assert_eq!(ran.status, Some(0), "{}", ran.err);
    assert!(!ran.err.contains("panic"), "{}", ran.err);
}

#[test]
fn keys_change_at_once_even_while_a_source_keeps_a_reload_waiting() {
    let mut place = with_keys();
    let service = place.serve();
    assert_eq!(
        (shown(&service, "early"), shown(&service, "late")),
        (200, 401)
    );
    // This source accepts and says nothing: its reload lasts as long as a source may.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/list", silent.local_addr().unwrap());
    second_source(
        &mut place,
        json!({"url": url, "type": "http", "enabled": true}),
    );
    place.write();
    reload(&service);
    let (held, _) = silent.accept().unwrap();
    place.config["api"]["api_key_env"] = json!("KEYS_B");
    place.write();
    reload(&service);
    assert_eq!(
        (shown(&service, "early"), shown(&service, "late")),
        (401, 200)
    );
    held.shutdown(Shutdown::Both).unwrap();
}

#[test]
fn a_changed_address_is_said_to_need_a_restart() {
    let mut place = Place::alive(10);
    let mut service = place.serve();
    assert_eq!(reload(&service).get("needs_restart"), None);
    place.config["api"]["addr"] = json!("127.0.0.1:1");
    place.write();
    let answer = reload(&service);
    assert_eq!(answer["needs_restart"], json!(["api.addr"]));
    assert_eq!(answer["message"], json!("Reload triggered"));
    assert!(
        service
            .running
            .after("only after a restart")
            .contains("api.addr")
    );
    // What was said stays true until the restart.
    assert_eq!(reload(&service)["needs_restart"], json!(["api.addr"]));
    service.end();
}
