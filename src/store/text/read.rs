//! JSON Lines to an image. What cannot be read is named by its line, and the rest is kept.

use super::VERSION;
use super::line::Line;
use super::write::Head;
use crate::store::Image;
use crate::store::entries::Packing;
use proxy_shards::works::TARGETS_MAX;
use serde::{Deserialize, Serialize};
use std::io::{self, BufRead, Read};

/// Longest line that is read, in bytes; the longest that is written has some 3 KB.
const LINE_BYTES_MAX: u64 = 64 << 10;
/// Bad lines that are named; all are counted.
const NAMED_MAX: usize = 20;

/// What was read.
#[derive(Debug, Default)]
pub struct Reading {
    /// All that could be read.
    pub image: Image,
    /// How many lines could not.
    pub bad_lines: u64,
    /// The first of them.
    pub bad: Vec<Bad>,
    /// There are fewer lines than the head says.
    pub cut: Option<Cut>,
}

/// A line that is no entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bad {
    /// Its number; the head is line 1.
    pub line: u64,
    /// What is wrong with it.
    pub flaw: Flaw,
}

/// What is wrong with a line. The text repeats nothing of it: it may hold credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Flaw {
    /// It is longer than any entry.
    #[error("it is longer than an entry can be")]
    TooLong,
    /// No JSON, or not with the keys of an entry.
    #[error("it is no JSON object with the keys of an entry")]
    Json,
    /// `url`.
    #[error("its url is none of a proxy")]
    Url,
    /// `verdict`, or one in `history`.
    #[error("it has a verdict that there is not")]
    Verdict,
    /// `exit.anonymity`.
    #[error("it has an anonymity that there is not")]
    Anonymity,
    /// `works`.
    #[error("it works with a target that the first line does not name")]
    Target,
    /// No list can hold it, so no store keeps it.
    #[error("no store can keep it: its credentials are too long or empty, or its port is 0")]
    Unstorable,
}

/// The file ended too early.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cut {
    /// Lines behind the head.
    pub found: u64,
    /// How many the head announces.
    pub expected: u64,
    /// The error that ended it, if it was one.
    pub why: Option<String>,
}

/// Nothing could be read.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// The first line is not the head.
    #[error(
        "is no export of proxy-checker: its first line has no proxy_checker_ledger and entries"
    )]
    Foreign,
    /// Of another version.
    #[error(
        "has version {0} of the form; this program reads {VERSION}, so a newer one may have written it"
    )]
    Version(u32),
    /// More targets than there can be, or with names that are too long.
    #[error("names targets that are none")]
    Targets,
    /// It could not be read at all.
    #[error("cannot be read: {0}")]
    Io(#[from] io::Error),
}

/// Reads an image from JSON Lines. Memory is bounded by what is packed of it.
///
/// # Errors
/// The first line is not one of ours; what is wrong behind it is in the [`Reading`].
pub fn read(mut input: impl BufRead) -> Result<Reading, Unreadable> {
    let mut line = Vec::new();
    let (true, _) = next_line(&mut input, &mut line)? else {
        return Err(Unreadable::Foreign);
    };
    let head = head(&line)?;
    let mut reading = Reading::default();
    let mut packing = Packing::default();
    let mut found = 0;
    let why = loop {
        let whole = match next_line(&mut input, &mut line) {
            Ok((false, _)) => break None,
            Ok((true, whole)) => whole,
            Err(error) => break Some(error.to_string()),
        };
        found += 1;
        match entry(&line, whole, &head) {
            Ok(entry) => packing.push(&entry),
            Err(flaw) => {
                let line = found + 1;
                reading.bad_lines += 1;
                if reading.bad.len() < NAMED_MAX {
                    reading.bad.push(Bad { line, flaw });
                }
            }
        }
    };
    let expected = head.entries;
    let is_cut = found < expected || why.is_some();
    reading.cut = is_cut.then_some(Cut {
        found,
        expected,
        why,
    });
    reading.image = Image {
        saved_at_ms: head.saved_at_ms,
        asked: head.asked,
        targets: head.targets,
        entries: packing.finish(),
    };
    Ok(reading)
}

fn head(line: &[u8]) -> Result<Head, Unreadable> {
    /// Whatever else stands there in another version.
    #[derive(Deserialize)]
    struct Version {
        proxy_checker_ledger: u32,
    }
    let version: Version = serde_json::from_slice(line).map_err(|_| Unreadable::Foreign)?;
    if version.proxy_checker_ledger != VERSION {
        return Err(Unreadable::Version(version.proxy_checker_ledger));
    }
    let head: Head = serde_json::from_slice(line).map_err(|_| Unreadable::Foreign)?;
    let names = &head.targets;
    match names.len() > TARGETS_MAX || names.iter().any(|name| name.len() > 255) {
        true => Err(Unreadable::Targets),
        false => Ok(head),
    }
}

fn entry(line: &[u8], whole: bool, head: &Head) -> Result<crate::ledger::Entry, Flaw> {
    if !whole {
        return Err(Flaw::TooLong);
    }
    let line: Line = serde_json::from_slice(line).map_err(|_| Flaw::Json)?;
    line.entry(&head.targets)
}

/// Reads a line into `line`: whether there was one, and whether all of it is there. What is too long
/// of one is passed over.
fn next_line(input: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<(bool, bool)> {
    line.clear();
    let most = LINE_BYTES_MAX;
    let read = input.by_ref().take(most).read_until(b'\n', line)?;
    let is_whole = line.ends_with(b"\n") || (read as u64) < most;
    if !is_whole {
        while let rest @ 1.. = input.fill_buf()?.len() {
            let end = input.fill_buf()?.iter().position(|&byte| byte == b'\n');
            input.consume(end.map_or(rest, |end| end + 1));
            if end.is_some() {
                break;
            }
        }
    }
    Ok((read > 0, is_whole))
}
