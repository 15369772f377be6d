//! Damage inside the database, and what a save writes.

use super::image::{BATCH_CHUNKS, Side};
use super::*;
use crate::ledger::Entry;
use crate::store::chunk::packed_first;
use crate::store::contract::{change, random_entries, random_image};
use crate::store::entries::Entries;
use crate::store::record::first;
use fastrand::Rng;
use std::process::Command;

/// Saves two images, lets `change` have a go at the database, and loads.
fn loaded_after(change: impl Fn(&Db)) -> (Image, Option<Recovered>) {
    let folder = tempfile::tempdir().unwrap();
    let mut random = Rng::with_seed(1);
    let mut store = SledStore::open(&folder.path().join("ledger")).unwrap();
    for _ in 0..2 {
        store.save(&random_image(&mut random, 1_000)).unwrap();
    }
    change(store.db.as_ref().unwrap());
    let loaded = store.load().unwrap();
    store.save(&loaded).unwrap();
    (loaded, store.recovered())
}

fn check(change: impl Fn(&Db), why: &str) {
    let (loaded, notice) = loaded_after(change);
    assert_eq!(loaded, Image::default());
    let text = notice.expect("the damage is noticed").to_string();
    assert!(text.contains(why), "{text}");
}

#[test]
fn a_changed_byte_in_a_chunk_empties_the_ledger_and_keeps_the_old_one_aside() {
    let change = |db: &Db| {
        let mut chunk = db.get(Side::One.chunk_key(2)).unwrap().unwrap().to_vec();
        chunk[100] ^= 1;
        db.insert(Side::One.chunk_key(2), chunk).unwrap();
    };
    check(change, "chunk 2 is damaged: its CRC differs");
}

#[test]
fn a_chunk_of_another_save_does_not_pass() {
    let change = |db: &Db| {
        let older = random_image(&mut Rng::with_seed(1), 1_000);
        let chunk = older.entries.chunks().nth(1).unwrap();
        db.insert(Side::One.chunk_key(1), chunk).unwrap();
    };
    check(change, "the chunks are not of one save");
}

#[test]
fn a_missing_chunk_does_not_pass() {
    check(
        |db| drop(db.remove(Side::One.chunk_key(0)).unwrap()),
        "chunk 0 is missing",
    );
}

#[test]
fn a_missing_meta_record_does_not_pass() {
    check(
        |db| drop(db.remove(Side::One.meta_key()).unwrap()),
        "nothing of the last save is left",
    );
}

#[test]
fn nothing_changed_is_nothing_moved() {
    let (loaded, notice) = loaded_after(|_| ());
    assert_eq!((loaded.entries.len(), notice), (1_000, None));
}

#[test]
fn a_database_that_broke_while_it_was_closed_is_replaced_by_the_next_save() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger");
    let image = random_image(&mut Rng::with_seed(4), 1_000);
    let mut store = SledStore::open(&path).unwrap();
    store.save(&image).unwrap();
    store.db = None;
    fs::write(path.join("conf"), b"noise instead of settings").unwrap();
    store.save(&image).unwrap();
    assert!(store.recovered().is_some());
    assert!(store.load().unwrap() == image);
}

#[test]
fn a_folder_that_is_removed_is_written_anew_and_whole() {
    for is_open in [true, false] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger");
        let image = random_image(&mut Rng::with_seed(4), 3_000);
        let mut store = SledStore::open(&path).unwrap();
        store.save(&image).unwrap();
        if !is_open {
            store.close();
        }
        fs::remove_dir_all(&path).unwrap();
        store.save(&image).unwrap();
        drop(store);
        let mut again = SledStore::open(&path).unwrap();
        assert!(again.load().unwrap() == image, "open: {is_open}");
    }
}

#[test]
fn a_save_goes_to_the_folder_that_is_there_when_it_was_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let (path, moved) = (folder.path().join("ledger"), folder.path().join("moved"));
    let mut image = random_image(&mut Rng::with_seed(4), 3_000);
    let mut store = SledStore::open(&path).unwrap();
    store.save(&image).unwrap();
    fs::rename(&path, &moved).unwrap();
    let copied = Command::new("cp").arg("-r").args([&moved, &path]).status();
    assert!(copied.unwrap().success());
    change(&mut image, |entries| entries[1_500].failures ^= 1);
    store.save(&image).unwrap();
    drop(store);
    let mut again = SledStore::open(&path).unwrap();
    assert!(again.load().unwrap() == image);
}

#[test]
fn a_snapshot_that_sled_did_not_finish_is_no_damage() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger");
    let image = random_image(&mut Rng::with_seed(4), 3_000);
    let mut store = SledStore::open(&path).unwrap();
    store.save(&image).unwrap();
    drop(store);
    fs::write(path.join("snap.00000000000254E3.generating"), []).unwrap();
    let looked = look(&path, &folder.path().join("copy")).unwrap();
    assert!(looked == image, "by who only looks");
    let mut store = SledStore::open(&path).unwrap();
    assert!(store.load().unwrap() == image);
    assert_eq!(store.recovered(), None);
}

#[test]
fn a_database_that_is_left_behind_is_in_nobodys_way() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger");
    let mut random = Rng::with_seed(4);
    let mut store = SledStore::open(&path).unwrap();
    store.save(&random_image(&mut random, 3_000)).unwrap();
    // It knows of no failure.
    let db = store.db.take().unwrap();
    assert!(abandon(db, &path.join("db"), Duration::from_millis(20)));
    let image = random_image(&mut random, 3_000);
    store.save(&image).unwrap();
    drop(store);
    let mut again = SledStore::open(&path).unwrap();
    assert!(again.load().unwrap() == image);
    assert_eq!(again.recovered(), None);
}

#[test]
fn only_changed_chunks_are_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger");
    let mut image = random_image(&mut Rng::with_seed(2), 3_000);
    let mut store = SledStore::open(&path).unwrap();
    store.save(&image).unwrap();
    drop(store);

    let mut store = SledStore::open(&path).unwrap();
    store.load().unwrap();
    change(&mut image, |entries| {
        entries[1_500].failures ^= 1;
        entries.truncate(2_900);
    });
    let mut events = store.db.as_ref().unwrap().watch_prefix(b"c");
    store.save(&image).unwrap();
    store.db = None;
    let (mut written, mut removed) = (0, 0);
    // Ends with the database, which was closed.
    for event in &mut events {
        match event {
            ::sled::Event::Insert { .. } => written += 1,
            ::sled::Event::Remove { .. } => removed += 1,
        }
    }
    // The one that was changed, and the one that now is the last.
    assert_eq!((written, removed.min(1)), (2, 1));
}

#[test]
fn twenty_saves_do_not_make_the_database_grow() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = SledStore::open(&folder.path().join("ledger")).unwrap();
    let mut image = random_image(&mut Rng::with_seed(3), 5_000);
    for _ in 0..20 {
        change(&mut image, |entries| {
            entries.iter_mut().for_each(|e| e.failures ^= 1);
        });
        store.save(&image).unwrap();
    }
    let bytes = store.db.as_ref().unwrap().size_on_disk().unwrap();
    assert!(bytes < 8 << 20, "{bytes}");
}

#[test]
fn a_database_of_the_first_format_is_read_and_the_next_save_is_of_this_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger");
    let mut entries = random_entries(&mut Rng::with_seed(5), 1_000);
    for entry in &mut entries {
        let total_us = entry.timing.total_us;
        *entry = Entry {
            verdict: entry.verdict,
            works: first::works(entry.candidate.scheme, entry.verdict),
            checked_at_ms: entry.checked_at_ms,
            alive_at_ms: entry.alive_at_ms,
            failures: entry.failures,
            ..Entry::new(entry.candidate.clone())
        };
        entry.timing.total_us = total_us;
    }
    let mut store = SledStore::open(&path).unwrap();
    let db = store.db.as_ref().unwrap();
    let (chunks, meta) = packed_first(7, &entries);
    for (number, chunk) in (0..).zip(chunks) {
        db.insert(Side::One.chunk_key(number), chunk).unwrap();
    }
    db.insert(Side::One.meta_key(), meta).unwrap();
    let mut image = store.load().unwrap();
    assert!(image.saved_at_ms == 7 && image.targets.is_empty());
    assert!(image.entries == Entries::from(entries));
    image.saved_at_ms += 1;
    store.save(&image).unwrap();
    let first = store
        .db
        .as_ref()
        .unwrap()
        .get(Side::One.chunk_key(0))
        .unwrap();
    assert_eq!(first.unwrap()[0], 2, "the format of the first chunk");
    drop(store);
    let mut store = SledStore::open(&path).unwrap();
    assert!(store.load().unwrap() == image);
    assert_eq!(store.recovered(), None);
}

/// So much that a save of it goes to the other side.
fn much(random: &mut Rng) -> Image {
    let image = random_image(random, 20_000);
    assert!(image.entries.chunks().count() > BATCH_CHUNKS);
    image
}

fn side(store: &mut SledStore) -> Side {
    let side = store.on_database(Side::in_use).unwrap();
    side.unwrap().0
}

#[test]
fn a_save_of_much_goes_to_the_other_side_and_one_of_little_stays() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger");
    let mut random = Rng::with_seed(6);
    let mut store = SledStore::open(&path).unwrap();
    let mut sides = Vec::new();
    for round in 0..8 {
        let mut image = much(&mut random);
        store.save(&image).unwrap();
        sides.push(side(&mut store));
        change(&mut image, |entries| entries[1_500].failures ^= 1);
        store.save(&image).unwrap();
        assert_eq!(side(&mut store), sides[round], "little has changed");
        drop(store);
        store = SledStore::open(&path).unwrap();
        assert!(store.load().unwrap() == image, "round {round}");
    }
    let expected = [Side::Other, Side::One].into_iter().cycle().take(8);
    assert!(expected.eq(sides));
}

#[test]
fn a_save_of_much_that_does_not_end_leaves_the_image_before() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger");
    let mut random = Rng::with_seed(7);
    let mut store = SledStore::open(&path).unwrap();
    for _ in 0..3 {
        let (before, after) = (much(&mut random), much(&mut random));
        store.save(&before).unwrap();
        let known = store.marks.clone();
        let plan = store
            .on_database(|db| Plan::new(db, &after, &known))
            .unwrap();
        assert!(plan.is_much());
        for part in plan.parts() {
            store.on_database(|db| plan.write(db, part)).unwrap();
        }
        drop(store);
        store = SledStore::open(&path).unwrap();
        assert!(store.load().unwrap() == before);
        assert_eq!(store.recovered(), None);
        store.save(&after).unwrap();
        assert!(store.load().unwrap() == after);
    }
}

#[test]
fn when_little_is_left_the_other_side_is_cleared_in_a_few_saves() {
    let folder = tempfile::tempdir().unwrap();
    let mut random = Rng::with_seed(8);
    let mut store = SledStore::open(&folder.path().join("ledger")).unwrap();
    for _ in 0..2 {
        store.save(&much(&mut random)).unwrap();
    }
    let mut little = random_image(&mut random, 10);
    for _ in 0..8 {
        little.saved_at_ms ^= 1;
        store.save(&little).unwrap();
    }
    // The chunk and the meta record of the last save.
    assert_eq!(store.on_database(|db| Ok(db.len())).unwrap(), 2);
    assert!(store.load().unwrap() == little);
}
