//! The coordinator against a model of the truth: lists that come and go, proxies and targets that change,
//! reloads, restarts, imports, shards that panic, clocks that are set, in any order. Nothing is lost or
//! doubled meanwhile, and once there is peace it knows what is true, and looks in time.

mod world;

use super::simulation::{Simulation, candidate, controlled, list, number, source};
use super::{Action, Event, Hearsay, Import, SaveOutcome};
use crate::config::Config;
use crate::ledger::{Entry, Experience};
use crate::properties::cases;
use crate::snapshot::Snapshot;
use crate::sources::fetch::Fetched;
use crate::store::Image;
use proptest::collection::{btree_set, vec};
use proptest::prelude::*;
use proxy_shards::{Protocol, Require, Targets, Verdict, Works};
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;
use world::{NATURES, Nature, World};

const CANDIDATES: u32 = 24;
const SOURCES: [&str; 3] = ["a", "b", "c"];
/// Of each of the two shards.
const LANES: usize = 12;
const INTERVAL_MS: u64 = 60_000;
const BACKOFF_MAX_MS: u64 = 120_000;
/// Nobody waits for longer: the back-off, spread by a tenth.
const WAIT_MAX_MS: u64 = BACKOFF_MAX_MS / 10 * 11;
/// After that all is checked that was due at its beginning: the longest wait, one silent probe before and
/// one after it, and a round of the targets.
const SETTLE_MS: u64 = WAIT_MAX_MS + 2 * world::TIMEOUT_MS + 20_000;

#[derive(Clone, Debug)]
enum Op {
    Wait(u64),
    List(usize, BTreeSet<u32>),
    Fail(usize),
    Same(usize),
    Nature(u32, Nature),
    Target {
        answers: bool,
    },
    Reload {
        order: [usize; 3],
        count: usize,
    },
    /// A save, and after so many milliseconds another process.
    Restart {
        away_ms: u64,
    },
    Panic {
        shard: usize,
    },
    Stall(u64),
    SayAgain,
    SetClock(i64),
    /// Each by its number, whether it was alive, and the age of that, which is negative where another
    /// clock was ahead.
    Import(Vec<(u32, Option<bool>, i64)>),
    Hear(u32, u64, Experience),
    Saved(SaveOutcome),
}

fn op() -> impl Strategy<Value = Op> {
    let n = || 0..CANDIDATES;
    let import = vec((n(), any::<Option<bool>>(), -5_000_000i64..5_000_000), 1..6);
    let saved = prop_oneof![Just(SaveOutcome::Saved), Just(SaveOutcome::Failed)];
    let by_ms = prop_oneof![Just(-3_600_000i64), Just(3_600_000), -9_000i64..9_000];
    let experience = proptest::sample::select(&Experience::ALL[..]);
    prop_oneof![
        6 => prop_oneof![0..500u64, 500..8_000u64, 20_000..70_000u64].prop_map(Op::Wait),
        5 => (0..3usize, btree_set(n(), 0..16)).prop_map(|(source, list)| Op::List(source, list)),
        1 => (0..3usize).prop_map(Op::Fail),
        1 => (0..3usize).prop_map(Op::Same),
        5 => (n(), proptest::sample::select(&NATURES[..])).prop_map(|(n, nature)| Op::Nature(n, nature)),
        2 => any::<bool>().prop_map(|answers| Op::Target { answers }),
        2 => (Just([0, 1, 2]).prop_shuffle(), 0..=3usize)
            .prop_map(|(order, count)| Op::Reload { order, count }),
        1 => (0..200_000u64).prop_map(|away_ms| Op::Restart { away_ms }),
        2 => (0..2usize).prop_map(|shard| Op::Panic { shard }),
        1 => (0..6_000u64).prop_map(Op::Stall),
        1 => Just(Op::SayAgain),
        1 => by_ms.prop_map(Op::SetClock),
        1 => import.prop_map(Op::Import),
        2 => (n(), 0..3u64, experience).prop_map(|(n, client, e)| Op::Hear(n, client, e)),
        1 => saved.prop_map(Op::Saved),
    ]
}

/// The configuration whose sources are these.
fn configuration(sources: &[usize]) -> Config {
    let mut config = controlled(&["t"], Require::All);
    config.aggregator.interval = Duration::from_millis(INTERVAL_MS);
    config.aggregator.sources = sources.iter().map(|&s| source(SOURCES[s])).collect();
    config.checker.backoff_max = Duration::from_millis(BACKOFF_MAX_MS);
    config
}

struct Truth {
    sim: Simulation,
    world: Rc<RefCell<World>>,
    /// The sources of the configuration, in its order.
    sources: Vec<usize>,
    /// The last good list of each of them.
    lists: [Option<BTreeSet<u32>>; 3],
    is_restarted: bool,
    imported: BTreeSet<u32>,
    generation: u64,
}

impl Truth {
    fn new(natures: Vec<Nature>) -> Truth {
        let world = Rc::new(RefCell::new(World::new(natures)));
        let sources = vec![0, 1];
        let sim = Simulation::new(configuration(&sources), LANES, Image::default());
        let mut truth = Truth {
            sim,
            world,
            sources,
            lists: [const { None }; 3],
            is_restarted: false,
            imported: BTreeSet::new(),
            generation: 0,
        };
        truth.live();
        truth
    }

    /// The simulation's proxies and targets are those of the world.
    fn live(&mut self) {
        let (proxies, targets) = (self.world.clone(), self.world.clone());
        self.sim.behave_fully(move |n, protocols, at_ms| {
            let (verdict, after_ms) = proxies.borrow().probe(n, at_ms);
            let mut works = Works::default();
            if verdict == Verdict::Alive {
                let tried = protocols.in_order(0);
                tried.for_each(|protocol| works.set(protocol, Targets::first(1)));
            }
            (verdict, works, after_ms)
        });
        self.sim.fate(move |_, _| targets.borrow().reach());
    }

    fn place(&self, source: usize) -> Option<usize> {
        self.sources.iter().position(|&s| s == source)
    }

    /// What a source of the configuration says.
    fn source(&mut self, source: usize, outcome: Result<Fetched, Box<str>>) {
        if let Some(place) = self.place(source) {
            let reload = self.sim.state.sweep.id;
            self.sim.tell(Event::Source {
                reload,
                source: place,
                outcome,
            });
        }
    }

    fn step(&mut self, op: Op) {
        match op {
            Op::Wait(ms) => self.sim.run_until(self.sim.now_ms + ms),
            Op::List(source, numbers) => self.deliver(source, numbers),
            Op::Fail(source) => self.source(source, Err("gone".into())),
            Op::Same(source) => self.source(source, Ok(Fetched::NotModified)),
            Op::Nature(n, nature) => self.world.borrow_mut().natures[n as usize] = nature,
            Op::Target { answers } => self.world.borrow_mut().target_answers = answers,
            Op::Reload { order, count } => self.reload(&order[..count]),
            Op::Restart { away_ms } => self.restart(away_ms),
            Op::Panic { shard } => self.sim.panic(shard),
            Op::Stall(ms) => self.sim.stall(ms),
            Op::SayAgain => self.sim.say_again(),
            Op::SetClock(by_ms) => self.sim.step_clock(by_ms),
            Op::Import(entries) => self.import(&entries),
            Op::Hear(n, client, experience) => {
                let said = Hearsay {
                    host: candidate(n).host,
                    port: candidate(n).port,
                    target: Some("t".into()),
                    experience,
                    client,
                    reply: oneshot::channel().0,
                };
                self.sim.tell(Event::Heard(said));
            }
            Op::Saved(outcome) => self.sim.tell(Event::Saved(outcome)),
        }
    }

    fn deliver(&mut self, source: usize, numbers: BTreeSet<u32>) {
        if self.place(source).is_some() {
            let parsed = list(numbers.iter().copied());
            self.source(source, Ok(Fetched::List(parsed)));
            self.lists[source] = Some(numbers);
        }
    }

    fn reload(&mut self, sources: &[usize]) {
        for (source, list) in self.lists.iter_mut().enumerate() {
            *list = list.take().filter(|_| sources.contains(&source));
        }
        self.sources = sources.to_vec();
        let (reload, config) = (self.sim.state.sweep.id + 1, configuration(sources));
        self.sim.tell(Event::Configure {
            reload,
            config: Arc::new(config),
        });
    }

    fn restart(&mut self, away_ms: u64) {
        let actions = self.sim.state.finish(self.sim.now());
        let saved = actions.into_iter().find_map(|action| match action {
            Action::Save(image) => Some(image),
            _ => None,
        });
        let image = saved.expect("the last thing that is done is to save");
        let entries: Vec<Entry> = image.entries.iter().collect();
        let unix_ms = self.sim.now().unix_ms + away_ms;
        self.sim = Simulation::at(configuration(&self.sources), LANES, image, unix_ms);
        self.live();
        // But what was learnt in a time to come, by a clock that was set back since, is as of now.
        let now_at_most = |mut entry: Entry| {
            let latest = unix_ms.max(2) - 1;
            entry.checked_at_ms = entry.checked_at_ms.min(latest);
            entry.alive_at_ms = entry.alive_at_ms.min(latest);
            entry
        };
        let restored = self.sim.state.ledger.entries().map(now_at_most);
        let restored: Vec<Entry> = restored.collect();
        let entries: Vec<Entry> = entries.into_iter().map(now_at_most).collect();
        assert_eq!(restored, entries, "what was saved is what is known");
        self.sim.tell(Event::Tick);
        self.lists = [const { None }; 3];
        (self.is_restarted, self.generation) = (true, 0);
    }

    fn import(&mut self, entries: &[(u32, Option<bool>, i64)]) {
        let unix_ms = self.sim.now().unix_ms;
        let entry = |&(n, was_alive, age_ms): &(u32, Option<bool>, i64)| {
            let mut entry = Entry::new(candidate(n));
            let Some(was_alive) = was_alive else {
                return entry;
            };
            entry.checked_at_ms = unix_ms.saturating_add_signed(-age_ms);
            entry.verdict = Some(Verdict::Refused);
            entry.failures = 3;
            if was_alive {
                (entry.verdict, entry.failures) = (Some(Verdict::Alive), 0);
                entry.alive_at_ms = entry.checked_at_ms;
                entry.works.set(Protocol::Http, Targets::first(1));
            }
            entry
        };
        let image = Image {
            saved_at_ms: unix_ms,
            asked: self.sim.state.asked,
            targets: vec!["t".into()],
            entries: entries.iter().map(entry).collect(),
        };
        let reply = oneshot::channel().0;
        self.sim.tell(Event::Import(Import { image, reply }));
        self.imported.extend(entries.iter().map(|(n, ..)| *n));
    }

    fn listed(&self) -> BTreeSet<u32> {
        self.lists.iter().flatten().flatten().copied().collect()
    }

    /// The number of the candidate at each index.
    fn known(&self) -> Vec<(u32, u32)> {
        let ledger = &self.sim.state.ledger;
        let numbered = |index| {
            let ip = ledger.candidate(index).host.ip().expect("none has a name");
            (index, number(ip))
        };
        ledger.indexes().map(numbered).collect()
    }

    /// What holds at any time.
    fn check(&mut self) {
        self.sim.assert_each_is_in_one_place();
        let state = &self.sim.state;
        let known = self.known();
        let numbers: BTreeSet<u32> = known.iter().map(|(_, n)| *n).collect();
        assert_eq!(numbers.len(), known.len(), "one is known twice");
        let listed = self.listed();
        let lost: Vec<&u32> = listed.difference(&numbers).collect();
        assert!(lost.is_empty(), "{lost:?} are listed and not known");
        let is_awaited = |&source: &usize| self.lists[source].is_none();
        // Without a source there is none to wait for: what was restored goes when it is next checked.
        let waits_for_lists =
            self.is_restarted && (self.sources.is_empty() || self.sources.iter().any(is_awaited));
        for &(index, n) in &known {
            let is_wanted = listed.contains(&n) || waits_for_lists || self.imported.contains(&n);
            let is_away = self.sim.is_out(index) || state.schedule.is_held(index);
            let verdict = state.ledger.verdict(index);
            // What was restored unchecked is checked before it may go.
            let is_alive =
                verdict == Some(Verdict::Alive) || self.is_restarted && verdict.is_none();
            assert!(
                is_wanted || is_away || is_alive,
                "{n} is on no list and stays"
            );
            if let Some(due_ms) = state.schedule.waits_until(index) {
                assert!(
                    due_ms <= self.sim.now_ms + WAIT_MAX_MS,
                    "{n} is due at {due_ms} ms"
                );
            }
        }
        let snapshot = self.sim.snapshot();
        assert!(
            snapshot.generation >= self.generation,
            "generations only grow"
        );
        self.generation = snapshot.generation;
        self.check_published(&snapshot);
    }

    /// What is published is consistent, and what the ledger says unless something waits to be published.
    fn check_published(&self, snapshot: &Snapshot) {
        let (stat, pool) = (&snapshot.stat, &snapshot.pool);
        assert_eq!(
            stat.verdicts.iter().sum::<u64>(),
            stat.total_alive + stat.total_dead
        );
        assert_eq!(stat.verdicts[Verdict::Alive as usize], stat.total_alive);
        assert!(stat.total_alive + stat.total_dead <= stat.total_scraped);
        assert!(stat.sweep.done <= stat.sweep.total);
        let of_sources: u64 = stat.sources.iter().map(|source| source.alive).sum();
        assert!(of_sources <= stat.total_alive);
        for protocol in Protocol::ALL {
            let speaks = |(place, proxy): (u32, &crate::snapshot::Proxy)| {
                (proxy.protocol == protocol).then_some(place)
            };
            let places = (0u32..).zip(pool.proxies()).filter_map(speaks);
            assert!(pool.of(protocol).iter().copied().eq(places));
        }
        let ledger = &self.sim.state.ledger;
        let is_kept = snapshot.stale && ledger.total_alive() == 0;
        if self.sim.state.publisher.due_at(ledger).is_some() || is_kept {
            return;
        }
        let told = (stat.total_scraped, stat.total_alive, stat.total_dead);
        let so = (
            ledger.len() as u64,
            ledger.total_alive(),
            ledger.total_dead(),
        );
        assert_eq!(told, so);
        let served = pool
            .proxies()
            .iter()
            .map(|p| (p.candidate.clone(), p.protocol, p.source));
        let alive = ledger.alive().map(|a| (a.candidate, a.protocol, a.source));
        assert_eq!(served.collect::<Vec<_>>(), alive.collect::<Vec<_>>());
    }

    /// The targets answer, every source delivers, and nothing changes any more.
    fn settle(&mut self) {
        self.world.borrow_mut().settle();
        for source in self.sources.clone() {
            let list = self.lists[source].clone().unwrap_or_default();
            self.deliver(source, list);
        }
        let began_ms = self.sim.now_ms;
        self.sim.run_until(began_ms + SETTLE_MS);
        self.check();
        let listed = self.listed();
        let mut alive = BTreeSet::new();
        for (index, n) in self.known() {
            let is_alive = self.world.borrow().is_alive(n);
            let verdict = self.sim.state.ledger.verdict(index);
            assert_eq!(
                verdict == Some(Verdict::Alive),
                is_alive,
                "{n}: {verdict:?}"
            );
            assert!(
                is_alive || listed.contains(&n),
                "{n} is dead, on no list, and stays"
            );
            let is_checked = self
                .sim
                .probed_at(n)
                .last()
                .is_some_and(|&at| at >= began_ms);
            assert!(is_checked, "{n} was not looked at for {SETTLE_MS} ms");
            alive.extend(is_alive.then_some(n));
        }
        let served: BTreeSet<u32> = self.sim.served().into_iter().collect();
        assert!(
            served == alive || alive.is_empty(),
            "{served:?} are served, {alive:?} are alive"
        );
    }

    /// From now on everybody is looked at as often as is promised, no more and no less.
    fn watch(&mut self) {
        let from_ms = self.sim.now_ms;
        let until_ms = from_ms + 4 * INTERVAL_MS;
        self.sim.run_until(until_ms);
        self.check();
        for (_, n) in self.known() {
            let all = self.sim.probed_at(n).into_iter();
            let probes: Vec<u64> = all.filter(|&at| at >= from_ms).collect();
            let gaps = probes.windows(2).map(|two| two[1] - two[0]);
            let (least, most) = match self.world.borrow().is_alive(n) {
                true => (INTERVAL_MS, INTERVAL_MS / 2 * 3),
                false => (
                    INTERVAL_MS / 10 * 9,
                    WAIT_MAX_MS + world::TIMEOUT_MS + 10_000,
                ),
            };
            let ends = [probes[0] - from_ms, until_ms - probes[probes.len() - 1]];
            assert!(ends.iter().all(|gap| *gap <= most), "{n}: {ends:?}");
            for gap in gaps {
                assert!((least..=most).contains(&gap), "{n} after {gap} ms");
            }
        }
        let (stat, now) = (self.sim.snapshot().stat.clone(), self.sim.now().system());
        let recent = now - Duration::from_millis(2 * WAIT_MAX_MS);
        let last = stat.last_check.filter(|_| stat.total_scraped > 0);
        assert!(
            last.is_none_or(|at| recent <= at && at <= now),
            "{last:?} is not a time before {now:?}"
        );
        let ages = self.sim.snapshot();
        let is_sane = |at| recent <= at && at <= now;
        let all = ages.pool.proxies().iter().filter(|_| stat.total_alive > 0);
        assert!(all.map(|proxy| proxy.last_check).all(is_sane));
    }
}

proptest! {
    #![proptest_config(cases(24))]

    #[test]
    fn nothing_is_lost_doubled_or_starved_and_when_there_is_peace_the_truth_is_served(
        natures in vec(proptest::sample::select(&NATURES[..]), CANDIDATES as usize),
        ops in vec(op(), 1..40),
    ) {
        let mut truth = Truth::new(natures);
        for op in ops {
            truth.step(op);
            truth.check();
        }
        truth.settle();
        truth.watch();
    }
}
