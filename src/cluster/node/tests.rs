//! Several nodes over a bus in memory, whose every publication is held against those of the others.

use super::super::fake::{LEASE_MS, World, told};
use super::*;
use crate::coordinator::simulation::{candidate, config, controlled};
use crate::coordinator::{Known, Question};
use crate::ledger::Experience;
use crate::snapshot::{Snapshot, Stale};
use proxy_shards::{Require, Verdict};
use std::time::Duration;

mod trouble;

const NAMES: [&str; 3] = ["a", "b", "c"];

/// One candidate in three is alive; each takes 200 ms. Nobody is due again within the test.
fn world(names: &[&str], candidates: u32) -> World {
    let mut config = config(&["list"]);
    config.aggregator.interval = Duration::from_secs(7_200);
    config.checker.backoff_max = Duration::from_secs(7_200);
    config.storage.persist_interval = Duration::from_secs(5);
    let mut world = World::new(config, names, move || (0..candidates).collect());
    world.behave(|number, _| (verdict_of(number), 200));
    world
}

fn verdict_of(number: u32) -> Verdict {
    match number % 3 {
        0 => Verdict::Alive,
        _ => Verdict::AuthRequired,
    }
}

fn is_swept(snapshot: &Snapshot, candidates: u64) -> bool {
    let sweep = snapshot.stat.sweep;
    sweep.finished.is_some() && snapshot.stat.total_scraped == candidates
}

fn done(world: &World, name: &str) -> u64 {
    world.snapshot(name).stat.sweep.done
}

/// Runs until the sweep is complete on these nodes, and they have published the same.
fn finish(world: &mut World, names: &[&str], candidates: u64) {
    let until = world.now_ms + 120_000;
    let all = |world: &World| {
        names
            .iter()
            .all(|n| is_swept(&world.snapshot(n), candidates))
    };
    assert!(
        world.run_until(until, all),
        "{:#?}",
        world.snapshot(names[0]).stat
    );
    world.pass(3 * LEASE_MS);
    agree(world, names);
}

/// The nodes serve the same, under the same number, and nothing of it is stale.
fn agree(world: &mut World, names: &[&str]) {
    let [first, rest @ ..] = names else { return };
    let generation = |world: &World, name: &str| world.snapshot(name).generation;
    let same = |world: &World| {
        rest.iter()
            .all(|n| generation(world, n) == generation(world, first))
    };
    // Who leads may have published after the others have listened.
    let until = world.now_ms + 100;
    assert!(world.run_until(until, same), "{names:?}");
    let first = world.snapshot(first);
    for name in rest {
        let other = world.snapshot(name);
        assert_eq!(other.generation, first.generation, "{name}");
        assert_eq!(
            told(&other.pool, &other.stat),
            told(&first.pool, &first.stat)
        );
        assert_eq!((other.stale, other.published), (false, first.published));
    }
}

#[test]
fn three_nodes_check_each_candidate_once_and_serve_the_same() {
    let mut world = world(&NAMES, 900);
    finish(&mut world, &NAMES, 900);
    assert_eq!(world.leader(), Some("a"));
    assert!(world.probed.len() == 900 && world.probed.values().all(|times| *times == 1));
    let stat = &world.snapshot("c").stat;
    assert_eq!((stat.total_alive, stat.total_dead), (300, 600));
    assert_eq!(stat.sources[0].alive, 300);
    assert_eq!(stat.lanes.per_shard, 60, "the lanes of three nodes");
}

#[test]
fn a_worker_that_takes_no_jobs_counts_for_no_lanes() {
    let mut world = world(&NAMES, 600);
    world.pass(300);
    world.idle("b", Some("its targets do not answer"));
    world.pass(500);
    assert_eq!(world.snapshot("c").stat.lanes.per_shard, 40);
    world.idle("b", None);
    finish(&mut world, &NAMES, 600);
    assert_eq!(world.snapshot("c").stat.lanes.per_shard, 60);
}

#[test]
fn a_node_that_joins_in_the_middle_soon_serves_what_the_others_do() {
    let mut world = world(&["a", "b"], 900);
    world.run_until(60_000, |world| done(world, "b") > 400);
    world.join("c", Image::default());
    world.pass(2 * LEASE_MS);
    agree(&mut world, &["a", "b", "c"]);
    finish(&mut world, &NAMES, 900);
}

#[test]
fn a_cluster_with_nothing_to_do_stays_fresh() {
    let mut world = world(&NAMES, 30);
    finish(&mut world, &NAMES, 30);
    let generation = world.snapshot("b").generation;
    world.run_until(world.now_ms + 60_000, |world| world.snapshot("b").stale);
    assert!(!world.snapshot("b").stale && world.snapshot("b").generation >= generation + 50);
}

#[test]
fn what_a_node_had_saved_is_served_until_somebody_leads_and_then_as_stale() {
    let mut world = world(&["a"], 30);
    finish(&mut world, &["a"], 30);
    world.pass(6_000);
    let image = world.member("a").images.last().cloned().unwrap();
    assert_eq!(image.entries.len(), 30);
    let mut alone = self::world(&[], 30);
    alone.join("z", image);
    alone.cut("z", true);
    let snapshot = alone.snapshot("z");
    assert_eq!(
        (snapshot.generation, snapshot.pool.proxies().len()),
        (1, 10)
    );
    alone.pass(4 * LEASE_MS);
    let snapshot = alone.snapshot("z");
    assert_eq!((snapshot.generation, snapshot.stale), (1, true));
    assert_eq!(snapshot.stat.stale.unwrap().0, Stale::Cluster);
    alone.cut("z", false);
    alone.pass(LEASE_MS);
    assert!(!alone.snapshot("z").stale && alone.snapshot("z").generation > 1);
}

#[test]
fn a_follower_saves_what_it_follows() {
    let mut world = world(&NAMES, 300);
    finish(&mut world, &NAMES, 300);
    world.pass(6_000);
    let sorted = |image: &Image| {
        let mut entries: Vec<_> = image.entries.iter().map(|e| format!("{e:?}")).collect();
        entries.sort();
        (image.targets.clone(), entries)
    };
    let saved = NAMES.map(|name| sorted(world.member(name).images.last().unwrap()));
    assert_eq!(saved[0].1.len(), 300);
    assert!(saved[0] == saved[1] && saved[1] == saved[2]);
}

#[test]
fn a_reload_on_a_follower_is_in_force_there_and_asked_of_the_leader() {
    let mut world = world(&NAMES, 30);
    finish(&mut world, &NAMES, 30);
    let now = world.now();
    let mut other = config(&["list"]);
    other.api.report_quorum = 5;
    let config = Arc::new(other);
    let event = Event::Configure { reload: 9, config };
    let deeds = world.member("b").node.handle(event, now);
    let asks = |deed: &Deed| matches!(deed, Deed::Order(Order::Reload));
    let applies = |deed: &Deed| matches!(deed, Deed::Configure(c) if c.api.report_quorum == 5);
    assert!(
        deeds.iter().any(asks) && deeds.iter().any(applies),
        "{deeds:?}"
    );
    let told = world.member("a").node.hear(News::Reload, now);
    assert!(matches!(told[..], [Deed::Reload]), "{told:?}");
    let told = world.member("c").node.hear(News::Reload, now);
    assert!(told.is_empty(), "a follower is not asked: {told:?}");
}

#[test]
fn a_reload_of_the_leader_begins_a_sweep_that_all_follow() {
    let mut world = world(&NAMES, 90);
    finish(&mut world, &NAMES, 90);
    let id = world.snapshot("c").stat.sweep.id;
    let mut again = config(&["list"]);
    again.aggregator.interval = Duration::from_secs(7_200);
    let config = Arc::new(again);
    world.event(
        "a",
        Event::Configure {
            reload: id + 1,
            config,
        },
    );
    world.member("a").fetches = Some(id + 1);
    let swept = |world: &World| world.snapshot("c").stat.sweep.id == id + 1;
    assert!(world.run_until(world.now_ms + 2_000, swept));
    finish(&mut world, &NAMES, 90);
    assert!(world.probed.values().all(|times| *times == 2));
}

fn ask(world: &mut World, name: &str, number: u32) -> Known {
    let (reply, mut answer) = oneshot::channel();
    let candidate = candidate(number);
    let question = Question {
        host: candidate.host,
        port: candidate.port,
        reply,
    };
    world.event(name, Event::Asked(question));
    answer.try_recv().unwrap()
}

#[test]
fn a_follower_answers_with_what_it_knows_of_a_proxy() {
    let mut world = world(&NAMES, 30);
    finish(&mut world, &NAMES, 30);
    let [a, c] = ["a", "c"].map(|name| ask(&mut world, name, 3).facts);
    assert_eq!((a.len(), c.len()), (1, 1));
    assert_eq!(a[0].entry, c[0].entry);
    assert_eq!(a[0].next_check_ms, c[0].next_check_ms);
    assert_eq!(
        (&*a[0].sources, &*c[0].sources),
        (&["list".into()][..], &["list".into()][..])
    );
    assert_eq!(ask(&mut world, "c", 77).total, 0);
}

#[test]
fn what_a_client_says_to_a_follower_the_leader_hears() {
    let mut world = world(&NAMES, 30);
    finish(&mut world, &NAMES, 30);
    world.pass(10_000);
    let candidate = candidate(3);
    let (reply, mut known) = oneshot::channel();
    let said = Hearsay {
        host: candidate.host,
        port: candidate.port,
        target: None,
        experience: Experience::Fail,
        client: 7,
        reply,
    };
    world.event("b", Event::Heard(said));
    assert_eq!(known.try_recv(), Ok(true));
    assert_eq!(ask(&mut world, "a", 3).facts[0].voices.fail, 1);
    world.pass(1_000);
    assert_eq!(
        world.probed[&3], 2,
        "a quorum of one has it looked at again"
    );
    agree(&mut world, &NAMES);
}

#[test]
fn a_candidate_that_no_list_names_any_more_is_forgotten_everywhere() {
    let mut world = world(&NAMES, 90);
    finish(&mut world, &NAMES, 90);
    let id = world.snapshot("c").stat.sweep.id;
    let reload = |source, list| Event::Source {
        reload: id,
        source,
        outcome: Ok(crate::sources::fetch::Fetched::List(list)),
    };
    world.event("a", reload(0, crate::coordinator::simulation::list(0..31)));
    world.pass(2_000);
    let stat = world.snapshot("c").stat.clone();
    // What is alive stays until it fails: nineteen of them are not listed any more.
    assert_eq!((stat.total_scraped, stat.total_alive), (31 + 19, 30));
    assert_eq!(ask(&mut world, "c", 32).total, 0);
    agree(&mut world, &NAMES);
}

#[test]
fn when_the_targets_are_others_what_was_reached_follows_their_names_on_all_nodes() {
    let aimed = |names: &[&str]| {
        let mut config = controlled(names, Require::Any);
        config.aggregator.interval = Duration::from_secs(7_200);
        config
    };
    let mut world = World::new(aimed(&["t", "u"]), &NAMES, || (0..30).collect());
    world.behave(|number, _| (verdict_of(number), 200));
    finish(&mut world, &NAMES, 30);
    let reached = |world: &World| {
        let snapshot = world.snapshot("c");
        let proxies = snapshot.pool.proxies().iter().map(|p| p.targets.bits());
        let mut bits: Vec<u8> = proxies.collect();
        bits.dedup();
        let names = snapshot.stat.targets.iter();
        (names.map(|t| t.name.to_string()).collect::<Vec<_>>(), bits)
    };
    assert_eq!(reached(&world), (vec!["t".into(), "u".into()], vec![0b01]));
    // Nobody is checked: only what is known is told anew.
    NAMES
        .iter()
        .for_each(|name| world.idle(name, Some("not now")));
    let id = world.snapshot("c").stat.sweep.id + 1;
    let config = Arc::new(aimed(&["u", "x", "t"]));
    world.event("a", Event::Configure { reload: id, config });
    world.pass(500);
    let names = ["u", "x", "t"].map(String::from).to_vec();
    assert_eq!(reached(&world), (names, vec![0b100]));
}
