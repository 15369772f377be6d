//! What is known of every candidate: pure, verdicts in → state.

mod entry;
mod feedback;
mod judge;
mod life;
mod row;

mod find;
mod lists;
mod mirror;
mod pool;
mod restore;
mod setback;
mod targets;

pub use entry::{Check, Entry, Facts, HISTORY_MAX};
pub use feedback::{CLIENTS_MAX, Experience, FEEDBACK_MS, Voices, Word};
pub use find::ANSWERS_MAX;
pub use pool::Alive;
pub use restore::Imported;
pub use row::{QUICK_RECHECKS, SOURCES_MAX, Standing};
pub(crate) use targets::{moved, renumbered};

use crate::candidates::Others;
use feedback::Feedback;
use hashbrown::{DefaultHashBuilder, HashTable};
use judge::{Goal, Judged, judge};
use life::{Life, Lives};
use lists::Lists;
use proxy_shards::{Candidate, Record, Targets, Verdict, Works};
use row::{IMPORTED, Row, UNCLAIMED, UNLISTED};
use slab::Slab;
use std::collections::BTreeSet;
use std::hash::{BuildHasher, Hasher};

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
    rows: Slab<Row>,
    /// What the rows of candidates that are not usual stand for.
    others: Others,
    lives: Lives,
    /// By all that a candidate is but its scheme, so that the schemes of one address meet.
    by_address: HashTable<u32>,
    /// Those with credentials, by the hash of their address.
    with_credentials: BTreeSet<(u64, u32)>,
    /// Seeded at random: who writes a list cannot choose candidates that collide.
    keys: DefaultHashBuilder,
    alive: BTreeSet<u32>,
    /// Failures that may be the fault of a target that did not answer.
    doubtful: u64,
    targets: Vec<Box<str>>,
    goal: Goal,
    verdicts: [u64; Verdict::COUNT],
    last_check_ms: u64,
    lists: Lists,
    /// Sources have not answered yet, well or ill: what they list is not known.
    lists_come: bool,
    feedback: Feedback,
    /// Clients that must say the same.
    quorum: u8,
    /// What the words of clients are as old by, in milliseconds: a clock that nobody sets.
    clock_ms: u64,
}

impl Ledger {
    /// Nothing is known, and `sources` will deliver lists.
    pub fn new(sources: usize) -> Ledger {
        Ledger {
            lists: Lists::new(sources),
            ..Ledger::default()
        }
    }

    /// A list of so many candidates is going to be taken in: there is room for them at once, so that no
    /// smaller piece of memory is outgrown and left behind. Those that are known are not counted on.
    pub fn expect(&mut self, candidates: usize) {
        let new = candidates.saturating_sub(self.rows.len());
        self.rows.reserve(new);
        let (rows, others, keys) = (&self.rows, &self.others, &self.keys);
        self.by_address
            .reserve(new, |&i| hash_of(rows, others, keys, i));
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
            None => Ok(self.insert(candidate, source, |_| ())),
        }
    }

    /// Applies how a job for `index` ended, at `unix_ms`; only the targets in `trusted` answered all
    /// the while. What is this host's fault, or may be that of another target only, changes nothing.
    pub fn apply(&mut self, index: u32, record: &Record, trusted: Targets, unix_ms: u64) -> Change {
        let known = match self.row(index).is_alive() {
            true => self.works(self.row(index)),
            false => Works::default(),
        };
        let (works, doubtful) = match judge(known, record, trusted, self.goal) {
            Judged::Nothing => return Change::Local,
            Judged::Counts { works, doubtful } => (works, doubtful),
        };
        self.last_check_ms = unix_ms;
        let row = &mut self.rows[index as usize];
        let before = row.verdict;
        let was_doubtful = row.doubtful;
        row.take(&mut self.lives, record, works, doubtful, unix_ms);
        if row.source == IMPORTED {
            row.source = UNCLAIMED;
        }
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

    /// What makes the candidate alive was learnt where nobody may go any more: it counts as never
    /// checked. Whether it was alive; of another nothing changes.
    pub fn withdraw(&mut self, index: u32) -> bool {
        let was_alive = self.alive.remove(&index);
        if was_alive {
            self.row_mut(index).verdict = None;
            self.count(Some(Verdict::Alive), None);
        }
        was_alive
    }

    /// Takes those whose failure may have been the fault of a target that did not answer: now that
    /// it does, they are to be checked again.
    pub fn take_doubtful(&mut self) -> Vec<u32> {
        if std::mem::take(&mut self.doubtful) == 0 {
            return Vec::new();
        }
        let rows = self.rows.iter_mut();
        let doubtful = rows.filter_map(|(index, row)| {
            let doubtful = std::mem::take(&mut row.doubtful);
            doubtful.then_some(index as u32)
        });
        doubtful.collect()
    }

    /// Where a candidate stands.
    pub fn standing(&self, index: u32) -> Standing {
        let row = self.row(index);
        row.standing(self.life(row))
    }

    /// Its last verdict, if it was ever checked.
    pub fn verdict(&self, index: u32) -> Option<Verdict> {
        self.row(index).verdict
    }

    /// When the last verdict on it arrived, in milliseconds since the Unix epoch; 0: never.
    pub fn checked_at_ms(&self, index: u32) -> u64 {
        self.row(index).checked_at_ms
    }

    /// The candidate at `index`.
    pub fn candidate(&self, index: u32) -> Candidate {
        self.others.candidate(self.row(index).candidate)
    }

    /// Every index in use, in order.
    pub fn indexes(&self) -> impl Iterator<Item = u32> + '_ {
        self.rows.iter().map(|(index, _)| index as u32)
    }

    /// Whether any candidate has this index.
    pub fn is_known(&self, index: u32) -> bool {
        self.rows.contains(index as usize)
    }

    /// The first source that lists the candidate, if one does.
    pub fn first_source(&self, index: u32) -> Option<u16> {
        let source = self.row(index).source;
        (source < IMPORTED).then_some(source)
    }

    /// The alive, by their indexes.
    pub fn alive_indexes(&self) -> impl Iterator<Item = u32> + '_ {
        self.alive.iter().copied()
    }

    /// Number of candidates known.
    pub fn len(&self) -> usize {
        self.rows.len()
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
    /// was restored may still be listed by a source that has not delivered yet, and is given time;
    /// one that was imported is checked first.
    pub fn is_over(&self, index: u32) -> bool {
        let row = self.row(index);
        let unwanted = match row.source {
            UNLISTED => true,
            UNCLAIMED => {
                let is_hopeless = row.failures >= UNCLAIMED_FAILURES_MAX && !self.lists_come;
                self.lists.all_known() || is_hopeless
            }
            _ => false,
        };
        unwanted && !row.is_alive()
    }

    /// Whether sources are still to answer. Until they have, no restored candidate is given up: what
    /// has failed long would lose its back-off at every start, only because its list came second.
    pub fn expect_lists(&mut self, lists_come: bool) {
        self.lists_come = lists_come;
    }

    /// Forgets a candidate that no source lists; one that is listed stays. The caller sees to it
    /// that no job for it is out.
    pub fn forget(&mut self, index: u32) {
        if self.row(index).source < IMPORTED {
            return;
        }
        let row = self.rows.remove(index as usize);
        let candidate = self.others.take(row.candidate);
        let hash = self.hash(&candidate);
        if let Ok(entry) = self.by_address.find_entry(hash, |&i| i == index) {
            entry.remove();
        }
        if candidate.credentials.is_some() {
            let address = self.address_hash(&candidate.host, candidate.port);
            self.with_credentials.remove(&(address, index));
        }
        self.feedback.forget(index);
        if let Some(life) = row.life {
            self.lives.remove(life);
        }
        self.doubtful -= u64::from(row.doubtful);
        self.alive.remove(&index);
        self.count(row.verdict, None);
    }

    /// Gives a new candidate its row, with what `known` sets in it.
    fn insert(&mut self, candidate: Candidate, source: u16, known: impl FnOnce(&mut Row)) -> u32 {
        let hash = self.hash(&candidate);
        let address = candidate.credentials.is_some();
        let address = address.then(|| self.address_hash(&candidate.host, candidate.port));
        let mut shared = false;
        for &beside in self.by_address.iter_hash(hash) {
            let row = &mut self.rows[beside as usize];
            if self.others.is_beside(row.candidate, &candidate) {
                (row.shared, shared) = (true, true);
            }
        }
        let mut row = Row::new(self.others.shorten(candidate), source);
        row.shared = shared;
        known(&mut row);
        let index = self.rows.insert(row) as u32;
        let (rows, others, keys) = (&self.rows, &self.others, &self.keys);
        self.by_address
            .insert_unique(hash, index, |&i| hash_of(rows, others, keys, i));
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
        &self.rows[index as usize]
    }

    fn row_mut(&mut self, index: u32) -> &mut Row {
        &mut self.rows[index as usize]
    }

    fn life(&self, row: &Row) -> Option<&Life> {
        row.life.map(|id| self.lives.get(id))
    }

    /// What it reached when it was last checked; nothing, if it never was alive.
    fn works(&self, row: &Row) -> Works {
        self.life(row).map_or(Works::default(), |life| life.works)
    }
}

/// What [`Ledger::hash`] gives for the candidate at `index`.
fn hash_of(rows: &Slab<Row>, others: &Others, keys: &DefaultHashBuilder, index: u32) -> u64 {
    let mut hasher = keys.build_hasher();
    others.hash(rows[index as usize].candidate, &mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod model;
#[cfg(test)]
mod tests;
