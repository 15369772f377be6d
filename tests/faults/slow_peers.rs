//! Peers that drip, say nothing or never stop: each probe ends at its deadline and takes no more bytes
//! than its cap, while the good ones among them are found alive.

use crate::peers::parts::{FLOOD_SEND_BUFFER, Part};
use crate::peers::probing::{Candidate, Outcome, Probing, deadline, summary, timed, took};
use crate::peers::{good, is_good};
use crate::{seed, times, turn};
use proxy_bench::farm::{Aim, Behaviour};
use proxy_shards::target::BODY_BYTES_MAX_DEFAULT;
use proxy_shards::{Protocol, Verdict};

/// Good candidates among all others.
const GOODS: usize = 100;

/// A head and a body without any framing: what an answer may take (docs/architecture.md, invariant 3).
const ANSWER_BYTES_MAX: u64 = 16 * 1_024 + BODY_BYTES_MAX_DEFAULT as u64;
/// A receive takes what lies in a buffer, of which the last byte may be one too many.
const BUFFER_BYTES: u64 = 2_048;
/// Bytes that the kernel takes from a peer and no probe ever reads: they lie in the buffers of both ends
/// (`net.ipv4.tcp_rmem`, its default) when the probe closes.
const UNREAD_BYTES_MAX: u64 = 131_072 + 2 * FLOOD_SEND_BUFFER as u64;

/// Heads, bodies and frames that are begun as a real answer and never end.
const FLOODS: [(&[u8], &[u8]); 9] = [
    (b"HTTP/1.1 200 OK\r\n", b"X-Endless: one more line\r\n"),
    (b"HTTP/1.1 204 No Content\r\nX: ", b"x"),
    (
        b"HTTP/1.1 100 Continue\r\n\r\n",
        b"HTTP/1.1 103 Early Hints\r\n\r\n",
    ),
    (
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"there is always one more line\n",
    ),
    (CHUNKED, b"1\r\nx\r\n"),
    (CHUNKED, b"1;extension=of-a-chunk\r\nx\r\n"),
    (b"\x05\0", b"\0"),
    (b"\x16\x03\x03\x40\x00\x02\x00\x3f\xfc\x03\x03", b"\0"),
    (b"\x14\x03\x03\0\x01\x01", b"\x14\x03\x03\0\x01\x01"),
];
const CHUNKED: &[u8] = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

/// What is dripped, of which each probe hears only the beginning.
const DRIPS: [&[u8]; 5] = [
    b"HTTP/1.1 204 No Content\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No",
    b"\x05\0\x05\0\0\x01",
    b"\0\x5a\0\0\0\0\0",
    b"\x16\x03\x03\x40\x00\x02\x00",
];

/// The kinds of the farm's proxies that never stop, by what they speak: real to where they begin.
const ENDLESS: [(&str, Protocol); 12] = [
    ("endless_headers", Protocol::Http),
    ("endless_body", Protocol::Http),
    ("interims", Protocol::Http),
    ("https_endless_headers", Protocol::Https),
    ("https_endless_body", Protocol::Https),
    ("https_interims", Protocol::Https),
    ("socks4_endless_headers", Protocol::Socks4),
    ("socks4_endless_body", Protocol::Socks4),
    ("socks4_interims", Protocol::Socks4),
    ("socks5_endless_headers", Protocol::Socks5),
    ("socks5_endless_body", Protocol::Socks5),
    ("socks5_interims", Protocol::Socks5),
];

/// What a probe may take: its answer, the frames of its chunks or records, and the way to it. Each TLS
/// takes twice what it carries, and a handshake of at most 128 KiB.
fn cap(outcome: &Outcome) -> u64 {
    const HEAD_BYTES_MAX: u64 = 16 * 1_024;
    let tls = |inside: u64| 2 * inside + 128 * 1_024;
    let answer = match outcome.way.aim.is_tls() {
        true => tls(ANSWER_BYTES_MAX),
        false => ANSWER_BYTES_MAX,
    };
    let chunked = match &outcome.candidate.part {
        Part::Endless(first, _) if *first == CHUNKED => ANSWER_BYTES_MAX,
        _ => 0,
    };
    BUFFER_BYTES
        + chunked
        + match outcome.way.protocol {
            Protocol::Https => tls(answer + HEAD_BYTES_MAX),
            _ => HEAD_BYTES_MAX + answer,
        }
}

/// Which third of the cast a candidate is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Drips,
    Silent,
    Endless,
}

fn slow(probing: &Probing, kind: Kind, number: usize) -> Candidate {
    let protocol = Protocol::ALL[number % Protocol::ALL.len()];
    let part = match kind {
        Kind::Drips => Part::Drips(DRIPS[number % DRIPS.len()]),
        Kind::Silent => Part::Silent,
        // Every other one is a real proxy that gives an endless answer.
        Kind::Endless if number.is_multiple_of(2) => {
            let (label, protocol) = ENDLESS[number / 2 % ENDLESS.len()];
            let behaviour = Behaviour::from_label(label).expect("a kind of the farm");
            let part = Part::Relays(probing.proxy(behaviour, number), None);
            return Candidate { protocol, part };
        }
        Kind::Endless => {
            let (first, again) = FLOODS[number / 2 % FLOODS.len()];
            Part::Endless(first, again)
        }
    };
    Candidate { protocol, part }
}

/// Holds what is promised of a candidate that is not good, beyond what is of all.
fn hold(outcome: &Outcome, kind: Kind) {
    assert!(!outcome.is_alive(), "{kind:?}: {outcome:?}");
    let cap = cap(outcome);
    let is_counted = !outcome.heard.is_empty() || outcome.record.verdict == Verdict::LocalLate;
    assert!(is_counted, "{outcome:?}");
    let within = |&bytes: &u64| bytes <= cap;
    assert!(outcome.heard.iter().all(within), "over {cap}: {outcome:?}");
    for visit in &outcome.visits {
        let said = visit.talk.said_bytes;
        assert!(said <= cap + UNREAD_BYTES_MAX, "over {cap}: {outcome:?}");
    }
    // Nothing ends a probe of these but its deadline.
    let waited = took(outcome) >= deadline();
    assert!(waited || kind != Kind::Silent, "{outcome:?}");
}

#[test]
fn who_drips_is_silent_or_never_stops_is_left_at_the_deadline_or_the_cap() {
    let _turn = turn();
    let mut random = fastrand::Rng::with_seed(seed("slow peers"));
    let each: usize = times(300, 5_000);
    let probing = Probing::start(times(600, 3_000));
    for aim in [Aim::KnownBody, Aim::Https] {
        let mut numbered: Vec<(Option<Kind>, Candidate)> = Vec::new();
        for kind in [Kind::Drips, Kind::Silent, Kind::Endless] {
            let all =
                (0..each.div_ceil(2)).map(|number| (Some(kind), slow(&probing, kind, number)));
            numbered.extend(all);
        }
        numbered.extend((0..GOODS).map(|number| (None, good(&probing, number))));
        random.shuffle(&mut numbered);
        let (kinds, cast): (Vec<Option<Kind>>, Vec<Candidate>) = numbered.into_iter().unzip();
        let (outcomes, took) = timed(|| probing.probe(aim, cast));
        eprintln!(
            "slow peers, {}, {took:.1?}: {}",
            aim.label(),
            summary(&outcomes)
        );
        let mut alive = 0;
        for (kind, outcome) in kinds.iter().zip(&outcomes) {
            match kind {
                Some(kind) => hold(outcome, *kind),
                None => {
                    assert!(is_good(outcome), "a good one: {outcome:?}");
                    alive += usize::from(outcome.is_alive());
                }
            }
        }
        eprintln!(
            "slow peers, {}: {alive} of {GOODS} good ones alive",
            aim.label()
        );
        assert!(alive * 10 >= GOODS * 9);
        let heard = outcomes.iter().flat_map(|one| &one.heard).count();
        assert!(heard >= outcomes.len(), "each connection was counted");
        probing.at_rest();
    }
}
