//! Where the time of a probe goes, against peers that think before they speak.

use super::*;
use crate::Protocol;
use crate::Tuning;
use crate::net::{self, RingOptions};
use crate::policy::{PolicyOptions, ProbePolicy};
use crate::tls::peer::{Authority, Server};
use glommio::{LocalExecutorBuilder, Placement};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

/// A peer's pause for thought before each of its answers.
const PAUSE: Duration = Duration::from_millis(30);
const PAUSE_US: u32 = 30_000;
const ALIVE: &str = "HTTP/1.1 204 No Content\r\n\r\n";

/// Serves one connection: hears what comes, pauses, says what `answer` makes of it; closes when
/// that is nothing.
fn peer(mut answer: impl FnMut(&[u8]) -> Option<Vec<u8>> + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = listener.local_addr().unwrap();
    let mut serve = move |mut stream: TcpStream| {
        let mut heard = [0; 4096];
        while let Ok(length @ 1..) = stream.read(&mut heard) {
            let Some(said) = answer(&heard[..length]) else {
                return;
            };
            thread::sleep(PAUSE);
            if stream.write_all(&said).is_err() {
                return;
            }
        }
    };
    thread::spawn(move || serve(listener.accept().unwrap().0));
    at
}

/// A peer that gives these answers one after another, and then none while it keeps the connection.
fn scripted(script: &[&'static str]) -> SocketAddr {
    let mut script = Vec::from(script).into_iter();
    peer(move |_| Some(script.next().unwrap_or_default().into()))
}

fn probe(policy: ProbePolicy, way: Way, address: SocketAddr) -> Ended {
    let run = move || async move {
        let ring = net::start(RingOptions::for_lanes(1, 1, Tuning::default())).unwrap();
        let probe = Probe {
            plan: Rc::new(Plan::new(Arc::new(policy))),
            target: 0,
            way,
            address,
            credentials: None,
            grace: Duration::ZERO,
        };
        probe.run(&mut Socket::new(&ring).unwrap()).await
    };
    let executor = LocalExecutorBuilder::new(Placement::Unbound)
        .ring_depth(128)
        .io_memory(0);
    executor.spawn(run).unwrap().join().unwrap()
}

/// Fetches `url` with a deadline that no test passes unless it wants to.
fn policy(url: &str, timeout_ms: u64) -> ProbePolicy {
    ProbePolicy::new(PolicyOptions {
        targets: vec![url.into()],
        timeout: Duration::from_millis(timeout_ms),
        connect_timeout: Duration::from_millis(timeout_ms),
        ..PolicyOptions::default()
    })
    .unwrap()
}

fn check_sum(timing: Timing) {
    let parts = [
        timing.connect_us,
        timing.handshake_us,
        timing.tls_us,
        timing.first_byte_us,
    ];
    let rounded_up = parts.len() as u32;
    assert!(timing.connect_us > 0, "{timing:?}");
    assert!(
        parts.iter().sum::<u32>() <= timing.total_us + rounded_up,
        "{timing:?} counts something twice"
    );
}

#[test]
fn a_pause_counts_for_the_stage_in_which_the_peer_made_it() {
    let authority = Authority::new();
    let mut server = Server::new(&authority, "a.example", ALIVE);
    let mut is_open = false;
    let at = peer(move |heard| match std::mem::replace(&mut is_open, true) {
        false => Some("HTTP/1.1 200 Fine\r\n\r\n".into()),
        true => Some(server.hear(heard)),
    });
    let policy = authority.policy("https://a.example/generate_204");
    let ended = probe(policy, Way::Proxy(Protocol::Http), at);
    assert_eq!(ended.verdict, Verdict::Alive);
    let timing = ended.timing;
    for part in [timing.handshake_us, timing.tls_us, timing.first_byte_us] {
        assert!(part >= PAUSE_US, "{timing:?}");
    }
    check_sum(timing);
}

#[test]
fn both_answers_of_socks_belong_to_the_handshake() {
    let at = scripted(&["\x05\x00", "\x05\x00\x00\x01\0\0\0\0\0\0", ALIVE]);
    let policy = policy("http://target.test/generate_204", 20_000);
    let ended = probe(policy, Way::Proxy(Protocol::Socks5), at);
    assert_eq!(ended.verdict, Verdict::Alive);
    assert!(ended.timing.handshake_us >= 2 * PAUSE_US, "{ended:?}");
    assert!(ended.timing.first_byte_us >= PAUSE_US, "{ended:?}");
    assert_eq!(ended.timing.tls_us, 0);
    check_sum(ended.timing);
}

#[test]
fn a_plain_request_has_no_handshake_and_is_not_over_at_its_first_byte() {
    for way in [Way::Proxy(Protocol::Http), Way::Direct] {
        let policy = policy("http://target.test/generate_204", 20_000);
        let ended = probe(policy, way, in_two_parts());
        assert_eq!(ended.verdict, Verdict::Alive);
        let timing = ended.timing;
        assert_eq!((timing.handshake_us, timing.tls_us), (0, 0));
        assert!(timing.first_byte_us >= PAUSE_US, "{timing:?}");
        assert!(timing.total_us >= 2 * PAUSE_US, "{timing:?}");
    }
}

/// A peer that pauses before its answer and again in its middle.
fn in_two_parts() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = listener.local_addr().unwrap();
    thread::spawn(move || {
        let mut stream = listener.accept().unwrap().0;
        let _ = stream.read(&mut [0; 4096]);
        for part in [&ALIVE[..9], &ALIVE[9..]] {
            thread::sleep(PAUSE);
            let _ = stream.write_all(part.as_bytes());
        }
    });
    at
}

#[test]
fn a_stage_that_does_not_end_counts_until_the_deadline_and_no_later_one_does() {
    const OPEN: &str = "HTTP/1.1 200 Fine\r\n\r\n";
    let at_handshake = scripted(&[]);
    let at_tls = scripted(&[OPEN]);
    let policy = policy("https://target.test/generate_204", 400);
    let (handshake, tls) = (
        probe(policy.clone(), Way::Proxy(Protocol::Http), at_handshake),
        probe(policy, Way::Proxy(Protocol::Http), at_tls),
    );
    for ended in [&handshake, &tls] {
        assert_eq!(ended.verdict, Verdict::HandshakeTimeout);
        assert_eq!(ended.timing.first_byte_us, 0);
        let timing = ended.timing;
        let parts = timing.connect_us + timing.handshake_us + timing.tls_us;
        assert!(timing.total_us >= 400_000, "{timing:?}");
        assert!(parts + 3 >= timing.total_us, "{timing:?} has a gap");
        check_sum(timing);
    }
    assert_eq!(handshake.timing.tls_us, 0);
    assert!(tls.timing.handshake_us >= PAUSE_US, "{tls:?}");
    assert!(tls.timing.tls_us > 0, "{tls:?}");
}

#[test]
fn a_silent_peer_and_one_that_hangs_up_have_no_first_byte() {
    for (at, verdict) in [
        (scripted(&[]), Verdict::ResponseTimeout),
        (peer(|_| None), Verdict::Closed),
    ] {
        let policy = policy("http://target.test/generate_204", 200);
        let ended = probe(policy, Way::Proxy(Protocol::Http), at);
        assert_eq!((ended.verdict, ended.timing.first_byte_us), (verdict, 0));
        check_sum(ended.timing);
    }
}

#[test]
fn a_refused_connect_has_a_duration_and_no_parts() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = closed.local_addr().unwrap();
    drop(closed);
    let policy = policy("http://target.test/generate_204", 20_000);
    let ended = probe(policy, Way::Proxy(Protocol::Socks4), at);
    let total_us = ended.timing.total_us;
    let only_total = Timing {
        total_us,
        ..Timing::default()
    };
    assert_eq!(
        (ended.verdict, ended.timing),
        (Verdict::Refused, only_total)
    );
    assert!(total_us > 0);
}

#[test]
fn parts_follow_each_other_without_gaps() {
    let start = Instant::now();
    let at = |ms| start + Duration::from_millis(ms);
    let mut laps = Laps::start(start);
    laps.connected(at(1));
    for (stage, ms) in [
        (Stage::Handshake, 1),
        (Stage::Handshake, 2),
        (Stage::Tls, 4),
        (Stage::Response, 8),
    ] {
        laps.heard(at(ms));
        laps.enter(stage, at(ms));
    }
    laps.heard(at(16));
    laps.heard(at(20));
    assert_eq!(
        laps.end(at(32)),
        Timing {
            total_us: 32_000,
            connect_us: 1_000,
            handshake_us: 3_000,
            tls_us: 4_000,
            first_byte_us: 8_000,
        }
    );
}
