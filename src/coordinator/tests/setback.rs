//! The host's clock is set while the service runs, or between two processes.

use super::heard::say_of;
use super::restart::{first, half, left, probed};
use super::*;
use crate::coordinator::simulation::EPOCH_MS;
use crate::ledger::Experience;
use std::collections::HashSet;
use std::time::SystemTime;

const HOUR_MS: u64 = 3_600_000;
/// The first second of 2100.
const YEAR_2100_MS: u64 = 4_102_444_800_000;

/// Every moment that readers see.
fn moments(sim: &Simulation) -> Vec<SystemTime> {
    let snapshot = sim.snapshot();
    let stat = &snapshot.stat;
    let mut moments: Vec<SystemTime> = snapshot
        .pool
        .proxies()
        .iter()
        .map(|p| p.last_check)
        .collect();
    moments.extend(
        [stat.last_check, stat.sweep.started, stat.sweep.finished]
            .into_iter()
            .flatten(),
    );
    moments.extend(stat.sources.iter().filter_map(|source| source.fetched_at));
    moments.extend(stat.stale.map(|(_, since)| since));
    moments
}

#[test]
fn wherever_the_clock_goes_the_pace_is_the_same_and_no_moment_lies_ahead() {
    let settings = [
        EPOCH_MS + HOUR_MS,
        EPOCH_MS - HOUR_MS,
        EPOCH_MS - HOUR_MS - 10_000,
        YEAR_2100_MS,
        100_000,
        EPOCH_MS,
    ];
    let mut sim = simulation(10);
    sim.behave(|n, _| if n < 8 { ALIVE } else { DEAD });
    sim.deliver(0, list(0..10));
    sim.run_until(30_000);
    for (minute, unix_ms) in (1..).zip(settings) {
        sim.set_clock(unix_ms);
        sim.tell(Event::Tick);
        sim.run_until(30_000 + minute * 60_000);
        assert_eq!(sim.served().len(), 8, "{unix_ms}");
        for n in 0..8 {
            assert_eq!(sim.probed_at(n).len() as u64, 1 + minute, "{unix_ms}");
        }
        let now = sim.now().system();
        let ages = moments(&sim).into_iter().map(|at| now.duration_since(at));
        assert!(ages.clone().count() > 10);
        assert!(ages.clone().all(|age| age.is_ok()), "{unix_ms}: {ages:?}");
    }
}

#[test]
fn what_was_checked_before_the_clock_was_set_back_was_checked_now_at_the_latest_and_at_once() {
    let mut sim = simulation(10);
    sim.behave(half);
    sim.deliver(0, list(0..100));
    sim.run_until(30_000);
    sim.set_clock(EPOCH_MS - HOUR_MS);
    sim.tell(Event::Tick);
    sim.run_until(30_300); // nobody is checked in it
    let now = sim.now().system();
    assert!(moments(&sim).iter().all(|at| *at <= now));
    let ledger = &sim.state.ledger;
    assert!((0..100).all(|n| ledger.checked_at_ms(n) <= sim.now().unix_ms));
}

#[test]
fn a_restart_after_the_clock_was_set_back_goes_on_where_the_sweep_stopped() {
    for set_to in [
        EPOCH_MS - HOUR_MS,
        EPOCH_MS + HOUR_MS,
        YEAR_2100_MS,
        100_000,
    ] {
        let mut before = first();
        before.run_until(2_000);
        before.set_clock(set_to);
        before.run_until(5_000);
        let done = before.state.sweep.done;
        assert!((1_000..3_000).contains(&done), "{done}");
        let checked: HashSet<u32> = probed(&before);
        let unix_ms = before.now().unix_ms;
        let image = left(&mut before);
        for clock_ms in [unix_ms, EPOCH_MS + 5_000] {
            let mut after = Simulation::at(config(&["a"]), 10, image.clone(), clock_ms);
            after.behave(half);
            after.tell(Event::Tick);
            after.deliver(0, list(0..4_000));
            let sweep = after.snapshot().stat.sweep;
            assert_eq!(
                (sweep.total, sweep.done),
                (4_000, done),
                "{set_to} {clock_ms}"
            );
            after.run_until(20_000);
            let again = probed(&after);
            let again = again
                .iter()
                .filter(|&n| checked.contains(n) && !is_overdue(set_to, clock_ms));
            // What was out at the end was begun twice.
            assert!(again.count() <= 20, "{set_to} {clock_ms}");
        }
    }
}

/// Whether the clock says that more than the pause has passed since the checks were made.
fn is_overdue(checked_at_ms: u64, now_ms: u64) -> bool {
    now_ms > checked_at_ms.min(EPOCH_MS) + 60_000
}

#[test]
fn what_a_clock_that_was_ahead_has_left_is_of_today_also_for_the_next_process() {
    let mut image = {
        let mut ahead = Simulation::at(config(&["a"]), 10, Image::default(), YEAR_2100_MS);
        ahead.behave(|_, _| ALIVE);
        ahead.deliver(0, list(0..100));
        ahead.run_until(30_000);
        left(&mut ahead)
    };
    for process in 0..3 {
        let unix_ms = EPOCH_MS + process * 30_000;
        let mut sim = Simulation::at(config(&["a"]), 10, image, unix_ms);
        sim.behave(|_, _| ALIVE);
        sim.tell(Event::Tick);
        sim.deliver(0, list(0..100));
        sim.run_until(29_000);
        // Due a minute after the first of these processes began, whoever was asked when.
        assert_eq!(sim.probes.is_empty(), process < 2, "{process}");
        let is_ahead = |n| sim.state.ledger.checked_at_ms(n) > sim.now().unix_ms;
        assert!(!(0..100).any(is_ahead), "{process}");
        image = left(&mut sim);
    }
}

#[test]
fn what_clients_say_counts_for_ten_minutes_whatever_the_clock_says() {
    let mut sim = simulation(10);
    sim.behave(|_, _| ALIVE);
    sim.deliver(0, list(0..10));
    sim.run_until(30_000);
    let name = sim.snapshot().stat.targets[0].name.to_string();
    say_of(&mut sim, 4, 1, Experience::Banned, Some(&name));
    let is_banned = |sim: &Simulation| {
        let index = sim.state.ledger.find_at(&candidate(4).host, 8080)[0];
        sim.state.ledger.banned_at(index).contains(0)
    };
    for (minute, unix_ms) in (1..10).zip(
        [EPOCH_MS + HOUR_MS, EPOCH_MS - HOUR_MS, YEAR_2100_MS]
            .iter()
            .cycle(),
    ) {
        sim.set_clock(*unix_ms);
        sim.run_until(30_000 + minute * 60_000);
        assert!(is_banned(&sim), "after {minute} minutes, at {unix_ms}");
    }
    sim.run_until(30_000 + 11 * 60_000);
    assert!(!is_banned(&sim), "after eleven minutes");
}
