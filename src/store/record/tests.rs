//! Records byte by byte, in both formats.

use super::*;
use crate::store::contract::random_entry;
use fastrand::Rng;
use proxy_shards::{Anonymity, Protocol};

/// `socks5://u:p@1.2.3.4:1080`.
const CANDIDATE: [u8; 13] = [3, 4, 1, 2, 3, 4, 0x38, 0x04, 1, 1, b'u', 1, b'p'];

fn entry() -> Entry {
    Entry {
        verdict: Some(Verdict::Refused),
        checked_at_ms: 2,
        failures: 4,
        ..Entry::new("socks5://u:p@1.2.3.4:1080".parse().unwrap())
    }
}

fn encoded(entry: &Entry) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode(entry, &mut bytes);
    bytes
}

#[test]
fn the_bytes_of_a_candidate_that_was_never_alive_are_these() {
    let mut entry = entry();
    entry.works.set(Protocol::Http, Targets::from_bits(1));
    entry.works.set(Protocol::Https, Targets::from_bits(2));
    entry.works.set(Protocol::Socks4, Targets::from_bits(4));
    entry.works.set(Protocol::Socks5, Targets::from_bits(0x80));
    let rest = [2, 2, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 1, 2, 4, 0x80, 0];
    assert_eq!(encoded(&entry), [&CANDIDATE[..], &rest].concat());
}

#[test]
fn credentials_that_are_empty_are_no_record() {
    let mut bytes = encoded(&entry());
    bytes.splice(8..13, [1, 0, 0]);
    assert!(Reader::new(&bytes).entry().is_none());
}

#[test]
fn the_bytes_of_one_that_was_alive_are_these() {
    let mut entry = entry();
    entry.alive_at_ms = 3;
    entry.timing = Timing {
        total_us: 5,
        connect_us: 6,
        handshake_us: 7,
        tls_us: 8,
        first_byte_us: 9,
    };
    entry.exit = Some(Exit {
        ip: "1.2.3.4".parse().unwrap(),
        anonymity: Anonymity::Elite,
    });
    entry.history = Box::new([Check {
        at_s: 10,
        total_us: 11,
        verdict: Verdict::Alive,
    }]);
    let ledger = [2, 2, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 1];
    let alive_at = [3, 0, 0, 0, 0, 0, 0, 0];
    let timing = [5, 0, 0, 0, 6, 0, 0, 0, 7, 0, 0, 0, 8, 0, 0, 0, 9, 0, 0, 0];
    let exit = [4, 4, 3, 2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3];
    let history = [1, 10, 0, 0, 0, 11, 0, 0, 0, 1];
    let unused = [0; 15 * 9];
    let expected = [
        &CANDIDATE[..],
        &ledger,
        &alive_at,
        &timing,
        &exit,
        &history,
        &unused,
    ];
    assert_eq!(encoded(&entry), expected.concat());

    entry.exit = Some(Exit {
        ip: "2001:db8::1".parse().unwrap(),
        anonymity: Anonymity::Transparent,
    });
    let exit = [
        6, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xb8, 0x0d, 1, 0x20, 1,
    ];
    assert_eq!(encoded(&entry)[13 + 18 + 28..][..18], exit);
}

#[test]
fn the_bytes_of_the_first_format_are_these_and_are_read_for_ever() {
    let mut entry = entry();
    entry.timing.total_us = 1;
    entry.alive_at_ms = 3;
    let rest = [
        2, 1, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0,
    ];
    let bytes = [&CANDIDATE[..], &rest].concat();
    let mut encoded = Vec::new();
    first::encode(&entry, &mut encoded);
    assert_eq!(encoded, bytes);
    let mut reader = Reader::new(&bytes);
    assert_eq!(reader.first_entry(), Some(entry));
    assert!(reader.is_at_end());
}

#[test]
fn what_was_alive_in_the_first_format_reached_the_one_target_that_there_was() {
    let check = |url: &str, verdict, expected: Option<Protocol>| {
        let mut bytes = Vec::new();
        let mut entry = Entry::new(url.parse().unwrap());
        entry.verdict = verdict;
        first::encode(&entry, &mut bytes);
        let works = Reader::new(&bytes).first_entry().unwrap().works;
        let mut wanted = Works::default();
        if let Some(protocol) = expected {
            wanted.set(protocol, Targets::first(1));
        }
        assert_eq!(works, wanted, "{url}");
    };
    let alive = Some(Verdict::Alive);
    check("http://1.2.3.4:443", alive, Some(Protocol::Http));
    check("https://1.2.3.4:443", alive, Some(Protocol::Http));
    check("socks4://1.2.3.4:80", alive, Some(Protocol::Socks4));
    check("socks5://1.2.3.4:80", alive, Some(Protocol::Socks5));
    check("auto://1.2.3.4:80", alive, None);
    check("http://1.2.3.4:80", Some(Verdict::Closed), None);
    check("http://1.2.3.4:80", None, None);
}

#[test]
fn entries_come_back_as_they_went_in() {
    let mut random = Rng::with_seed(1);
    let entries: Vec<Entry> = (0..2_000).map(|_| random_entry(&mut random)).collect();
    let mut bytes = Vec::new();
    for entry in &entries {
        assert!(is_storable(entry));
        encode(entry, &mut bytes);
    }
    let mut reader = Reader::new(&bytes);
    for entry in entries {
        assert_eq!(reader.entry(), Some(entry));
    }
    assert!(reader.is_at_end());
}

#[test]
fn checks_do_not_change_the_length_but_for_the_first_that_is_alive() {
    let mut random = Rng::with_seed(4);
    let mut entry = entry();
    let never = encoded(&entry).len();
    entry.verdict = Some(Verdict::Denied);
    (entry.checked_at_ms, entry.failures) = (u64::MAX, u32::MAX);
    entry.works.set(Protocol::Http, Targets::first(8));
    assert_eq!(encoded(&entry).len(), never);
    entry.alive_at_ms = 1;
    let once = encoded(&entry).len();
    for checks in 0..=HISTORY_MAX {
        let check = |_| Check {
            at_s: random.u32(..),
            total_us: random.u32(..),
            verdict: Verdict::ALL[random.usize(..Verdict::COUNT)],
        };
        entry.history = (0..checks).map(check).collect();
        entry.exit = (checks % 2 == 0).then_some(Exit {
            ip: IpAddr::V6(random.u128(..).into()),
            anonymity: Anonymity::Anonymous,
        });
        entry.timing.tls_us = random.u32(..);
        assert_eq!(encoded(&entry).len(), once, "{checks} checks");
    }
}

#[test]
fn of_too_many_checks_the_newest_are_kept() {
    let mut entry = entry();
    let check = |at_s| Check {
        at_s,
        total_us: 1,
        verdict: Verdict::Alive,
    };
    entry.history = (0..20).map(check).collect();
    let read = Reader::new(&encoded(&entry)).entry().unwrap();
    assert_eq!(*read.history, entry.history[4..]);
}

#[test]
fn what_no_list_can_hold_is_not_storable() {
    let mut random = Rng::with_seed(2);
    let base = random_entry(&mut random);
    let with = |change: &dyn Fn(&mut Candidate)| {
        let mut entry = base.clone();
        change(&mut entry.candidate);
        is_storable(&entry)
    };
    let login = |user: &str, password: &str| {
        let (user, password) = (user.into(), password.into());
        Some(Arc::new(Credentials { user, password }))
    };
    assert!(!with(&|c| c.port = 0));
    assert!(!with(&|c| c.host = Host::Name("A.example".into())));
    assert!(!with(&|c| c.host = Host::Name("a\nb".into())));
    assert!(!with(&|c| c.host = Host::Name("1.2.3.4".into())));
    assert!(!with(&|c| c.credentials = login("", "")));
    assert!(!with(&|c| c.credentials = login("u", &"p".repeat(256))));
    assert!(with(&|c| c.credentials = login(&"u".repeat(255), "")));
}

#[test]
fn any_bytes_give_an_entry_or_nothing() {
    let mut random = Rng::with_seed(3);
    for _ in 0..20_000 {
        let mut bytes = encoded(&random_entry(&mut random));
        let at = random.usize(..bytes.len());
        bytes[at] = random.u8(..);
        bytes.truncate(random.usize(..=bytes.len()));
        for entry in [
            Reader::new(&bytes).entry(),
            Reader::new(&bytes).first_entry(),
        ]
        .into_iter()
        .flatten()
        {
            let _ = entry.candidate.url().to_string();
            assert!(entry.history.len() <= HISTORY_MAX);
        }
    }
}
