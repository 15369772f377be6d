//! Names on their way to an address, and addresses that may not be dialled.

use super::*;

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
