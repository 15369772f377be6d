//! `kill -9` at random moments of saves.

use super::images::{image, number};
use super::stores::{KINDS, Kind, open};
use super::{rounds, seed};
use fastrand::Rng;
use proxy_checker::config::Backend;
use std::env;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

/// Names the store of the process that is to be killed, `KIND:FOLDER`.
const VICTIM: &str = "PROXY_CHECKER_VICTIM";
/// A process is killed within this time of its start: a small image takes milliseconds, a large one
/// some hundred.
const LIFE_MS_MAX: u64 = 400;

/// Saves one image after the other and says so of each that is saved.
fn save(backend: &Backend, images: u32) {
    let mut store = open(backend);
    let last = number(&store.load().unwrap());
    for next in (last + 1..).take(images as usize) {
        store.save(&image(next)).unwrap();
        // Not `println!`, which the test harness would keep.
        let mut out = std::io::stdout();
        writeln!(out, "saved {next}").unwrap();
        out.flush().unwrap();
    }
}

/// Alone it saves a few; started by the test below, until it is killed.
#[test]
fn images_are_saved_one_after_the_other() {
    if let Ok(victim) = env::var(VICTIM) {
        let (kind, folder) = victim.split_once(':').unwrap();
        return save(&Kind::named(kind).within(folder.as_ref()), u32::MAX);
    }
    for kind in KINDS {
        let folder = tempfile::tempdir().unwrap();
        let backend = kind.within(folder.path());
        save(&backend, 2);
        save(&backend, 1);
        assert_eq!(number(&open(&backend).load().unwrap()), 3);
    }
}

/// Lets a process save for a while and kills it; the last image that it said was saved.
fn killed(kind: Kind, folder: &Path, life: Duration) -> Option<u32> {
    let mut victim = Command::new(env::current_exe().unwrap())
        .args(["--exact", "killed::images_are_saved_one_after_the_other"])
        .args(["--nocapture", "--test-threads=1"])
        .env(VICTIM, format!("{}:{}", kind.name, folder.display()))
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let (tell, said) = mpsc::channel();
    let out = victim.stdout.take().unwrap();
    let reader = thread::spawn(move || {
        for line in BufReader::new(out).lines().map_while(Result::ok) {
            if let Some((_, number)) = line.split_once("saved ") {
                tell.send(number.parse::<u32>().unwrap()).unwrap();
            }
        }
    });
    let (until, mut last) = (Instant::now() + life, None);
    loop {
        match said.recv_timeout(until.saturating_duration_since(Instant::now())) {
            Ok(number) => last = Some(number),
            Err(RecvTimeoutError::Timeout) => break,
            Err(RecvTimeoutError::Disconnected) => panic!("{}: it ended by itself", kind.name),
        }
    }
    victim.kill().unwrap();
    victim.wait().unwrap();
    reader.join().unwrap();
    said.try_iter().last().or(last)
}

fn survives(kind: Kind) {
    let first = seed(&format!("{} killed", kind.name));
    let folder = tempfile::tempdir().unwrap();
    let (mut saved, mut in_the_middle) = (0, 0);
    for seed in first..first + rounds() {
        let life = Rng::with_seed(seed).u64(..LIFE_MS_MAX);
        let said = killed(kind, folder.path(), Duration::from_millis(life));
        let acknowledged = said.unwrap_or(saved);
        let mut store = open(&kind.within(folder.path()));
        let found = number(&store.load().unwrap());
        let what = format!("{}, seed {seed}: {found} after {acknowledged}", kind.name);
        assert_eq!(store.recovered(), None, "{what}");
        assert!(found == acknowledged || found == acknowledged + 1, "{what}");
        in_the_middle += u32::from(said.is_some());
        saved = found;
    }
    eprintln!(
        "{}: {saved} images, killed in their midst {in_the_middle} times",
        kind.name
    );
    assert!(in_the_middle > 0, "no process lived long enough to save");
}

#[test]
fn a_killed_sled_has_the_last_image_or_the_next() {
    survives(Kind::named("sled"));
}

#[test]
fn a_killed_file_has_the_last_image_or_the_next() {
    survives(Kind::named("file"));
}

#[test]
fn every_kind_is_killed() {
    // One test each above, so that they run side by side.
    assert_eq!(KINDS.map(|kind| kind.name), ["sled", "file"]);
}
