//! A set of candidates without copies of the keys: they stand once, in order, and the index holds
//! only their numbers.

use crate::candidates::{self, Candidates};
use hashbrown::{DefaultHashBuilder, HashTable};
use proxy_shards::Candidate;
use std::hash::{BuildHasher, Hasher};

/// A set of candidates in the order of their arrival. Two are the same if protocol, host, port and
/// credentials are. The hashes are seeded at random for each set (foldhash), so whoever writes a list, and never
/// sees a hash, cannot choose candidates that collide.
#[derive(Clone, Debug, Default)]
pub struct Unique {
    candidates: Candidates,
    index: HashTable<u32>,
    keys: DefaultHashBuilder,
}

impl Unique {
    /// An empty set.
    pub fn new() -> Unique {
        Unique::default()
    }

    /// Adds a candidate; `Ok` is its number, `Err` the number of the same one that was here before.
    ///
    /// # Panics
    /// With 2³² candidates, which are 50 GB.
    pub fn insert(&mut self, candidate: Candidate) -> Result<u32, u32> {
        if let Some(number) = self.find(&candidate) {
            return Err(number);
        }
        let Unique {
            candidates,
            index,
            keys,
        } = self;
        let number = u32::try_from(candidates.len()).expect("fewer than 2^32 candidates");
        let hash = hash(keys, &candidate);
        candidates.push(candidate);
        index.insert_unique(hash, number, |&n| hash_of(keys, candidates, n));
        Ok(number)
    }

    /// The number of `candidate`, if it is here.
    pub fn find(&self, candidate: &Candidate) -> Option<u32> {
        let hash = hash(&self.keys, candidate);
        let same = |&n: &u32| self.candidates.is(n, candidate);
        self.index.find(hash, same).copied()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.candidates.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.candidates.is_empty()
    }

    /// All of them; the number is the place.
    pub fn candidates(&self) -> &Candidates {
        &self.candidates
    }

    /// All of them, without the index.
    pub fn into_candidates(self) -> Candidates {
        self.candidates
    }
}

fn hash_of(keys: &DefaultHashBuilder, candidates: &Candidates, number: u32) -> u64 {
    let mut hasher = keys.build_hasher();
    candidates.hash(number, &mut hasher);
    hasher.finish()
}

fn hash(keys: &DefaultHashBuilder, candidate: &Candidate) -> u64 {
    let mut hasher = keys.build_hasher();
    candidates::hash(candidate, &mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proxy_shards::Host;

    fn candidate(text: &str) -> Candidate {
        text.parse().unwrap_or_else(|e| panic!("{text}: {e}"))
    }

    #[test]
    fn the_same_candidate_is_kept_once_and_found_again() {
        let mut unique = Unique::new();
        let texts = [
            "http://1.2.3.4:80",
            "socks4://1.2.3.4:80",
            "http://1.2.3.4:81",
            "http://1.2.3.5:80",
            "http://u:p@1.2.3.4:80",
            "http://u:q@1.2.3.4:80",
            "http://[2606:4700::1]:80",
            "http://proxy.example.com:80",
        ];
        for (number, text) in (0..).zip(texts) {
            assert_eq!(unique.insert(candidate(text)), Ok(number), "{text}");
        }
        for (number, text) in (0..).zip(texts) {
            assert_eq!(unique.insert(candidate(text)), Err(number), "{text}");
            assert_eq!(unique.find(&candidate(text)), Some(number), "{text}");
        }
        assert_eq!(unique.find(&candidate("http://9.9.9.9:80")), None);
        assert_eq!(unique.len(), texts.len());
        assert_eq!(unique.candidates().get(4), Some(candidate(texts[4])));
    }

    #[test]
    fn two_sets_hash_differently() {
        let one = candidate("http://1.2.3.4:80");
        let hashes: Vec<u64> = (0..4)
            .map(|_| hash(&DefaultHashBuilder::default(), &one))
            .collect();
        assert!(hashes.iter().any(|h| *h != hashes[0]), "{hashes:?}");
    }

    #[test]
    fn a_hundred_thousand_candidates_keep_their_numbers_through_growth() {
        let numbered = |n: u32| Candidate {
            scheme: proxy_shards::Scheme::Http,
            host: Host::V4(n.into()),
            port: 80,
            credentials: None,
        };
        let mut unique = Unique::new();
        for n in 0..100_000 {
            assert_eq!(unique.insert(numbered(n)), Ok(n));
        }
        for n in (0..100_000).step_by(97) {
            assert_eq!(unique.insert(numbered(n)), Err(n));
        }
    }
}
