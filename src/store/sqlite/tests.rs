//! The old service's table, and damage that SQLite does not notice.

use super::*;
use crate::ledger::Entry;
use crate::store::Recovered;
use crate::store::contract::{change, random_image};
use fastrand::Rng;
use std::os::unix::fs::symlink;
use tempfile::TempDir;

fn place() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    (folder, path)
}

/// Has a go at the database as someone else.
fn tamper(path: &Path, sql: &str) {
    let db = Connection::open(path).unwrap();
    db.execute_batch(sql).unwrap();
}

/// Loads, then saves and loads once more.
fn loaded(path: &Path) -> (Image, Option<Recovered>) {
    let mut store = SqliteStore::open(path).unwrap();
    let image = store.load().unwrap();
    store.save(&image).unwrap();
    assert!(store.load().unwrap() == image);
    (image, store.recovered())
}

fn check(sql: &str, why: &str) {
    let (_folder, path) = place();
    let mut store = SqliteStore::open(&path).unwrap();
    store
        .save(&random_image(&mut Rng::with_seed(1), 1_000))
        .unwrap();
    drop(store);
    tamper(&path, sql);
    let (image, notice) = loaded(&path);
    assert_eq!(image, Image::default());
    let notice = notice.expect("the damage is noticed");
    assert!(notice.why.contains(why), "{notice}");
    assert!(notice.moved_to.exists(), "{notice}");
}

#[test]
fn what_is_not_as_it_was_saved_is_moved_aside() {
    check(
        "UPDATE ledger_chunks SET bytes = zeroblob(100) WHERE number = 2",
        "chunk 2 is damaged: its CRC differs",
    );
    check(
        "DELETE FROM ledger_chunks WHERE number = 0",
        "chunk 0 is missing",
    );
    check(
        "DELETE FROM ledger_meta",
        "nothing of the last save is left",
    );
    check("DROP TABLE ledger_meta", "nothing of the last save is left");
    check("DROP TABLE ledger_chunks", "no such table");
    check("UPDATE ledger_chunks SET bytes = 'text'", "is no BLOB");
    check("PRAGMA user_version = 2", "a newer one may have written");
}

/// Does `harm` to an open store. After the next save its files hold the image, as a process that is killed
/// leaves them.
fn is_saved_after(harm: impl Fn(&Path)) {
    let (folder, path) = place();
    let mut image = random_image(&mut Rng::with_seed(2), 3_000);
    let mut store = SqliteStore::open(&path).unwrap();
    store.save(&image).unwrap();
    harm(&path);
    change(&mut image, |entries| entries[1_500].failures ^= 1);
    store.save(&image).unwrap();
    let path = fs::canonicalize(path).unwrap();
    let found = look(&path, &folder.path().join("copy")).unwrap();
    assert!(found == image);
    assert_eq!(store.recovered(), None);
}

#[test]
fn a_save_counts_though_files_were_removed_or_moved_while_they_were_open() {
    is_saved_after(|path| fs::remove_file(with_end(path, "-wal")).unwrap());
    is_saved_after(|path| {
        for end in ["", "-wal", "-shm"] {
            fs::remove_file(with_end(path, end)).unwrap();
        }
    });
    is_saved_after(|path| {
        let elsewhere = path.with_file_name("elsewhere.db");
        fs::rename(path, &elsewhere).unwrap();
        symlink(&elsewhere, path).unwrap();
    });
    is_saved_after(|path| {
        let moved = path.with_file_name("moved");
        fs::create_dir(&moved).unwrap();
        for end in ["", "-wal", "-shm"] {
            let name = with_end(path, end);
            fs::rename(&name, moved.join(name.file_name().unwrap())).unwrap();
        }
    });
}

#[test]
fn the_log_of_a_database_is_not_played_into_the_one_that_took_its_place() {
    let mut random = Rng::with_seed(3);
    for _ in 0..4 {
        let (folder, path) = place();
        let other = folder.path().join("other.db");
        let mut store = SqliteStore::open(&other).unwrap();
        let entries = random.usize(1_000..40_000);
        store.save(&random_image(&mut random, entries)).unwrap();
        drop(store);

        // So much that it is moved into the database, and then a little that is not.
        let mut image = random_image(&mut random, 40_000);
        let mut store = SqliteStore::open(&path).unwrap();
        for changed in [20_000, 10_000] {
            store.save(&image).unwrap();
            change(&mut image, |entries| entries[changed].failures ^= 1);
        }
        store.save(&image).unwrap();
        fs::rename(&other, &path).unwrap();
        change(&mut image, |entries| entries[0].failures ^= 1);
        store.save(&image).unwrap();
        assert_eq!(store.recovered(), None);
        let found = look(&path, &folder.path().join("copy")).unwrap();
        assert!(found == image);
    }
}

/// What the old service left.
const OLD: &str = r#"
    CREATE TABLE snapshots (id INTEGER PRIMARY KEY, data TEXT NOT NULL, updated_at TIMESTAMP);
    INSERT INTO snapshots VALUES (1, '{"proxies":[{"address":"1.2.3.4:8080","protocol":"http",
        "alive":true,"latency_ms":234,"last_check":"2025-01-02T00:04:05Z"}],
        "stats":{"total_scraped":1,"alive_percent":100},"updated":"2025-01-02T00:04:06Z"}',
        '2025-01-02 00:04:06')"#;

#[test]
fn what_the_old_service_left_is_read_once_and_stays() {
    let (_folder, path) = place();
    tamper(&path, OLD);
    let (image, notice) = loaded(&path);
    assert_eq!(notice, None);
    assert_eq!(image.saved_at_ms, 1_735_776_246_000);
    let entries: Vec<Entry> = image.entries.iter().collect();
    assert_eq!(entries[0].candidate, "http://1.2.3.4:8080".parse().unwrap());
    assert_eq!((entries.len(), entries[0].timing.total_us), (1, 234_000));

    // From now on ours is read, however old theirs is.
    let newer = random_image(&mut Rng::with_seed(2), 10);
    SqliteStore::open(&path).unwrap().save(&newer).unwrap();
    assert!(loaded(&path).0 == newer);
    let db = Connection::open(&path).unwrap();
    let count = |sql: &str| db.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
    let old = "SELECT count(*) FROM snapshots WHERE data LIKE '%1.2.3.4:8080%'";
    assert_eq!(
        (count(old), count("SELECT count(*) FROM ledger_meta")),
        (1, 1)
    );
}

#[test]
fn an_old_table_without_a_row_is_an_empty_ledger_and_one_with_noise_is_moved_aside() {
    let (_folder, path) = place();
    tamper(&path, &format!("{OLD}; DELETE FROM snapshots"));
    assert_eq!(loaded(&path), (Image::default(), None));

    let (_folder, path) = place();
    tamper(&path, &format!("{OLD}; UPDATE snapshots SET data = '{{'"));
    let notice = loaded(&path).1.expect("the damage is noticed");
    assert!(
        notice.why.contains("the old service's snapshot"),
        "{notice}"
    );
}

#[test]
fn only_changed_chunks_are_written() {
    let (_folder, path) = place();
    let mut image = random_image(&mut Rng::with_seed(3), 3_000);
    let mut store = SqliteStore::open(&path).unwrap();
    store.save(&image).unwrap();
    drop(store);
    tamper(
        &path,
        "CREATE TABLE written (number INTEGER);
         CREATE TRIGGER put AFTER INSERT ON ledger_chunks
             BEGIN INSERT INTO written VALUES (new.number); END;",
    );
    let mut store = SqliteStore::open(&path).unwrap();
    store.load().unwrap();
    change(&mut image, |entries| entries[1_500].failures ^= 1);
    store.save(&image).unwrap();
    drop(store);
    let db = Connection::open(&path).unwrap();
    let written: i64 = db
        .query_row("SELECT count(*) FROM written", [], |row| row.get(0))
        .unwrap();
    assert_eq!(written, 1);
}

#[test]
fn someone_who_writes_without_our_lock_is_named_as_such_and_the_next_save_succeeds() {
    let (_folder, path) = place();
    let image = random_image(&mut Rng::with_seed(4), 100);
    let mut store = SqliteStore::open(&path).unwrap();
    let other = Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let error = store.save(&image).unwrap_err();
    assert!(matches!(error, StoreError::Busy { .. }), "{error}");
    other.execute_batch("ROLLBACK").unwrap();
    store.save(&image).unwrap();
    assert!(store.load().unwrap() == image);
}

#[test]
fn a_start_that_was_cut_leaves_nothing_in_the_way() {
    let (_folder, path) = place();
    for end in ["", "-wal", "-shm"] {
        fs::write(with_end(&beside(&path, "new"), end), b"half a database").unwrap();
    }
    assert_eq!(loaded(&path), (Image::default(), None));
}

#[test]
fn what_sqlite_keeps_beside_a_broken_database_goes_aside_with_it() {
    let (_folder, path) = place();
    fs::write(
        &path,
        b"noise that is longer than the head of a database".repeat(9),
    )
    .unwrap();
    fs::write(with_end(&path, "-wal"), b"the newest saves").unwrap();
    let (image, notice) = loaded(&path);
    assert_eq!(image, Image::default());
    let kept = with_end(&notice.expect("noise").moved_to, "-wal");
    assert_eq!(fs::read(kept).unwrap(), b"the newest saves");
}

#[test]
fn a_log_whose_database_is_gone_is_not_played_into_the_next_one() {
    let folder = tempfile::tempdir().unwrap();
    let [path, next] = ["ledger.db", "next.db"].map(|name| folder.path().join(name));
    let mut store = SqliteStore::open(&path).unwrap();
    store
        .save(&random_image(&mut fastrand::Rng::with_seed(1), 2_000))
        .unwrap();
    // As a killed process leaves it, and then somebody removes the database.
    fs::copy(with_end(&path, "-wal"), with_end(&next, "-wal")).unwrap();
    let mut store = SqliteStore::open(&next).unwrap();
    assert!(store.load().unwrap() == Image::default());
    assert_eq!(store.recovered(), None);
    let kept = fs::read_dir(folder.path()).unwrap().flatten();
    let kept = kept.filter(|file| file.file_name().to_string_lossy().contains("-wal.broken-"));
    assert_eq!(kept.count(), 1, "it is moved aside, not deleted");
}
