//! What every store must do, run against each of them.

mod random;

pub(super) use random::{change, random_entries, random_entry, random_image};

use super::{Image, Store, StoreError, open};
use crate::config::Backend;
use fastrand::Rng;
use proxy_shards::{Host, Verdict};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Instant;
use tempfile::TempDir;

/// Every backend, at its place in `folder`.
fn backends(folder: &TempDir) -> [Backend; 2] {
    [
        Backend::Sled(folder.path().join("a/ledger")),
        Backend::File(folder.path().join("b/proxies.json")),
    ]
}

/// Runs `check` on each backend, in a new folder each.
fn each(check: impl Fn(&Backend)) {
    for index in 0..2 {
        let folder = tempfile::tempdir().unwrap();
        check(&backends(&folder)[index]);
    }
}

fn path(backend: &Backend) -> &Path {
    match backend {
        Backend::Sled(path) | Backend::File(path) => path,
    }
}

fn opened(backend: &Backend) -> Box<dyn Store> {
    open(backend).unwrap_or_else(|error| panic!("{error}"))
}

fn saved(backend: &Backend, image: &Image) {
    let mut store = opened(backend);
    store.load().unwrap();
    store.save(image).unwrap();
}

#[test]
fn a_new_store_is_empty() {
    each(|backend| {
        let mut store = opened(backend);
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
        targets: vec!["shop".into()],
        entries: entries.clone().into(),
    };
    each(|backend| {
        let mut store = opened(backend);
        store.save(&image).unwrap();
        assert!(store.load().unwrap() == image, "while open");
        drop(store);
        let loaded = opened(backend).load().unwrap();
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
    each(|backend| {
        saved(backend, &random_image(&mut Rng::with_seed(2), 600));
        saved(backend, &image);
        assert_eq!(opened(backend).load().unwrap(), image);
    });
}

#[test]
fn each_save_replaces_the_one_before() {
    each(|backend| {
        let mut random = Rng::with_seed(3);
        let mut image = random_image(&mut random, 2_000);
        let mut store = opened(backend);
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
                store = opened(backend);
            }
            assert!(store.load().unwrap() == image, "round {round}");
        }
    });
}

#[test]
fn a_save_without_a_load_replaces_what_is_there() {
    each(|backend| {
        saved(backend, &random_image(&mut Rng::with_seed(4), 3_000));
        let image = random_image(&mut Rng::with_seed(5), 700);
        opened(backend).save(&image).unwrap();
        assert!(opened(backend).load().unwrap() == image);
    });
}

#[test]
fn a_hundred_thousand_entries_come_back_after_their_checks() {
    each(|backend| {
        let mut image = random_image(&mut Rng::with_seed(6), 100_000);
        let mut store = opened(backend);
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
            eprintln!("{}: save {save:?}, load {load:?}", path(backend).display());
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
    each(|backend| {
        saved(backend, &with_misfits);
        assert!(opened(backend).load().unwrap() == image);
    });
}

#[test]
fn a_second_process_is_refused_and_harms_nothing() {
    let image = random_image(&mut Rng::with_seed(8), 100);
    each(|backend| {
        let mut first = opened(backend);
        first.save(&image).unwrap();
        let second = open(backend).err().expect("the store is in use");
        assert!(matches!(second, StoreError::Busy { .. }), "{second:?}");
        let text = second.to_string();
        assert!(
            text.starts_with(&path(backend).display().to_string()),
            "{text}"
        );
        first.save(&image).unwrap();
        drop(first);
        let mut again = opened(backend);
        assert!(again.load().unwrap() == image);
        assert_eq!(again.recovered(), None);
    });
}

#[test]
fn only_the_owner_can_read_what_is_stored() {
    each(|backend| {
        saved(backend, &random_image(&mut Rng::with_seed(9), 10));
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        match backend {
            Backend::Sled(path) => {
                assert_eq!((mode(path), mode(&path.join("db"))), (0o700, 0o600));
            }
            Backend::File(path) => assert_eq!(mode(path), 0o600),
        }
    });
}

#[test]
fn a_store_that_cannot_be_written_says_where_and_works_again_later() {
    let image = random_image(&mut Rng::with_seed(10), 100);
    each(|backend| {
        let folder = path(backend).parent().unwrap();
        fs::write(folder, b"a file where a folder belongs").unwrap();
        let error = open(backend).err().expect("no folder").to_string();
        assert!(error.contains(&folder.display().to_string()), "{error}");
        fs::remove_file(folder).unwrap();

        let mut store = opened(backend);
        store.save(&Image::default()).unwrap();
        let away = folder.with_extension("away");
        fs::rename(folder, &away).unwrap();
        for _ in 0..2 {
            let error = store.save(&image).unwrap_err().to_string();
            assert!(error.contains(&folder.display().to_string()), "{error}");
        }
        fs::rename(&away, folder).unwrap();
        store.save(&image).unwrap();
        assert!(store.load().unwrap() == image);
    });
}

#[test]
fn another_kind_of_thing_at_the_place_is_left_alone() {
    each(|backend| {
        let path = path(backend);
        match backend {
            Backend::File(_) => fs::create_dir_all(path).unwrap(),
            Backend::Sled(_) => {
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, b"{}").unwrap();
            }
        }
        let error = match open(backend) {
            Ok(mut store) => store.load().unwrap_err(),
            Err(error) => error,
        };
        assert!(error.to_string().contains(&path.display().to_string()));
        assert!(path.exists());
    });
}

/// Every file that the store consists of.
fn files(path: &Path) -> Vec<PathBuf> {
    match fs::read_dir(path) {
        Err(_) => vec![path.to_owned()],
        Ok(folder) => {
            let mut files: Vec<_> = folder.flat_map(|f| files(&f.unwrap().path())).collect();
            files.sort();
            files
        }
    }
}

#[test]
fn damage_gives_an_earlier_image_or_an_empty_one_and_a_notice() {
    each(|backend| {
        let mut emptied = 0;
        for seed in 0..40 {
            let _ = fs::remove_dir_all(path(backend).parent().unwrap());
            let mut random = Rng::with_seed(seed);
            let images: Vec<Image> = (0..2).map(|_| random_image(&mut random, 500)).collect();
            let mut store = opened(backend);
            for image in &images {
                store.save(image).unwrap();
            }
            drop(store);
            damage(path(backend), &mut random);

            let mut store = opened(backend);
            let loaded = store.load().unwrap();
            match store.recovered() {
                None => assert!(images.contains(&loaded), "{backend:?}, seed {seed}"),
                Some(notice) => {
                    assert_eq!(loaded, Image::default(), "{backend:?}, seed {seed}");
                    assert!(notice.moved_to.exists(), "{notice}");
                    emptied += 1;
                }
            }
            store.save(&images[1]).unwrap();
            assert!(store.load().unwrap() == images[1], "seed {seed}");
        }
        assert!(emptied > 0, "{backend:?}: no damage was noticed");
    });
}

/// Overwrites some bytes of one of the store's files, or cuts it.
fn damage(path: &Path, random: &mut Rng) {
    let mut files = files(path);
    files.retain(|file| fs::metadata(file).unwrap().len() > 0);
    let file = &files[random.usize(..files.len())];
    let mut bytes = fs::read(file).unwrap();
    match random.u8(..5) {
        0 => bytes.truncate(random.usize(..bytes.len())),
        _ => {
            for _ in 0..random.usize(1..40) {
                let at = random.usize(..bytes.len());
                bytes[at] = random.u8(..);
            }
        }
    }
    fs::write(file, bytes).unwrap();
}
