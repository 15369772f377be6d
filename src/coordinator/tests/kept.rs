//! Saves that are asked for, exports and imports.

use super::*;
use crate::coordinator::Import;
use crate::coordinator::simulation::EPOCH_MS;
use crate::store::{Merged, merge};
use tokio::sync::oneshot;

fn import(sim: &mut Simulation, image: Image) -> oneshot::Receiver<Merged> {
    let (reply, answer) = oneshot::channel();
    sim.tell(Event::Import(Import { image, reply }));
    answer
}

/// Known to be alive since `checked_at_ms`, and to reach its target by HTTP.
fn alive(n: u32, checked_at_ms: u64) -> Entry {
    let mut entry = entry(n, Some(Verdict::Alive), checked_at_ms);
    let only = proxy_shards::Targets::first(1);
    entry.works.set(proxy_shards::Protocol::Http, only);
    entry
}

#[test]
fn the_end_of_the_first_sweep_is_saved_at_once_and_later_ones_are_not() {
    let mut sim = simulation(10);
    sim.behave(|_, _| ALIVE);
    sim.deliver(0, list(0..50));
    sim.run_until(5_000);
    assert_eq!(sim.images.len(), 1);
    let verdicts = sim.images[0].entries.iter().map(|entry| entry.verdict);
    assert!(
        verdicts.eq([Some(Verdict::Alive); 50]),
        "nothing is missing"
    );
    sim.tell(Event::Saved(SaveOutcome::Saved));
    sim.run_until(290_000);
    assert_eq!(sim.images.len(), 1);
}

#[test]
fn a_long_first_sweep_is_saved_every_half_minute() {
    let mut sim = simulation(1);
    sim.behave(|_, _| (Verdict::Refused, 1_000));
    sim.deliver(0, list(0..100));
    for (saves, until_ms) in [(0, 29_000), (1, 32_000), (2, 62_000)] {
        sim.run_until(until_ms);
        assert_eq!(sim.images.len(), saves, "at {until_ms}");
        sim.tell(Event::Saved(SaveOutcome::Saved));
    }
}

#[test]
fn a_save_that_is_asked_for_begins_at_once_though_nothing_changed() {
    let mut sim = simulation(1);
    let (ask, mut answer) = oneshot::channel();
    sim.tell(Event::Save(ask));
    assert_eq!(sim.images.len(), 1);
    assert!(answer.try_recv().is_err(), "it has not ended");
    sim.tell(Event::Saved(SaveOutcome::Saved));
    assert_eq!(answer.try_recv(), Ok(SaveOutcome::Saved));
}

#[test]
fn what_is_exported_is_taken_in_elsewhere_and_is_the_same_there() {
    let mut sim = simulation(10);
    sim.behave(|n, _| if n % 2 == 0 { ALIVE } else { DEAD });
    sim.deliver(0, list(0..100));
    sim.run_until(5_000);
    let (ask, mut answer) = oneshot::channel();
    sim.tell(Event::Export(ask));
    let image = answer.try_recv().unwrap();

    let mut other = simulation(10);
    other.behave(|_, _| (Verdict::Alive, 900_000));
    let mut answer = import(&mut other, image.clone());
    assert_eq!(answer.try_recv().unwrap().added, 100);
    assert_eq!(other.served(), (0..100).step_by(2).collect::<Vec<_>>());
    let (ask, mut answer) = oneshot::channel();
    other.tell(Event::Export(ask));
    let there = answer.try_recv().unwrap();
    // The simulated proxies reach targets that there are not, too.
    let known = |image: &Image| -> Vec<Entry> {
        let entries = image.entries.iter().map(|mut entry| {
            merge::renumber(&mut entry, &[Some(0)]);
            entry
        });
        entries.collect()
    };
    assert_eq!(known(&there), known(&image));
    assert_eq!(there.targets, image.targets);
}

#[test]
fn the_pool_follows_an_import_and_what_came_in_is_checked_at_once() {
    let mut sim = simulation(10);
    sim.behave(|n, _| if n < 2 { ALIVE } else { DEAD });
    sim.deliver(0, list([0, 3]));
    sim.run_until(20_000);
    assert_eq!(sim.served(), [0]);
    let later = EPOCH_MS + 21_000;
    // 0 is known to be alive by a newer check, 3 has come alive elsewhere, 1 and 4 are new.
    let entries = vec![
        alive(0, 7),
        alive(3, later),
        alive(1, later),
        alive(4, later),
    ];
    let mut answer = import(&mut sim, image(entries));
    let merged = answer.try_recv().unwrap();
    assert_eq!((merged.added, merged.updated, merged.kept), (2, 1, 1));
    sim.run_until(20_300);
    assert_eq!(sim.probed_at(1).len(), 1, "checked at once");
    assert_eq!(sim.probed_at(0).len(), 1, "not again");
    sim.run_until(22_000);
    assert_eq!(sim.served(), [0, 1], "what it found out itself counts");
}

#[test]
fn what_may_not_be_dialled_is_not_taken_in() {
    let mut sim = simulation(10);
    let mut bad = alive(1, 5);
    bad.candidate = "http://127.0.0.1:80".parse().unwrap();
    let mut answer = import(&mut sim, image(vec![bad, alive(2, 5)]));
    let merged = answer.try_recv().unwrap();
    assert_eq!((merged.refused, merged.added), (1, 1));
}

#[test]
fn a_large_image_is_taken_in_piece_by_piece() {
    let mut sim = Simulation::new(config(&["a"]), 10, Image::default());
    sim.behave(|_, _| (Verdict::Refused, 900_000));
    let entries = (0..30_000).map(|n| entry(n, None, 0)).collect();
    let mut answer = import(&mut sim, image(entries));
    assert!(
        answer.try_recv().is_err(),
        "reports have their turn in between"
    );
    sim.run_until(1_000);
    assert_eq!(answer.try_recv().unwrap().added, 30_000);
    assert_eq!(sim.snapshot().stat.total_scraped, 30_000);
}
