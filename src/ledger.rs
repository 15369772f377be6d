//! What is known of every candidate: pure, verdicts in → state.

mod entry;
mod judge;
mod row;

mod find;
mod lists;
mod pool;
mod restore;
mod targets;

pub use entry::{Check, Entry, Facts, HISTORY_MAX};
pub use find::ANSWERS_MAX;
pub use pool::Alive;
pub use row::{QUICK_RECHECKS, SOURCES_MAX, Standing};
pub(crate) use targets::{moved, renumbered};

use hashbrown::HashTable;
use judge::{Goal, Judged, judge};
use lists::Lists;
use proxy_shards::{Candidate, Record, Targets, Verdict, Works};
use row::{Row, UNCLAIMED, UNLISTED};
use std::collections::BTreeSet;
use std::hash::{BuildHasher, RandomState};

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

/// Every candidate by index, what is known of it and which sources list it.
///
/// An index stays with its candidate until [`Ledger::forget`], and may then be given to another.
#[derive(Debug, Default)]
pub struct Ledger {
    rows: Vec<Option<Row>>,
    free: Vec<u32>,
    by_candidate: HashTable<u32>,
    /// Those with credentials, by the hash of their address.
    with_credentials: BTreeSet<(u64, u32)>,
    hasher: RandomState,
    alive: BTreeSet<u32>,
    /// Failures that may be the fault of a target that did not answer.
    doubtful: u64,
    targets: Vec<Box<str>>,
    goal: Goal,
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
            None => Ok(self.insert(Row::new(candidate, source))),
        }
    }

    /// Applies how a job for `index` ended, at `unix_ms`; only the targets in `trusted` answered all
    /// the while. What is this host's fault, or may be that of another target only, changes nothing.
    pub fn apply(&mut self, index: u32, record: &Record, trusted: Targets, unix_ms: u64) -> Change {
        let known = match self.row(index).is_alive() {
            true => self.row(index).works(),
            false => Works::default(),
        };
        let (works, doubtful) = match judge(known, record, trusted, self.goal) {
            Judged::Nothing => return Change::Local,
            Judged::Counts { works, doubtful } => (works, doubtful),
        };
        self.last_check_ms = self.last_check_ms.max(unix_ms);
        let row = self.row_mut(index);
        let before = row.verdict;
        let was_doubtful = row.doubtful;
        row.take(record, works, doubtful, unix_ms);
        self.doubtful -= u64::from(was_doubtful);
        self.doubtful += u64::from(doubtful);
        self.count(before, Some(record.verdict));
        let is_alive = record.verdict == Verdict::Alive;
        match (before == Some(Verdict::Alive), is_alive) {
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

    /// Takes those whose failure may have been the fault of a target that did not answer: now that
    /// it does, they are to be checked again.
    pub fn take_doubtful(&mut self) -> Vec<u32> {
        if std::mem::take(&mut self.doubtful) == 0 {
            return Vec::new();
        }
        let rows = (0u32..).zip(&mut self.rows);
        let doubtful = rows.filter_map(|(index, row)| {
            let doubtful = &mut row.as_mut()?.doubtful;
            std::mem::take(doubtful).then_some(index)
        });
        doubtful.collect()
    }

    /// Where a candidate stands.
    pub fn standing(&self, index: u32) -> Standing {
        self.row(index).standing()
    }

    /// Its last verdict, if it was ever checked.
    pub fn verdict(&self, index: u32) -> Option<Verdict> {
        self.row(index).verdict
    }

    /// The candidate at `index`.
    pub fn candidate(&self, index: u32) -> &Candidate {
        &self.row(index).candidate
    }

    /// Every index in use, in order.
    pub fn indexes(&self) -> impl Iterator<Item = u32> + '_ {
        (0u32..)
            .zip(&self.rows)
            .filter_map(|(index, row)| row.as_ref().map(|_| index))
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
        if row.candidate.credentials.is_some() {
            let address = self.address_hash(&row.candidate.host, row.candidate.port);
            self.with_credentials.remove(&(address, index));
        }
        self.doubtful -= u64::from(row.doubtful);
        self.alive.remove(&index);
        self.count(row.verdict, None);
        self.free.push(index);
    }

    fn insert(&mut self, row: Row) -> u32 {
        self.count(None, row.verdict);
        let hash = self.hasher.hash_one(&row.candidate);
        let address = row.candidate.credentials.is_some().then(|| {
            let Candidate { host, port, .. } = &row.candidate;
            self.address_hash(host, *port)
        });
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
        self.with_credentials
            .extend(address.map(|hash| (hash, index)));
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
