//! A ledger saved, saved again after a few checks, and loaded, by each store that keeps anything: by
//! the clock on the wall, since disks and servers are waited for.

use crate::Outcome;
use crate::measure::{Figure, Unit};
use crate::redis_server::RedisServer;
use proxy_checker::config::{Backend, RedisPlace};
use proxy_checker::ledger::{Check, Entry, HISTORY_MAX};
use proxy_checker::store::{self, Image};
use proxy_shards::{Candidate, Host, Protocol, Scheme, Targets, Timing, Verdict};
use redis::cmd;
use std::fs;
use std::path::Path;
use std::time::Instant;

/// One in so many was alive once, and has a history.
const ALIVE_EACH: u32 = 10;
/// One in so many was checked between two saves, all of them in one place of the ledger.
const CHECKED_EACH: u32 = 1_000;

/// Every store with a ledger of each length.
pub(crate) fn storing(lengths: &[u32]) -> Outcome<Vec<Figure>> {
    let mut figures = Vec::new();
    for &length in lengths {
        for kind in ["sled", "file", "sqlite", "redis"] {
            one(kind, length, &mut figures)?;
        }
    }
    Ok(figures)
}

fn one(kind: &str, length: u32, figures: &mut Vec<Figure>) -> Outcome<()> {
    let folder = tempfile::tempdir()?;
    let at = |name: &str| folder.path().join(name);
    let mut server = None;
    let backend = match kind {
        "sled" => Backend::Sled(at("ledger")),
        "file" => Backend::File(at("proxies.json")),
        "sqlite" => Backend::Sqlite(at("ledger.db")),
        _ => Backend::Redis {
            place: RedisPlace::new(&server.insert(RedisServer::start()).place(), None, None)?,
            prefix: "bench".into(),
        },
    };
    let empty = server.as_ref().map_or(Ok(0), memory)?;
    let mut add = |what: &str, unit, value| {
        let name = format!("store {length} records, {kind}: {what}");
        figures.push(Figure::new(name, unit, value));
    };
    let (first, second) = (image(length, 0), image(length, length / CHECKED_EACH));
    let mut store = store::open(&backend)?;
    for (what, image) in [("save all", &first), ("save what changed", &second)] {
        let start = Instant::now();
        store.save(image)?;
        add(what, Unit::Ms, start.elapsed().as_secs_f64() * 1e3);
    }
    drop(store);
    let bytes = match &server {
        Some(server) => memory(server)? - empty,
        None => size(folder.path())?,
    };
    add("size", Unit::Mb, bytes as f64 / 1e6);
    let start = Instant::now();
    let loaded = store::open(&backend)?.load()?;
    add("load", Unit::Ms, start.elapsed().as_secs_f64() * 1e3);
    match loaded == second {
        true => Ok(()),
        false => Err(format!("{kind} loads something else than it saved").into()),
    }
}

/// A ledger of which the first `again` were checked once more.
fn image(length: u32, again: u32) -> Image {
    Image {
        saved_at_ms: 1_700_000_000_000 + u64::from(again),
        targets: vec!["default".into()],
        entries: (0..length).map(|n| entry(n, n < again)).collect(),
        ..Image::default()
    }
}

fn entry(n: u32, again: bool) -> Entry {
    let mut entry = Entry::new(Candidate {
        scheme: Scheme::Auto,
        host: Host::V4((0x0900_0000 + n).into()),
        port: 8080,
        credentials: None,
    });
    entry.checked_at_ms = 1_700_000_000_000 + u64::from(n) + u64::from(again);
    entry.verdict = Some(Verdict::Refused);
    entry.failures = n % 8;
    if n.is_multiple_of(ALIVE_EACH) {
        entry.verdict = Some(Verdict::Alive);
        entry.alive_at_ms = entry.checked_at_ms;
        entry.works.set(Protocol::Http, Targets::first(1));
        entry.timing = Timing {
            total_us: 100_000 + n % 900_000,
            connect_us: 50_000,
            first_byte_us: 40_000,
            ..Timing::default()
        };
        entry.history = (0..HISTORY_MAX as u32)
            .map(|place| check(n, place))
            .collect();
    }
    entry
}

fn check(n: u32, place: u32) -> Check {
    Check {
        at_s: 1_700_000_000 + 60 * place,
        total_us: 100_000 + (n ^ place) % 900_000,
        verdict: Verdict::Alive,
    }
}

/// Bytes that the server uses.
fn memory(server: &RedisServer) -> Outcome<u64> {
    let client = redis::Client::open(format!("redis://{}", server.place()))?;
    let text: String = cmd("INFO")
        .arg("memory")
        .query(&mut client.get_connection()?)?;
    let used = text
        .lines()
        .find_map(|line| line.strip_prefix("used_memory:"));
    Ok(used.ok_or("no used_memory")?.trim().parse()?)
}

/// Bytes that the files in a folder take on the disk.
fn size(folder: &Path) -> Outcome<u64> {
    use std::os::unix::fs::MetadataExt;
    let mut bytes = 0;
    for file in fs::read_dir(folder)? {
        let file = file?;
        bytes += match file.file_type()?.is_dir() {
            true => size(&file.path())?,
            false => file.metadata()?.blocks() * 512,
        };
    }
    Ok(bytes)
}
