//! The ledger from and to what a store keeps.

use super::life::{History, Life};
use super::row::{IMPORTED, UNCLAIMED};
use super::{Entry, Ledger};
use proxy_shards::Verdict;

/// What became of an entry that was imported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Imported {
    /// It was unknown, and has this index now.
    Added(u32),
    /// It is known by this index, and what was imported is newer.
    Updated(u32),
    /// It is known, and as new or newer.
    Kept,
}

impl Ledger {
    /// Takes in what was saved about a candidate and returns its index; `None` if it is known
    /// already. No source lists it until one delivers.
    pub fn restore(&mut self, entry: Entry) -> Option<u32> {
        if self.find(&entry.candidate).is_some() {
            return None;
        }
        // What was imported while nobody ran may be on no list, and is checked before it may go.
        let source = match entry.verdict.filter(|v| !v.is_local()) {
            Some(_) => UNCLAIMED,
            None => IMPORTED,
        };
        let index = self.insert(entry.candidate.clone(), source, |_| ());
        self.set_known(index, &entry);
        Some(index)
    }

    /// Takes in what is known elsewhere about a candidate: it is added if it is unknown here, and of
    /// what is known here and there the newer check wins.
    pub fn import(&mut self, entry: &Entry) -> Imported {
        match self.find(&entry.candidate) {
            None => {
                let index = self.insert(entry.candidate.clone(), IMPORTED, |_| ());
                self.set_known(index, entry);
                Imported::Added(index)
            }
            Some(index) if self.checked_at_ms(index) < entry.checked_at_ms => {
                self.set_known(index, entry);
                Imported::Updated(index)
            }
            Some(_) => Imported::Kept,
        }
    }

    /// This is known of the candidate at `index`, instead of what was.
    pub(super) fn set_known(&mut self, index: u32, entry: &Entry) {
        self.last_check_ms = self.last_check_ms.max(entry.checked_at_ms);
        self.told_ms = self.told_ms.max(entry.checked_at_ms);
        let verdict = entry.verdict.filter(|v| !v.is_local());
        let was_alive = entry.alive_at_ms != 0 || verdict == Some(Verdict::Alive);
        let life = was_alive.then(|| {
            let history = History::new(&entry.history);
            self.lives.add(Life::new(entry), history)
        });
        let row = &mut self.rows[index as usize];
        let before = std::mem::replace(&mut row.verdict, verdict);
        let old_life = std::mem::replace(&mut row.life, life);
        self.doubtful -= u64::from(std::mem::take(&mut row.doubtful));
        row.checked_at_ms = entry.checked_at_ms;
        row.failures = entry.failures;
        if let Some(old) = old_life {
            self.lives.remove(old);
        }
        self.count(before, verdict);
        match verdict {
            Some(Verdict::Alive) => self.alive.insert(index),
            _ => self.alive.remove(&index),
        };
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

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(checked_at_ms: u64, verdict: Option<Verdict>) -> Entry {
        let mut entry = Entry::new("socks5://9.9.9.9:80".parse().unwrap());
        entry.checked_at_ms = checked_at_ms;
        entry.verdict = verdict;
        if verdict == Some(Verdict::Alive) {
            entry.alive_at_ms = checked_at_ms;
        }
        entry
    }

    #[test]
    fn the_newer_check_wins_and_all_that_is_counted_follows() {
        let mut ledger = Ledger::new(1);
        let alive = entry(5, Some(Verdict::Alive));
        assert_eq!(ledger.import(&alive), Imported::Added(0));
        assert_eq!(ledger.import(&alive), Imported::Kept, "as new");
        assert_eq!(ledger.import(&entry(4, None)), Imported::Kept, "older");
        assert_eq!((ledger.total_alive(), ledger.lives.len()), (1, 1));
        let dead = entry(6, Some(Verdict::Refused));
        assert_eq!(ledger.import(&dead), Imported::Updated(0));
        assert_eq!((ledger.total_alive(), ledger.total_dead()), (0, 1));
        assert_eq!(ledger.alive().count(), 0);
        assert_eq!((ledger.entry(0), ledger.lives.len()), (dead, 0));
    }

    #[test]
    fn what_is_imported_and_on_no_list_is_checked_before_it_may_be_forgotten() {
        let mut ledger = Ledger::new(0);
        ledger.import(&entry(0, None));
        assert!(!ledger.is_over(0), "there is no list to wait for, and yet");
        assert_eq!(ledger.first_source(0), None);
        let record = proxy_shards::Record {
            attempts: 1,
            ..proxy_shards::Record::unprobed(0, Verdict::Refused)
        };
        let all = proxy_shards::Targets::first(1);
        ledger.apply(0, &record, all, 9);
        assert!(ledger.is_over(0));
    }
}
