//! Lists that come and go, and lists that are read while they are written.

use super::server::{Turn, reply};
use super::turning::{Bad, World};
use crate::support::{PATIENCE, eventually};
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What the service may need more after many changes than after the first few.
fn growth_max() -> usize {
    crate::times(24, 8) << 20
}

#[test]
fn a_list_that_is_full_and_empty_by_turns_loses_nothing_and_costs_no_more_each_time() {
    let _turn = crate::turn();
    let candidates = crate::times(2_000, 100_000);
    let (settled, changes) = crate::times((3, 6), (6, 12));
    let answers = Arc::new(AtomicUsize::new(0));
    let counted = answers.clone();
    let turn: Turn = Arc::new(move |to, _, text| {
        let mut list = Vec::new();
        if counted.fetch_add(1, Ordering::SeqCst).is_multiple_of(2) {
            // Nobody listens there.
            for n in 0u32..candidates {
                let [_, b, c, d] = n.to_be_bytes();
                writeln!(list, "127.{}.{c}.{d}:9", 128 + b)?;
            }
            list.extend(text.as_bytes());
        }
        reply(to, "200 OK", "", &list)
    });
    let bad = Bad {
        name: "by_turns",
        turn: Some(turn),
        says: &["the list is empty"],
    };
    let mut world = World::start(vec![bad], |_, _, _, _| None);
    world.server.turn();
    let full = u64::from(candidates) + 1;
    let scraped = |world: &World| world.service.stat()["total_scraped"].as_u64().unwrap();
    eventually(PATIENCE, "the full list was taken in", || {
        (scraped(&world) > full).then_some(())
    });
    let mut seen = (0, 0);
    let mut pass = |world: &World, count: usize| {
        let until = answers.load(Ordering::SeqCst) + count;
        eventually(2 * PATIENCE, "it comes and goes", || {
            assert_eq!(world.service.served(), *world.served());
            assert!(scraped(world) > full, "an empty list takes nothing away");
            let source = &world.service.stat()["sources"];
            let source = source
                .as_object()
                .unwrap()
                .iter()
                .find(|(url, _)| url.ends_with("by_turns"));
            match source.unwrap().1["Error"].as_str().unwrap() {
                "" => seen.0 += 1,
                error => {
                    assert!(error.contains("the list is empty"), "{error}");
                    seen.1 += 1;
                }
            }
            (answers.load(Ordering::SeqCst) >= until).then_some(())
        });
    };
    pass(&world, settled);
    let before = world.service.memory();
    pass(&world, changes);
    let grown = world.service.memory().saturating_sub(before);
    eprintln!(
        "by turns: {changes} changes of {candidates} candidates, {} KiB more",
        grown >> 10
    );
    assert!(
        grown <= growth_max(),
        "{grown} bytes more after {changes} changes"
    );
    assert!(
        seen.0 > 0 && seen.1 > 0,
        "both were seen in /stat: {seen:?}"
    );
    world.good_comes_through();
    world.service.end();
}

#[test]
fn a_file_that_is_read_while_it_is_written_loses_nothing() {
    let _turn = crate::turn();
    let bad = Bad {
        name: "written",
        turn: None,
        says: &[],
    };
    let mut world = World::start(vec![bad], |stage, _, name, text| {
        let path = stage.path(name);
        fs::write(&path, text).unwrap();
        Some(path.display().to_string())
    });
    let path = world.stage.path("written");
    let url = path.display().to_string();
    let more = world.more(20);
    let known = fs::read_to_string(&path).unwrap();
    let whole = format!("{}\n{known}\n", more.join("\n"));
    // As somebody writes who does not write beside and rename: emptied, a part that ends in the middle
    // of an address, the rest.
    let parts = [&whole[..0], &whole[..whole.len() / 2], &whole];
    for round in 0..2 {
        let mut written = 0;
        let mut file = OpenOptions::new()
            .write(true)
            .truncate(true)
            .open(&path)
            .unwrap();
        for part in parts {
            file.write_all(&part.as_bytes()[written..]).unwrap();
            written = part.len();
            let heard = |world: &World| {
                let source = world.stat_of(&url);
                (
                    source["fetched_at"].clone(),
                    source["failures"].clone(),
                    source["Error"].clone(),
                )
            };
            let before = heard(&world);
            eventually(PATIENCE, "it was read as it is now", || {
                assert!(
                    world.service.served().is_superset(world.served()),
                    "nothing is lost"
                );
                let now = heard(&world);
                let is_said = match part.is_empty() {
                    true => now.2.as_str().is_some_and(|error| error.contains("empty")),
                    false => now.2 == "" && now.0 != before.0,
                };
                is_said.then_some(())
            });
        }
        world.must_serve(&more);
        world.service.serves(world.served(), PATIENCE);
        eprintln!("written in place: round {round} lost nothing");
    }
    world.good_comes_through();
    world.service.end();
}
