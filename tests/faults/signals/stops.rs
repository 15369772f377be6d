//! A second signal, storms of them, a stop while the service starts, and one whose save fails.

use super::crowd::Crowd;
use super::{send, stop_within};
use crate::stage::{Service, Stage};
use crate::support::{PATIENCE, Ran, Running, eventually, start_under};
use crate::times;
use proxy_bench::farm::{Behaviour, Farm, FarmOptions};
use rustix::process::{Pid, Resource, Rlimit, Signal, prlimit};
use serde_json::json;
use std::net::TcpListener;
use std::time::{Duration, Instant};

/// A second signal leaves this much time, of which a busy machine takes the most.
fn at_once() -> Duration {
    times(Duration::from_secs(3), Duration::from_secs(1))
}

fn farm() -> Farm {
    Farm::start(FarmOptions::default()).unwrap()
}

/// A service whose probes say nothing for a minute, so that a stop lasts as long as its grace; they are
/// under way.
fn waiting(farm: &Farm) -> (Stage, Service) {
    let list: Vec<String> = (0..200).map(|n| farm.proxy(Behaviour::Mute, n)).collect();
    let mut stage = Stage::new(&list.join("\n"));
    stage.config["checker"]["timeout_ms"] = json!(60_000);
    stage.config["checker"]["connect_timeout_ms"] = json!(30_000);
    let before = farm.counts(Behaviour::Mute).accepted;
    let service = stage.start();
    eventually(PATIENCE, "probes are under way", || {
        (farm.counts(Behaviour::Mute).accepted >= before + 100).then_some(())
    });
    (stage, service)
}

fn ended(running: Running, asked: Instant) -> (Ran, Duration) {
    let ran = running.end(PATIENCE);
    (ran, asked.elapsed())
}

#[test]
fn a_second_signal_ends_it_at_once_with_its_own_status() {
    let _turn = crate::turn();
    let farm = farm();
    for (first, second, status) in [
        (Signal::TERM, Signal::TERM, 143),
        (Signal::INT, Signal::INT, 130),
        (Signal::TERM, Signal::INT, 130),
        (Signal::INT, Signal::TERM, 143),
    ] {
        let (stage, Service { mut running, .. }) = waiting(&farm);
        send(&running, first);
        running.after("stopping");
        // A reload is none of those that end it.
        send(&running, Signal::HUP);
        let asked = Instant::now();
        send(&running, second);
        let (ran, took) = ended(running, asked);
        assert_eq!(ran.status, Some(status), "{}", ran.err);
        assert!(took <= at_once(), "{took:?}: {}", ran.err);
        // What it left the next one can use.
        stage.start().end();
    }
}

#[test]
fn the_grace_of_a_stop_is_bounded_though_no_probe_ends() {
    let _turn = crate::turn();
    let farm = farm();
    let (_stage, Service { running, .. }) = waiting(&farm);
    let asked = Instant::now();
    send(&running, Signal::TERM);
    let (ran, took) = ended(running, asked);
    assert_eq!(ran.status, Some(0), "{}", ran.err);
    assert!(took <= stop_within(), "{took:?}");
}

#[test]
fn a_storm_of_hangups_ends_nothing_and_the_interrupt_in_it_is_obeyed() {
    let _turn = crate::turn();
    let farm = farm();
    let list: Vec<String> = (0..50)
        .map(|n| farm.proxy(Behaviour::Forwards, n))
        .collect();
    let stage = Stage::new(&list.join("\n"));
    let service = stage.start();
    let truth = list.into_iter().collect();
    service.serves(&truth, PATIENCE);
    let crowd = Crowd::at(&service.address, 2);
    for _ in 0..times(300, 3_000) {
        send(&service.running, Signal::HUP);
        // As fast as they are taken: what comes while one waits is the same signal.
        std::thread::yield_now();
    }
    assert_eq!(service.get("/health").0, 200);
    service.serves(&truth, PATIENCE);
    for _ in 0..20 {
        send(&service.running, Signal::HUP);
    }
    let asked = Instant::now();
    send(&service.running, Signal::INT);
    // What follows the first of those that stop it must be no other of them.
    (0..20).for_each(|_| send(&service.running, Signal::HUP));
    let (ran, took) = ended(service.running, asked);
    drop(crowd);
    assert_eq!(ran.status, Some(0), "{}", ran.err);
    assert!(took <= stop_within(), "{took:?}");
    assert!(!ran.err.contains("panic"), "{}", ran.err);
}

#[test]
fn a_stop_while_the_store_does_not_answer_is_obeyed_in_time() {
    let _turn = crate::turn();
    // It takes connections and says nothing, as a Redis that hangs does.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut stage = Stage::new("http://127.0.0.1:9");
    stage.config["storage"] =
        json!({"type": "redis", "path": silent.local_addr().unwrap().to_string()});
    stage.write();
    let arguments = ["serve", "--config", "config.json"];
    let running = start_under("", &[], &arguments, stage.folder());
    // It listens to signals before it asks.
    let (_asked, _) = silent.accept().unwrap();
    let asked = Instant::now();
    send(&running, Signal::TERM);
    let (ran, took) = ended(running, asked);
    assert!(took <= stop_within(), "{took:?}: {}", ran.err);
    // A store that was given up meanwhile is why it did not start.
    assert!(
        matches!(ran.status, Some(0 | 1)),
        "{:?}: {}",
        ran.status,
        ran.err
    );
}

#[test]
fn a_service_whose_last_save_fails_says_so_with_its_status_and_its_last_line() {
    let _turn = crate::turn();
    let farm = farm();
    let list: Vec<String> = (0..30)
        .map(|n| farm.proxy(Behaviour::Forwards, n))
        .collect();
    for kind in ["file", "sqlite", "sled"] {
        let mut stage = Stage::new(&list.join("\n"));
        stage.config["storage"] = json!({"type": kind, "path": "ledger"});
        stage.config["aggregator"]["interval_seconds"] = json!(1);
        let service = stage.start();
        service.has_checked(30);
        let pid = Pid::from_raw(i32::try_from(service.running.pid()).unwrap());
        // No file may grow any more; the log is a pipe.
        let none = Rlimit {
            current: Some(0),
            maximum: None,
        };
        prlimit(pid, Resource::Fsize, none).unwrap();
        let asked = Instant::now();
        send(&service.running, Signal::TERM);
        let (ran, took) = ended(service.running, asked);
        assert_eq!(ran.status, Some(1), "{kind}: {}", ran.err);
        let last = ran.err.lines().last().unwrap_or_default();
        let begins = "proxy-checker: error: storage: what was known at the end was not saved";
        assert!(last.starts_with(begins), "{kind}: {last}");
        assert!(took <= stop_within(), "{kind}: {took:?}");
        // With room again it goes on from what was saved before, or anew.
        let service = stage.start();
        service.has_checked(30);
        service.end();
    }
}
