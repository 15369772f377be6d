//! What is known of every candidate: pure, verdicts in → state.

mod lists;
mod restore;
mod row;

pub use row::{QUICK_RECHECKS, SOURCES_MAX, Standing};

use hashbrown::HashTable;
use lists::Lists;
use proxy_shards::{Candidate, Exit, Protocol, Record, Targets, Timing, Verdict, Works};
use row::{Row, UNCLAIMED, UNLISTED};
use std::collections::BTreeSet;
use std::hash::{BuildHasher, RandomState};

/// What is known of one candidate, as it is kept by a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The candidate itself.
    pub candidate: Candidate,
    /// How its last probe ended; `None` before the first.
    pub verdict: Option<Verdict>,
    /// The targets that it reached by each protocol when it was last checked.
    pub works: Works,
    /// What a judge saw of it when it was last alive.
    pub exit: Option<Exit>,
    /// How long its last probe that ended alive took, part by part; zero if none did.
    pub timing: Timing,
    /// When the last verdict arrived, in milliseconds since the Unix epoch; 0: never.
    pub checked_at_ms: u64,
    /// When it was last alive, likewise.
    pub alive_at_ms: u64,
    /// Failures in a row since it was last alive.
    pub failures: u32,
    /// Its last checks, the oldest first, at most [`HISTORY_MAX`]; none of a candidate that was
    /// never alive.
    pub history: Box<[Check]>,
}

impl Entry {
    /// A candidate of which nothing is known.
    pub fn new(candidate: Candidate) -> Entry {
        Entry {
            candidate,
            verdict: None,
            works: Works::default(),
            exit: None,
            timing: Timing::default(),
            checked_at_ms: 0,
            alive_at_ms: 0,
            failures: 0,
            history: Box::default(),
        }
    }
}

/// Checks that are kept of a candidate that was alive once.
pub const HISTORY_MAX: usize = 16;

/// One check of a candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Check {
    /// When its verdict arrived, in seconds since the Unix epoch.
    pub at_s: u32,
    /// Microseconds of its probe.
    pub total_us: u32,
    /// How it ended.
    pub verdict: Verdict,
}

/// All that is known of one candidate, for those who ask about it.
#[derive(Clone, Debug)]
pub struct Facts {
    /// What the ledger keeps.
    pub entry: Entry,
    /// When its next check is due, in milliseconds since the Unix epoch; `None` while it is being
    /// checked.
    pub next_check_ms: Option<u64>,
    /// Whether its last verdict waits until the targets have answered without a proxy.
    pub held: bool,
    /// The sources that list it.
    pub sources: Vec<Box<str>>,
}

/// Failures in a row after which a restored candidate is forgotten, though a source that has not
/// delivered since the start may still list it.
const UNCLAIMED_FAILURES_MAX: u32 = 8;

/// What a verdict changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Nothing: the failure was this host's.
    Local,
    /// It is alive and was not.
    Found,
    /// It is still alive.
    Confirmed,
    /// It was alive and is not.
    Lost,
    /// It is still not alive.
    Failed,
}

/// An alive candidate, as it is published.
#[derive(Clone, Copy, Debug)]
pub struct Alive<'a> {
    /// The candidate.
    pub candidate: &'a Candidate,
    /// A protocol that it speaks; each has its own row.
    pub protocol: Protocol,
    /// The targets that it reached by that.
    pub targets: Targets,
    /// What a judge saw of it.
    pub exit: Option<Exit>,
    /// Microseconds of its last probe.
    pub latency_us: u32,
    /// When that ended, in milliseconds since the Unix epoch.
    pub checked_at_ms: u64,
    /// The first source that lists it.
    pub source: Option<u16>,
}

/// Every candidate by index, what is known of it and which sources list it.
///
/// An index stays with its candidate until [`Ledger::forget`], and may then be given to another.
#[derive(Debug, Default)]
pub struct Ledger {
    rows: Vec<Option<Row>>,
    free: Vec<u32>,
    by_candidate: HashTable<u32>,
    hasher: RandomState,
    alive: BTreeSet<u32>,
    verdicts: [u64; Verdict::COUNT],
    last_check_ms: u64,
    lists: Lists,
}

impl Ledger {
    /// Nothing is known, and `sources` will deliver lists.
    pub fn new(sources: usize) -> Ledger {
        Ledger {
            lists: Lists::new(sources),
            ..Ledger::default()
        }
    }

    /// Takes in a candidate that `source` lists: `Ok` with its index if it is new, `Err` with its
    /// index if it was known.
    pub fn admit(&mut self, candidate: Candidate, source: u16) -> Result<u32, u32> {
        match self.find(&candidate) {
            Some(index) => {
                let row = self.row_mut(index);
                row.source = row.source.min(source);
                Err(index)
            }
            None => Ok(self.insert(Row {
                candidate,
                checked_at_ms: 0,
                alive_at_ms: 0,
                latency_us: 0,
                failures: 0,
                source,
                verdict: None,
            })),
        }
    }

    /// Applies how a job for `index` ended, at `unix_ms`. A local failure changes nothing.
    pub fn apply(&mut self, index: u32, record: &Record, unix_ms: u64) -> Change {
        let verdict = record.verdict;
        if verdict.is_local() {
            return Change::Local;
        }
        self.last_check_ms = self.last_check_ms.max(unix_ms);
        let row = self.row_mut(index);
        let was_alive = row.is_alive();
        let before = row.verdict.replace(verdict);
        row.checked_at_ms = unix_ms;
        if verdict == Verdict::Alive {
            row.alive_at_ms = unix_ms;
            row.latency_us = record.timing.total_us;
            row.failures = 0;
        } else {
            row.failures = row.failures.saturating_add(1);
        }
        self.count(before, Some(verdict));
        match (was_alive, verdict == Verdict::Alive) {
            (false, true) => {
                self.alive.insert(index);
                Change::Found
            }
            (true, true) => Change::Confirmed,
            (true, false) => {
                self.alive.remove(&index);
                Change::Lost
            }
            (false, false) => Change::Failed,
        }
    }

    /// Where a candidate stands.
    pub fn standing(&self, index: u32) -> Standing {
        self.row(index).standing()
    }

    /// The candidate at `index`.
    pub fn candidate(&self, index: u32) -> &Candidate {
        &self.row(index).candidate
    }

    /// The index of a candidate that is known.
    pub fn find(&self, candidate: &Candidate) -> Option<u32> {
        let hash = self.hasher.hash_one(candidate);
        self.by_candidate
            .find(hash, |&i| self.row(i).candidate == *candidate)
            .copied()
    }

    /// Every index in use, in order.
    pub fn indexes(&self) -> impl Iterator<Item = u32> + '_ {
        (0u32..)
            .zip(&self.rows)
            .filter_map(|(index, row)| row.as_ref().map(|_| index))
    }

    /// The alive, ordered by index: an order that does not change while they live.
    pub fn alive(&self) -> impl ExactSizeIterator<Item = Alive<'_>> + '_ {
        self.alive.iter().map(|&index| {
            let row = self.row(index);
            Alive {
                candidate: &row.candidate,
                protocol: Protocol::Http,
                targets: Targets::NONE,
                exit: None,
                latency_us: row.latency_us,
                checked_at_ms: row.checked_at_ms,
                source: (row.source < UNCLAIMED).then_some(row.source),
            }
        })
    }

    /// Number of candidates known.
    pub fn len(&self) -> usize {
        self.rows.len() - self.free.len()
    }

    /// Whether no candidate is known.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Candidates by last verdict, `verdict as usize`; those never checked are in none.
    pub fn verdicts(&self) -> &[u64; Verdict::COUNT] {
        &self.verdicts
    }

    /// Candidates whose last verdict is alive.
    pub fn total_alive(&self) -> u64 {
        self.verdicts[Verdict::Alive as usize]
    }

    /// Candidates whose last verdict is anything else.
    pub fn total_dead(&self) -> u64 {
        self.verdicts.iter().sum::<u64>() - self.total_alive()
    }

    /// When the last verdict arrived, in milliseconds since the Unix epoch; 0: never.
    pub fn last_check_ms(&self) -> u64 {
        self.last_check_ms
    }

    /// Whether the candidate may be forgotten: it is not alive, and no source lists it. One that
    /// was restored may still be listed by a source that has not delivered yet, and is given time.
    pub fn is_over(&self, index: u32) -> bool {
        let row = self.row(index);
        let unwanted = match row.source {
            UNLISTED => true,
            UNCLAIMED => self.lists.all_known() || row.failures >= UNCLAIMED_FAILURES_MAX,
            _ => false,
        };
        unwanted && !row.is_alive()
    }

    /// Forgets a candidate that no source lists; one that is listed stays. The caller sees to it
    /// that no job for it is out.
    pub fn forget(&mut self, index: u32) {
        if self.row(index).source < UNCLAIMED {
            return;
        }
        let Some(row) = self.rows[index as usize].take() else {
            return;
        };
        let hash = self.hasher.hash_one(&row.candidate);
        if let Ok(entry) = self.by_candidate.find_entry(hash, |&i| i == index) {
            entry.remove();
        }
        self.alive.remove(&index);
        self.count(row.verdict, None);
        self.free.push(index);
    }

    fn insert(&mut self, row: Row) -> u32 {
        self.count(None, row.verdict);
        let hash = self.hasher.hash_one(&row.candidate);
        let index = match self.free.pop() {
            Some(index) => {
                self.rows[index as usize] = Some(row);
                index
            }
            None => {
                self.rows.push(Some(row));
                (self.rows.len() - 1) as u32
            }
        };
        let (rows, hasher) = (&self.rows, &self.hasher);
        self.by_candidate
            .insert_unique(hash, index, |&i| hasher.hash_one(&at(rows, i).candidate));
        index
    }

    fn count(&mut self, before: Option<Verdict>, after: Option<Verdict>) {
        if let Some(verdict) = before {
            self.verdicts[verdict as usize] -= 1;
        }
        if let Some(verdict) = after {
            self.verdicts[verdict as usize] += 1;
        }
    }

    fn row(&self, index: u32) -> &Row {
        at(&self.rows, index)
    }

    fn row_mut(&mut self, index: u32) -> &mut Row {
        self.rows[index as usize]
            .as_mut()
            .expect("an index stays with its candidate until it is forgotten")
    }
}

fn at(rows: &[Option<Row>], index: u32) -> &Row {
    rows[index as usize]
        .as_ref()
        .expect("an index stays with its candidate until it is forgotten")
}

#[cfg(test)]
mod tests;
