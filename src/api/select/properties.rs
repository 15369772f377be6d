//! What a request gets, against the plainest way to find it: look at each, and count.

use super::super::unique::{Seen, Unique};
use super::*;
use crate::api::testing::proxies;
use crate::properties::cases;
use crate::snapshot::{Pool, Published, SourceStat, TargetStat};
use proptest::collection::vec;
use proptest::prelude::*;
use proxy_shards::{Exit, Targets};
use std::collections::HashSet;
use std::net::Ipv4Addr;
use std::sync::Arc;

const TARGETS: [&str; 2] = ["shop", "mail"];
const SOURCES: [&str; 2] = ["one", "two"];

/// A proxy whose parts often are those of another.
fn proxy(now: SystemTime) -> impl Strategy<Value = Proxy> {
    let protocol = proptest::sample::select(&Protocol::ALL[..]);
    let host = (0..6u8, 80..83u16);
    let exit = proptest::option::of((0..4u8, proptest::sample::select(&Anonymity::ALL[..])));
    let bits = (0..4u8, 0..4u8);
    let rest = (0..300u32, 0..100u64, proptest::option::of(0..2u16));
    (protocol, host, exit, bits, rest).prop_map(
        move |(protocol, (host, port), exit, bits, rest)| {
            let url = format!("{}://9.9.9.{host}:{port}", protocol.label());
            let mut proxy = proxies(&[&url]).remove(0);
            proxy.protocol = protocol;
            proxy.exit = exit.map(|(last, anonymity)| Exit {
                ip: Ipv4Addr::new(9, 9, 9, last).into(),
                anonymity,
            });
            proxy.targets = Targets::from_bits(bits.0);
            proxy.banned_at = Targets::from_bits(bits.0 & bits.1);
            proxy.latency_ms = rest.0;
            proxy.last_check = now - Duration::from_secs(rest.1);
            proxy.source = rest.2;
            proxy
        },
    )
}

/// The filters of a query, each there or not.
#[derive(Clone, Debug)]
struct Wanted {
    protocol: Option<Protocol>,
    latency_ms_max: Option<u64>,
    age_max: Option<u64>,
    anonymity: Option<Anonymity>,
    source: Option<u16>,
    target: Option<usize>,
}

fn wanted() -> impl Strategy<Value = Wanted> {
    let protocol = proptest::option::of(proptest::sample::select(&Protocol::ALL[..]));
    let numbers = (
        proptest::option::of(1..300u64),
        proptest::option::of(1..100u64),
    );
    let anonymity = proptest::option::weighted(0.2, proptest::sample::select(&Anonymity::ALL[..]));
    let places = (
        proptest::option::weighted(0.3, 0..2u16),
        proptest::option::of(0..2usize),
    );
    (protocol, numbers, anonymity, places).prop_map(|(protocol, numbers, anonymity, places)| {
        Wanted {
            protocol,
            latency_ms_max: numbers.0,
            age_max: numbers.1,
            anonymity,
            source: places.0,
            target: places.1,
        }
    })
}

impl Wanted {
    fn query(&self) -> String {
        let parts = [
            self.protocol.map(|p| format!("protocol={}", p.label())),
            self.latency_ms_max.map(|ms| format!("max_latency_ms={ms}")),
            self.age_max.map(|age| format!("max_age={age}")),
            self.anonymity.map(|a| format!("anonymity={}", a.label())),
            self.source
                .map(|s| format!("source={}", SOURCES[usize::from(s)])),
            self.target.map(|t| format!("target={}", TARGETS[t])),
        ];
        parts.into_iter().flatten().collect::<Vec<_>>().join("&")
    }

    fn passes(&self, proxy: &Proxy, now: SystemTime) -> bool {
        let age = now.duration_since(proxy.last_check).unwrap();
        let anonymity = proxy.exit.map(|exit| exit.anonymity);
        self.protocol.is_none_or(|wanted| proxy.protocol == wanted)
            && self
                .latency_ms_max
                .is_none_or(|most| u64::from(proxy.latency_ms) <= most)
            && self
                .age_max
                .is_none_or(|most| age <= Duration::from_secs(most))
            && self
                .anonymity
                .is_none_or(|wanted| anonymity == Some(wanted))
            && self
                .source
                .is_none_or(|wanted| proxy.source == Some(wanted))
            && self
                .target
                .is_none_or(|wanted| proxy.targets.contains(wanted))
    }

    /// The places of those that it gets, and of those that it would get as well if nobody said that
    /// the target turns them away.
    fn places(&self, all: &[Proxy], now: SystemTime) -> (Vec<usize>, Vec<usize>) {
        let passes = |place: &usize| self.passes(&all[*place], now);
        let every: Vec<usize> = (0..all.len()).filter(passes).collect();
        let is_banned = |place: &usize| {
            let banned_at = all[*place].banned_at;
            self.target.is_some_and(|target| banned_at.contains(target))
        };
        let welcome: Vec<usize> = every
            .iter()
            .copied()
            .filter(|place| !is_banned(place))
            .collect();
        match 2 * welcome.len() >= every.len() {
            true => (welcome, every),
            false => (every.clone(), every),
        }
    }
}

fn snapshot(all: Vec<Proxy>, now: SystemTime) -> Arc<Snapshot> {
    let target = |name: &&str| TargetStat {
        name: (*name).into(),
        ..TargetStat::default()
    };
    let source = |url: &&str| SourceStat {
        url: (*url).into(),
        ..SourceStat::default()
    };
    let stat = Stat {
        targets: TARGETS.iter().map(target).collect(),
        sources: SOURCES.iter().map(source).collect(),
        ..Stat::default()
    };
    let published = Published::empty(now);
    published.publish(Arc::new(Pool::new(all)), Arc::new(stat), now, false);
    published.load()
}

/// What of a proxy no two in an answer may have in common.
fn likeness(proxy: &Proxy, unique: Unique) -> String {
    let exit = proxy.exit.filter(|_| unique == Unique::Exit);
    exit.map_or_else(
        || proxy.candidate.host.to_string(),
        |exit| exit.ip.to_string(),
    )
}

/// The places of what was picked.
fn places(all: &[Proxy], picked: &[&Proxy]) -> Vec<usize> {
    let place = |proxy: &&Proxy| all.iter().position(|p| std::ptr::eq(p, *proxy)).unwrap();
    picked.iter().map(place).collect()
}

proptest! {
    #![proptest_config(cases(300))]

    #[test]
    fn filters_let_through_exactly_what_each_of_them_lets_through(
        all in vec(proxy(SystemTime::UNIX_EPOCH + Duration::from_secs(1_000)), 0..30),
        wanted in wanted(),
    ) {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000);
        let snapshot = snapshot(all, now);
        let all = snapshot.pool.proxies();
        let query = wanted.query();
        let filter = Filter::read(Some(&query)).unwrap();
        let (expected, with_banned) = wanted.places(all, now);
        match filter.apply(&snapshot, now) {
            Ok(matches) => {
                let places_of = |matches: &Matches<'_>| {
                    let each = (0..matches.len()).map(|at| matches.get(at));
                    places(all, &each.collect::<Vec<_>>())
                };
                prop_assert_eq!(places_of(&matches), &expected[..], "{}", query);
                let passed_over = matches.with_banned();
                prop_assert_eq!(passed_over.is_some(), with_banned.len() > expected.len());
                if let Some(matches) = passed_over {
                    prop_assert_eq!(places_of(&matches), with_banned);
                }
            }
            // Without a filter it is the route that says that there is nothing.
            Err(_) => prop_assert!(expected.is_empty() , "{}", query),
        }
    }

    #[test]
    fn an_answer_has_as_many_as_are_wanted_or_there_none_twice_and_none_alike(
        all in vec(proxy(SystemTime::UNIX_EPOCH), 1..40),
        limit in proptest::option::of(1..50u64),
        unique in proptest::sample::select(&[None, Some(Unique::Ip), Some(Unique::Exit)][..]),
        cursor in any::<usize>(),
        seed in any::<u64>(),
    ) {
        let matches = Matches { proxies: &all, indexes: None, with_banned: None };
        let amount = limit.map_or(Amount::All, |most| Amount::AtMost(NonZeroU64::new(most).unwrap()));
        let cursor = AtomicUsize::new(cursor);
        let mut random = fastrand::Rng::with_seed(seed);
        let mut seen = Seen::new(unique);
        let fits = |proxy| seen.is_new(proxy);
        let picked = amount.pick_fitting(&matches, &cursor, &mut random, fits);
        let there = match unique {
            None => all.len(),
            Some(unique) => all.iter().map(|p| likeness(p, unique)).collect::<HashSet<_>>().len(),
        };
        let most = limit.map_or(usize::MAX, |most| most as usize);
        prop_assert_eq!(picked.len(), there.min(most));
        let distinct: HashSet<usize> = places(&all, &picked).into_iter().collect();
        prop_assert_eq!(distinct.len(), picked.len(), "none twice");
        if let Some(unique) = unique {
            let alike: HashSet<String> = picked.iter().map(|p| likeness(p, unique)).collect();
            prop_assert_eq!(alike.len(), picked.len(), "none alike");
        }
        let plain = amount.pick(&matches, &cursor, &mut random);
        let distinct: HashSet<usize> = places(&all, &plain).into_iter().collect();
        prop_assert_eq!((plain.len(), distinct.len()), (all.len().min(most), all.len().min(most)));
    }
}
