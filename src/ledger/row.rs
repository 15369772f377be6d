//! What the ledger keeps of one candidate.

use super::entry::{Check, Entry, HISTORY_MAX};
use proxy_shards::{
    Candidate, Exit, Protocols, Record, Require, TARGETS_MAX, Timing, Verdict, Works,
};
use std::collections::VecDeque;

/// Failures in a row of a proxy that was alive, before it counts as dead for good. Each is followed
/// by a quick re-check; the pool lost it at the first.
pub const QUICK_RECHECKS: u32 = 2;

/// Where a candidate stands: decides when it is checked next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Never checked.
    New,
    /// Its last verdict is alive.
    Alive,
    /// It was alive until just now.
    Failing,
    /// It failed `times` in a row, the quick re-checks not counted.
    Dead {
        /// At least 1.
        times: u32,
    },
}

/// No source lists it any more.
pub(super) const UNLISTED: u16 = u16::MAX;
/// It was restored, and no source has listed it since the start.
pub(super) const UNCLAIMED: u16 = u16::MAX - 1;
/// Most sources that can be told apart.
pub const SOURCES_MAX: usize = UNCLAIMED as usize;

/// One candidate. Most are never alive, and have no heap but the candidate's own.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) candidate: Candidate,
    pub(super) checked_at_ms: u64,
    pub(super) alive_at_ms: u64,
    /// Of one that was alive once.
    pub(super) life: Option<Box<Life>>,
    pub(super) failures: u32,
    /// The first source that lists it, [`UNCLAIMED`] or [`UNLISTED`].
    pub(super) source: u16,
    pub(super) verdict: Option<Verdict>,
    /// Its last failure may be the fault of a target that did not answer.
    pub(super) doubtful: bool,
}

/// What is kept of a candidate that was alive once.
#[derive(Debug, Default)]
pub(super) struct Life {
    pub(super) works: Works,
    /// The protocols by which it reached any target when it was last alive, whatever the targets are
    /// called now.
    pub(super) spoke: Protocols,
    pub(super) timing: Timing,
    pub(super) exit: Option<Exit>,
    history: VecDeque<Check>,
}

impl Life {
    pub(super) fn new(entry: &Entry) -> Life {
        let newest = entry.history.len().saturating_sub(HISTORY_MAX);
        Life {
            works: entry.works,
            spoke: entry.works.enough(Require::Any, TARGETS_MAX),
            timing: entry.timing,
            exit: entry.exit,
            history: entry.history[newest..].iter().copied().collect(),
        }
    }

    /// Its last checks, the oldest first.
    pub(super) fn history(&self) -> Box<[Check]> {
        self.history.iter().copied().collect()
    }

    fn note(&mut self, check: Check) {
        if self.history.len() == HISTORY_MAX {
            self.history.pop_front();
        }
        self.history.push_back(check);
    }
}

impl Row {
    pub(super) fn new(candidate: Candidate, source: u16) -> Row {
        Row {
            candidate,
            checked_at_ms: 0,
            alive_at_ms: 0,
            life: None,
            failures: 0,
            source,
            verdict: None,
            doubtful: false,
        }
    }

    /// Takes a record that counts, at `unix_ms`; the proxy reaches `works`.
    pub(super) fn take(&mut self, record: &Record, works: Works, doubtful: bool, unix_ms: u64) {
        let is_alive = record.verdict == Verdict::Alive;
        self.verdict = Some(record.verdict);
        self.checked_at_ms = unix_ms;
        self.doubtful = doubtful;
        if is_alive {
            self.alive_at_ms = unix_ms;
            self.failures = 0;
            let life = self.life.get_or_insert_default();
            life.timing = record.timing;
            life.spoke = works.enough(Require::Any, TARGETS_MAX);
            // A judge that did not answer takes nothing back.
            life.exit = record.exit.or(life.exit.filter(|_| works != record.works));
        } else {
            self.failures = self.failures.saturating_add(1);
        }
        if let Some(life) = &mut self.life {
            life.works = works;
            life.note(Check {
                at_s: u32::try_from(unix_ms / 1_000).unwrap_or(u32::MAX),
                total_us: record.timing.total_us,
                verdict: record.verdict,
            });
        }
    }

    pub(super) fn works(&self) -> Works {
        self.life
            .as_ref()
            .map_or(Works::default(), |life| life.works)
    }

    pub(super) fn is_alive(&self) -> bool {
        self.verdict == Some(Verdict::Alive)
    }

    pub(super) fn standing(&self) -> Standing {
        let was_alive = self.alive_at_ms != 0;
        let quick = if was_alive { QUICK_RECHECKS } else { 0 };
        match self.verdict {
            None => Standing::New,
            Some(Verdict::Alive) => Standing::Alive,
            Some(_) if self.failures <= quick => Standing::Failing,
            Some(_) => Standing::Dead {
                times: self.failures - quick,
            },
        }
    }
}
