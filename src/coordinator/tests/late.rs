//! A host that can tell nothing of some candidates: its CPUs are late for ever, or it has no way to them.

use super::*;
use crate::coordinator::simulation::SIX;
use proxy_shards::Require;

/// Every third is good, every third refuses, and of the others nothing can be told.
fn late(n: u32) -> (Verdict, u64) {
    match n % 3 {
        0 => (Verdict::Alive, 400),
        1 => (Verdict::LocalLate, 5_000),
        _ => (Verdict::Refused, 100),
    }
}

#[test]
fn a_sweep_on_a_host_that_is_always_late_ends_and_says_of_how_many_it_knows_nothing() {
    let mut sim = Simulation::new(config(&["a"]), 500, Image::default());
    sim.behave(|n, _| late(n));
    sim.deliver(0, list(0..300));
    sim.run_until(120_000);
    let stat = sim.snapshot().stat.clone();
    let sweep = stat.sweep;
    assert_eq!((sweep.total, sweep.done, sweep.unjudged), (300, 300, 100));
    assert!(sweep.finished.is_some());
    assert_eq!((stat.total_alive, stat.total_dead), (100, 100));
    assert!(stat.probes.verdicts[Verdict::LocalLate as usize] >= 300);
}

#[test]
fn who_was_alive_before_the_host_was_late_keeps_its_place() {
    let mut sim = Simulation::new(config(&["a"]), 500, Image::default());
    sim.behave(|_, _| (Verdict::Alive, 400));
    sim.deliver(0, list(0..300));
    sim.run_until(10_000);
    sim.behave(|_, _| (Verdict::LocalLate, 5_000));
    sim.run_until(1_000_000);
    let stat = sim.snapshot().stat.clone();
    assert_eq!((stat.total_alive, stat.total_dead), (300, 0));
    sim.behave(|_, _| (Verdict::Refused, 100));
    sim.run_until(1_200_000);
    assert_eq!(sim.snapshot().stat.total_dead, 300, "in time again");
}

/// A host that has no way to some candidates and reaches all others.
fn without_a_way(
    config: crate::config::Config,
    have_none: impl Fn(u32) -> bool + 'static,
    list: crate::sources::parse::Parsed,
) {
    let mut sim = Simulation::new(config, 500, Image::default());
    let of = move |n, even| match (have_none(n), even) {
        (true, _) => (Verdict::LocalNetwork, 0),
        (false, true) => (Verdict::Alive, 400),
        (false, false) => (Verdict::Refused, 100),
    };
    sim.behave(move |n, _| of(n, n % 2 == 0));
    sim.deliver(0, list);
    sim.run_until(180_000);
    let stat = sim.snapshot().stat.clone();
    let sweep = stat.sweep;
    assert_eq!((sweep.total, sweep.done, sweep.unjudged), (400, 400, 100));
    assert_eq!((stat.total_alive, stat.total_dead), (150, 150));
    for second in 180..240 {
        sim.run_until(second * 1_000);
        assert_eq!(sim.snapshot().stat.stale, None);
    }
}

#[test]
fn a_sweep_ends_without_those_to_whom_this_host_has_no_way() {
    let six = list((0..300).chain(SIX..SIX + 100));
    without_a_way(config(&["a"]), |n| n >= SIX, six);
    let controlled = controlled(&["t"], Require::All);
    without_a_way(controlled, |n| n < 100, list(0..400));
}

#[test]
fn a_sweep_waits_for_a_network_that_is_gone_and_comes_and_goes() {
    for config in [config(&["a"]), controlled(&["t"], Require::All)] {
        let mut sim = Simulation::new(config, 500, Image::default());
        // There for five seconds of each minute, and for good in the end.
        let is_there = |at: u64| at > 600_000 || (5_000..10_000).contains(&(at % 60_000));
        sim.behave(move |n, at| match is_there(at) {
            true if n % 2 == 0 => (Verdict::Alive, 400),
            true => (Verdict::Refused, 100),
            false => (Verdict::LocalNetwork, 700),
        });
        sim.fate(move |_, at| match is_there(at) {
            true => (Verdict::Alive, 20),
            false => (Verdict::LocalNetwork, 0),
        });
        sim.deliver(0, list((0..200).chain(SIX..SIX + 200)));
        sim.run_until(900_000);
        let stat = sim.snapshot().stat.clone();
        let sweep = stat.sweep;
        assert_eq!((sweep.total, sweep.done, sweep.unjudged), (400, 400, 0));
        assert_eq!((stat.total_alive, stat.total_dead), (200, 200));
        assert_eq!(stat.stale, None);
    }
}

#[test]
fn an_outage_that_no_target_told_of_is_over_when_a_target_tells_otherwise() {
    let mut sim = Simulation::new(config(&["a"]), 500, Image::default());
    sim.behave(|_, _| (Verdict::Alive, 400));
    sim.deliver(0, list(0..50));
    sim.run_until(30_000);
    sim.behave(|_, _| (Verdict::LocalNetwork, 0));
    sim.run_until(120_000);
    assert!(sim.snapshot().stat.stale.is_some());
    assert_eq!(sim.snapshot().stat.total_alive, 50);
    // Only the proxies cannot be reached; the target, which is tried from now on, can.
    sim.tell(Event::Configure {
        reload: 2,
        config: Arc::new(controlled(&["a"], Require::All)),
    });
    sim.run_until(240_000);
    assert_eq!(sim.snapshot().stat.stale, None);
}
