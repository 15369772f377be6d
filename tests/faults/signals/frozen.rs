//! SIGSTOP for longer than a probe may last, in the middle of a sweep, and SIGCONT: no proxy is blamed.

use super::send;
use crate::stage::Stage;
use crate::support::{PATIENCE, eventually};
use crate::times;
use proxy_bench::farm::{Behaviour, Farm, FarmOptions};
use rustix::process::Signal;
use serde_json::json;
use std::collections::BTreeSet;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// How long a proxy that has little patience waits for the next word.
const PATIENCE_OF_PROXY: Duration = Duration::from_secs(4);
/// How long the first and each further one takes to say its first word: as they differ, some conversations
/// are under way whenever all is stopped.
const THINKS: Duration = Duration::from_millis(300);
const THINKS_MORE: Duration = Duration::from_millis(20);

/// Proxies on these addresses that work, and hang up on whoever says nothing for a while, as most of the
/// real ones do, each of which is counted; each connection is a thread.
fn impatient(count: u8, hung_up: &Arc<AtomicUsize>) -> Vec<String> {
    let mut port = 0;
    let listen = |n: u8| {
        let listener = TcpListener::bind((Ipv4Addr::new(127, 77, 0, n), port)).unwrap();
        port = listener.local_addr().unwrap().port();
        let hung_up = hung_up.clone();
        let thinks = THINKS + THINKS_MORE * n.into();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let hung_up = hung_up.clone();
                thread::spawn(move || {
                    if serve(stream, thinks)
                        .is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
                    {
                        hung_up.fetch_add(1, Ordering::SeqCst);
                    }
                });
            }
        });
        format!("socks5://127.77.0.{n}:{port}")
    };
    (1..=count).map(listen).collect()
}

/// One conversation of SOCKS 5 (RFC 1928) and one request, or an end to it.
fn serve(mut stream: TcpStream, thinks: Duration) -> io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE_OF_PROXY))?;
    let mut greeting = [0; 2];
    stream.read_exact(&mut greeting)?;
    stream.read_exact(&mut vec![0; greeting[1].into()])?;
    let until = Instant::now() + thinks;
    while Instant::now() < until {
        thread::park_timeout(until.saturating_duration_since(Instant::now()));
    }
    stream.write_all(&[5, 0])?;
    let mut request = [0; 5];
    stream.read_exact(&mut request)?;
    // The first byte of the address is read: the length of a name, or one of four.
    let rest = match request[3] {
        1 => 3 + 2,
        3 => usize::from(request[4]) + 2,
        _ => 15 + 2,
    };
    stream.read_exact(&mut vec![0; rest])?;
    stream.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0])?;
    let (mut head, mut piece) = (Vec::new(), [0; 1024]);
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read(&mut piece)? {
            0 => return Err(ErrorKind::UnexpectedEof.into()),
            count => head.extend_from_slice(&piece[..count]),
        }
    }
    stream.write_all(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
}

#[test]
fn a_service_that_was_stopped_for_longer_than_its_deadlines_blames_no_proxy() {
    let _turn = crate::turn();
    let farm = Farm::start(FarmOptions::default()).unwrap();
    // Checked without pause, so that many are under way whenever it is stopped.
    let mut alive: BTreeSet<String> = (0..150).map(|n| farm.proxy(Behaviour::Late, n)).collect();
    alive.extend((0..150).map(|n| farm.proxy(Behaviour::Forwards, n)));
    let hung_up = Arc::new(AtomicUsize::new(0));
    alive.extend(impatient(40, &hung_up));
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
    for stop in 0..times(2, 1) {
        let before = farm.counts(Behaviour::Late).accepted;
        let hung_up_before = hung_up.load(Ordering::SeqCst);
        eventually(PATIENCE, "many probes are under way", || {
            (farm.counts(Behaviour::Late).accepted > before + 50).then_some(())
        });
        send(&service.running, Signal::STOP);
        let until = Instant::now() + Duration::from_secs(times(8, 30));
        while Instant::now() < until {
            thread::park_timeout(Duration::from_millis(100));
        }
        let hung_up = hung_up.load(Ordering::SeqCst) - hung_up_before;
        assert!(hung_up > 0, "stop {stop}: nobody hung up");
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
            "stop {stop}: {hung_up} hung up; two rounds of checks {:?} after SIGCONT, nobody called dead",
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
