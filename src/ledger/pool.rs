//! The alive, as they are published: one row for each protocol that works, none twice.

use super::Ledger;
use super::life::Life;
use super::row::{IMPORTED, Row};
use proxy_shards::{Candidate, Exit, Protocol, Protocols, Scheme, Targets, Works};

/// An alive candidate, as it is published.
#[derive(Clone, Debug)]
pub struct Alive {
    /// Its index.
    pub index: u32,
    /// The candidate.
    pub candidate: Candidate,
    /// A protocol that it speaks; each has its own row.
    pub protocol: Protocol,
    /// The targets that it reached by that.
    pub targets: Targets,
    /// The targets that turn it away, as enough clients said.
    pub banned_at: Targets,
    /// What a judge saw of it.
    pub exit: Option<Exit>,
    /// Microseconds of its last probe that ended alive.
    pub latency_us: u32,
    /// When its last verdict arrived, in milliseconds since the Unix epoch.
    pub checked_at_ms: u64,
    /// The first source that lists it.
    pub source: Option<u16>,
}

/// Alive candidates that are looked up together. They are scattered over the memory, and one after
/// the other each would be waited for.
const BLOCK: usize = 256;

/// One that is alive, looked up.
#[derive(Clone, Copy)]
struct Sight {
    index: u32,
    row: Row,
    life: Option<Life>,
}

impl Ledger {
    /// The alive, ordered by index: an order that does not change while they live. Each has a row
    /// for every protocol by which it works, the usual one of its port first. What one list names
    /// and another leaves open is there once, as the one that names it.
    pub fn alive(&self) -> impl Iterator<Item = Alive> + '_ {
        let mut indexes = self.alive.iter().copied();
        let blocks = std::iter::from_fn(move || {
            let block: Vec<u32> = indexes.by_ref().take(BLOCK).collect();
            (!block.is_empty()).then(|| self.sights(&block))
        });
        blocks.flatten().flat_map(|sight| self.served_as(sight))
    }

    /// The rows of one candidate, as they stand in [`Ledger::alive`]; none if it is not alive.
    pub fn alive_as(&self, index: u32) -> impl Iterator<Item = Alive> + '_ {
        let row = self.rows.get(index as usize).copied();
        let sight = row.map(|row| Sight {
            index,
            row,
            life: self.life(&row).copied(),
        });
        sight.into_iter().flat_map(|sight| self.served_as(sight))
    }

    /// The candidates of the same address and credentials under other schemes: what an alive one is
    /// served as depends on them.
    pub fn beside(&self, index: u32) -> Vec<u32> {
        if !self.row(index).shared {
            return Vec::new();
        }
        let candidate = self.candidate(index);
        let known = self.by_address.iter_hash(self.hash(&candidate)).copied();
        let is_beside = |i: &u32| self.others.is_beside(self.row(*i).candidate, &candidate);
        known.filter(|i| *i != index).filter(is_beside).collect()
    }

    fn sights(&self, indexes: &[u32]) -> Vec<Sight> {
        let look = |&index: &u32| Sight {
            index,
            row: *self.row(index),
            life: None,
        };
        let mut sights: Vec<Sight> = indexes.iter().map(look).collect();
        for sight in &mut sights {
            sight.life = self.life(&sight.row).copied();
        }
        sights
    }

    /// The rows of one that is alive.
    fn served_as(&self, sight: Sight) -> impl Iterator<Item = Alive> + '_ {
        let Sight { row, life, .. } = sight;
        let works = life.map_or(Works::default(), |life| life.works);
        let candidate = self.others.candidate(row.candidate);
        let named = match row.shared {
            true => self.served_by_name(&candidate),
            false => Protocols::NONE,
        };
        let protocols = self.served(&row, life.as_ref()).in_order(candidate.port);
        let banned_at = self.banned_at(sight.index);
        let once = protocols.filter(move |&protocol| !named.contains(protocol));
        once.map(move |protocol| Alive {
            index: sight.index,
            candidate: candidate.clone(),
            protocol,
            targets: works.by(protocol),
            banned_at,
            exit: life.and_then(|life| life.exit),
            latency_us: life.map_or(0, |life| life.timing.total_us),
            checked_at_ms: row.checked_at_ms,
            source: (row.source < IMPORTED).then_some(row.source),
        })
    }

    /// The protocols by which an alive candidate reached enough targets when it was last checked;
    /// none of another.
    pub fn working(&self, index: u32) -> Protocols {
        let row = self.row(index);
        self.working_of(row, self.life(row))
    }

    fn working_of(&self, row: &Row, life: Option<&Life>) -> Protocols {
        let works = life.map_or(Works::default(), |life| life.works);
        match row.is_alive() {
            true => works.enough(self.goal.require, self.goal.count),
            false => Protocols::NONE,
        }
    }

    /// The protocols under which an alive candidate is served. One that has not reached enough of the
    /// targets that there are now, because others were required, is served under those by which it
    /// reached the others until it is checked, which is at once; one whose protocols are not known
    /// at all under the most likely of its scheme.
    fn served(&self, row: &Row, life: Option<&Life>) -> Protocols {
        let working = self.working_of(row, life);
        if !working.is_empty() || !row.is_alive() {
            return working;
        }
        if let Some(life) = life.filter(|life| !life.spoke.is_empty()) {
            return life.spoke;
        }
        let candidate = self.others.candidate(row.candidate);
        let named = candidate.scheme.protocols();
        let likely = named.in_order(candidate.port).next();
        likely.map_or(named, Protocols::only)
    }

    /// The protocols by which the same proxy is served as a candidate whose list says more about it.
    fn served_by_name(&self, candidate: &Candidate) -> Protocols {
        let is_by_name = |&protocol: &Protocol| {
            let by_name = Scheme::from(protocol);
            let better: &[Scheme] = match (candidate.scheme, protocol) {
                (Scheme::Auto, Protocol::Http) => &[Scheme::Http, Scheme::Https],
                (Scheme::Auto, _) | (Scheme::Https, Protocol::Http) => &[by_name],
                _ => &[],
            };
            better.iter().any(|&scheme| {
                let index = self.find(&Candidate {
                    scheme,
                    ..candidate.clone()
                });
                index.is_some_and(|index| {
                    let row = self.row(index);
                    self.served(row, self.life(row)).contains(protocol)
                })
            })
        };
        Protocol::ALL.into_iter().filter(is_by_name).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proxy_shards::{Record, Verdict};

    /// A ledger of these candidates, each alive by these protocols.
    fn served(alive: &[(&str, &[Protocol])]) -> Vec<String> {
        let mut ledger = Ledger::new(1);
        for (text, protocols) in alive {
            let index = ledger.admit(text.parse().unwrap(), 0).unwrap();
            let mut works = Works::default();
            protocols
                .iter()
                .for_each(|&p| works.set(p, Targets::first(1)));
            let record = Record {
                works,
                first: protocols.first().copied(),
                ..Record::unprobed(0, Verdict::Alive)
            };
            ledger.apply(index, &record, Targets::first(1), 1);
        }
        let url = |alive: Alive| alive.candidate.url_by(alive.protocol).to_string();
        ledger.alive().map(url).collect()
    }

    #[test]
    fn a_proxy_is_served_under_every_protocol_that_works() {
        use Protocol::{Http, Socks4, Socks5};
        let all = served(&[("auto://9.9.9.9:1080", &[Http, Socks4, Socks5])]);
        let urls = ["socks5", "http", "socks4"].map(|p| format!("{p}://9.9.9.9:1080"));
        assert_eq!(all, urls);
    }

    #[test]
    fn what_two_lists_call_by_different_schemes_is_served_once() {
        use Protocol::{Http, Https, Socks5};
        let all = served(&[
            ("auto://9.9.9.9:80", &[Http, Https, Socks5]),
            ("https://9.9.9.9:80", &[Http, Https]),
            ("http://9.9.9.9:80", &[Http]),
            ("auto://u:p@9.9.9.9:80", &[Http]),
        ]);
        let urls = [
            "socks5://9.9.9.9:80",
            "https://9.9.9.9:80",
            "http://9.9.9.9:80",
            "http://u:p@9.9.9.9:80",
        ];
        assert_eq!(all, urls);
    }

    #[test]
    fn a_candidate_of_which_no_protocol_is_known_is_served_under_the_likely_one() {
        assert_eq!(
            served(&[("https://9.9.9.9:8080", &[])]),
            ["http://9.9.9.9:8080"]
        );
        assert_eq!(
            served(&[("auto://9.9.9.9:1080", &[])]),
            ["socks5://9.9.9.9:1080"]
        );
    }
}
