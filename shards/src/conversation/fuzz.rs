//! Peers that say anything: seeded garbage, mutated replies, floods.

use super::tests::hold_on as hold;
use super::tests::{ALIVE, GRANT4, GRANT5, PLAIN, SECURE, TUNNEL, me};
use super::*;
use crate::policy::{PolicyOptions, ProbePolicy};
use crate::target::{Field, Secret, TargetOptions};
use crate::tls::peer::{Authority, End, SecureProxy};
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

/// A plan for each kind of target and of demand.
fn plans() -> Vec<Rc<Plan>> {
    let changed = |url: &str, change: fn(&mut TargetOptions)| {
        let mut target = TargetOptions::from(url);
        change(&mut target);
        let options = PolicyOptions {
            targets: vec![target],
            ..PolicyOptions::default()
        };
        let policy = ProbePolicy::new(options).unwrap();
        let said = Learnt {
            status: 200,
            content_type: Some("text/html".into()),
        };
        [policy.knowing(&[Some(said)], &[]), policy]
    };
    let plans = [PLAIN, SECURE, "http://a.example/", "http://192.0.2.7/x"]
        .into_iter()
        .flat_map(|url| {
            [
                changed(url, |_| {}),
                changed(url, |target| target.tunnel = true),
                changed(url, |target| target.expect_body = Some(b"hello".into())),
                changed(url, |target| target.judge = Secret::new(&[7; 16])),
                changed(url, |target| {
                    target.expect_header = Some(Field {
                        name: "a".into(),
                        value: Some("b".into()),
                    });
                }),
            ]
        });
    plans
        .flatten()
        .map(|policy| Rc::new(Plan::new(Arc::new(policy))))
        .collect()
}

const WAYS: [Way; 5] = [
    Way::Direct,
    Way::Proxy(Protocol::Http),
    Way::Proxy(Protocol::Https),
    Way::Proxy(Protocol::Socks4),
    Way::Proxy(Protocol::Socks5),
];

#[test]
fn garbage_and_mutated_replies_never_panic_and_always_end() {
    let seed = fastrand::u64(..);
    let mut random = fastrand::Rng::with_seed(seed);
    let plans = plans();
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
        let way = WAYS[random.usize(..WAYS.len())];
        let login = random.bool().then_some(&login);
        let plan = &plans[random.usize(..plans.len())];
        let (asked, verdict) = hold(plan, way, login, &pieces);
        assert!(
            verdict.is_some(),
            "seed {seed}, round {round}: {way:?} {plan:?} {pieces:?}"
        );
        assert!(
            asked.len() <= 5,
            "seed {seed}, round {round}: {} questions",
            asked.len()
        );
    }
}

/// A proxy behind TLS whose replies inside are mutated, and whose wire bytes may be too.
#[test]
fn garbage_inside_tls_never_panics_and_always_ends() {
    let seed = fastrand::u64(..);
    let mut random = fastrand::Rng::with_seed(seed);
    let authority = Authority::new();
    let plans = plans();
    for round in 0..300 {
        let plan = &plans[random.usize(..plans.len())];
        let mut inside = fastrand::Rng::with_seed(random.u64(..));
        let script = |_: &[u8]| (mutated(&mut inside), End::Open);
        let record = random.bool().then_some(40);
        let mut proxy = SecureProxy::new(&authority, "proxy.example", record, script);
        let way = Way::Proxy(Protocol::Https);
        let (mut conversation, mut step) = Conversation::begin(plan, 0, way, None);
        for _ in 0..20 {
            let mut said = match &step {
                Step::Ask(question) => proxy.hear(question),
                Step::Recv => vec![],
                Step::Done(_) => break,
            };
            if !said.is_empty() && random.u8(..4) == 0 {
                let at = random.usize(..said.len());
                said[at] ^= random.u8(1..);
            }
            step = conversation.received(plan, &said);
        }
        assert!(
            matches!(step, Step::Done(verdict) if verdict != Verdict::LocalFault),
            "seed {seed}, round {round}: {step:?}"
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
    let leads = [
        &b""[..],
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n",
        chunked,
    ];
    let plans = plans();
    let cases = plans.iter().flat_map(|plan| WAYS.map(|way| (plan, way)));
    for ((plan, way), lead) in cases.flat_map(|case| leads.map(|lead| (case, lead))) {
        for flood in endless {
            let (mut conversation, _) = Conversation::begin(plan, 0, way, None);
            let mut read = lead.len();
            let mut step = match lead {
                [] => Step::Recv,
                _ => conversation.received(plan, lead),
            };
            while !matches!(step, Step::Done(_)) && read <= bytes_max {
                read += flood.len();
                step = conversation.received(plan, flood);
            }
            assert!(
                matches!(step, Step::Done(_)),
                "{way:?} {plan:?}: {lead:?} and then {flood:?}"
            );
        }
    }
}
