//! SIGSTOP for longer than a probe may last, in the middle of a sweep, and SIGCONT: no proxy is blamed.

use super::send;
use crate::stage::Stage;
use crate::support::{PATIENCE, eventually};
use crate::times;
use proxy_bench::farm::{Behaviour, Farm, FarmOptions};
use rustix::process::Signal;
use serde_json::json;
use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

/// How long a proxy that has little patience waits for a request.
const PATIENCE_OF_PROXY: Duration = Duration::from_secs(4);

/// Proxies on these addresses that work, and hang up on whoever says nothing for a while, as most of the
/// real ones do; each connection is a thread.
fn impatient(count: u8) -> Vec<String> {
    let mut port = 0;
    let listen = |n: u8| {
        let listener = TcpListener::bind((Ipv4Addr::new(127, 77, 0, n), port)).unwrap();
        port = listener.local_addr().unwrap().port();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                thread::spawn(move || serve(stream));
            }
        });
        format!("http://127.77.0.{n}:{port}")
    };
    (1..=count).map(listen).collect()
}

/// Answers one request, or hangs up.
fn serve(mut stream: TcpStream) -> Option<()> {
    stream.set_read_timeout(Some(PATIENCE_OF_PROXY)).ok()?;
    let (mut head, mut piece) = (Vec::new(), [0; 1024]);
    while !head.ends_with(b"\r\n\r\n") {
        let count = stream.read(&mut piece).ok().filter(|count| *count > 0)?;
        head.extend_from_slice(&piece[..count]);
    }
    stream
        .write_all(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
        .ok()
}

#[test]
fn a_service_that_was_stopped_for_longer_than_its_deadlines_blames_no_proxy() {
    let _turn = crate::turn();
    let farm = Farm::start(FarmOptions::default()).unwrap();
    // Checked without pause, so that many are under way whenever it is stopped.
    let mut alive: BTreeSet<String> = (0..150).map(|n| farm.proxy(Behaviour::Late, n)).collect();
    alive.extend((0..150).map(|n| farm.proxy(Behaviour::Forwards, n)));
    alive.extend(impatient(40));
    let dead = (0..50).map(|n| farm.proxy(Behaviour::Refuses, n));
    let list: Vec<String> = alive.iter().cloned().chain(dead).collect();
    let mut stage = Stage::new(&list.join("\n"));
    stage.config["aggregator"]["interval_seconds"] = json!(1);
    // Longer than the 1.5 s for which the late ones think, and shorter than it is stopped.
    stage.config["checker"]["timeout_ms"] = json!(5_000);
    stage.config["checker"]["connect_timeout_ms"] = json!(4_000);
    let service = stage.start();
    service.has_checked(list.len() as u64);
    service.serves(&alive, PATIENCE);
    for stop in 0..times(1, 2) {
        let before = farm.counts(Behaviour::Late).accepted;
        eventually(PATIENCE, "many probes are under way", || {
            (farm.counts(Behaviour::Late).accepted > before + 50).then_some(())
        });
        send(&service.running, Signal::STOP);
        let until = Instant::now() + Duration::from_secs(times(8, 30));
        while Instant::now() < until {
            thread::park_timeout(Duration::from_millis(100));
        }
        send(&service.running, Signal::CONT);
        // Two rounds more, in which whatever was under way has come back and was judged.
        let (before, continued) = (farm.counts(Behaviour::Late).accepted, Instant::now());
        eventually(PATIENCE, "the checks go on", || {
            let lost: Vec<String> = alive.difference(&service.served()).cloned().collect();
            assert!(
                lost.is_empty(),
                "stop {stop}: {} are called dead: {lost:?}",
                lost.len()
            );
            (farm.counts(Behaviour::Late).accepted >= before + 300).then_some(())
        });
        eprintln!(
            "stop {stop}: two rounds of checks {:?} after SIGCONT, nobody called dead",
            continued.elapsed()
        );
    }
    let verdicts = service.stat()["verdicts"].clone();
    let others = verdicts.as_object().unwrap().iter();
    let others = others
        .filter(|(name, count)| !["alive", "refused"].contains(&name.as_str()) && **count != 0);
    assert_eq!(others.count(), 0, "{verdicts}");
    assert_eq!(verdicts["alive"], alive.len(), "{verdicts}");
    service.end();
}
