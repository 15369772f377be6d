//! The JSON of the file: written entry by entry, so that it needs no second copy of the ledger in
//! memory, and read in every format that there was.

use super::FILE_BYTES_MAX;
use super::old::{self, Proxy, Stats};
use crate::ledger::{Entry, HISTORY_MAX};
use crate::store::json::{self, CheckLine, ExitLine, Label, Parts, is_default};
use crate::store::{Asked, Entries, Image, record};
use proxy_shards::works::TARGETS_MAX;
use proxy_shards::{Protocol, Targets, Timing, Verdict};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::error::Category;

/// The format of `ledger`.
const FORMAT: u32 = 3;

/// The one before: it does not say what was asked.
const FORMAT_SECOND: u32 = 2;

/// The one before that: no more than a verdict, a latency and times for each entry.
const FORMAT_FIRST: u32 = 1;

/// The file as it is written.
#[derive(Serialize)]
pub(in crate::store) struct Written<'a> {
    // The first and the last key belong together: one without the other is damage.
    ledger_format: u32,
    proxies: Proxies<'a>,
    stats: Stats,
    updated: String,
    ledger: Ledger<Lines<'a>>,
}

impl Written<'_> {
    pub(in crate::store) fn of(image: &Image) -> Written<'_> {
        Written {
            ledger_format: FORMAT,
            proxies: Proxies(image),
            stats: Stats::of(image),
            updated: old::time_text(image.saved_at_ms),
            ledger: Ledger {
                saved_at_ms: image.saved_at_ms,
                policy: format!("{:016x}", image.asked.policy),
                since_ms: image.asked.since_ms,
                over_ms: image.asked.over_ms,
                targets: image.targets.clone(),
                crc32: crc(image),
                entries: Lines(image),
            },
        }
    }
}

/// The alive, as the clients of the old service know them.
struct Proxies<'a>(&'a Image);

impl Serialize for Proxies<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.entries.iter().filter_map(|entry| Proxy::of(&entry)))
    }
}

/// Everything that is known, not only who is alive.
#[derive(Serialize, Deserialize)]
struct Ledger<Entries> {
    saved_at_ms: u64,
    /// In hexadecimal: some readers of JSON have numbers of 53 bits only.
    #[serde(default)]
    policy: String,
    #[serde(default)]
    since_ms: u64,
    #[serde(default)]
    over_ms: u64,
    /// Of the content in its binary form, so spaces and the order of keys do not matter.
    crc32: u32,
    /// What the bits stand for, in their order; left out where that is not known.
    #[serde(default, skip_serializing_if = "is_default")]
    targets: Vec<Box<str>>,
    entries: Entries,
}

/// The entries.
struct Lines<'a>(&'a Image);

impl Serialize for Lines<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.entries.iter().map(|entry| Line::of(&entry)))
    }
}

/// An entry. What is zero or nothing may be left out.
#[derive(Serialize, Deserialize)]
struct Line {
    url: String,
    verdict: Option<Label>,
    /// Only in the first format.
    #[serde(skip_serializing_if = "Option::is_none")]
    latency_us: Option<u32>,
    checked_at_ms: u64,
    alive_at_ms: u64,
    failures: u32,
    #[serde(default, skip_serializing_if = "is_default")]
    works: Reached,
    #[serde(default, skip_serializing_if = "is_default")]
    timing_us: Parts,
    #[serde(skip_serializing_if = "Option::is_none")]
    exit: Option<ExitLine>,
    /// Second of the Unix epoch, microseconds of the probe, verdict.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    history: Vec<CheckLine>,
}

/// The targets that each protocol reached, as bits.
#[derive(Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Reached {
    #[serde(skip_serializing_if = "is_default")]
    http: u8,
    #[serde(skip_serializing_if = "is_default")]
    https: u8,
    #[serde(skip_serializing_if = "is_default")]
    socks4: u8,
    #[serde(skip_serializing_if = "is_default")]
    socks5: u8,
}

impl Line {
    fn of(entry: &Entry) -> Line {
        let bits = |protocol| entry.works.by(protocol).bits();
        let history = record::kept(&entry.history).iter();
        Line {
            url: entry.candidate.url().to_string(),
            verdict: entry.verdict.map(|v| v.label().into()),
            latency_us: None,
            checked_at_ms: entry.checked_at_ms,
            alive_at_ms: entry.alive_at_ms,
            failures: entry.failures,
            works: Reached {
                http: bits(Protocol::Http),
                https: bits(Protocol::Https),
                socks4: bits(Protocol::Socks4),
                socks5: bits(Protocol::Socks5),
            },
            timing_us: entry.timing.into(),
            exit: entry.exit.map(ExitLine::from),
            history: history.map(json::check_line).collect(),
        }
    }

    /// The entry; `None` if a part of the line is none.
    fn entry(self) -> Option<Entry> {
        let mut entry = Entry::new(self.url.parse().ok()?);
        if let Some(label) = self.verdict {
            entry.verdict = Some(Verdict::from_label(&label)?);
        }
        entry.checked_at_ms = self.checked_at_ms;
        entry.alive_at_ms = self.alive_at_ms;
        entry.failures = self.failures;
        for (protocol, bits) in [
            (Protocol::Http, self.works.http),
            (Protocol::Https, self.works.https),
            (Protocol::Socks4, self.works.socks4),
            (Protocol::Socks5, self.works.socks5),
        ] {
            entry.works.set(protocol, Targets::from_bits(bits));
        }
        entry.timing = self.timing_us.into();
        if let Some(exit) = self.exit {
            entry.exit = Some(exit.exit()?);
        }
        let checks = self.history.iter().take(HISTORY_MAX);
        entry.history = checks.map(json::check).collect::<Option<_>>()?;
        Some(entry)
    }

    /// The entry, if it was written in the first format.
    fn first_entry(self) -> Option<Entry> {
        let total_us = self.latency_us?;
        let mut entry = self.entry()?;
        entry.timing = Timing {
            total_us,
            ..Timing::default()
        };
        entry.works = record::first::works(entry.candidate.scheme, entry.verdict);
        Some(entry)
    }
}

/// Of what was asked, and the rest.
fn crc(image: &Image) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(&image.asked.policy.to_le_bytes());
    crc.update(&image.asked.since_ms.to_le_bytes());
    crc.update(&image.asked.over_ms.to_le_bytes());
    crc.update(&older_crc(image, image.entries.records()).to_le_bytes());
    crc.finalize()
}

/// Of the time, the entries and the names of the targets, in their binary form.
fn older_crc(image: &Image, records: impl Iterator<Item = impl AsRef<[u8]>>) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(&image.saved_at_ms.to_le_bytes());
    records.for_each(|records| crc.update(records.as_ref()));
    let mut bytes = Vec::new();
    record::put_targets(&image.targets, &mut bytes);
    crc.update(&bytes);
    crc.finalize()
}

/// A record as the first format had it.
fn first_record(entry: Entry) -> Vec<u8> {
    let mut bytes = Vec::new();
    record::first::encode(&entry, &mut bytes);
    bytes
}

/// The file as it is read.
#[derive(Deserialize)]
struct Found {
    ledger_format: Option<u32>,
    proxies: Option<Vec<Proxy>>,
    updated: Option<String>,
    ledger: Option<Ledger<Vec<Line>>>,
}

/// Reads a file of any format: ours, the one before, or the old service's.
pub(in crate::store) fn parse(bytes: &[u8]) -> Result<Image, String> {
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(format!("it is longer than {FILE_BYTES_MAX} bytes"));
    }
    let found: Found = serde_json::from_slice(bytes).map_err(|error| flaw(&error))?;
    match (found.ledger_format, found.ledger) {
        (Some(format), Some(ledger)) => {
            let crc32 = ledger.crc32;
            let (image, crc) = image_of(format, ledger)?;
            match crc == crc32 {
                true => Ok(image),
                false => Err("its CRC differs".to_owned()),
            }
        }
        (None, None) => Ok(Image {
            saved_at_ms: found.updated.as_deref().map_or(0, old::time_of),
            entries: found
                .proxies
                .unwrap_or_default()
                .iter()
                .filter_map(Proxy::entry)
                .collect(),
            ..Image::default()
        }),
        _ => Err("ledger_format and ledger are not both there".to_owned()),
    }
}

/// Of what kind a flaw is, and where. What serde says of it may repeat the credentials of a proxy, and
/// this goes to the log.
fn flaw(error: &serde_json::Error) -> String {
    let kind = match error.classify() {
        Category::Io => "it cannot be read",
        Category::Syntax => "it is no JSON",
        Category::Data => "it has something else than is expected",
        Category::Eof => "it ends too early",
    };
    format!("{kind}, line {} column {}", error.line(), error.column())
}

/// The CRC that a file of ours must have.
#[cfg(any(test, fuzzing))]
pub(in crate::store) fn crc_of(bytes: &[u8]) -> Option<u32> {
    let found: Found = serde_json::from_slice(bytes).ok()?;
    let (_, crc) = image_of(found.ledger_format?, found.ledger?).ok()?;
    Some(crc)
}

/// How the entries of a format are read, and what its CRC is over.
type Ways = (fn(Line) -> Option<Entry>, fn(&Image) -> u32);

fn ways(format: u32) -> Result<Ways, String> {
    Ok(match format {
        FORMAT => (Line::entry, crc),
        FORMAT_SECOND => (Line::entry, |image| {
            older_crc(image, image.entries.records())
        }),
        FORMAT_FIRST => (Line::first_entry, |image| {
            older_crc(image, image.entries.iter().map(first_record))
        }),
        other => {
            return Err(format!(
                "it has format {other}; this version reads {FORMAT_FIRST} to {FORMAT}, so a newer \
                 one may have written it"
            ));
        }
    })
}

/// The image, and the CRC that belongs to it.
fn image_of(format: u32, ledger: Ledger<Vec<Line>>) -> Result<(Image, u32), String> {
    let (entry, crc) = ways(format)?;
    let names = &ledger.targets;
    if names.len() > TARGETS_MAX || names.iter().any(|name| name.len() > 255) {
        return Err("it names targets that are none".to_owned());
    }
    let entries: Option<Entries> = ledger.entries.into_iter().map(entry).collect();
    let policy = match ledger.policy.as_str() {
        "" => 0,
        text => u64::from_str_radix(text, 16).map_err(|_| "it names a policy that is none")?,
    };
    let image = Image {
        saved_at_ms: ledger.saved_at_ms,
        asked: Asked {
            policy,
            since_ms: ledger.since_ms,
            over_ms: ledger.over_ms,
        },
        targets: ledger.targets,
        entries: entries.ok_or("it holds an entry that is none")?,
    };
    let crc = crc(&image);
    Ok((image, crc))
}
