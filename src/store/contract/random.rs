//! Entries with any value in every field.

use crate::ledger::{Check, Entry, HISTORY_MAX};
use crate::store::{Asked, Image};
use fastrand::Rng;
use proxy_shards::{
    Anonymity, Candidate, Credentials, Exit, Host, Protocol, Scheme, Targets, Timing, Verdict,
};
use std::net::IpAddr;
use std::sync::Arc;

/// An entry as a list can hold it, with any value in every field.
pub(in crate::store) fn random_entry(random: &mut Rng) -> Entry {
    let host = match random.u8(..6) {
        0 => Host::V6(random.u128(..).into()),
        1 => Host::Name(format!("p{}.proxies.example", random.u32(..)).into()),
        _ => Host::V4(random.u32(..).into()),
    };
    let text = |random: &mut Rng| -> Box<str> {
        let length = random.usize(1..8);
        (0..length).map(|_| random.char('\0'..='ÿ')).collect()
    };
    let login = random.u8(..8) == 0;
    let credentials = login.then(|| {
        Arc::new(Credentials {
            user: text(random),
            password: text(random),
        })
    });
    let mut entry = Entry::new(Candidate {
        scheme: Scheme::ALL[random.usize(..Scheme::ALL.len())],
        host,
        port: random.u16(1..),
        credentials,
    });
    entry.verdict = Verdict::ALL.get(random.usize(..=Verdict::COUNT)).copied();
    entry.checked_at_ms = random.u64(..);
    entry.failures = random.u32(..);
    for protocol in Protocol::ALL {
        let reached = Targets::from_bits(random.u8(..));
        entry.works.set(protocol, reached);
    }
    if random.bool() {
        live(&mut entry, random);
    }
    entry
}

/// Gives an entry all that only a candidate has that was alive once.
fn live(entry: &mut Entry, random: &mut Rng) {
    entry.alive_at_ms = random.u64(..);
    entry.timing = Timing {
        total_us: random.u32(..),
        connect_us: random.u32(..),
        handshake_us: random.u32(..),
        tls_us: random.u32(..),
        first_byte_us: random.u32(..),
    };
    let ip = match random.u8(..3) {
        0 => None,
        1 => Some(IpAddr::V4(random.u32(..).into())),
        _ => Some(IpAddr::V6(random.u128(..).into())),
    };
    entry.exit = ip.map(|ip| Exit {
        ip,
        anonymity: Anonymity::ALL[random.usize(..Anonymity::ALL.len())],
    });
    let checks = random.usize(..=HISTORY_MAX);
    let check = |_| Check {
        at_s: random.u32(..),
        total_us: random.u32(..),
        verdict: Verdict::ALL[random.usize(..Verdict::COUNT)],
    };
    entry.history = (0..checks).map(check).collect();
}

/// `count` random entries.
pub(in crate::store) fn random_entries(random: &mut Rng, count: usize) -> Vec<Entry> {
    (0..count).map(|_| random_entry(random)).collect()
}

/// An image of `count` random entries.
pub(in crate::store) fn random_image(random: &mut Rng, count: usize) -> Image {
    Image {
        saved_at_ms: random.u64(..),
        asked: Asked {
            policy: random.u64(..),
            since_ms: random.u64(..),
            over_ms: random.u64(..),
        },
        targets: (0..random.u8(..=8))
            .map(|place| format!("t{place}-{}", random.u8(..)).into())
            .collect(),
        entries: random_entries(random, count).into(),
    }
}

/// Changes the entries of an image.
pub(in crate::store) fn change(image: &mut Image, change: impl FnOnce(&mut Vec<Entry>)) {
    let mut entries: Vec<Entry> = image.entries.iter().collect();
    change(&mut entries);
    image.entries = entries.into();
}
