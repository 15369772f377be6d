//! The clock of the host was set back: nothing that is known was learnt in a time to come.

use super::Ledger;

impl Ledger {
    /// Brings every moment that is later than `unix_ms` back to it, so that no age is negative, and
    /// none stays wrong until the host's clock is where it was. What was checked before `since_ms` is
    /// still older than what was checked after it.
    pub fn set_back(&mut self, unix_ms: u64, since_ms: u64) {
        // 0 says that it never was.
        let (now_ms, before_ms) = (unix_ms.max(2), unix_ms.max(2) - 1);
        let moved = |at_ms: u64| match at_ms {
            _ if at_ms <= now_ms => at_ms,
            _ if at_ms < since_ms => before_ms,
            _ => now_ms,
        };
        for (_, row) in &mut self.rows {
            row.checked_at_ms = moved(row.checked_at_ms);
        }
        for life in self.lives.iter_mut() {
            life.alive_at_ms = moved(life.alive_at_ms);
        }
        self.last_check_ms = moved(self.last_check_ms);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::Entry;
    use proxy_shards::Verdict;

    #[test]
    fn nothing_is_of_a_time_to_come_and_what_came_first_is_older_still() {
        let mut ledger = Ledger::new(1);
        for (n, checked_at_ms) in [0, 400, 1_000, 5_000, 9_000].into_iter().enumerate() {
            let mut entry = Entry::new(format!("http://9.9.9.{}:80", n + 1).parse().unwrap());
            entry.verdict = (checked_at_ms > 0).then_some(Verdict::Alive);
            (entry.checked_at_ms, entry.alive_at_ms) = (checked_at_ms, checked_at_ms);
            ledger.restore(entry);
        }
        ledger.set_back(1_000, 6_000);
        let checked: Vec<u64> = ledger.entries().map(|entry| entry.checked_at_ms).collect();
        assert_eq!(checked, [0, 400, 1_000, 999, 1_000]);
        let alive: Vec<u64> = ledger.entries().map(|entry| entry.alive_at_ms).collect();
        assert_eq!(alive, checked);
        assert_eq!(ledger.last_check_ms(), 1_000);
    }

    #[test]
    fn what_was_checked_stays_checked_though_the_clock_says_1970() {
        let mut ledger = Ledger::new(1);
        let mut entry = Entry::new("http://9.9.9.9:80".parse().unwrap());
        (entry.verdict, entry.checked_at_ms) = (Some(Verdict::Alive), 9_000);
        ledger.restore(entry);
        ledger.set_back(0, 9_000);
        assert_eq!(ledger.checked_at_ms(0), 2);
    }
}
