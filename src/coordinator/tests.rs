use super::simulation::{Simulation, candidate, config, controlled, list, number};
use super::{Event, SaveOutcome};
use crate::ledger::Entry;
use crate::snapshot::Stale;
use crate::store::Image;
use proxy_shards::{Timing, Verdict};
use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

mod addresses;
mod asked;
mod control;
mod freshness;
mod govern;
mod heard;
mod kept;
mod late;
mod outage;
mod restart;
mod setback;
mod several;
mod sources;
mod stale;
mod sweeptime;

const DEAD: (Verdict, u64) = (Verdict::Refused, 30);
const ALIVE: (Verdict, u64) = (Verdict::Alive, 50);

fn simulation(lanes: usize) -> Simulation {
    Simulation::new(config(&["a"]), lanes, Image::default())
}

fn entry(n: u32, verdict: Option<Verdict>, checked_at_ms: u64) -> Entry {
    Entry {
        verdict,
        timing: Timing {
            total_us: 42_000,
            ..Timing::default()
        },
        checked_at_ms,
        alive_at_ms: 5,
        failures: if verdict == Some(Verdict::Alive) {
            0
        } else {
            9
        },
        ..Entry::new(candidate(n))
    }
}

fn image(entries: Vec<Entry>) -> Image {
    Image {
        saved_at_ms: 10,
        entries: entries.into(),
        ..Image::default()
    }
}

#[test]
fn what_a_source_lists_is_probed_and_the_alive_are_served() {
    let mut sim = simulation(10);
    sim.behave(|n, _| if n % 2 == 0 { ALIVE } else { DEAD });
    sim.deliver(0, list(0..100));
    sim.run_until(5_000);
    assert_eq!(sim.served(), (0..100).step_by(2).collect::<Vec<_>>());
    let stat = sim.snapshot().stat.clone();
    assert_eq!(
        (stat.total_scraped, stat.total_alive, stat.total_dead),
        (100, 50, 50)
    );
    assert_eq!(stat.verdicts[Verdict::Refused as usize], 50);
    assert_eq!(
        (stat.sweep.id, stat.sweep.total, stat.sweep.done),
        (1, 100, 100)
    );
    assert!(stat.sweep.finished.is_some());
    assert_eq!((stat.latency_ms_p50, stat.sources[0].found), (50, 100));
    assert_eq!(stat.sources[0].alive, 50);
    assert_eq!(stat.latency_spread.rows().next(), Some((Some(50), 50)));
}

#[test]
fn what_becomes_of_the_alive_is_counted() {
    let mut sim = simulation(10);
    let before = |ms: u64| ms < 30_000;
    sim.behave(move |n, ms| match n {
        0 => ALIVE,
        1 if before(ms) => ALIVE,
        2 if !before(ms) => ALIVE,
        _ => DEAD,
    });
    sim.deliver(0, list(0..4));
    sim.run_until(5_000);
    let turns = sim.snapshot().stat.turns;
    assert_eq!((turns.found, turns.kept, turns.lost), (2, 0, 0));
    sim.run_until(100_000);
    let turns = sim.snapshot().stat.turns;
    assert_eq!((turns.found, turns.kept, turns.lost), (3, 1, 1));
}

#[test]
fn the_first_alive_proxy_is_served_with_the_report_that_brings_it() {
    let mut sim = simulation(10);
    sim.behave(|n, _| {
        if n == 15 {
            (Verdict::Alive, 10)
        } else {
            (Verdict::Refused, 40)
        }
    });
    sim.run_until(50);
    sim.deliver(0, list(0..20));
    sim.run_until(200);
    assert_eq!(sim.served(), [15]);
}

#[test]
fn publications_are_250_ms_apart_and_generations_grow_by_one() {
    let mut sim = simulation(5);
    sim.behave(|n, _| if n % 3 == 0 { ALIVE } else { DEAD });
    sim.deliver(0, list(0..3_000));
    sim.run_until(20_000);
    let gaps = sim.publications.windows(2).map(|w| w[1] - w[0]);
    let quick = gaps.filter(|&gap| gap < 250).count();
    assert!(sim.publications.len() > 40);
    assert!(quick <= 1, "only the first alive proxy does not wait");
    assert_eq!(sim.snapshot().generation, sim.publications.len() as u64);
}

#[test]
fn nothing_is_published_while_nothing_changes() {
    let mut sim = simulation(10);
    sim.deliver(0, list(0..10));
    sim.run_until(5_000);
    let before = sim.publications.len();
    sim.run_until(55_000);
    assert_eq!(sim.publications.len(), before);
}

#[test]
fn the_pool_is_shared_with_the_generation_before_while_the_alive_stay_as_they_are() {
    let mut sim = simulation(1);
    sim.behave(|n, _| {
        if n == 0 {
            ALIVE
        } else {
            (Verdict::Refused, 500)
        }
    });
    sim.deliver(0, list(0..40));
    sim.run_until(2_000);
    let before = sim.snapshot();
    sim.run_until(4_000);
    let after = sim.snapshot();
    assert!(after.generation > before.generation);
    assert!(after.stat.total_dead > before.stat.total_dead);
    assert!(Arc::ptr_eq(&after.pool, &before.pool));
}

#[test]
fn a_proxy_that_fails_leaves_the_pool_and_is_looked_at_again_within_seconds() {
    let mut sim = simulation(10);
    sim.behave(|n, at| {
        if (30_000..62_000).contains(&at) && n == 4 {
            DEAD
        } else {
            ALIVE
        }
    });
    sim.deliver(0, list([4, 5]));
    sim.run_until(59_000);
    assert_eq!(sim.served(), [4, 5]);
    sim.run_until(61_000);
    assert_eq!(sim.served(), [5], "it is not served after its failure");
    sim.run_until(70_000);
    assert_eq!(sim.served(), [4, 5]);
    let probes = sim.probed_at(4);
    assert_eq!(probes.len(), 3);
    assert!(probes[2] - probes[1] < 3_000, "{probes:?}");
}

#[test]
fn a_proxy_that_goes_on_failing_gets_two_quick_checks_and_then_backs_off() {
    let mut sim = simulation(10);
    sim.behave(|_, at| if at >= 30_000 { DEAD } else { ALIVE });
    sim.deliver(0, list([4]));
    sim.run_until(600_000);
    let probes = sim.probed_at(4);
    let pauses: Vec<u64> = probes.windows(2).map(|w| (w[1] - w[0]) / 1_000).collect();
    assert_eq!(pauses.len(), 6, "{pauses:?}");
    assert!(
        (1..=2).contains(&pauses[1]) && (1..=2).contains(&pauses[2]),
        "{pauses:?}"
    );
    assert!((54..=67).contains(&pauses[3]), "{pauses:?}");
    assert!((108..=133).contains(&pauses[4]), "{pauses:?}");
    assert!((216..=265).contains(&pauses[5]), "{pauses:?}");
}

#[test]
fn local_failures_never_remove_an_alive_proxy() {
    let mut sim = simulation(10);
    sim.behave(|n, at| match (n, at > 10_000) {
        (_, false) => ALIVE,
        (n, true) => {
            let local: Vec<Verdict> = Verdict::ALL.into_iter().filter(|v| v.is_local()).collect();
            (local[n as usize % local.len()], 5)
        }
    });
    sim.deliver(0, list(0..50));
    sim.run_until(5_000);
    let before = sim.snapshot();
    assert_eq!(before.pool.proxies().len(), 50);
    sim.run_until(600_000);
    let after = sim.snapshot();
    assert_eq!(after.pool.proxies().len(), 50);
    let last_check = |s: &crate::snapshot::Snapshot| s.pool.proxies()[7].last_check;
    assert_eq!(last_check(&after), last_check(&before));
    let tries = sim.probed_at(7).len();
    assert!((15..60).contains(&tries), "{tries} tries in ten minutes");
}

#[test]
fn restored_proxies_are_served_before_the_first_probe_with_their_age() {
    let restored = vec![
        entry(1, Some(Verdict::Refused), 1_000),
        entry(2, Some(Verdict::Alive), 2_000),
        entry(3, None, 0),
    ];
    let sim = Simulation::new(config(&["a"]), 1, image(restored));
    let snapshot = sim.snapshot();
    assert_eq!((snapshot.generation, sim.publications[0]), (1, 0));
    assert_eq!(sim.served(), [2]);
    let proxy = &snapshot.pool.proxies()[0];
    assert_eq!(proxy.latency_ms, 42);
    let age = snapshot.published.duration_since(proxy.last_check).unwrap();
    assert!(age > Duration::from_secs(1_000_000));
    assert_eq!(snapshot.stat.probes.total(), 0);
}

#[test]
fn everything_restored_is_due_the_alive_first() {
    let verdict = |n: u32| match n % 5 {
        0 => Some(Verdict::Alive),
        _ => Some(Verdict::Refused),
    };
    let restored = (0..200).map(|n| entry(n, verdict(n), 1_000)).collect();
    let mut sim = Simulation::new(config(&["a"]), 5, image(restored));
    assert_eq!(sim.snapshot().stat.sweep.total, 200);
    sim.run_until(20_000);
    let first: Vec<u32> = sim.probes.iter().take(12).map(|(n, _)| *n).collect();
    assert!(
        first.iter().filter(|n| *n % 5 == 0).count() >= 8,
        "{first:?}"
    );
    assert_eq!(sim.state.sweep.done, 200);
}

#[test]
fn the_ledger_is_saved_at_intervals_one_save_at_a_time() {
    let mut sim = simulation(50);
    sim.deliver(0, list(0..100));
    sim.run_until(1_000);
    assert_eq!(sim.images.len(), 1, "the first sweep is over");
    sim.tell(Event::Saved(SaveOutcome::Saved));
    sim.run_until(299_000);
    assert_eq!(sim.images.len(), 1);
    sim.run_until(301_000);
    assert_eq!(sim.images.len(), 2);
    assert_eq!(sim.images[1].entries.len(), 100);
    sim.run_until(1_000_000);
    assert_eq!(sim.images.len(), 2, "the second is still running");
    sim.tell(Event::Saved(SaveOutcome::Failed));
    assert_eq!(sim.images.len(), 3);
}

#[test]
fn after_the_stop_no_job_is_handed_out() {
    let mut sim = simulation(1);
    sim.behave(|_, _| (Verdict::Alive, 1_000));
    sim.deliver(0, list(0..1_000));
    sim.run_until(3_000);
    sim.tell(Event::Stop);
    let out = sim.state.outstanding();
    sim.run_until(10_000);
    assert!(sim.state.outstanding() < out);
    let probes = sim.probes.len();
    sim.run_until(200_000);
    assert!(sim.probes.len() <= probes + out);
    assert_eq!(sim.state.outstanding(), 0);
}

/// 5 000 alive among 100 000: every probe of an alive one follows the last within 1.5 intervals,
/// for at least 95 % of them, and each of the dead is checked again by the bound of its back-off.
#[test]
fn the_alive_stay_fresh_and_the_dead_are_not_forgotten() {
    const ALL: u32 = 100_000;
    let mut sim = simulation(1_000);
    sim.behave(|n, _| {
        if n % 20 == 0 {
            (Verdict::Alive, 400)
        } else {
            (Verdict::ConnectTimeout, 1_500)
        }
    });
    sim.deliver(0, list(0..ALL));
    sim.run_until(230_000);
    let mut last: HashMap<u32, u64> = HashMap::new();
    let mut late = std::collections::HashSet::new();
    for &(n, at) in &sim.probes {
        if let Some(before) = last.insert(n, at)
            && n % 20 == 0
            && at - before > 90_000
        {
            late.insert(n);
        }
    }
    assert_eq!(last.len() as u32, ALL, "everything was probed");
    let forgotten = last
        .iter()
        .filter(|(n, at)| *n % 20 == 0 && **at < 140_000)
        .count();
    assert!(
        late.len() + forgotten <= 250,
        "{} late, {forgotten} forgotten",
        late.len()
    );
    let probes_of_dead = sim.probes.iter().filter(|(n, _)| n % 20 == 1).count() as u32;
    assert!(probes_of_dead >= 2 * ALL / 20, "{probes_of_dead}");
    assert_eq!(sim.snapshot().stat.total_alive, u64::from(ALL / 20));
}

/// 100 lanes, 250 alive, and 3 000 that say nothing for 15 s, all due at every interval: the silent
/// would fill every lane for eight minutes, with a batch of them waiting before each alive one.
#[test]
fn silent_proxies_on_few_lanes_do_not_hold_up_the_alive() {
    let mut few = config(&["a"]);
    few.aggregator.interval = Duration::from_secs(5);
    few.checker.backoff_max = Duration::ZERO;
    few.checker.batch_size = NonZeroUsize::new(2_000).unwrap();
    let mut sim = Simulation::new(few, 100, Image::default());
    sim.behave(|n, _| match n < 250 {
        true => (Verdict::Alive, 200),
        false => (Verdict::ConnectTimeout, 15_000),
    });
    sim.deliver(0, list(0..3_250));
    sim.run_until(600_000);
    assert_eq!(sim.served().len(), 250);
    let from = sim.now_ms - 60_000;
    for n in 0..250 {
        let probes = sim.probed_at(n).iter().filter(|at| **at > from).count();
        assert!(probes >= 10, "{n}: {probes} of 12 in the last minute");
    }
    assert!(sim.probes.iter().filter(|(n, _)| *n >= 250).count() > 2_500);
}
