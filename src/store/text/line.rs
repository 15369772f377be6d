//! One entry as JSON. Targets go by their names, so that it means the same wherever it is read.

use super::read::Flaw;
use crate::ledger::{Entry, HISTORY_MAX};
use crate::store::json::{self, CheckLine, ExitLine, Label, Parts, is_default};
use crate::store::record;
use proxy_shards::works::TARGETS_MAX;
use proxy_shards::{Protocol, Targets, Verdict};
use serde::{Deserialize, Serialize};

/// An entry.
#[derive(Serialize, Deserialize)]
pub(super) struct Line {
    url: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    verdict: Option<Label>,
    #[serde(default, skip_serializing_if = "is_default")]
    checked_at_ms: u64,
    #[serde(default, skip_serializing_if = "is_default")]
    alive_at_ms: u64,
    #[serde(default, skip_serializing_if = "is_default")]
    failures: u32,
    #[serde(default, skip_serializing_if = "is_default")]
    works: Reached,
    #[serde(default, skip_serializing_if = "is_default")]
    timing_us: Parts,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    exit: Option<ExitLine>,
    /// The oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    history: Vec<CheckLine>,
}

/// The targets that each protocol reached.
#[derive(Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Reached {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    http: Vec<Target>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    https: Vec<Target>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    socks4: Vec<Target>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    socks5: Vec<Target>,
}

/// A target by its name, or by its place if that has no name: an old store does not know them.
#[derive(PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
enum Target {
    Name(Box<str>),
    Place(usize),
}

impl Line {
    /// The line of an entry whose bits stand for `targets`.
    pub(super) fn of(entry: &Entry, targets: &[Box<str>]) -> Line {
        let reached = |protocol| named(entry.works.by(protocol), targets);
        let history = record::kept(&entry.history).iter();
        Line {
            url: entry.candidate.url().to_string(),
            verdict: entry.verdict.map(|v| v.label().into()),
            checked_at_ms: entry.checked_at_ms,
            alive_at_ms: entry.alive_at_ms,
            failures: entry.failures,
            works: Reached {
                http: reached(Protocol::Http),
                https: reached(Protocol::Https),
                socks4: reached(Protocol::Socks4),
                socks5: reached(Protocol::Socks5),
            },
            timing_us: entry.timing.into(),
            exit: entry.exit.map(ExitLine::from),
            history: history.map(json::check_line).collect(),
        }
    }

    /// The entry, with bits that stand for `targets`.
    pub(super) fn entry(self, targets: &[Box<str>]) -> Result<Entry, Flaw> {
        let verdict_of = |label: &Label| Verdict::from_label(label).ok_or(Flaw::Verdict);
        let mut entry = Entry::new(self.url.parse().map_err(|_| Flaw::Url)?);
        entry.verdict = self.verdict.as_ref().map(verdict_of).transpose()?;
        entry.checked_at_ms = self.checked_at_ms;
        entry.alive_at_ms = self.alive_at_ms;
        entry.failures = self.failures;
        for (protocol, reached) in [
            (Protocol::Http, self.works.http),
            (Protocol::Https, self.works.https),
            (Protocol::Socks4, self.works.socks4),
            (Protocol::Socks5, self.works.socks5),
        ] {
            entry.works.set(protocol, placed(&reached, targets)?);
        }
        entry.timing = self.timing_us.into();
        if let Some(exit) = self.exit {
            entry.exit = Some(exit.exit().ok_or(Flaw::Anonymity)?);
        }
        let newest = self.history.len().saturating_sub(HISTORY_MAX);
        let checks = self.history[newest..].iter();
        let check = |line| json::check(line).ok_or(Flaw::Verdict);
        entry.history = checks.map(check).collect::<Result<_, _>>()?;
        match record::is_storable(&entry) {
            true => Ok(entry),
            false => Err(Flaw::Unstorable),
        }
    }
}

fn named(reached: Targets, targets: &[Box<str>]) -> Vec<Target> {
    let target = |place: usize| match targets.get(place) {
        Some(name) if targets.iter().position(|t| t == name) == Some(place) => {
            Target::Name(name.clone())
        }
        _ => Target::Place(place),
    };
    reached.iter().map(target).collect()
}

fn placed(reached: &[Target], targets: &[Box<str>]) -> Result<Targets, Flaw> {
    let place = |target: &Target| match target {
        Target::Name(name) => targets.iter().position(|t| t == name),
        Target::Place(place) => Some(*place).filter(|&place| place < TARGETS_MAX),
    };
    reached.iter().try_fold(Targets::NONE, |reached, target| {
        Ok(reached.with(place(target).ok_or(Flaw::Target)?))
    })
}
