//! What is served when nothing is alive any more.

use super::*;
use proxy_shards::{Require, Targets};

/// 20 alive until 100 s, and nothing for 1 000 s from then on.
fn gone() -> Simulation {
    let mut sim = simulation(10);
    sim.behave(|_, at| match (100_000..1_100_000).contains(&at) {
        true => DEAD,
        false => ALIVE,
    });
    sim.deliver(0, list(0..20));
    sim
}

fn reason(sim: &Simulation) -> Option<Stale> {
    let snapshot = sim.snapshot();
    assert_eq!(snapshot.stale, snapshot.stat.stale.is_some());
    snapshot.stat.stale.map(|(reason, _)| reason)
}

#[test]
fn the_last_pool_is_served_as_stale_for_a_time_and_then_none() {
    let mut sim = gone();
    sim.run_until(100_000);
    assert_eq!((sim.served().len(), reason(&sim)), (20, None));
    sim.run_until(130_000);
    let last = sim.served().len();
    assert_eq!((last, reason(&sim)), (20, Some(Stale::NothingAlive)));
    assert_eq!(sim.snapshot().stat.total_alive, 0);
    sim.run_until(715_000);
    assert_eq!(
        (sim.served().len(), reason(&sim)),
        (last, Some(Stale::NothingAlive))
    );
    sim.run_until(725_000);
    assert_eq!((sim.served().len(), reason(&sim)), (0, None));
    sim.run_until(2_500_000);
    assert_eq!((sim.served().len(), reason(&sim)), (20, None));
}

/// The alive of each source, and those that reach each target.
fn counts(sim: &Simulation) -> (Vec<u64>, Vec<u64>) {
    let stat = &sim.snapshot().stat;
    let sources = stat.sources.iter().map(|source| source.alive);
    let targets = stat.targets.iter().map(|target| target.reached);
    (sources.collect(), targets.collect())
}

#[test]
fn while_the_last_pool_is_served_the_figures_of_the_alive_are_zero() {
    let mut sim = Simulation::new(config(&["a", "b"]), 10, Image::default());
    sim.behave(|_, at| match (100_000..200_000).contains(&at) {
        true => DEAD,
        false => ALIVE,
    });
    sim.deliver(0, list(0..16));
    sim.deliver(1, list(16..20));
    sim.run_until(100_000);
    assert_eq!(counts(&sim), (vec![16, 4], vec![20]));
    sim.run_until(130_000);
    assert_eq!(
        (sim.served().len(), reason(&sim)),
        (20, Some(Stale::NothingAlive))
    );
    assert_eq!(counts(&sim), (vec![0, 0], vec![0]));
    sim.tell(Event::Configure {
        reload: 2,
        config: Arc::new(config(&["b", "a"])),
    });
    sim.run_until(131_000);
    assert_eq!(
        (sim.served().len(), counts(&sim)),
        (20, (vec![0, 0], vec![0]))
    );
    sim.deliver(0, list(16..20));
    sim.deliver(1, list(0..16));
    sim.run_until(1_500_000);
    assert_eq!((sim.served().len(), reason(&sim)), (20, None));
    assert_eq!(counts(&sim), (vec![4, 16], vec![20]));
}

#[test]
fn a_pool_that_should_end_while_the_targets_are_tried_anew_waits_for_their_answer() {
    let mut sim = Simulation::new(controlled(&["a"], Require::All), 10, Image::default());
    sim.behave(|_, at| if at < 50_000 { ALIVE } else { DEAD });
    sim.deliver(0, list(0..20));
    sim.run_until(660_000);
    assert_eq!(
        (sim.served().len(), reason(&sim)),
        (20, Some(Stale::NothingAlive))
    );
    sim.fate(|_, _| (Verdict::Alive, 14_000));
    sim.tell(Event::Configure {
        reload: 2,
        config: Arc::new(controlled(&["a"], Require::All)),
    });
    sim.run_until(673_000);
    assert_eq!(
        (sim.served().len(), reason(&sim)),
        (20, Some(Stale::NothingAlive))
    );
    sim.run_until(675_000);
    assert_eq!((sim.served().len(), reason(&sim)), (0, None));
}

#[test]
fn what_was_restored_is_the_last_pool_of_a_start() {
    let restored = (0..9).map(|n| entry(n, Some(Verdict::Alive), 1_000));
    let mut sim = Simulation::new(config(&["a"]), 10, image(restored.collect()));
    sim.behave(|_, _| DEAD);
    assert_eq!(reason(&sim), None);
    sim.run_until(5_000);
    assert_eq!(
        (sim.served().len(), reason(&sim)),
        (9, Some(Stale::NothingAlive))
    );
}

#[test]
fn a_reload_forbids_addresses_in_a_pool_that_is_served_as_stale_too() {
    let mut allowing = config(&["a", "b"]);
    allowing.aggregator.addresses.allow_private = true;
    let mut sim = Simulation::new(allowing, 10, Image::default());
    sim.behave(|_, at| if at < 50_000 { ALIVE } else { DEAD });
    let mut listed = list([1, 2]);
    listed
        .candidates
        .push("http://127.0.0.1:80".parse().unwrap());
    sim.deliver(1, listed);
    sim.run_until(65_000);
    assert_eq!(
        (sim.served().len(), reason(&sim)),
        (3, Some(Stale::NothingAlive))
    );
    sim.tell(Event::Configure {
        reload: 2,
        config: Arc::new(config(&["b"])),
    });
    sim.run_until(66_000);
    assert_eq!(
        (sim.served(), reason(&sim)),
        (vec![1, 2], Some(Stale::NothingAlive))
    );
    for proxy in sim.snapshot().pool.proxies() {
        assert_eq!(proxy.source, None, "the places of the sources are others");
        assert_eq!(proxy.targets, Targets::first(1));
    }
}

#[test]
fn without_a_network_of_our_own_the_pool_is_stale_also_if_no_target_is_probed() {
    let mut sim = simulation(10);
    sim.behave(|_, at| match (30_000..300_000).contains(&at) {
        true => (Verdict::LocalNetwork, 1),
        false => ALIVE,
    });
    sim.deliver(0, list(0..20));
    sim.run_until(90_000);
    assert_eq!(
        (sim.served().len(), reason(&sim)),
        (20, Some(Stale::Control))
    );
    sim.run_until(400_000);
    assert_eq!((sim.served().len(), reason(&sim)), (20, None));
}
