//! Questions about one proxy, over the wire and against a coordinator that is the test.

use super::*;
use crate::api::limits::Limits;
use crate::api::testing::{Reply, Server, send, settings_with_keys};
use crate::coordinator::{Event, Known, Question};
use crate::ledger::{Entry, Voices};
use crate::snapshot::TargetStat;
use proxy_shards::{Anonymity, Exit, Targets};
use serde_json::{Value, json};
use std::thread::{self, JoinHandle};

mod asking;

fn path(address: &str) -> String {
    format!("/proxy/{address}")
}

/// Asks from another thread, so that the test can be the coordinator meanwhile.
fn asking(server: &Server, method: &str, address: &str) -> JoinHandle<Reply> {
    let to = server.address;
    let path = path(address);
    let request =
        format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    thread::spawn(move || send(to, request.as_bytes()))
}

fn question(server: &Server) -> Question {
    match server.questions.recv_timeout(crate::api::testing::PATIENCE) {
        Ok(Event::Asked(question)) => question,
        other => panic!("{other:?}"),
    }
}

/// The only candidate of an address.
fn one(facts: Facts) -> Known {
    Known {
        total: 1,
        facts: vec![facts],
    }
}

/// What the client gets when the ledger has these facts.
fn answered(server: &Server, address: &str, facts: Vec<Facts>) -> Reply {
    let client = asking(server, "GET", address);
    let total = facts.len();
    question(server).reply.send(Known { total, facts }).unwrap();
    client.join().unwrap()
}

/// A server that knows two targets.
fn server() -> Server {
    server_within(Limits::default())
}

fn server_within(limits: Limits) -> Server {
    let server = Server::within(limits);
    let target = |name: &str| TargetStat {
        name: name.into(),
        ..TargetStat::default()
    };
    let stat = Stat {
        targets: vec![target("first"), target("sec\"ond")],
        ..Stat::default()
    };
    server.publish(Vec::new(), stat);
    server
}

fn unchecked(url: &str) -> Facts {
    Facts {
        entry: Entry::new(url.parse().unwrap()),
        next_check_ms: None,
        held: false,
        voices: Voices::default(),
        sources: Vec::new(),
    }
}

/// Everything is known of it.
fn known() -> Facts {
    let mut entry = Entry::new("auto://user:secret@1.2.3.4:1080".parse().unwrap());
    entry.verdict = Some(Verdict::Alive);
    entry.works.set(Protocol::Socks5, Targets::first(2));
    entry
        .works
        .set(Protocol::Http, Targets::NONE.with(1).with(7));
    entry.exit = Some(Exit {
        ip: "2001:db8::1".parse().unwrap(),
        anonymity: Anonymity::Elite,
    });
    entry.timing = Timing {
        total_us: 234_567,
        connect_us: 30_000,
        handshake_us: 400,
        tls_us: 0,
        first_byte_us: 90_001,
    };
    entry.checked_at_ms = 1_700_000_000_250;
    entry.alive_at_ms = 1_700_000_000_250;
    let check = |at_s, total_us, verdict| Check {
        at_s,
        total_us,
        verdict,
    };
    entry.history = Box::new([
        check(1_699_999_000, 100_000, Verdict::Alive),
        check(1_699_999_500, 9_000_000, Verdict::ConnectTimeout),
        check(1_700_000_000, 234_567, Verdict::Alive),
    ]);
    Facts {
        entry,
        next_check_ms: Some(1_700_000_060_000),
        held: true,
        voices: Voices {
            ok: 1,
            fail: 0,
            banned: 3,
            banned_at: [0, 2, 0, 0, 0, 0, 0, 9],
        },
        sources: vec!["https://lists.example/\"a\"".into()],
    }
}

#[test]
fn all_that_is_known_is_told_but_never_the_credentials() {
    let server = server();
    let reply = answered(&server, "1.2.3.4:1080", vec![known()]);
    assert_eq!(reply.status, 200);
    let expected = json!({
        "address": "1.2.3.4:1080",
        "total": 1,
        "candidates": [{
            "scheme": "auto",
            "has_credentials": true,
            "alive": true,
            "verdict": "alive",
            "protocols": ["socks5", "http"],
            "targets": {"socks5": ["first", "sec\"ond"], "http": ["sec\"ond"]},
            "exit": "2001:db8::1",
            "anonymity": "elite",
            "latency_ms": {
                "total": 234.567, "connect": 30.0, "handshake": 0.4, "tls": null,
                "first_byte": 90.001, "p50": 100.0, "p95": 234.567,
            },
            "last_check": "2023-11-14T22:13:20.250Z",
            "last_alive": "2023-11-14T22:13:20.250Z",
            "failures_in_a_row": 0,
            "next_check": "2023-11-14T22:14:20.000Z",
            "held": true,
            "reports": {"ok": 1, "fail": 0, "banned": 3, "banned_at": {"sec\"ond": 2}},
            "sources": ["https://lists.example/\"a\""],
            "history": [
                {"at": "2023-11-14T22:13:20.000Z", "verdict": "alive", "latency_ms": 234.567},
                {"at": "2023-11-14T22:05:00.000Z", "verdict": "connect_timeout", "latency_ms": 9000.0},
                {"at": "2023-11-14T21:56:40.000Z", "verdict": "alive", "latency_ms": 100.0},
            ],
        }],
    });
    assert_eq!(reply.json(), expected);
    assert!(!reply.body.contains("secret") && !reply.body.contains("user"));
}

#[test]
fn what_is_not_known_is_null_or_empty_and_no_key_is_missing() {
    let server = server();
    let mut failed = unchecked("http://1.2.3.4:80");
    failed.entry.verdict = Some(Verdict::Refused);
    failed.entry.checked_at_ms = 1_700_000_000_000;
    failed.entry.failures = 3;
    let facts = vec![unchecked("socks4://1.2.3.4:80"), failed];
    let reply = answered(&server, "1.2.3.4:80", facts);
    let nothing = json!({
        "scheme": "socks4", "has_credentials": false, "alive": false, "verdict": null,
        "protocols": [], "targets": {}, "exit": null, "anonymity": null,
        "latency_ms": {
            "total": null, "connect": null, "handshake": null, "tls": null, "first_byte": null,
            "p50": null, "p95": null,
        },
        "last_check": null, "last_alive": null, "failures_in_a_row": 0, "next_check": null,
        "held": false, "reports": {"ok": 0, "fail": 0, "banned": 0, "banned_at": {}}, "sources": [], "history": [],
    });
    let page = reply.json();
    assert_eq!(page["candidates"][0], nothing);
    let failed = &page["candidates"][1];
    assert_eq!(failed["verdict"], "refused");
    assert_eq!(failed["last_check"], "2023-11-14T22:13:20.000Z");
    assert_eq!(
        (&failed["last_alive"], &failed["failures_in_a_row"]),
        (&Value::Null, &3.into())
    );
}

#[test]
fn a_proxy_that_no_list_has_is_404() {
    let server = server();
    answered(&server, "1.2.3.4:80", Vec::new()).is_refusal(404, "No candidate has this address");
}

#[test]
fn of_very_many_candidates_a_hundred_are_told_and_all_are_counted() {
    let server = server();
    let facts = (0..100).map(|n| unchecked(&format!("http://u{n}:p@1.2.3.4:80")));
    let (total, facts) = (250, facts.collect());
    let client = asking(&server, "GET", "1.2.3.4:80");
    question(&server)
        .reply
        .send(Known { total, facts })
        .unwrap();
    let page = client.join().unwrap().json();
    assert_eq!(page["total"], 250);
    assert_eq!(page["candidates"].as_array().unwrap().len(), 100);
}

#[test]
fn a_percentile_is_a_value_that_occurred() {
    let values: Vec<u32> = (1..=16).collect();
    assert_eq!(
        (percentile(&values, 50), percentile(&values, 95)),
        (Some(8), Some(16))
    );
    assert_eq!((percentile(&[7], 50), percentile(&[], 95)), (Some(7), None));
}
