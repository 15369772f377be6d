//! What every store must do, run against each of them.

#[path = "../../tests/support/redis.rs"]
mod redis_server;

mod places;
mod random;
mod strangers;

pub(super) use places::{Kind, Place};
pub(super) use redis_server::RedisServer;

pub(super) use random::{change, random_entries, random_entry, random_image};

use super::lock::{Lock, beside};
use super::{Asked, Image, StoreError, look, open};
use crate::config::Backend;
use fastrand::Rng;
use proxy_shards::{Host, Verdict};
use rustix::fs::{CWD, mkfifoat};
use std::fs;
use std::os::unix::fs::{FileTypeExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Runs `check` on each store that keeps anything, in a new place each.
fn each(check: impl Fn(&Place)) {
    for kind in Kind::ALL {
        check(&Place::new(kind));
    }
}

fn saved(place: &Place, image: &Image) {
    let mut store = place.opened();
    store.load().unwrap();
    store.save(image).unwrap();
}

#[test]
fn a_new_store_is_empty() {
    each(|place| {
        let mut store = place.opened();
        assert_eq!(store.load().unwrap(), Image::default());
        assert_eq!(store.recovered(), None);
    });
}

#[test]
fn what_was_saved_is_loaded_with_every_field() {
    let mut entries = random_entries(&mut Rng::with_seed(1), 1_000);
    for (index, entry) in entries.iter_mut().enumerate() {
        entry.verdict = Verdict::ALL.get(index % (Verdict::COUNT + 1)).copied();
    }
    let image = Image {
        saved_at_ms: 5,
        asked: Asked {
            policy: 6,
            since_ms: 4,
            over_ms: 5,
        },
        targets: vec!["shop".into()],
        entries: entries.clone().into(),
    };
    each(|place| {
        let mut store = place.opened();
        store.save(&image).unwrap();
        assert!(store.load().unwrap() == image, "while open");
        drop(store);
        let loaded = place.opened().load().unwrap();
        assert!(loaded == image, "opened again");
        assert!(loaded.entries.iter().eq(entries.iter().cloned()));
    });
}

#[test]
fn an_empty_image_is_saved_too() {
    let image = Image {
        saved_at_ms: 7,
        ..Image::default()
    };
    each(|place| {
        saved(place, &random_image(&mut Rng::with_seed(2), 600));
        saved(place, &image);
        assert_eq!(place.opened().load().unwrap(), image);
    });
}

#[test]
fn each_save_replaces_the_one_before() {
    each(|place| {
        let mut random = Rng::with_seed(3);
        let mut image = random_image(&mut random, 2_000);
        let mut store = place.opened();
        for round in 0..12 {
            let at = random.usize(..=image.entries.len());
            change(&mut image, |entries| match random.u8(..4) {
                0 => entries.truncate(at),
                1 => entries.extend(random_entries(&mut random, 900)),
                2 => entries.rotate_left(at),
                _ => entries.iter_mut().skip(at).for_each(|e| e.failures /= 2),
            });
            image.saved_at_ms += 1;
            store.save(&image).unwrap();
            if round % 3 == 0 {
                drop(store);
                store = place.opened();
            }
            assert!(store.load().unwrap() == image, "round {round}");
        }
    });
}

#[test]
fn a_save_without_a_load_replaces_what_is_there() {
    each(|place| {
        saved(place, &random_image(&mut Rng::with_seed(4), 3_000));
        let image = random_image(&mut Rng::with_seed(5), 700);
        place.opened().save(&image).unwrap();
        assert!(place.opened().load().unwrap() == image);
    });
}

#[test]
fn a_hundred_thousand_entries_come_back_after_their_checks() {
    each(|place| {
        let mut image = random_image(&mut Rng::with_seed(6), 100_000);
        let mut store = place.opened();
        for _ in 0..2 {
            change(&mut image, |entries| {
                entries.iter_mut().for_each(|e| e.checked_at_ms ^= 1);
            });
            let start = Instant::now();
            store.save(&image).unwrap();
            let save = start.elapsed();
            let loaded = store.load().unwrap();
            let load = start.elapsed() - save;
            assert!(loaded == image);
            // For `-- --nocapture`.
            eprintln!("{}: save {save:?}, load {load:?}", place.shown());
        }
    });
}

#[test]
fn what_no_list_can_hold_is_left_out_and_the_rest_kept() {
    let image = random_image(&mut Rng::with_seed(7), 300);
    let mut with_misfits = image.clone();
    change(&mut with_misfits, |entries| {
        let mut misfit = entries[0].clone();
        misfit.candidate.port = 0;
        entries.insert(150, misfit.clone());
        misfit.candidate.host = Host::Name("no\nname".into());
        entries.push(misfit);
    });
    each(|place| {
        saved(place, &with_misfits);
        assert!(place.opened().load().unwrap() == image);
    });
}

#[test]
fn a_second_process_is_refused_and_harms_nothing() {
    let image = random_image(&mut Rng::with_seed(8), 100);
    each(|place| {
        let mut first = place.opened();
        first.save(&image).unwrap();
        let second = open(&place.backend).err().expect("the store is in use");
        assert!(matches!(second, StoreError::Busy { .. }), "{second:?}");
        let text = second.to_string();
        assert!(text.starts_with(&place.shown()), "{text}");
        first.save(&image).unwrap();
        drop(first);
        let mut again = place.opened();
        assert!(again.load().unwrap() == image);
        assert_eq!(again.recovered(), None);
    });
}

#[test]
fn a_store_whose_lock_another_has_by_now_is_not_written() {
    let mut random = Rng::with_seed(8);
    let [first, second] = [(); 2].map(|()| random_image(&mut random, 100));
    for kind in Kind::LOCAL {
        let place = Place::new(kind);
        let mut store = place.opened();
        store.save(&first).unwrap();
        fs::remove_file(beside(place.path(), "lock")).unwrap();
        let other = Lock::take(place.path()).unwrap();
        let refused = store.save(&second).unwrap_err();
        assert!(matches!(refused, StoreError::Busy { .. }), "{refused:?}");
        drop((store, other));
        assert!(place.opened().load().unwrap() == first, "{kind:?}");
    }
}

#[test]
fn a_store_that_is_moved_away_while_it_is_open_is_whole_again_with_the_second_save_at_the_latest() {
    let mut random = Rng::with_seed(8);
    let first = random_image(&mut random, 3_000);
    for kind in Kind::LOCAL {
        let place = Place::new(kind);
        let mut store = place.opened();
        store.save(&first).unwrap();
        fs::rename(place.path(), beside(place.path(), "moved")).unwrap();
        let mut second = first.clone();
        change(&mut second, |entries| entries[1_500].failures ^= 1);
        if store.save(&second).is_err() {
            store.save(&second).unwrap();
        }
        drop(store);
        assert!(place.opened().load().unwrap() == second, "{kind:?}");
    }
}

#[test]
fn a_symbolic_link_to_a_store_stays_one() {
    let mut random = Rng::with_seed(8);
    let images = [(); 2].map(|()| random_image(&mut random, 700));
    for kind in Kind::LOCAL {
        let place = Place::new(kind);
        let path = place.path();
        saved(&place, &images[0]);
        let elsewhere = beside(path, "elsewhere");
        fs::rename(path, &elsewhere).unwrap();
        symlink(&elsewhere, path).unwrap();
        saved(&place, &images[1]);
        assert_eq!(fs::read_link(path).unwrap(), elsewhere, "{kind:?}");
        assert!(place.opened().load().unwrap() == images[1], "{kind:?}");
        assert!(look(&place.backend).unwrap() == images[1], "{kind:?}");
        let held = place.opened();
        let by_its_own_name = match kind {
            Kind::Sled => Backend::Sled(elsewhere.clone()),
            Kind::Sqlite => Backend::Sqlite(elsewhere.clone()),
            Kind::File | Kind::Redis => Backend::File(elsewhere.clone()),
        };
        for backend in [&place.backend, &by_its_own_name] {
            let refused = open(backend).err().expect("it is open");
            assert!(matches!(refused, StoreError::Busy { .. }), "{refused:?}");
        }
        drop(held);

        // As while the disk that it leads to is not mounted.
        fs::rename(&elsewhere, beside(path, "away")).unwrap();
        let refused = open(&place.backend).err().expect("it is not there");
        let text = refused.to_string();
        assert!(
            text.contains("a symbolic link that leads nowhere"),
            "{text}"
        );
        assert!(look(&place.backend).is_err(), "{kind:?}");
        assert_eq!(fs::read_link(path).unwrap(), elsewhere, "{kind:?}");
    }
}

#[test]
fn a_store_that_is_moved_and_linked_to_while_it_is_open_is_still_had_by_who_has_it() {
    for kind in Kind::LOCAL {
        let place = Place::new(kind);
        let mut store = place.opened();
        store.save(&Image::default()).unwrap();
        let elsewhere = place.path().with_file_name("elsewhere");
        fs::create_dir(&elsewhere).unwrap();
        let moved = elsewhere.join("ledger");
        fs::rename(place.path(), &moved).unwrap();
        symlink(&moved, place.path()).unwrap();
        assert!(
            matches!(open(&place.backend), Err(StoreError::Busy { .. })),
            "{kind:?}"
        );
        assert!(
            matches!(look(&place.backend), Err(StoreError::Busy { .. })),
            "{kind:?}"
        );
        assert!(super::holder(&place.backend).is_some(), "{kind:?}");
    }
}

#[test]
fn only_the_owner_can_read_what_is_stored() {
    for kind in Kind::LOCAL {
        let place = Place::new(kind);
        // Open, so that the files that come and go are there too.
        let mut store = place.opened();
        store
            .save(&random_image(&mut Rng::with_seed(9), 10))
            .unwrap();
        let path = place.path();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        match kind {
            Kind::Sled => assert_eq!((mode(path), mode(&path.join("db"))), (0o700, 0o600)),
            Kind::Sqlite => {
                let wal = path.with_extension("db-wal");
                assert_eq!((mode(path), mode(&wal)), (0o600, 0o600));
            }
            Kind::File | Kind::Redis => assert_eq!(mode(path), 0o600),
        }
    }
}

#[test]
fn a_store_that_cannot_be_written_says_where_and_works_again_later() {
    let image = random_image(&mut Rng::with_seed(10), 100);
    for kind in Kind::ALL {
        let mut place = Place::new(kind);
        place.take_away();
        let error = open(&place.backend).err().expect("no place").to_string();
        assert!(error.contains(&place.around()), "{error}");
        place.bring_back();

        let mut store = place.opened();
        store.save(&Image::default()).unwrap();
        place.take_away();
        for _ in 0..2 {
            let error = store.save(&image).unwrap_err().to_string();
            assert!(error.contains(&place.around()), "{error}");
        }
        place.bring_back();
        store.save(&image).unwrap();
        assert!(store.load().unwrap() == image);
    }
}

#[test]
fn another_kind_of_thing_at_the_place_is_left_alone() {
    each(|place| {
        place.occupy();
        let error = match open(&place.backend) {
            Ok(mut store) => store.load().unwrap_err(),
            Err(error) => error,
        };
        let (error, shown) = (error.to_string(), place.shown());
        assert!(error.contains(&shown), "{error}");
        assert!(place.has(&place.name()));
    });
}

#[test]
fn damage_gives_an_earlier_image_or_an_empty_one_and_a_notice() {
    each(|place| {
        let (mut emptied, kind) = (0, place.kind);
        for seed in 0..40 {
            place.clear();
            let mut random = Rng::with_seed(seed);
            let images: Vec<Image> = (0..2).map(|_| random_image(&mut random, 500)).collect();
            let mut store = place.opened();
            for image in &images {
                store.save(image).unwrap();
            }
            drop(store);
            place.damage(&mut random);

            let mut store = place.opened();
            let loaded = store.load().unwrap();
            match store.recovered() {
                None => assert!(images.contains(&loaded), "{kind:?}, seed {seed}"),
                Some(notice) => {
                    assert_eq!(loaded, Image::default(), "{kind:?}, seed {seed}");
                    assert!(place.has(&notice.moved_to), "{notice}");
                    emptied += 1;
                }
            }
            store.save(&images[1]).unwrap();
            assert!(store.load().unwrap() == images[1], "seed {seed}");
        }
        assert!(emptied > 0, "{kind:?}: no damage was noticed");
    });
}

/// Every file beside the store and in it, with its bytes.
fn content(folder: &Path, into: &mut Vec<(PathBuf, Vec<u8>)>) {
    for file in fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        match path.is_dir() {
            true => content(&path, into),
            false => into.push((path.clone(), fs::read(&path).unwrap())),
        }
    }
    into.sort();
}

#[test]
fn who_only_looks_changes_nothing_and_refuses_what_cannot_be_read() {
    for kind in Kind::LOCAL {
        let place = Place::new(kind);
        let folder = place.path().parent().unwrap().to_owned();
        assert_eq!(look(&place.backend).unwrap(), Image::default());
        assert!(!folder.exists(), "{kind:?}: nothing is made");
        let (mut seen, mut refused) = (0, 0);
        for seed in 0..20 {
            place.clear();
            let mut random = Rng::with_seed(seed);
            let images: Vec<Image> = (0..2).map(|_| random_image(&mut random, 500)).collect();
            let mut store = place.opened();
            for image in &images {
                store.save(image).unwrap();
            }
            let busy = look(&place.backend);
            assert!(matches!(busy, Err(StoreError::Busy { .. })), "{busy:?}");
            drop(store);
            let bytes = || {
                let mut found = Vec::new();
                content(&folder, &mut found);
                found
            };
            let before = bytes();
            assert!(look(&place.backend).unwrap() == images[1], "{kind:?}");
            assert!(bytes() == before, "{kind:?}: what is whole is not changed");
            place.damage(&mut random);
            let before = bytes();
            match look(&place.backend) {
                Ok(image) => {
                    assert!(images.contains(&image), "{kind:?}, seed {seed}");
                    seen += 1;
                }
                Err(StoreError::Unreadable { .. }) => refused += 1,
                Err(other) => panic!("{kind:?}, seed {seed}: {other}"),
            }
            assert!(
                bytes() == before,
                "{kind:?}, seed {seed}: damage is not changed"
            );
        }
        eprintln!("{kind:?}: {seen} read in spite of damage, {refused} refused");
        assert!(refused > 0, "{kind:?}: no damage was noticed");
    }
}

#[test]
fn who_only_looks_refuses_what_is_not_ours() {
    for kind in Kind::LOCAL {
        let place = Place::new(kind);
        let path = place.path();
        match kind {
            Kind::Sled => {
                fs::create_dir_all(path).unwrap();
                fs::write(path.join("mine.txt"), "mine").unwrap();
            }
            _ => {
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, "mine").unwrap();
            }
        }
        let refused = look(&place.backend);
        let is_unreadable = matches!(refused, Err(StoreError::Unreadable { .. }));
        assert!(is_unreadable, "{kind:?}: {refused:?}");
        let folder = path.parent().unwrap();
        assert_eq!(fs::read_dir(folder).unwrap().count(), 1, "{kind:?}");
    }
}

#[test]
fn what_is_neither_a_file_nor_a_folder_is_refused_and_stays() {
    for kind in Kind::LOCAL {
        let place = Place::new(kind);
        let path = place.path();
        let folder = path.parent().unwrap();
        fs::create_dir_all(folder).unwrap();
        mkfifoat(CWD, path, 0o600.into()).unwrap();
        for refused in [
            open(&place.backend).err().expect("a FIFO is no store"),
            look(&place.backend).unwrap_err(),
        ] {
            let text = refused.to_string();
            let expected = format!("{}: is a FIFO, where a f", path.display());
            assert!(text.starts_with(&expected), "{text}");
        }
        assert!(
            fs::metadata(path).unwrap().file_type().is_fifo(),
            "{kind:?}"
        );
        assert_eq!(fs::read_dir(folder).unwrap().count(), 1, "{kind:?}");
    }
}

#[test]
fn memory_keeps_nothing() {
    let mut store = open(&Backend::Memory).unwrap();
    store
        .save(&random_image(&mut Rng::with_seed(11), 10))
        .unwrap();
    assert_eq!(store.load().unwrap(), Image::default());
}
