//! Peers that say anything: seeded garbage, mutated replies, floods.

use super::tests::{ALIVE, GRANT4, GRANT5, PLAIN, SECURE, TUNNEL, hold, me, plan};
use super::*;
use crate::policy::{PolicyOptions, ProbePolicy};
use crate::target::TargetOptions;
use std::sync::Arc;

/// Valid replies, as material for mutation.
const REPLIES: [&[u8]; 9] = [
    ALIVE,
    TUNNEL,
    GRANT4,
    &[5, 0],
    &[5, 2],
    &[1, 0],
    GRANT5,
    b"HTTP/1.1 204 X\r\nContent-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n0\r\nA: b\r\n\r\n",
];

fn mutated(random: &mut fastrand::Rng) -> Vec<u8> {
    let mut bytes = REPLIES[random.usize(..REPLIES.len())].to_vec();
    for _ in 0..random.usize(..4) {
        let at = random.usize(..bytes.len());
        match random.u8(..4) {
            0 => bytes[at] = random.u8(..),
            1 => bytes.insert(at, random.u8(..)),
            2 if bytes.len() > 1 => drop(bytes.remove(at)),
            _ => bytes.truncate(at + 1),
        }
    }
    bytes
}

#[test]
fn garbage_and_mutated_replies_never_panic_and_always_end() {
    let seed = fastrand::u64(..);
    let mut random = fastrand::Rng::with_seed(seed);
    let expecting = |url: &str, body: &[u8]| {
        let options = PolicyOptions {
            targets: vec![TargetOptions {
                expect_body: Some(body.into()),
                ..url.into()
            }],
            ..PolicyOptions::default()
        };
        Rc::new(Plan::new(Arc::new(ProbePolicy::new(options).unwrap())))
    };
    let plans = [plan(PLAIN), plan(SECURE), expecting(PLAIN, b"hello")];
    let login = me();
    for round in 0..20_000 {
        let pieces: Vec<Vec<u8>> = (0..random.usize(..8))
            .map(|_| match random.u8(..8) {
                0 => (0..random.usize(1..40)).map(|_| random.u8(..)).collect(),
                _ => mutated(&mut random),
            })
            .chain([vec![]])
            .collect();
        let pieces: Vec<&[u8]> = pieces.iter().map(Vec::as_slice).collect();
        let protocol = Protocol::ALL[random.usize(..3)];
        let login = random.bool().then_some(&login);
        let plan = &plans[random.usize(..plans.len())];
        let (asked, verdict) = hold(plan, protocol, login, &pieces);
        assert!(
            verdict.is_some(),
            "seed {seed}, round {round}: {protocol:?} {pieces:?}"
        );
        assert!(
            asked.len() <= 5,
            "seed {seed}, round {round}: {} questions",
            asked.len()
        );
    }
}

#[test]
fn a_peer_that_never_stops_is_stopped() {
    let bytes_max = 512 * 1024;
    let endless: [&[u8]; 5] = [
        b"x",
        b"\0",
        b"A: b\r\n",
        b"1\r\nx\r\n",
        b"HTTP/1.1 100 X\r\n\r\n",
    ];
    let chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    let plan = plan("http://a.example/");
    for lead in [
        &b""[..],
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n",
        chunked,
    ] {
        for flood in endless {
            let (mut conversation, _) =
                Conversation::begin(&plan, 0, Way::Proxy(Protocol::Http), None);
            let mut read = lead.len();
            let mut step = match lead {
                [] => Step::Recv,
                _ => conversation.received(&plan, lead),
            };
            while step == Step::Recv && read <= bytes_max {
                read += flood.len();
                step = conversation.received(&plan, flood);
            }
            assert!(matches!(step, Step::Done(_)), "{lead:?} and then {flood:?}");
        }
    }
}
