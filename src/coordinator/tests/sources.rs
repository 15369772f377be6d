//! What sources list, drop and fail to give, and what a reload does with it.

use super::*;
use crate::coordinator::simulation::source;
use crate::sources::fetch::Fetched;

#[test]
fn a_restored_candidate_that_no_source_lists_is_kept_only_while_it_is_alive() {
    let restored = vec![
        entry(1, Some(Verdict::Alive), 1_000),
        entry(2, Some(Verdict::Refused), 1_000),
        entry(3, Some(Verdict::Refused), 1_000),
    ];
    let mut sim = Simulation::new(config(&["a"]), 5, image(restored));
    sim.behave(|n, at| if n == 1 && at < 90_000 { ALIVE } else { DEAD });
    sim.deliver(0, list([3]));
    sim.run_until(60_000);
    assert_eq!(sim.snapshot().stat.total_scraped, 2);
    assert_eq!(sim.served(), [1]);
    sim.run_until(200_000);
    let stat = &sim.snapshot().stat;
    assert_eq!((stat.total_scraped, stat.total_alive), (1, 0));
}

#[test]
fn sources_dropped_from_the_configuration_take_their_candidates_with_them() {
    let mut sim = Simulation::new(config(&["a", "b"]), 10, Image::default());
    sim.behave(|n, _| if n % 2 == 0 { ALIVE } else { DEAD });
    sim.deliver(0, list(0..10));
    sim.deliver(1, list(5..20));
    sim.run_until(5_000);
    assert_eq!(sim.snapshot().stat.total_scraped, 20);
    sim.tell(Event::Configure {
        reload: 2,
        config: Arc::new(config(&["b"])),
    });
    sim.run_until(10_000);
    let stat = sim.snapshot().stat.clone();
    assert_eq!(stat.sources.len(), 1);
    assert_eq!((&*stat.sources[0].url, stat.sources[0].found), ("b", 15));
    assert_eq!(
        stat.total_scraped, 18,
        "0, 2 and 4 are alive and stay until they fail"
    );
    let proxies = sim.snapshot().pool.clone();
    for proxy in proxies.proxies() {
        let listed = number(proxy.candidate.host.ip().unwrap()) >= 5;
        assert_eq!(proxy.source, listed.then_some(0));
    }
}

#[test]
fn a_reload_makes_everything_due_and_applies_the_configuration() {
    let mut sim = simulation(50);
    sim.deliver(0, list(0..100));
    sim.run_until(5_000);
    assert_eq!(sim.probes.len(), 100);
    sim.tell(Event::Configure {
        reload: 2,
        config: Arc::new(config(&["a"])),
    });
    assert_eq!(sim.others, ["policy", "lanes", "pace"]);
    sim.run_until(6_000);
    assert_eq!(sim.probes.len(), 200);
    let sweep = sim.state.sweep;
    assert_eq!((sweep.id, sweep.total, sweep.done), (2, 100, 100));
    assert!(sweep.finished.is_none(), "its source has not answered yet");
    sim.tell(Event::Source {
        reload: 2,
        source: 0,
        outcome: Ok(Fetched::NotModified),
    });
    assert!(sim.state.sweep.finished.is_some());
}

#[test]
fn a_source_that_fails_keeps_its_list_and_shows_its_error() {
    let mut sim = simulation(10);
    sim.deliver(0, list(0..10));
    sim.run_until(1_000);
    let failed = |text: &str| Event::Source {
        reload: 1,
        source: 0,
        outcome: Err(text.into()),
    };
    sim.tell(failed("a: 503"));
    sim.run_until(2_000);
    let stat = sim.snapshot().stat.clone();
    assert_eq!(
        (&*stat.sources[0].error, stat.sources[0].found),
        ("a: 503", 10)
    );
    assert_eq!(sim.served().len(), 10);
    sim.deliver(0, list(0..10));
    sim.run_until(3_000);
    assert_eq!(&*sim.snapshot().stat.sources[0].error, "");
}

#[test]
fn a_list_of_an_earlier_configuration_is_not_taken_in() {
    let mut sim = simulation(10);
    sim.tell(Event::Configure {
        reload: 2,
        config: Arc::new(config(&["b"])),
    });
    sim.tell(Event::Source {
        reload: 1,
        source: 0,
        outcome: Ok(Fetched::List(list(0..10))),
    });
    sim.run_until(1_000);
    assert_eq!(sim.snapshot().stat.total_scraped, 0);
}

#[test]
fn a_quiet_fetch_makes_only_new_candidates_due() {
    let mut sim = simulation(50);
    sim.deliver(0, list(0..100));
    sim.run_until(5_000);
    sim.deliver(0, list(50..150));
    sim.run_until(6_000);
    assert_eq!(sim.probes.len(), 150);
    assert_eq!(sim.state.sweep.total, 100);
}

#[test]
fn a_long_list_is_taken_in_piece_by_piece() {
    let mut sim = simulation(50);
    sim.deliver(0, list(0..45_000));
    assert_eq!(sim.state.ledger.len(), 10_000);
    sim.tell(Event::Tick);
    assert_eq!(sim.state.ledger.len(), 20_000);
    sim.run_until(10);
    assert_eq!(sim.state.ledger.len(), 45_000);
}

#[test]
fn a_source_that_is_in_two_places_keeps_its_candidates_once() {
    let mut twice = config(&["a"]);
    twice.aggregator.sources = vec![source("a"), source("a")];
    let mut sim = Simulation::new(twice.clone(), 10, Image::default());
    sim.deliver(0, list(0..5));
    sim.deliver(1, list(0..5));
    sim.tell(Event::Configure {
        reload: 2,
        config: Arc::new(twice),
    });
    sim.run_until(2_000);
    assert_eq!(sim.snapshot().stat.total_scraped, 5);
}
