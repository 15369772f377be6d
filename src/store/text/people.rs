//! An image as a list or a table, for people and spreadsheets. It is not read back.

use crate::ledger::Entry;
use crate::store::Image;
use jiff::Timestamp;
use proxy_shards::{Protocol, Require, TARGETS_MAX, Verdict};
use std::io::{self, Write};

/// How it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// One URL a line.
    Txt,
    /// A row for each candidate, behind a header (RFC 4180).
    Csv,
}

/// Which candidates are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// Those whose last verdict is alive.
    Alive,
    /// Every one.
    All,
}

/// The names are those of `check --format csv` where they mean the same.
const HEADER: [&str; 10] = [
    "proxy",
    "url",
    "protocols",
    "verdict",
    "latency_ms",
    "checked_at",
    "alive_at",
    "failures",
    "exit",
    "anonymity",
];

/// Writes an image.
///
/// # Errors
/// `out` takes no more.
pub fn write_for_people(
    image: &Image,
    form: Form,
    which: Which,
    out: &mut impl Write,
) -> io::Result<()> {
    let is_wanted = |entry: &Entry| which == Which::All || is_alive(entry);
    let mut entries = image.entries.iter().filter(is_wanted);
    match form {
        Form::Txt => entries.try_for_each(|entry| writeln!(out, "{}", url(&entry))),
        Form::Csv => {
            let mut table = csv::Writer::from_writer(out);
            table.write_record(HEADER)?;
            for entry in entries {
                table.write_record(row(&entry))?;
            }
            table.flush()
        }
    }
}

fn is_alive(entry: &Entry) -> bool {
    entry.verdict == Some(Verdict::Alive)
}

/// The protocols by which it reached any target, the usual one of its port first.
fn protocols(entry: &Entry) -> impl Iterator<Item = Protocol> {
    let works = entry.works.enough(Require::Any, TARGETS_MAX);
    works.in_order(entry.candidate.port)
}

/// How it is used if it is alive; else as its list says it.
fn url(entry: &Entry) -> String {
    match protocols(entry).next().filter(|_| is_alive(entry)) {
        Some(first) => entry.candidate.url_by(first).to_string(),
        None => entry.candidate.url().to_string(),
    }
}

fn row(entry: &Entry) -> [String; 10] {
    let protocols: Vec<&str> = protocols(entry).map(Protocol::label).collect();
    let latency = (entry.timing.total_us > 0).then(|| f64::from(entry.timing.total_us) / 1_000.0);
    [
        entry.candidate.url().to_string(),
        url(entry),
        protocols.join(" "),
        entry.verdict.map_or("", |v| v.label()).to_owned(),
        latency.map_or(String::new(), |ms| ms.to_string()),
        time(entry.checked_at_ms),
        time(entry.alive_at_ms),
        entry.failures.to_string(),
        entry.exit.map_or(String::new(), |exit| exit.ip.to_string()),
        entry
            .exit
            .map_or("", |exit| exit.anonymity.label())
            .to_owned(),
    ]
}

/// RFC 3339, in UTC; nothing for never.
fn time(ms: u64) -> String {
    let ms = i64::try_from(ms).ok().filter(|&ms| ms > 0);
    let at = ms.and_then(|ms| Timestamp::from_millisecond(ms).ok());
    at.map_or(String::new(), |at| at.to_string())
}
