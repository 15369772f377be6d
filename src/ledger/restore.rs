//! The ledger from and to what a store keeps.

use super::row::{Row, UNCLAIMED};
use super::{Entry, Ledger};
use proxy_shards::{Timing, Verdict, Works};

impl Ledger {
    /// Takes in what was saved about a candidate and returns its index; `None` if it is known
    /// already. No source lists it until one delivers.
    pub fn restore(&mut self, entry: Entry) -> Option<u32> {
        if self.find(&entry.candidate).is_some() {
            return None;
        }
        self.last_check_ms = self.last_check_ms.max(entry.checked_at_ms);
        let verdict = entry.verdict.filter(|v| !v.is_local());
        let index = self.insert(Row {
            candidate: entry.candidate,
            checked_at_ms: entry.checked_at_ms,
            alive_at_ms: entry.alive_at_ms,
            latency_us: entry.timing.total_us,
            failures: entry.failures,
            source: UNCLAIMED,
            verdict,
        });
        if verdict == Some(Verdict::Alive) {
            self.alive.insert(index);
        }
        Some(index)
    }

    /// What is known of the candidate at `index`.
    pub fn entry(&self, index: u32) -> Entry {
        let row = self.row(index);
        Entry {
            candidate: row.candidate.clone(),
            verdict: row.verdict,
            works: Works::default(),
            exit: None,
            timing: Timing {
                total_us: row.latency_us,
                ..Timing::default()
            },
            history: Box::default(),
            checked_at_ms: row.checked_at_ms,
            alive_at_ms: row.alive_at_ms,
            failures: row.failures,
        }
    }

    /// Everything that is known, in the order of the indexes.
    pub fn entries(&self) -> Vec<Entry> {
        let mut entries = Vec::with_capacity(self.len());
        entries.extend(self.indexes().map(|index| self.entry(index)));
        entries
    }
}
