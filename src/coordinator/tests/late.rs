//! A host that can tell nothing of some candidates: its CPUs are late for ever, or it has no way to them.

use super::*;

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

#[test]
fn a_sweep_ends_without_those_to_whom_this_host_has_no_way() {
    let mut sim = Simulation::new(config(&["a"]), 500, Image::default());
    sim.behave(|n, _| match n % 3 {
        1 => (Verdict::LocalNetwork, 0),
        _ => late(n),
    });
    sim.deliver(0, list(0..300));
    sim.run_until(120_000);
    let stat = sim.snapshot().stat.clone();
    let sweep = stat.sweep;
    assert_eq!((sweep.total, sweep.done, sweep.unjudged), (300, 300, 100));
    assert_eq!((stat.total_alive, stat.total_dead), (100, 100));
    assert_eq!(stat.stale, None);
}

#[test]
fn a_sweep_waits_for_a_network_that_is_gone() {
    let mut sim = Simulation::new(config(&["a"]), 500, Image::default());
    sim.behave(|_, _| (Verdict::LocalNetwork, 0));
    sim.deliver(0, list(0..300));
    sim.run_until(600_000);
    let stat = sim.snapshot().stat.clone();
    assert!(stat.sweep.finished.is_none(), "{:?}", stat.sweep);
    sim.behave(|_, _| (Verdict::Alive, 400));
    sim.run_until(800_000);
    assert!(sim.snapshot().stat.sweep.finished.is_some());
}
