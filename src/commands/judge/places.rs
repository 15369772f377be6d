//! Who may be connected: when there are too many, of one origin or of all, the oldest gives way. Pure.
//!
//! An honest client is done within a moment, so the oldest connection is the one that is least
//! likely to be honest: thousands that send nothing cannot keep out one that asks.

use crate::origin::Origin;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// The connections that are open; `H` is what ends one.
#[derive(Debug)]
pub(super) struct Places<H> {
    all_max: usize,
    per_origin_max: usize,
    /// Numbers grow with time: the first is the oldest.
    next: u64,
    open: BTreeMap<u64, (Option<Origin>, H)>,
    by_origin: HashMap<Origin, BTreeSet<u64>>,
}

impl<H> Places<H> {
    /// At most so many connections of all together and of one origin, each at least 1.
    pub(super) fn new(all_max: usize, per_origin_max: usize) -> Places<H> {
        Places {
            all_max: all_max.max(1),
            per_origin_max: per_origin_max.max(1),
            next: 0,
            open: BTreeMap::new(),
            by_origin: HashMap::new(),
        }
    }

    /// Who has to give way, and did, before one more of `origin` comes in.
    pub(super) fn make_room(&mut self, origin: Option<Origin>) -> Option<H> {
        let of_origin = origin.and_then(|origin| self.by_origin.get(&origin));
        let oldest = match of_origin {
            Some(places) if places.len() >= self.per_origin_max => places.first().copied(),
            _ => None,
        };
        match oldest {
            Some(place) => self.leave(place),
            None if self.open.len() >= self.all_max => self.oldest(),
            None => None,
        }
    }

    /// The number of the connection that comes in next.
    pub(super) fn next(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// Takes the connection `place` in, which `handle` ends; without an origin it counts only
    /// against the bound of all.
    pub(super) fn enter(&mut self, place: u64, origin: Option<Origin>, handle: H) {
        self.open.insert(place, (origin, handle));
        if let Some(origin) = origin {
            self.by_origin.entry(origin).or_default().insert(place);
        }
    }

    /// The connection `place` has ended or is to end; nothing if it is known already.
    pub(super) fn leave(&mut self, place: u64) -> Option<H> {
        let (origin, handle) = self.open.remove(&place)?;
        if let Some(origin) = origin
            && let Some(places) = self.by_origin.get_mut(&origin)
        {
            places.remove(&place);
            if places.is_empty() {
                self.by_origin.remove(&origin);
            }
        }
        Some(handle)
    }

    /// The oldest of all, which is to end.
    pub(super) fn oldest(&mut self) -> Option<H> {
        let (&place, _) = self.open.first_key_value()?;
        self.leave(place)
    }

    /// How many are open.
    pub(super) fn len(&self) -> usize {
        self.open.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    fn origin(last: u8) -> Option<Origin> {
        Some(Origin::of(Ipv4Addr::new(192, 0, 2, last).into()))
    }

    /// One more of `origin`, and who gave way to it.
    fn come(places: &mut Places<u64>, origin: Option<Origin>) -> Option<u64> {
        let gone = places.make_room(origin);
        let place = places.next();
        places.enter(place, origin, place);
        gone
    }

    #[test]
    fn the_oldest_of_an_origin_gives_way_to_its_next() {
        let mut places = Places::new(10, 2);
        let gone: Vec<_> = [1, 2, 1, 1, 1, 2]
            .map(|last| come(&mut places, origin(last)))
            .into();
        assert_eq!(gone, [None, None, None, Some(1), Some(3), None]);
        assert_eq!(places.len(), 4);
    }

    #[test]
    fn the_oldest_of_all_gives_way_when_every_place_is_taken() {
        let mut places = Places::new(3, 2);
        for last in 1..=3 {
            assert_eq!(come(&mut places, origin(last)), None);
        }
        assert_eq!(come(&mut places, origin(4)), Some(1));
        assert_eq!(places.leave(2), Some(2));
        assert_eq!(places.leave(2), None, "known already");
        assert_eq!(come(&mut places, origin(5)), None);
        assert_eq!(come(&mut places, origin(6)), Some(3));
    }

    #[test]
    fn a_trusted_proxy_counts_against_the_bound_of_all_only() {
        let mut places = Places::new(4, 1);
        let gone: Vec<_> = (0..5).map(|_| come(&mut places, None)).collect();
        assert_eq!(gone, [None, None, None, None, Some(1)]);
    }

    #[test]
    fn nothing_is_kept_of_those_that_left() {
        let mut places = Places::new(8, 3);
        for number in 0..10_000u64 {
            come(&mut places, origin((number % 200) as u8));
            places.leave(number / 2);
            assert!(places.len() <= 8);
        }
        while places.oldest().is_some() {}
        assert!(places.by_origin.is_empty() && places.open.is_empty());
    }
}
