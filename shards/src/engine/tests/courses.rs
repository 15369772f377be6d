//! Candidates that are tried by several protocols and against several targets.

use super::*;
use crate::target::TargetOptions;
use crate::{Require, Targets};
use Protocol::{Http, Socks4, Socks5};
use std::sync::atomic::{AtomicUsize, Ordering};

/// A proxy on one port for all of these protocols, and how many connections it had. It hangs up on
/// who speaks another one. It reaches any target but `b.test`, of which it has a page of its own.
fn speaking(protocols: &'static [Protocol]) -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (at, connections) = (listener.local_addr().unwrap(), Arc::default());
    let counted: Arc<AtomicUsize> = Arc::clone(&connections);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            counted.fetch_add(1, Ordering::Relaxed);
            serve(stream, protocols).unwrap_or_default();
        }
    });
    (at, connections)
}

fn serve(mut stream: TcpStream, protocols: &[Protocol]) -> std::io::Result<()> {
    let mut heard = [0; 1024];
    let mut length = stream.read(&mut heard)?;
    let protocol = match heard[0] {
        4 => Socks4,
        5 => Socks5,
        _ => Http,
    };
    if !protocols.contains(&protocol) {
        return Ok(());
    }
    if protocol == Socks5 {
        stream.write_all(&[5, 0])?;
        length = stream.read(&mut heard)?;
        assert_eq!(heard[..length][1], 1, "CONNECT");
        stream.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0])?;
    } else if protocol == Socks4 {
        stream.write_all(&[0, 90, 0, 0, 0, 0, 0, 0])?;
    }
    if protocol != Http {
        length = stream.read(&mut heard)?;
    }
    let answer = match String::from_utf8_lossy(&heard[..length]).contains("Host: b.test\r\n") {
        true => "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
        false => "HTTP/1.1 204 No Content\r\n\r\n",
    };
    stream.write_all(answer.as_bytes())
}

/// The targets `a.test` and `b.test`, in this order.
fn two_targets(require: Require) -> Arc<ProbePolicy> {
    let target = |name: &str| TargetOptions {
        name: name.into(),
        ..TargetOptions::from(&*format!("http://{name}.test/generate_204"))
    };
    let options = PolicyOptions {
        targets: vec![target("a"), target("b")],
        require,
        timeout: PATIENCE,
        ..PolicyOptions::default()
    };
    Arc::new(ProbePolicy::new(options).unwrap())
}

/// What comes back for a candidate at `address` of which nobody knows what it speaks.
fn probe(engine: &Engine, protocols: Protocols, address: SocketAddr) -> Record {
    let job = Job {
        protocols,
        ..job(0, address)
    };
    engine.submit(engine.shard_of(address), vec![job]);
    collect(engine.reports(), 1)[&0]
}

/// All that is spoken without TLS.
fn plain() -> Protocols {
    [Http, Socks4, Socks5].into_iter().collect()
}

/// Of one target, with a deadline that no test passes.
fn patient() -> Arc<ProbePolicy> {
    policy(PATIENCE.as_millis() as u64, 0)
}

fn check_works(record: Record, expected: &[Protocol]) {
    assert_eq!(record.verdict, Verdict::Alive);
    for protocol in Protocol::ALL {
        let reached = match expected.contains(&protocol) {
            true => Targets::first(1),
            false => Targets::NONE,
        };
        assert_eq!(record.works.by(protocol), reached, "{protocol:?}");
    }
}

#[test]
fn a_socks_proxy_of_unknown_protocol_is_found() {
    let engine = engine(2, 4, patient());
    for only in [&[Socks5], &[Socks4]] {
        let (at, connections) = speaking(only);
        let record = probe(&engine, plain(), at);
        check_works(record, only);
        assert_eq!((record.first, record.attempts), (Some(only[0]), 3));
        assert!(record.timing.handshake_us > 0 && record.timing.first_byte_us > 0);
        assert_eq!(connections.load(Ordering::Relaxed), 3);
    }
}

#[test]
fn an_http_proxy_of_unknown_protocol_is_not_asked_for_tls() {
    let engine = engine(1, 4, patient());
    let (at, connections) = speaking(&[Http]);
    let record = probe(&engine, Protocols::ALL, at);
    check_works(record, &[Http]);
    assert_eq!((record.first, record.attempts), (Some(Http), 3));
    assert_eq!((record.timing.handshake_us, record.timing.tls_us), (0, 0));
    assert_eq!(connections.load(Ordering::Relaxed), 3);
}

#[test]
fn a_port_that_speaks_all_of_them_is_served_under_each() {
    let engine = engine(1, 4, patient());
    let (at, connections) = speaking(&[Http, Socks4, Socks5]);
    let record = probe(&engine, Protocols::ALL, at);
    check_works(record, &[Http, Socks4, Socks5]);
    assert_eq!(record.first, Some(Http));
    assert_eq!(connections.load(Ordering::Relaxed), 3);
}

#[test]
fn one_refused_connection_is_enough_for_every_protocol_and_target() {
    let engine = engine(1, 4, two_targets(Require::Any));
    engine.submit(0, vec![job(0, refusing())]);
    let mut probes = 0;
    let report = loop {
        let report = engine.reports().recv_timeout(PATIENCE).unwrap();
        probes += report.tally.total();
        if !report.records.is_empty() {
            break report;
        }
    };
    let record = report.records[0];
    assert_eq!((record.verdict, record.attempts), (Verdict::Refused, 1));
    assert_eq!((record.first, probes), (None, 1));
}

#[test]
fn a_proxy_that_reaches_one_of_two_targets_is_alive_where_any_is_enough() {
    for (require, verdict, first) in [
        (Require::Any, Verdict::Alive, Some(Http)),
        (Require::All, Verdict::OwnPage, None),
    ] {
        let engine = engine(1, 4, two_targets(require));
        let (at, connections) = speaking(&[Http, Socks5]);
        let record = probe(&engine, Protocols::only(Http).with(Socks5), at);
        assert_eq!((record.verdict, record.first), (verdict, first));
        for protocol in [Http, Socks5] {
            assert_eq!(record.works.by(protocol), Targets::first(1));
        }
        assert_eq!(connections.load(Ordering::Relaxed), 4);
    }
}

#[test]
fn a_policy_with_fewer_targets_in_the_middle_of_a_course_harms_nobody() {
    let engine = engine(1, 1, two_targets(Require::Any));
    let (at, _) = speaking(&[Http, Socks5]);
    let job = |id| Job {
        protocols: plain(),
        ..job(id, at)
    };
    engine.submit(0, (0..100).map(job).collect());
    for _ in 0..20 {
        engine.set_policy(patient());
        engine.set_policy(two_targets(Require::Any));
    }
    engine.set_policy(patient());
    for (id, record) in collect(engine.reports(), 100) {
        assert_eq!(record.verdict, Verdict::Alive, "job {id}");
        assert_eq!(record.first, Some(Http), "job {id}");
    }
}
