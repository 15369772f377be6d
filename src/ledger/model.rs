//! The ledger against a model of the truth: which candidates there are, who lists them, and how their
//! checks ended, each in the plainest form. What is saved comes back as it was.

use super::*;
use crate::properties::cases;
use proptest::collection::vec;
use proptest::prelude::*;
use proxy_shards::Scheme;
use std::collections::{BTreeMap, BTreeSet};

const SOURCES: usize = 3;
const ALL: Targets = Targets::first(1);

#[derive(Clone, Debug)]
enum Op {
    /// A source delivers.
    List(usize, Vec<Candidate>),
    /// A check of the `nth` candidate ended.
    Apply(usize, Verdict),
    Withdraw(usize),
    /// What is over is forgotten.
    Tidy,
    /// Somebody has news of a candidate, which were made so many milliseconds ago.
    Import(Candidate, Option<Verdict>, u64),
    /// The process ends, and another begins.
    Restart,
    /// Another configuration has these of the sources that were there.
    Reorder([Option<usize>; SOURCES]),
    Wait(u64),
}

/// Few addresses under many schemes and logins, so that they meet.
fn candidate() -> impl Strategy<Value = Candidate> {
    let scheme = proptest::sample::select(&Scheme::ALL[..]);
    let login = proptest::sample::select(&["", "", "u:p@", "u:q@"][..]);
    let host = proptest::sample::select(&["9.9.9.1", "9.9.9.2", "[2600::1]", "p.example"][..]);
    (scheme, login, host).prop_map(|(scheme, login, host)| {
        let text = format!("{}://{login}{host}:80", scheme.label());
        text.parse().expect("it is one")
    })
}

fn verdict() -> impl Strategy<Value = Verdict> {
    let verdicts = [
        Verdict::Alive,
        Verdict::Alive,
        Verdict::Refused,
        Verdict::ResponseTimeout,
        Verdict::LocalPorts,
    ];
    proptest::sample::select(verdicts.to_vec())
}

fn op() -> impl Strategy<Value = Op> {
    let theirs =
        proptest::sample::select(&[None, Some(Verdict::Alive), Some(Verdict::Refused)][..]);
    // Any of the old places, each at most once.
    let kept = Just([Some(0), Some(1), Some(2)]).prop_shuffle();
    let gone = proptest::array::uniform3(any::<bool>());
    prop_oneof![
        3 => (0..SOURCES, vec(candidate(), 0..8)).prop_map(|(source, list)| Op::List(source, list)),
        9 => (any::<usize>(), verdict()).prop_map(|(nth, verdict)| Op::Apply(nth, verdict)),
        1 => any::<usize>().prop_map(Op::Withdraw),
        3 => Just(Op::Tidy),
        2 => (candidate(), theirs, 0..5_000u64).prop_map(|(c, v, age)| Op::Import(c, v, age)),
        1 => Just(Op::Restart),
        1 => (kept, gone).prop_map(|(mut kept, gone)| {
            for (place, gone) in kept.iter_mut().zip(gone) {
                *place = place.filter(|_| !gone);
            }
            Op::Reorder(kept)
        }),
        2 => (1..3_000u64).prop_map(Op::Wait),
    ]
}

/// How one came to be known, while no source lists it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Origin {
    /// A source listed it, once.
    Listed,
    Restored,
    Imported,
}

#[derive(Clone, Copy, Debug)]
struct One {
    verdict: Option<Verdict>,
    checked_ms: u64,
    alive_ms: u64,
    failures: u32,
    origin: Origin,
}

struct Truth {
    ledger: Ledger,
    now_ms: u64,
    known: BTreeMap<Candidate, One>,
    lists: [Option<BTreeSet<Candidate>>; SOURCES],
}

/// It reaches everything by all that it may speak.
fn works(candidate: &Candidate) -> Works {
    let mut works = Works::default();
    let protocols = candidate.scheme.protocols().in_order(candidate.port);
    protocols.for_each(|protocol| works.set(protocol, ALL));
    works
}

fn record(candidate: &Candidate, verdict: Verdict) -> Record {
    let mut record = Record::unprobed(0, verdict);
    if verdict == Verdict::Alive {
        record.works = works(candidate);
        record.first = candidate.scheme.protocols().in_order(candidate.port).next();
    }
    record
}

impl One {
    fn new(origin: Origin) -> One {
        One {
            verdict: None,
            checked_ms: 0,
            alive_ms: 0,
            failures: 0,
            origin,
        }
    }

    fn standing(&self) -> Standing {
        let quick = if self.alive_ms > 0 { QUICK_RECHECKS } else { 0 };
        match self.verdict {
            None => Standing::New,
            Some(Verdict::Alive) => Standing::Alive,
            Some(_) if self.failures <= quick => Standing::Failing,
            Some(_) => Standing::Dead {
                times: self.failures - quick,
            },
        }
    }
}

impl Truth {
    fn new() -> Truth {
        Truth {
            ledger: Ledger::new(SOURCES),
            now_ms: 1_000_000,
            known: BTreeMap::new(),
            lists: [const { None }; SOURCES],
        }
    }

    fn nth(&self, nth: usize) -> Option<(Candidate, u32)> {
        let count = self.known.len().max(1);
        let candidate = self.known.keys().nth(nth % count)?.clone();
        let index = self
            .ledger
            .find(&candidate)
            .expect("what is known is found");
        Some((candidate, index))
    }

    fn listed_by(&self, candidate: &Candidate) -> Vec<usize> {
        let lists = |&source: &usize| {
            let list = self.lists[source].as_ref();
            list.is_some_and(|list| list.contains(candidate))
        };
        (0..SOURCES).filter(lists).collect()
    }

    fn is_over(&self, candidate: &Candidate, one: &One) -> bool {
        let waits_for = match one.origin {
            Origin::Listed => false,
            Origin::Restored => {
                let complete = self.lists.iter().all(Option::is_some);
                !complete && one.failures < UNCLAIMED_FAILURES_MAX
            }
            Origin::Imported => true,
        };
        let is_alive = one.verdict == Some(Verdict::Alive);
        !is_alive && !waits_for && self.listed_by(candidate).is_empty()
    }

    fn step(&mut self, op: Op) {
        match op {
            Op::Wait(ms) => self.now_ms += ms,
            Op::List(source, list) => self.list(source, list),
            Op::Apply(nth, verdict) => self.apply(nth, verdict),
            Op::Withdraw(nth) => {
                if let Some((candidate, index)) = self.nth(nth) {
                    let one = self.known.get_mut(&candidate).unwrap();
                    let was_alive = one.verdict == Some(Verdict::Alive);
                    assert_eq!(self.ledger.withdraw(index), was_alive);
                    one.verdict = one.verdict.filter(|_| !was_alive);
                }
            }
            Op::Tidy => self.tidy(),
            Op::Import(candidate, verdict, age_ms) => self.import(candidate, verdict, age_ms),
            Op::Restart => self.restart(),
            Op::Reorder(kept) => {
                let mut old = std::mem::replace(&mut self.lists, [const { None }; SOURCES]);
                for (list, place) in self.lists.iter_mut().zip(kept) {
                    *list = place.and_then(|place| old[place].take());
                }
                self.ledger.reorder_sources(&kept, |_| true);
            }
        }
    }

    fn list(&mut self, source: usize, list: Vec<Candidate>) {
        let mut indexes = Vec::new();
        for candidate in &list {
            let is_new = !self.known.contains_key(candidate);
            let admitted = self.ledger.admit(candidate.clone(), source as u16);
            assert_eq!(admitted.is_ok(), is_new, "{candidate:?}");
            indexes.push(admitted.unwrap_or_else(|known| known));
            let one = self.known.entry(candidate.clone());
            one.or_insert(One::new(Origin::Listed)).origin = Origin::Listed;
        }
        self.ledger.set_list(source as u16, indexes);
        self.lists[source] = Some(list.into_iter().collect());
    }

    fn apply(&mut self, nth: usize, verdict: Verdict) {
        let Some((candidate, index)) = self.nth(nth) else {
            return;
        };
        let one = self.known.get_mut(&candidate).unwrap();
        let was_alive = one.verdict == Some(Verdict::Alive);
        let change = self
            .ledger
            .apply(index, &record(&candidate, verdict), ALL, self.now_ms);
        let expected = match (was_alive, verdict) {
            (_, Verdict::LocalPorts) => Change::Local,
            (false, Verdict::Alive) => Change::Found,
            (true, Verdict::Alive) => Change::Confirmed,
            (true, _) => Change::Lost,
            (false, _) => Change::Failed,
        };
        assert_eq!(change, expected);
        if change == Change::Local {
            return;
        }
        (one.verdict, one.checked_ms) = (Some(verdict), self.now_ms);
        one.failures += 1;
        if verdict == Verdict::Alive {
            (one.failures, one.alive_ms) = (0, self.now_ms);
        }
        if one.origin == Origin::Imported {
            one.origin = Origin::Restored;
        }
        assert_eq!(self.ledger.last_check_ms(), self.now_ms);
    }

    fn tidy(&mut self) {
        let ledger = &mut self.ledger;
        let over: Vec<u32> = ledger.indexes().filter(|&i| ledger.is_over(i)).collect();
        over.into_iter().for_each(|index| ledger.forget(index));
        let known = std::mem::take(&mut self.known);
        let stays = known
            .iter()
            .filter(|(candidate, one)| !self.is_over(candidate, one));
        self.known = stays
            .map(|(candidate, one)| (candidate.clone(), *one))
            .collect();
    }

    fn import(&mut self, candidate: Candidate, verdict: Option<Verdict>, age_ms: u64) {
        let mut entry = Entry::new(candidate.clone());
        entry.verdict = verdict;
        entry.checked_at_ms = verdict.map_or(0, |_| self.now_ms - age_ms);
        match verdict {
            Some(Verdict::Alive) => {
                entry.alive_at_ms = entry.checked_at_ms;
                entry.works = works(&candidate);
            }
            Some(_) => entry.failures = 1,
            None => {}
        }
        let known = self.known.get(&candidate).copied();
        let is_newer = known.is_none_or(|one| one.checked_ms < entry.checked_at_ms);
        match (self.ledger.import(&entry), known, is_newer) {
            (Imported::Added(_), None, _) | (Imported::Updated(_), Some(_), true) => {}
            (Imported::Kept, Some(_), false) => return,
            wrong => panic!("{wrong:?}"),
        }
        let one = One {
            verdict,
            checked_ms: entry.checked_at_ms,
            alive_ms: entry.alive_at_ms,
            failures: entry.failures,
            origin: known.map_or(Origin::Imported, |one| one.origin),
        };
        self.known.insert(candidate, one);
    }

    fn restart(&mut self) {
        let saved: Vec<Entry> = self.ledger.entries().collect();
        let mut next = Ledger::new(SOURCES);
        for entry in &saved {
            assert!(
                next.restore(entry.clone()).is_some(),
                "none twice: {entry:?}"
            );
            assert_eq!(next.restore(entry.clone()), None);
        }
        assert_eq!(next.entries().collect::<Vec<_>>(), saved);
        self.ledger = next;
        self.lists = [const { None }; SOURCES];
        for one in self.known.values_mut() {
            one.origin = match one.verdict {
                Some(_) => Origin::Restored,
                None => Origin::Imported,
            };
        }
    }

    /// All that the ledger says is so.
    fn check(&self) {
        assert_eq!(
            self.ledger.len(),
            self.known.len(),
            "none is lost, none is there twice"
        );
        let mut verdicts = [0; Verdict::COUNT];
        let mut alive = BTreeSet::new();
        for (candidate, one) in &self.known {
            let index = self.ledger.find(candidate).expect("it is known");
            assert_eq!(self.ledger.candidate(index), *candidate);
            assert_eq!(self.ledger.verdict(index), one.verdict);
            assert_eq!(self.ledger.standing(index), one.standing(), "{one:?}");
            assert_eq!(self.ledger.checked_at_ms(index), one.checked_ms);
            let entry = self.ledger.entry(index);
            assert_eq!(
                (entry.failures, entry.alive_at_ms),
                (one.failures, one.alive_ms)
            );
            let sources = self.listed_by(candidate);
            assert!(self.ledger.listed_by(index).eq(sources.iter().copied()));
            let first = sources.first().map(|&first| first as u16);
            assert_eq!(self.ledger.first_source(index), first);
            assert_eq!(
                self.ledger.is_over(index),
                self.is_over(candidate, one),
                "{one:?}"
            );
            assert!(self.ledger.find_at(&candidate.host, 80).contains(&index));
            if let Some(verdict) = one.verdict {
                verdicts[verdict as usize] += 1;
            }
            if one.verdict == Some(Verdict::Alive) {
                alive.insert(index);
            }
        }
        assert_eq!(*self.ledger.verdicts(), verdicts);
        assert_eq!(self.ledger.total_alive(), alive.len() as u64);
        let dead = verdicts.iter().sum::<u64>() - self.ledger.total_alive();
        assert_eq!(self.ledger.total_dead(), dead);
        assert!(self.ledger.alive_indexes().eq(alive.iter().copied()));
        self.check_served(&alive);
    }

    /// Every proxy that is alive is served under its protocol, and none twice.
    fn check_served(&self, alive: &BTreeSet<u32>) {
        let way = |candidate: &Candidate, protocol| {
            let Candidate {
                host,
                port,
                credentials,
                ..
            } = candidate.clone();
            (host, port, credentials, protocol)
        };
        let mut served = BTreeSet::new();
        for row in self.ledger.alive() {
            assert!(alive.contains(&row.index));
            assert!(
                served.insert(way(&row.candidate, row.protocol)),
                "{row:?} is served twice"
            );
        }
        for &index in alive {
            let candidate = self.ledger.candidate(index);
            let protocols = self.ledger.working(index);
            for protocol in protocols.in_order(candidate.port) {
                assert!(
                    served.contains(&way(&candidate, protocol)),
                    "{candidate:?} is not served"
                );
            }
        }
        let lives = self.known.values().filter(|one| one.alive_ms > 0).count();
        assert_eq!(
            self.ledger.lives.len(),
            lives,
            "nothing is kept of what is gone"
        );
    }
}

proptest! {
    #![proptest_config(cases(250))]

    #[test]
    fn whatever_happens_the_ledger_knows_each_candidate_once_and_counts_it_once(
        ops in vec(op(), 1..120),
    ) {
        let mut truth = Truth::new();
        for op in ops {
            truth.step(op);
            truth.check();
        }
    }
}
