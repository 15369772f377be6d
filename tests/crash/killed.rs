//! `kill -9` at random moments of saves.

use super::images::{image, is_large, number};
use super::stores::{KINDS, Kind, open};
use super::support::PATIENCE;
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
/// Saves one image after the other and says so of each that is saved.
fn save(backend: &Backend, images: u32) {
    let mut store = open(backend);
    let last = number(&store.load().unwrap());
    say(&format!("saved {last}"));
    for next in (last + 1..).take(images as usize) {
        store.save(&image(next)).unwrap();
        say(&format!("saved {next}"));
    }
}

/// Not `println!`, which the test harness would keep.
fn say(line: &str) {
    let mut out = std::io::stdout();
    writeln!(out, "{line}").unwrap();
    out.flush().unwrap();
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

/// How long saves take, so that a process can be killed in the middle of one.
struct Pace {
    small: Duration,
    large: Duration,
}

impl Pace {
    /// The time of image `number`.
    fn of(&mut self, number: u32) -> &mut Duration {
        match is_large(number) {
            true => &mut self.large,
            false => &mut self.small,
        }
    }
}

/// Lets a process save some images and kills it in the middle of the next one, or a little later; the
/// last image that it said was saved.
fn killed(kind: Kind, folder: &Path, random: &mut Rng, pace: &mut Pace) -> u32 {
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
    // What it found, when it is ready; then what it saved.
    let mut last = said.recv_timeout(PATIENCE).unwrap();
    for _ in 0..random.u32(..3) {
        let begun = Instant::now();
        last = said.recv_timeout(PATIENCE).unwrap();
        *pace.of(last) = begun.elapsed();
    }
    let until = Instant::now() + pace.of(last + 1).mul_f64(1.2 * random.f64());
    loop {
        match said.recv_timeout(until.saturating_duration_since(Instant::now())) {
            Ok(number) => last = number,
            Err(RecvTimeoutError::Timeout) => break,
            Err(RecvTimeoutError::Disconnected) => panic!("{}: it ended by itself", kind.name),
        }
    }
    victim.kill().unwrap();
    victim.wait().unwrap();
    reader.join().unwrap();
    said.try_iter().last().unwrap_or(last)
}

fn survives(kind: Kind) {
    let first = seed(&format!("{} killed", kind.name));
    let folder = tempfile::tempdir().unwrap();
    let mut pace = Pace {
        small: Duration::from_millis(50),
        large: Duration::from_millis(500),
    };
    let (mut before, mut again, mut unsaid) = (0, 0, 0);
    for seed in first..first + rounds() {
        let mut random = Rng::with_seed(seed);
        let said = killed(kind, folder.path(), &mut random, &mut pace);
        let mut store = open(&kind.within(folder.path()));
        let found = number(&store.load().unwrap());
        let what = format!("{}, seed {seed}: {found} after {said}", kind.name);
        assert_eq!(store.recovered(), None, "{what}");
        assert!(
            said >= before && (said..=said + 1).contains(&found),
            "{what}"
        );
        again += u32::from(said == before);
        unsaid += found - said;
        before = found;
    }
    eprintln!(
        "{}: {before} images; {again} processes saved none, {unsaid} images were there that nobody \
         had said to be saved",
        kind.name
    );
    assert!(
        u64::from(before) >= rounds() / 2,
        "hardly a process saved anything"
    );
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
fn a_killed_sqlite_has_the_last_image_or_the_next() {
    survives(Kind::named("sqlite"));
}

#[test]
fn every_kind_is_killed() {
    // One test each above, so that they run side by side.
    assert_eq!(KINDS.map(|kind| kind.name), ["sled", "file", "sqlite"]);
}
