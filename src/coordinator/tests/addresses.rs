//! Names on their way to an address, and addresses that may not be dialled.

use super::*;
use proxy_shards::Require;

#[test]
fn names_are_resolved_first_and_again_after_five_minutes() {
    let mut sim = simulation(10);
    let mut named = list([]);
    named
        .candidates
        .push("http://proxy.test:8080".parse().unwrap());
    sim.deliver(0, named);
    assert_eq!(sim.lookups.len(), 1);
    assert_eq!(&*sim.lookups[0].name, "proxy.test");
    let ip = candidate(77).host.ip();
    sim.tell(Event::Resolved {
        purpose: sim.lookups[0].purpose,
        ip,
    });
    sim.run_until(290_000);
    assert_eq!((sim.lookups.len(), sim.probed_at(77).len()), (1, 5));
    sim.run_until(400_000);
    assert_eq!(sim.lookups.len(), 2);
    assert_eq!(sim.snapshot().stat.total_alive, 1);
}

#[test]
fn a_name_without_address_is_not_dead_and_does_not_hold_up_the_sweep() {
    let mut sim = simulation(10);
    let mut named = list([]);
    named
        .candidates
        .push("http://proxy.test:8080".parse().unwrap());
    sim.deliver(0, named);
    sim.tell(Event::Resolved {
        purpose: sim.lookups[0].purpose,
        ip: None,
    });
    sim.run_until(900);
    let stat = sim.snapshot().stat.clone();
    assert_eq!((stat.total_dead, stat.total_scraped), (0, 1));
    assert!(stat.sweep.finished.is_some());
    sim.run_until(1_200);
    assert_eq!(sim.lookups.len(), 2);
}

#[test]
fn an_address_that_may_not_be_dialled_is_neither_admitted_nor_restored() {
    let local: proxy_shards::Candidate = "http://127.0.0.1:80".parse().unwrap();
    let mut restored = entry(1, Some(Verdict::Alive), 1_000);
    restored.candidate = local.clone();
    let mut sim = Simulation::new(config(&["a"]), 10, image(vec![restored]));
    let mut listed = list([1]);
    listed.candidates.push(local);
    sim.deliver(0, listed);
    sim.run_until(1_000);
    assert_eq!(sim.snapshot().stat.total_scraped, 1);
}

/// A list of `numbers`, and of proxies that are on this host.
fn with_local(
    numbers: impl IntoIterator<Item = u32>,
    local: &[&str],
) -> crate::sources::parse::Parsed {
    let mut listed = list(numbers);
    let local = local.iter().map(|text| text.parse().unwrap());
    local.for_each(|candidate| listed.candidates.push(candidate));
    listed
}

fn reload(sim: &mut Simulation, config: crate::config::Config) {
    sim.tell(Event::Configure {
        reload: 2,
        config: Arc::new(config),
    });
}

/// What a reload left: the pool, why it is stale, and how many are known.
fn left(sim: &Simulation) -> (usize, Option<Stale>, u64) {
    let snapshot = sim.snapshot();
    assert_eq!(snapshot.stale, snapshot.stat.stale.is_some());
    let stale = snapshot.stat.stale.map(|(reason, _)| reason);
    let pool = snapshot.pool.proxies().len();
    (pool, stale, snapshot.stat.total_scraped)
}

/// Several are alive, and then may no longer be dialled, while the targets are not to be had.
fn forbidden_in_an_outage(config: crate::config::Config, local: &[&str]) -> Simulation {
    let mut allowing = controlled(&["a"], Require::All);
    allowing.aggregator.addresses.allow_private = true;
    let mut sim = Simulation::new(allowing, 10, Image::default());
    sim.deliver(0, with_local([], local));
    sim.run_until(1_000);
    assert_eq!(left(&sim), (local.len(), None, local.len() as u64));
    sim.fate(|_, _| (Verdict::ConnectTimeout, 4_000));
    reload(&mut sim, config);
    sim.run_until(1_300);
    sim
}

#[test]
fn a_pool_that_a_reload_forbids_is_empty_at_once_and_is_not_held() {
    let local = ["http://127.0.0.1:80", "http://127.0.0.1:81"];
    let mut sim = forbidden_in_an_outage(controlled(&["a"], Require::All), &local);
    assert_eq!(left(&sim), (0, None, 0));
    assert_eq!(sim.snapshot().stat.latency_ms_p50, 0);
    sim.fate(|_, _| (Verdict::Alive, 20));
    sim.run_until(60_000);
    assert_eq!(left(&sim), (0, None, 0));
}

#[test]
fn a_port_that_a_reload_denies_leaves_the_pool_too() {
    let mut config = controlled(&["a"], Require::All);
    config.aggregator.addresses.allow_private = true;
    config.aggregator.addresses.deny_ports = [81].into();
    let local = ["http://127.0.0.1:80", "http://127.0.0.1:81"];
    let sim = forbidden_in_an_outage(config, &local);
    assert_eq!(left(&sim), (1, None, 1));
}

#[test]
fn a_pool_that_is_held_already_is_emptied_and_no_longer_stale() {
    let mut allowing = controlled(&["a"], Require::All);
    allowing.aggregator.addresses.allow_private = true;
    let mut sim = Simulation::new(allowing, 10, Image::default());
    sim.behave(|_, at| if at < 30_000 { ALIVE } else { DEAD });
    sim.deliver(0, with_local([], &["http://127.0.0.1:80"]));
    sim.run_until(100_000);
    assert_eq!(left(&sim), (1, Some(Stale::NothingAlive), 1));
    sim.fate(|_, _| (Verdict::ConnectTimeout, 4_000));
    reload(&mut sim, controlled(&["a"], Require::All));
    sim.run_until(100_300);
    assert_eq!(left(&sim), (0, None, 0));
}

#[test]
fn a_probe_under_way_brings_nobody_back_whom_a_reload_forbids() {
    let mut allowing = config(&["a"]);
    allowing.aggregator.addresses.allow_private = true;
    let mut sim = Simulation::new(allowing, 10, Image::default());
    sim.behave(|_, at| (Verdict::Alive, if at < 10_000 { 50 } else { 5_000 }));
    sim.deliver(0, with_local([], &["http://127.0.0.1:80"]));
    sim.run_until(1_000);
    assert_eq!(left(&sim), (1, None, 1));
    while sim.state.outstanding() == 0 || sim.now_ms < 10_000 {
        let next = sim.now_ms + 10;
        sim.run_until(next);
    }
    reload(&mut sim, config(&["a"]));
    let soon = sim.now_ms + 300;
    sim.run_until(soon);
    assert_eq!(left(&sim), (0, None, 1), "its job is out");
    let later = sim.now_ms + 120_000;
    sim.run_until(later);
    let probes = sim.probes.len();
    assert_eq!((left(&sim), probes), ((0, None, 0), 2));
}

#[test]
fn what_was_restored_leaves_too_though_its_source_has_not_delivered() {
    let mut restored = entry(1, Some(Verdict::Alive), 1_000);
    restored.candidate = "http://127.0.0.1:80".parse().unwrap();
    let mut allowing = controlled(&["a"], Require::All);
    allowing.aggregator.addresses.allow_private = true;
    let mut sim = Simulation::new(allowing, 10, image(vec![restored]));
    sim.fate(|_, _| (Verdict::ConnectTimeout, 4_000));
    sim.run_until(300);
    assert_eq!(left(&sim), (1, None, 1));
    reload(&mut sim, controlled(&["a"], Require::All));
    sim.run_until(600);
    assert_eq!(left(&sim), (0, None, 0));
}

#[test]
fn a_name_whose_address_a_reload_forbids_leaves_and_comes_back_at_another() {
    let mut sim = simulation(10);
    sim.deliver(0, with_local([], &["http://proxy.test:8080"]));
    let resolve = |sim: &mut Simulation, n| {
        let purpose = sim.lookups.last().unwrap().purpose;
        let ip = candidate(n).host.ip();
        sim.tell(Event::Resolved { purpose, ip });
    };
    resolve(&mut sim, 77);
    sim.run_until(1_000);
    assert_eq!(left(&sim), (1, None, 1));
    let mut denying = config(&["a"]);
    denying.aggregator.addresses.deny = ["9.0.0.77".parse().unwrap()].into();
    reload(&mut sim, denying);
    sim.run_until(1_300);
    assert_eq!((left(&sim), sim.lookups.len()), ((0, None, 1), 2));
    // The answer of before the reload.
    resolve(&mut sim, 77);
    sim.run_until(2_000);
    assert_eq!((left(&sim), sim.lookups.len()), ((0, None, 1), 3));
    resolve(&mut sim, 78);
    sim.run_until(3_000);
    assert_eq!(left(&sim), (1, None, 1));
    assert_eq!((sim.probed_at(77).len(), sim.probed_at(78).len()), (1, 1));
}

#[test]
fn another_configuration_that_forbids_nobody_leaves_all_where_they_are() {
    let mut sim = simulation(10);
    sim.deliver(0, list(0..20));
    sim.run_until(1_000);
    let mut other = config(&["a"]);
    other.aggregator.addresses.deny = ["9.0.0.19".parse().unwrap()].into();
    reload(&mut sim, other);
    sim.run_until(1_300);
    assert_eq!(sim.served(), (0..19).collect::<Vec<_>>());
    assert_eq!(left(&sim), (19, None, 19));
}

#[test]
fn addresses_that_a_reload_forbids_are_dropped() {
    let mut allowing = config(&["a"]);
    allowing.aggregator.addresses.allow_private = true;
    let mut sim = Simulation::new(allowing, 10, Image::default());
    let mut listed = list([1]);
    listed
        .candidates
        .push("http://127.0.0.1:80".parse().unwrap());
    sim.deliver(0, listed);
    sim.run_until(1_000);
    assert_eq!(sim.snapshot().pool.proxies().len(), 2);
    sim.tell(Event::Configure {
        reload: 2,
        config: Arc::new(config(&["a"])),
    });
    sim.run_until(2_000);
    assert_eq!(sim.served(), [1]);
    assert_eq!(sim.snapshot().stat.total_scraped, 1);
}
