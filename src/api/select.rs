//! Which proxies a request gets: filters first, then how many of what is left. Pure.

mod fitting;

use super::query;
use super::refusal::Refusal;
use crate::snapshot::{Proxy, Snapshot, Stat};
use proxy_shards::{Anonymity, Protocol};
use std::borrow::Cow;
use std::collections::HashMap;
use std::num::NonZeroU64;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

/// What a proxy must be to be handed out.
#[derive(Debug)]
pub(super) struct Filter<'q> {
    protocol: Option<Protocol>,
    latency_ms_max: Option<u64>,
    age_max: Option<Duration>,
    anonymity: Option<Anonymity>,
    source: Option<Cow<'q, str>>,
    target: Option<Cow<'q, str>>,
}

impl<'q> Filter<'q> {
    /// Reads the filters of a query.
    pub(super) fn read(query: Option<&'q str>) -> Result<Filter<'q>, Refusal> {
        let protocol = query::value(query, "protocol")
            .map(|text| protocol(&text).ok_or(Refusal::Protocol))
            .transpose()?;
        let number = |name: &'static str| {
            query::value(query, name)
                .map(|text| query::at_least_one(&text).ok_or(Refusal::Filter(name)))
                .transpose()
        };
        Ok(Filter {
            protocol,
            latency_ms_max: number("max_latency_ms")?,
            age_max: number("max_age")?.map(Duration::from_secs),
            anonymity: query::value(query, "anonymity")
                .map(|text| Anonymity::from_label(&text).ok_or(Refusal::Anonymity))
                .transpose()?,
            source: query::value(query, "source"),
            target: query::value(query, "target"),
        })
    }

    /// The protocol that is wanted.
    pub(super) fn protocol(&self) -> Option<Protocol> {
        self.protocol
    }

    /// What passes the filters, never nothing. Without a filter, and with only a protocol, nothing
    /// is looked through.
    pub(super) fn apply<'s>(
        &self,
        snapshot: &'s Snapshot,
        now: SystemTime,
    ) -> Result<Matches<'s>, Refusal> {
        let sources = &snapshot.stat.sources;
        let is_wanted = |wanted: &str| sources.iter().any(|source| *source.url == *wanted);
        if self.source.as_deref().is_some_and(|url| !is_wanted(url)) {
            return Err(Refusal::Source);
        }
        let target = self.place(&snapshot.stat)?;
        let proxies = snapshot.pool.proxies();
        let chosen = self.protocol.map(|protocol| snapshot.pool.of(protocol));
        if let (Some(protocol), Some([])) = (self.protocol, chosen) {
            return Err(Refusal::NothingAliveOf(protocol));
        }
        let indexes = match (self.looks_closer(), chosen) {
            (false, None) => None,
            (false, Some(indexes)) => Some(Cow::Borrowed(indexes)),
            (true, _) => {
                let passes = |&index: &u32| {
                    let proxy = &proxies[index as usize];
                    target.is_none_or(|place| proxy.targets.contains(place))
                        && self.passes(proxy, snapshot, now)
                };
                let all = 0..u32::try_from(proxies.len()).unwrap_or(u32::MAX);
                Some(Cow::Owned(match chosen {
                    Some(indexes) => indexes.iter().copied().filter(passes).collect(),
                    None => all.filter(passes).collect(),
                }))
            }
        };
        let matches = Matches {
            proxies,
            indexes,
            with_banned: None,
        };
        let matches = matches.welcome_at(target);
        if matches.len() > 0 {
            return Ok(matches);
        }
        match target {
            Some(place) if !proxies.iter().any(|p| p.targets.contains(place)) => {
                let name = snapshot.stat.targets[place].name.clone();
                Err(Refusal::NothingReaches(name))
            }
            _ => Err(Refusal::NothingMatches),
        }
    }

    /// The place of the wanted target.
    fn place(&self, stat: &Stat) -> Result<Option<usize>, Refusal> {
        let Some(wanted) = self.target.as_deref() else {
            return Ok(None);
        };
        let place = stat.targets.iter().position(|t| *t.name == *wanted);
        place.map(Some).ok_or_else(|| {
            let names: Vec<&str> = stat.targets.iter().map(|t| &*t.name).collect();
            Refusal::Target(names.join(", "))
        })
    }

    pub(super) fn looks_closer(&self) -> bool {
        self.latency_ms_max.is_some()
            || self.age_max.is_some()
            || self.anonymity.is_some()
            || self.source.is_some()
            || self.target.is_some()
    }

    fn passes(&self, proxy: &Proxy, snapshot: &Snapshot, now: SystemTime) -> bool {
        let age = now.duration_since(proxy.last_check).unwrap_or_default();
        let source = || {
            let index = usize::from(proxy.source?);
            Some(&*snapshot.stat.sources.get(index)?.url)
        };
        self.latency_ms_max
            .is_none_or(|most| u64::from(proxy.latency_ms) <= most)
            && self.age_max.is_none_or(|most| age <= most)
            && self
                .anonymity
                .is_none_or(|wanted| proxy.exit.is_some_and(|exit| exit.anonymity == wanted))
            && self
                .source
                .as_deref()
                .is_none_or(|wanted| source() == Some(wanted))
    }
}

/// Exactly the words that rows have, in any case: the aliases of lists are not for clients. `https`
/// is none of the old service's three, and is accepted beside them.
fn protocol(text: &str) -> Option<Protocol> {
    Protocol::ALL
        .into_iter()
        .find(|protocol| protocol.label().eq_ignore_ascii_case(text))
}

/// What passed the filters, in the order of the pool.
#[derive(Debug)]
pub(super) struct Matches<'s> {
    proxies: &'s [Proxy],
    /// `None`: all of them.
    indexes: Option<Cow<'s, [u32]>>,
    /// These and those that were passed over, if any were.
    with_banned: Option<Cow<'s, [u32]>>,
}

impl<'s> Matches<'s> {
    fn len(&self) -> usize {
        self.indexes
            .as_ref()
            .map_or(self.proxies.len(), |indexes| indexes.len())
    }

    /// Without those that the target at `place` turns away, as clients say – if at least half are left.
    /// Clients may be wrong, or lie: whoever could have all but a few passed over would choose what
    /// others get.
    fn welcome_at(mut self, place: Option<usize>) -> Matches<'s> {
        let (Some(place), Some(indexes)) = (place, &self.indexes) else {
            return self;
        };
        let is_banned = |&index: &u32| {
            let proxy = &self.proxies[index as usize];
            proxy.banned_at.contains(place)
        };
        let banned = indexes.iter().filter(|index| is_banned(index)).count();
        if (1..=indexes.len() / 2).contains(&banned) {
            let welcome = indexes.iter().copied().filter(|index| !is_banned(index));
            let welcome = Some(Cow::Owned(welcome.collect()));
            self.with_banned = std::mem::replace(&mut self.indexes, welcome);
        }
        self
    }

    /// What matches together with what was passed over; `None`: nothing was.
    pub(super) fn with_banned(&self) -> Option<Matches<'s>> {
        self.with_banned.as_ref().map(|all| Matches {
            proxies: self.proxies,
            indexes: Some(all.clone()),
            with_banned: None,
        })
    }

    fn get(&self, position: usize) -> &'s Proxy {
        match &self.indexes {
            None => &self.proxies[position],
            Some(indexes) => &self.proxies[indexes[position] as usize],
        }
    }
}

/// How many proxies a request wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Amount {
    All,
    AtMost(NonZeroU64),
}

/// Up to this many are consecutive; more are a random sample.
const CONSECUTIVE_MAX: usize = 10;

impl Amount {
    /// Reads `all` and `limit` of a query; one proxy if there is neither.
    pub(super) fn read(query: Option<&str>) -> Result<Amount, Refusal> {
        match query::value(query, "all").as_deref() {
            Some("1") => return Ok(Amount::All),
            Some("0") | None => {}
            Some(_) => return Err(Refusal::All),
        }
        match query::value(query, "limit") {
            None => Ok(Amount::AtMost(NonZeroU64::MIN)),
            Some(text) => query::at_least_one(&text)
                .and_then(NonZeroU64::new)
                .map(Amount::AtMost)
                .ok_or(Refusal::Limit),
        }
    }

    /// This many of `matches`: a few in turn from where `cursor` stands, many at random, none twice.
    pub(super) fn pick<'s>(
        self,
        matches: &Matches<'s>,
        cursor: &AtomicUsize,
        random: &mut fastrand::Rng,
    ) -> Vec<&'s Proxy> {
        let available = matches.len();
        let wanted = match self {
            Amount::All => return (0..available).map(|at| matches.get(at)).collect(),
            Amount::AtMost(most) => {
                usize::try_from(most.get()).map_or(available, |most| most.min(available))
            }
        };
        if wanted <= CONSECUTIVE_MAX {
            let start = cursor.fetch_add(wanted, Ordering::Relaxed) % available.max(1);
            return (start..start + wanted)
                .map(|at| matches.get(at % available))
                .collect();
        }
        // The first steps of a Fisher–Yates shuffle are a sample without repeats. Only what was moved
        // is remembered: a few out of very many cost what a few cost.
        let mut moved: HashMap<usize, usize> = HashMap::with_capacity(wanted);
        let draw = |at: usize| {
            let other = random.usize(at..available);
            let here = moved.get(&at).copied().unwrap_or(at);
            matches.get(moved.insert(other, here).unwrap_or(other))
        };
        (0..wanted).map(draw).collect()
    }
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
