//! The ledger from and to what a store keeps.

use super::life::{History, Life, LifeId};
use super::row::{Row, UNCLAIMED};
use super::{Entry, Ledger};
use proxy_shards::Verdict;

impl Ledger {
    /// Takes in what was saved about a candidate and returns its index; `None` if it is known
    /// already. No source lists it until one delivers.
    pub fn restore(&mut self, entry: Entry) -> Option<u32> {
        if self.find(&entry.candidate).is_some() {
            return None;
        }
        self.last_check_ms = self.last_check_ms.max(entry.checked_at_ms);
        let verdict = entry.verdict.filter(|v| !v.is_local());
        let life = self.life_of(&entry, verdict);
        let known = |row: &mut Row| {
            row.checked_at_ms = entry.checked_at_ms;
            row.life = life;
            row.failures = entry.failures;
            row.verdict = verdict;
        };
        let index = self.insert(entry.candidate, UNCLAIMED, known);
        self.count(None, verdict);
        if verdict == Some(Verdict::Alive) {
            self.alive.insert(index);
        }
        Some(index)
    }

    /// Keeps the life of a candidate that was alive once.
    pub(super) fn life_of(&mut self, entry: &Entry, verdict: Option<Verdict>) -> Option<LifeId> {
        let was_alive = entry.alive_at_ms != 0 || verdict == Some(Verdict::Alive);
        was_alive.then(|| {
            let history = History::new(&entry.history);
            self.lives.add(Life::new(entry), history)
        })
    }

    /// What is known of the candidate at `index`.
    pub fn entry(&self, index: u32) -> Entry {
        let row = self.row(index);
        let mut entry = Entry {
            verdict: row.verdict,
            checked_at_ms: row.checked_at_ms,
            failures: row.failures,
            ..Entry::new(self.candidate(index))
        };
        if let Some(life) = self.life(row) {
            entry.alive_at_ms = life.alive_at_ms;
            entry.works = life.works;
            entry.exit = life.exit;
            entry.timing = life.timing;
        }
        if let Some(id) = row.life {
            entry.history = self.lives.history(id).checks().collect();
        }
        entry
    }

    /// Everything that is known, in the order of the indexes.
    pub fn entries(&self) -> impl Iterator<Item = Entry> + '_ {
        self.indexes().map(|index| self.entry(index))
    }
}
