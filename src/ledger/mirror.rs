//! The ledger of another node, followed entry by entry.

use super::row::{UNCLAIMED, UNLISTED};
use super::{Change, Entry, Ledger};
use proxy_shards::Candidate;

impl Ledger {
    /// What another node knows of a candidate replaces what is known here; `source`: the first that
    /// lists it. Gives its index, and what that changed.
    pub fn mirror(&mut self, entry: Entry, source: Option<u16>) -> (u32, Change) {
        let index = match self.find(&entry.candidate) {
            Some(index) => index,
            None => self.insert(entry.candidate.clone(), UNCLAIMED, |_| ()),
        };
        let was_alive = self.row(index).is_alive();
        self.set_known(index, &entry);
        self.row_mut(index).source = source.unwrap_or(UNCLAIMED).min(UNCLAIMED);
        let change = match (was_alive, self.row(index).is_alive()) {
            (false, true) => Change::Found,
            (true, true) => Change::Confirmed,
            (true, false) => Change::Lost,
            (false, false) => Change::Failed,
        };
        (index, change)
    }

    /// Another node has forgotten the candidate; whether it was alive here.
    pub fn forget_mirrored(&mut self, candidate: &Candidate) -> bool {
        let Some(index) = self.find(candidate) else {
            return false;
        };
        let row = self.row_mut(index);
        row.source = UNLISTED;
        let was_alive = row.is_alive();
        self.forget(index);
        was_alive
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proxy_shards::{Protocol, Record, Scheme, Targets, Verdict, Works};

    /// All that readers and stores see of a ledger, whatever its indexes are.
    fn told(ledger: &Ledger) -> String {
        let mut entries: Vec<String> = ledger.entries().map(|entry| format!("{entry:?}")).collect();
        let mut alive: Vec<String> = ledger
            .alive()
            .map(|alive| format!("{:?}", crate::ledger::Alive { index: 0, ..alive }))
            .collect();
        entries.sort();
        alive.sort();
        format!("{entries:#?} {alive:#?} {:?}", ledger.verdicts())
    }

    #[test]
    fn a_ledger_that_follows_another_becomes_the_same_one() {
        let seed = fastrand::u64(..);
        eprintln!("seed {seed}"); // shown if the test fails
        let mut random = fastrand::Rng::with_seed(seed);
        let (mut leader, mut follower) = (Ledger::new(1), Ledger::new(0));
        let mut alive = 0;
        for round in 1..4_000u64 {
            let scheme = random.choice(Scheme::ALL).unwrap().label();
            let user = random.choice(["", "u:p@"]).unwrap();
            let candidate = format!("{scheme}://{user}9.9.9.{}:80", random.u8(1..9));
            let candidate: Candidate = candidate.parse().unwrap();
            let index = leader
                .admit(candidate.clone(), 0)
                .unwrap_or_else(|known| known);
            let mut record = Record::unprobed(0, Verdict::Refused);
            if random.bool() {
                let mut works = Works::default();
                works.set(Protocol::Socks5, Targets::first(1));
                record = Record {
                    works,
                    ..Record::unprobed(0, Verdict::Alive)
                };
            }
            leader.apply(index, &record, Targets::first(1), round * 1_000);
            follower.mirror(leader.entry(index), leader.first_source(index));
            if random.u8(..10) == 0 {
                leader.set_list(0, leader.indexes().collect());
                leader.set_list(0, leader.indexes().filter(|&i| i != index).collect());
                leader.forget(index);
                follower.forget_mirrored(&candidate);
            }
            alive += leader.total_alive();
            if round % 50 == 0 {
                assert_eq!(told(&follower), told(&leader), "round {round}");
            }
        }
        assert!(alive > 10_000, "{alive}");
        assert!(!follower.forget_mirrored(&"http://1.1.1.1:1".parse().unwrap()));
    }
}
