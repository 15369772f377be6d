//! What a process does with what the one before it knew.

use super::*;
use crate::coordinator::{Action, Now};
use crate::ledger::Standing;
use proxy_shards::Require;

/// The image that a process would leave that ended now.
pub(super) fn left(sim: &mut Simulation) -> Image {
    let actions = sim.state.finish(sim.now());
    let image = |action| match action {
        Action::Save(image) => Some(image),
        _ => None,
    };
    actions.into_iter().find_map(image).unwrap()
}

/// The next process, `away_ms` after this one ended, with the same list.
fn next(sim: &mut Simulation, away_ms: u64, listed: u32) -> Simulation {
    let unix_ms = sim.now().unix_ms + away_ms;
    let image = left(sim);
    let mut next = Simulation::at(config(&["a"]), 10, image, unix_ms);
    next.behave(half);
    next.tell(Event::Tick);
    next.deliver(0, list(0..listed));
    next
}

/// On each of the two shards.
fn is_alive(n: u32) -> bool {
    n % 4 < 2
}

pub(super) fn half(n: u32, _: u64) -> (Verdict, u64) {
    if is_alive(n) { ALIVE } else { DEAD }
}

/// Ten lanes on two shards that take a list of 4 000: some ten seconds.
pub(super) fn first() -> Simulation {
    let mut sim = simulation(10);
    sim.behave(half);
    sim.deliver(0, list(0..4_000));
    sim
}

pub(super) fn probed(sim: &Simulation) -> std::collections::HashSet<u32> {
    sim.probes.iter().map(|(n, _)| *n).collect()
}

#[test]
fn a_restart_in_the_middle_of_a_sweep_checks_only_what_is_left_of_it() {
    let mut before = first();
    before.run_until(5_000);
    let done = before.state.sweep.done;
    assert!((1_000..3_000).contains(&done), "{done}");
    let checked: std::collections::HashSet<u32> = (0..4_000)
        .filter(|&n| before.state.ledger.checked_at_ms(n) != 0)
        .collect();
    assert_eq!(checked.len() as u64, done);

    let mut after = next(&mut before, 3_000, 4_000);
    let sweep = after.snapshot().stat.sweep;
    assert_eq!((sweep.id, sweep.total, sweep.done), (1, 4_000, done));
    assert_eq!(sweep.started, Some(after.sweep_started()));
    assert_eq!(sweep.finished, None);
    after.run_until(20_000);
    assert!(probed(&after).is_disjoint(&checked), "checked twice");
    assert_eq!(probed(&after).len() as u64, 4_000 - done);
    let sweep = after.snapshot().stat.sweep;
    assert_eq!((sweep.total, sweep.done), (4_000, 4_000));
    assert!(sweep.finished.is_some());
    // The alive are due an interval after their last check, whoever saw it.
    after.run_until(70_000);
    let again = probed(&after);
    assert!(
        (0..4_000)
            .filter(|n| is_alive(*n))
            .all(|n| again.contains(&n))
    );
}

#[test]
fn failures_in_a_row_and_the_pause_that_they_made_outlive_the_process() {
    let mut before = first();
    // The dead: at 0, 1, 3 and 7 minutes, and then not before the 14th.
    before.run_until(560_000);
    let standing = |sim: &Simulation, n| sim.state.ledger.standing(n);
    let dead = |sim: &Simulation| -> Vec<u32> {
        let probes = sim.probes.iter().map(|(n, _)| *n);
        probes.filter(|n| !is_alive(*n)).collect()
    };
    assert_eq!(standing(&before, 2), Standing::Dead { times: 4 });
    let mut after = next(&mut before, 0, 4_000);
    assert_eq!(standing(&after, 2), Standing::Dead { times: 4 });
    after.run_until(100_000);
    assert!(dead(&after).is_empty(), "their back-off is not over");
    after.run_until(600_000);
    let once: std::collections::HashSet<u32> = dead(&after).into_iter().collect();
    assert_eq!((once.len(), dead(&after).len()), (2_000, 2_000));
    assert_eq!(standing(&after, 2), Standing::Dead { times: 5 });
}

#[test]
fn what_is_overdue_after_a_long_time_is_due_at_once_the_alive_first() {
    let mut before = first();
    before.run_until(30_000);
    let mut after = next(&mut before, 3_600_000, 4_000);
    after.run_until(2_000);
    let alive = after.probes.iter().take(200).filter(|(n, _)| is_alive(*n));
    let alive = alive.count();
    assert!(alive > 140, "{alive}");
    after.run_until(30_000);
    assert_eq!(probed(&after).len(), 4_000);
}

#[test]
fn a_sweep_that_was_over_stays_so_and_the_next_reload_makes_everything_due() {
    let mut before = first();
    before.run_until(30_000);
    let sweep = before.snapshot().stat.sweep;
    assert!(sweep.finished.is_some());
    let mut after = next(&mut before, 1_000, 4_010);
    after.run_until(5_000);
    assert_eq!(
        after.snapshot().stat.sweep,
        sweep,
        "what is new is no part of it"
    );
    let new = probed(&after).into_iter().collect::<Vec<_>>();
    assert!(
        new.len() == 10 && new.iter().all(|n| *n >= 4_000),
        "{new:?}"
    );

    after.tell(Event::Configure {
        reload: 2,
        config: after.state.config.clone(),
    });
    after.run_until(6_000);
    let sweep = after.snapshot().stat.sweep;
    assert_eq!((sweep.id, sweep.total), (2, 4_010));
    // Ended in the middle of this one, the next process goes on with it.
    let done = after.state.sweep.done;
    let third = next(&mut after, 1_000, 4_010);
    let sweep = third.snapshot().stat.sweep;
    assert_eq!((sweep.total, sweep.done), (4_010, done));
}

#[test]
fn after_a_restart_with_other_targets_everything_is_due() {
    let mut before = first();
    before.run_until(30_000);
    let image = left(&mut before);
    let unix_ms = before.now().unix_ms;
    let mut other = controlled(&["elsewhere"], Require::All);
    other.checker.control = None;
    let mut after = Simulation::at(other, 10, image, unix_ms);
    after.behave(half);
    after.tell(Event::Tick);
    let sweep = after.snapshot().stat.sweep;
    assert_eq!((sweep.total, sweep.done), (4_000, 0));
    after.run_until(20_000);
    assert_eq!(probed(&after).len(), 4_000);
}

#[test]
fn where_the_clock_went_back_nothing_waits_longer_than_its_pause() {
    let mut before = first();
    before.run_until(30_000);
    let image = left(&mut before);
    let mut after = Simulation::at(config(&["a"]), 10, image, 1_000_000_000_000);
    after.behave(half);
    after.tell(Event::Tick);
    after.run_until(30_000);
    assert_eq!(after.probes.len(), 0, "their pause is not over");
    after.run_until(80_000);
    assert_eq!(probed(&after).len(), 4_000);
}

#[test]
fn nothing_is_saved_where_nothing_is_kept() {
    let mut forgetful = config(&["a"]);
    forgetful.storage.backend = crate::config::Backend::Memory;
    let mut sim = Simulation::new(forgetful, 10, Image::default());
    sim.deliver(0, list(0..10));
    sim.run_until(1_000_000);
    assert!(sim.images.is_empty());
}

impl Simulation {
    /// When the sweep began, of which the restored image says.
    fn sweep_started(&self) -> std::time::SystemTime {
        let unix_ms = self.state.asked.since_ms;
        Now {
            unix_ms,
            ..Now::default()
        }
        .system()
    }
}

#[test]
fn what_was_imported_and_asked_something_else_is_due_after_a_restart_if_it_was_not_checked() {
    let mut before = first();
    before.run_until(30_000);
    before.behave(|_, _| (Verdict::Alive, 900_000));
    let checked_at_ms = before.now().unix_ms;
    let foreign = (4_000..4_010).map(|n| entry(n, Some(Verdict::Alive), checked_at_ms));
    let (reply, mut answer) = tokio::sync::oneshot::channel();
    before.tell(Event::Import(crate::coordinator::Import {
        image: image(foreign.collect()),
        reply,
    }));
    before.run_until(30_001);
    assert_eq!(answer.try_recv().unwrap().added, 10);
    let mut after = next(&mut before, 1_000, 4_000);
    after.run_until(10_000);
    assert!((4_000..4_010).all(|n| probed(&after).contains(&n)));
}

#[test]
fn what_was_never_checked_and_is_on_no_list_is_checked_once_after_a_restart() {
    let unchecked = (0..400).map(|n| entry(n, None, 0)).collect();
    let mut sim = Simulation::new(config(&["a"]), 10, image(unchecked));
    sim.behave(half);
    sim.deliver(0, list([]));
    sim.run_until(5_000);
    assert_eq!(probed(&sim).len(), 400);
    assert_eq!(sim.snapshot().stat.total_scraped, 200, "the alive stay");
}

#[test]
fn a_leader_saves_for_all_nodes_though_its_own_store_keeps_nothing() {
    let mut forgetful = config(&["a"]);
    forgetful.storage.backend = crate::config::Backend::Memory;
    let mut sim = Simulation::still(forgetful, 10, Image::default());
    sim.state.saves.unsaved = true;
    assert_eq!(sim.state.save_due_at(), None);
    sim.state.journal = Some(crate::coordinator::journal::Journal::default());
    assert!(sim.state.save_due_at().is_some());
}

#[test]
fn another_kind_of_store_in_a_reload_changes_nothing_before_the_restart() {
    let mut forgetful = config(&["a"]);
    forgetful.storage.backend = crate::config::Backend::Memory;
    for (started, reloaded, is_kept) in [
        (config(&["a"]), forgetful.clone(), true),
        (forgetful.clone(), config(&["a"]), false),
    ] {
        let mut sim = Simulation::new(started, 10, Image::default());
        sim.tell(Event::Configure {
            reload: 2,
            config: Arc::new(reloaded),
        });
        sim.deliver(0, list(0..10));
        sim.run_until(5_000);
        sim.images.clear(); // of the end of the first sweep
        sim.tell(Event::Saved(SaveOutcome::Saved));
        sim.run_until(1_000_000);
        assert_eq!(!sim.images.is_empty(), is_kept);
    }
}
