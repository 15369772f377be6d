//! What is read out of a Redis that many write to: every piece that can be read can be written and read
//! again, is within its bounds, and does no harm to the node that follows it.
//!
//! Input: which piece (a digit), and its bytes.

use super::follower::Replica;
use super::wire::line::{pack, pack_word, unpack, unpack_word};
use super::wire::report::{pack_head, pack_records, unpack_head, unpack_records};
use super::wire::{Id, JOBS_MAX, entry, node, pack_jobs, unpack_jobs};
use super::{Form, Logged, Publication};
use crate::api;
use crate::config::Config;
use crate::coordinator::Now;
use crate::store::{Image, record};
use proxy_shards::Job;

thread_local! {
    static CONFIG: Config = Config::embedded();
}

/// As nodes carry them.
const FORM: Form = Form {
    encode: Publication::to_json,
    decode: |bytes| Publication::from_json(bytes).ok(),
};

pub(crate) fn wire(bytes: &[u8]) {
    let Some((piece, rest)) = bytes.split_first() else {
        return;
    };
    match piece.wrapping_sub(b'0') % 9 {
        0 => jobs(rest),
        1 => records(rest),
        2 => head(rest),
        3 => log(rest),
        4 => word(rest),
        5 => node_says(rest),
        6 => figures(rest),
        7 => answer(rest),
        _ => id(&String::from_utf8_lossy(rest)),
    }
}

fn jobs(bytes: &[u8]) {
    let Some(jobs) = unpack_jobs(bytes) else {
        return;
    };
    assert!(jobs.len() <= JOBS_MAX, "{} jobs", jobs.len());
    for job in &jobs {
        assert!(
            !job.protocols.is_empty() && job.address.port() != 0,
            "{job:?}"
        );
        let login = job.credentials.as_deref();
        assert!(login.is_none_or(|of| !of.user.is_empty() || !of.password.is_empty()));
    }
    let fields = |job: &Job| (job.id, job.protocols, job.address, job.credentials.clone());
    let again = unpack_jobs(&pack_jobs(&jobs)).expect("it was packed just now");
    assert!(again.iter().map(fields).eq(jobs.iter().map(fields)));
}

fn records(bytes: &[u8]) {
    if let Some(records) = unpack_records(bytes) {
        assert!(records.len() <= bytes.len());
        assert_eq!(unpack_records(&pack_records(&records)), Some(records));
    }
}

fn head(bytes: &[u8]) {
    if let Some(head) = unpack_head(bytes) {
        assert_eq!(unpack_head(&pack_head(&head)), Some(head));
    }
}

fn log(bytes: &[u8]) {
    let Some(lines) = unpack(bytes, FORM) else {
        return;
    };
    assert!(lines.len() <= bytes.len());
    for line in &lines {
        if let Logged::Judged { entry, .. } = line {
            assert!(record::is_storable(entry), "{line:?}");
        }
    }
    let again = pack(&lines, FORM);
    let again = again
        .iter()
        .flat_map(|entry| unpack(entry, FORM).expect("packed just now"));
    let text = |line: &Logged| format!("{line:?}");
    let again: Vec<String> = again.map(|line| text(&line)).collect();
    assert_eq!(again, lines.iter().map(text).collect::<Vec<_>>());
    follow(lines);
}

/// A node follows the lines, saves what it knows, and goes on with that.
fn follow(lines: Vec<Logged>) {
    let now = Now {
        clock_ms: 1,
        unix_ms: 1_800_000_000_000,
    };
    CONFIG.with(|config| {
        let mut replica = Replica::new(config, &Image::default(), now);
        if let Some(seen) = replica.follow(lines, now) {
            api::fuzz::show(&seen.publication);
        }
        let image = replica.image(now);
        let mut after = Replica::new(config, &image, now);
        after.checkpoint(&image);
        assert_eq!(after.copy(now).entries.len(), image.entries.len());
        let _ = after.own(now);
        let (image, _) = replica.succeed(now);
        assert_eq!(image.entries.iter().count(), image.entries.len());
    });
}

fn word(bytes: &[u8]) {
    if let Some(word) = unpack_word(bytes) {
        assert_eq!(unpack_word(&pack_word(&word)), Some(word));
    }
}

fn node_says(bytes: &[u8]) {
    let stat = node::unpack("n", 1, false, bytes);
    let (known, process) = (node::known(bytes), node::process(bytes));
    let said = node::pack(&stat, known, process.unwrap_or(0));
    assert_eq!(node::unpack("n", 1, false, said.as_bytes()), stat);
    assert_eq!(node::known(said.as_bytes()), known);
    assert_eq!(node::process(said.as_bytes()), Some(process.unwrap_or(0)));
}

fn figures(bytes: &[u8]) {
    let Ok(publication) = Publication::from_json(bytes) else {
        return;
    };
    let again = Publication::from_json(&publication.to_json());
    let again = again.map(|again| format!("{again:?}")).ok();
    assert_eq!(again, Some(format!("{publication:?}")));
    api::fuzz::show(&publication);
}

/// An answer of Redis itself.
fn answer(bytes: &[u8]) {
    let Ok(value) = redis::parse_redis_value(bytes) else {
        return;
    };
    let streams = entry::of_streams(value.clone());
    let of_streams = streams.into_iter().flat_map(|(_, entries)| entries);
    for entry in of_streams.chain(entry::of(value)) {
        id(&entry.id.to_string());
        for name in ["j", "p", "d", "h", "w"] {
            assert_eq!(entry.field(name), entry.all(name).next());
        }
        if let Some(packed) = entry.field("j") {
            jobs(packed);
        }
        entry.all("r").for_each(records);
    }
}

fn id(text: &str) {
    if let Ok(id) = text.parse::<Id>() {
        assert_eq!(id.to_string().parse(), Ok(id));
        assert!(id.next() >= id, "{id} and {}", id.next());
    }
}
