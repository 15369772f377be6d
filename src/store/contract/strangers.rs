//! Someone else writes to a store that is open, or seems to.

use super::places::files;
use super::{Kind, Place, change, random_image, saved};
use fastrand::Rng;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::thread;
use std::time::Duration;

/// Writes `bytes` over the beginning of each file of a store that is open, which are cut to nothing if there
/// are none.
fn overwrite(path: &Path, bytes: &[u8]) {
    let folder = path.parent().unwrap();
    for file in files(folder) {
        // SQLite has a part of the last one in its memory.
        let name = file.to_string_lossy();
        if name.ends_with(".lock") || name.ends_with("-shm") {
            continue;
        }
        let mut open = OpenOptions::new().write(true).open(&file).unwrap();
        match bytes {
            [] => open.set_len(0).unwrap(),
            _ => open.write_all(bytes).unwrap(),
        }
    }
}

#[test]
fn a_save_counts_though_someone_wrote_to_the_open_store() {
    let mut random = Rng::with_seed(12);
    let noise: Vec<u8> = (0..20_000).map(|_| random.u8(..)).collect();
    for kind in Kind::LOCAL {
        for bytes in [&noise[..0], &noise[..]] {
            let place = Place::new(kind);
            let mut image = random_image(&mut random, 5_000);
            let mut store = place.opened();
            store.load().unwrap();
            store.save(&image).unwrap();
            change(&mut image, |entries| entries[0].failures ^= 1);
            store.save(&image).unwrap();
            overwrite(place.path(), bytes);
            change(&mut image, |entries| entries[2_500].failures ^= 1);
            store.save(&image).unwrap();
            // As a process that is killed leaves it.
            let copy = Place::new(kind);
            copy_folder(
                place.path().parent().unwrap(),
                copy.path().parent().unwrap(),
            );
            assert!(copy.opened().load().unwrap() == image, "{kind:?}");
        }
    }
}

#[test]
fn an_older_copy_that_is_put_over_the_open_store_is_written_over() {
    let mut random = Rng::with_seed(13);
    for kind in Kind::LOCAL {
        let place = Place::new(kind);
        saved(&place, &random_image(&mut random, 3_000));
        let old = Place::new(kind);
        let [ours, theirs] = [&place, &old].map(|place| place.path().parent().unwrap());
        copy_folder(ours, theirs);
        let mut image = random_image(&mut random, 5_000);
        let mut store = place.opened();
        store.load().unwrap();
        store.save(&image).unwrap();
        copy_folder(theirs, ours);
        change(&mut image, |entries| entries[2_500].failures ^= 1);
        store.save(&image).unwrap();
        let copy = Place::new(kind);
        copy_folder(ours, copy.path().parent().unwrap());
        assert!(copy.opened().load().unwrap() == image, "{kind:?}");
    }
}

#[test]
fn nobody_is_said_to_have_written_who_did_not() {
    let said = tempfile::NamedTempFile::new().unwrap();
    let log = said.reopen().unwrap();
    let logged = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::WARN)
        .with_writer(move || log.try_clone().unwrap());
    tracing::subscriber::with_default(logged.finish(), || {
        let mut random = Rng::with_seed(14);
        for kind in Kind::LOCAL {
            let place = Place::new(kind);
            let mut image = random_image(&mut random, 5_000);
            let mut store = place.opened();
            store.load().unwrap();
            for round in 0..60 {
                let at = random.usize(..5_000);
                change(&mut image, |entries| match round % 3 {
                    0 => entries[at].failures ^= 1,
                    _ => entries.iter_mut().for_each(|entry| entry.failures ^= 1),
                });
                store.save(&image).unwrap();
                thread::sleep(Duration::from_millis(random.u64(..20)));
                if round % 10 == 5 {
                    drop(store);
                    store = place.opened();
                    store.load().unwrap();
                }
            }
        }
    });
    assert_eq!(fs::read_to_string(said).unwrap(), "");
}

/// Copies all files but the lock over those of the same name.
fn copy_folder(from: &Path, to: &Path) {
    for file in files(from) {
        let to = to.join(file.strip_prefix(from).unwrap());
        let name = to.to_string_lossy();
        if !name.ends_with(".lock") && !name.ends_with("-shm") {
            fs::create_dir_all(to.parent().unwrap()).unwrap();
            fs::copy(file, to).unwrap();
        }
    }
}
