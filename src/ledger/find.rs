//! Where a candidate is in the ledger, by what it is or by its address alone.

use super::Ledger;
use crate::candidates;
use proxy_shards::{Candidate, Host, Scheme};
use std::hash::{BuildHasher, Hasher};

/// Most candidates of one address that a question is answered with, and a report is about: a gateway
/// may have one for each user.
pub const ANSWERS_MAX: usize = 100;

impl Ledger {
    /// The index of a candidate that is known.
    pub fn find(&self, candidate: &Candidate) -> Option<u32> {
        let same = |&i: &u32| self.others.is(self.row(i).candidate, candidate);
        self.by_address.find(self.hash(candidate), same).copied()
    }

    /// The candidates at an address, whatever their scheme and credentials; those without
    /// credentials first, at most [`ANSWERS_MAX`].
    pub fn find_at(&self, host: &Host, port: u16) -> Vec<u32> {
        let plain = self.plain_at(host, port);
        let others = self.with_credentials_at(host, port);
        plain.chain(others).take(ANSWERS_MAX).collect()
    }

    /// How many candidates there are at an address.
    pub fn count_at(&self, host: &Host, port: u16) -> usize {
        self.plain_at(host, port).count() + self.with_credentials_at(host, port).count()
    }

    fn plain_at(&self, host: &Host, port: u16) -> impl Iterator<Item = u32> {
        Scheme::ALL.into_iter().filter_map(move |scheme| {
            self.find(&Candidate {
                scheme,
                host: host.clone(),
                port,
                credentials: None,
            })
        })
    }

    fn with_credentials_at(&self, host: &Host, port: u16) -> impl Iterator<Item = u32> {
        let hash = self.address_hash(host, port);
        let others = self.with_credentials.range((hash, 0)..=(hash, u32::MAX));
        others.map(|&(_, index)| index).filter(move |&index| {
            let candidate = self.candidate(index);
            candidate.host == *host && candidate.port == port
        })
    }

    /// Of what a candidate is but for its scheme.
    pub(super) fn hash(&self, candidate: &Candidate) -> u64 {
        let mut hasher = self.keys.build_hasher();
        candidates::hash(candidate, &mut hasher);
        hasher.finish()
    }

    pub(super) fn address_hash(&self, host: &Host, port: u16) -> u64 {
        self.keys.hash_one((host, port))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_candidate_is_found_by_its_address_alone_while_it_is_known() {
        let mut ledger = Ledger::new(1);
        let texts = [
            "socks5://9.9.9.9:80",
            "http://u:p@9.9.9.9:80",
            "auto://9.9.9.9:80",
            "http://v:p@9.9.9.9:80",
            "http://9.9.9.9:81",
            "http://u:p@9.9.9.8:80",
        ];
        let admit = |text: &&str| ledger.admit(text.parse().unwrap(), 0).unwrap();
        assert!(texts.iter().map(admit).eq(0..6));
        let host: Host = "9.9.9.9".parse().unwrap();
        assert_eq!(ledger.find_at(&host, 80), [2, 0, 1, 3]);
        assert!(ledger.find_at(&host, 82).is_empty());
        ledger.set_list(0, vec![0, 1, 3, 4, 5]);
        ledger.set_list(0, vec![0, 4, 5]);
        for index in [1, 3] {
            ledger.forget(index);
        }
        assert_eq!(ledger.find_at(&host, 80), [2, 0]);
        assert_eq!(ledger.with_credentials.len(), 1);
    }

    #[test]
    fn an_answer_is_bounded() {
        let mut ledger = Ledger::new(1);
        for n in 0..250 {
            let text = format!("http://u{n}:p@9.9.9.9:80");
            ledger.admit(text.parse().unwrap(), 0).unwrap();
        }
        let host: Host = "9.9.9.9".parse().unwrap();
        assert_eq!(ledger.find_at(&host, 80).len(), 100);
        assert_eq!(ledger.count_at(&host, 80), 250);
        assert_eq!(ledger.count_at(&host, 81), 0);
    }
}
