use super::client::{self, Unanswered};
use super::*;
use crate::coordinator::{Event, SaveOutcome};
use crate::ledger::Entry;
use crate::store::{Asked, Image, text};
use crossbeam_channel::{Receiver, Sender, unbounded};
use std::fs;
use std::io;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// A socket that is answered, and what comes in on it.
struct Desk {
    path: PathBuf,
    events: Receiver<Event>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
    _folder: tempfile::TempDir,
}

impl Desk {
    fn open() -> Desk {
        Desk::open_at("x.sock")
    }

    /// At this place below a new folder, which may not be there.
    fn open_at(place: &str) -> Desk {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(place);
        let (to, events): (Sender<Event>, _) = unbounded();
        let door = Door::watched_closely(path.clone());
        let runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = { runtime }.enable_all().build().unwrap();
        runtime.spawn(door.serve(to));
        let (stop, stopped) = oneshot::channel();
        let thread = thread::spawn(move || {
            let _ = runtime.block_on(stopped);
            runtime.shutdown_background();
        });
        Desk {
            path,
            events,
            stop: Some(stop),
            thread: Some(thread),
            _folder: folder,
        }
    }

    #[track_caller]
    fn is_soon_answered(&self) {
        let since = Instant::now();
        while let Err(error) = UnixStream::connect(&self.path) {
            let waited = since.elapsed();
            assert!(waited < Duration::from_secs(20), "{error} for {waited:?}");
            thread::sleep(Duration::from_millis(5));
        }
        let path = self.path.clone();
        let asked = thread::spawn(move || client::save(&path));
        let Event::Save(reply) = self.events.recv().unwrap() else {
            panic!("no save");
        };
        reply.send(SaveOutcome::Saved).unwrap();
        asked.join().unwrap().unwrap();
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        drop(self.stop.take());
        self.thread.take().unwrap().join().unwrap();
        // A look may have been under way.
        let since = Instant::now();
        while self.path.exists() {
            let waited = since.elapsed();
            assert!(waited < Duration::from_secs(5), "its file goes with it");
            thread::sleep(Duration::from_millis(5));
        }
    }
}

fn image(count: u32) -> Image {
    let candidate = |n: u32| format!("http://u:p@9.9.{}.{}:80", n / 250, n % 250);
    let entry = |n| Entry::new(candidate(n).parse().unwrap());
    Image {
        saved_at_ms: 5,
        asked: Asked::default(),
        targets: vec!["shop".into()],
        entries: (0..count).map(entry).collect(),
    }
}

#[test]
fn a_save_is_answered_when_it_has_ended_as_it_did() {
    let desk = Desk::open();
    for outcome in [SaveOutcome::Saved, SaveOutcome::Failed] {
        let path = desk.path.clone();
        let asked = thread::spawn(move || client::save(&path));
        let Event::Save(reply) = desk.events.recv().unwrap() else {
            panic!("no save");
        };
        reply.send(outcome).unwrap();
        let said = asked.join().unwrap();
        match outcome {
            SaveOutcome::Saved => assert!(said.is_ok(), "{said:?}"),
            SaveOutcome::Failed => assert!(matches!(said, Err(Unanswered::Refused(_)))),
        }
    }
}

#[test]
fn an_export_comes_whole() {
    let desk = Desk::open();
    let path = desk.path.clone();
    let asked = thread::spawn(move || {
        let mut out = Vec::new();
        client::export(&path, &mut out).map(|()| out)
    });
    let Event::Export(reply) = desk.events.recv().unwrap() else {
        panic!("no export");
    };
    reply.send(image(5_000)).unwrap();
    let out = asked.join().unwrap().unwrap();
    let reading = text::read(&out[..]).unwrap();
    assert!(reading.image == image(5_000));
}

#[test]
fn an_import_is_taken_in_and_saved_and_names_its_bad_lines() {
    let desk = Desk::open();
    let mut file = Vec::new();
    text::write(&image(5_000), &mut file).unwrap();
    file.extend(b"nonsense\n");
    let path = desk.path.clone();
    let asked = thread::spawn(move || client::import(&path, io::Cursor::new(file)));
    let Event::Import(import) = desk.events.recv().unwrap() else {
        panic!("no import");
    };
    assert!(import.image == image(5_000));
    let merged = Merged {
        added: 5_000,
        ..Merged::default()
    };
    import.reply.send(merged).unwrap();
    let Event::Save(reply) = desk.events.recv().unwrap() else {
        panic!("not saved");
    };
    reply.send(SaveOutcome::Saved).unwrap();
    let imported = asked.join().unwrap().unwrap();
    assert_eq!((imported.merged, imported.bad_lines), (merged, 1));
    let words: Vec<String> = imported.bad_in_words().collect();
    assert_eq!(words.len(), 1);
    assert!(
        words[0].starts_with("line 5002: it is no JSON"),
        "{words:?}"
    );
}

#[test]
fn an_import_that_is_taken_in_and_not_saved_says_both() {
    let desk = Desk::open();
    let mut file = Vec::new();
    text::write(&image(5), &mut file).unwrap();
    let path = desk.path.clone();
    let asked = thread::spawn(move || client::import(&path, io::Cursor::new(file)));
    let Event::Import(import) = desk.events.recv().unwrap() else {
        panic!("no import");
    };
    import.reply.send(Merged::default()).unwrap();
    let Event::Save(reply) = desk.events.recv().unwrap() else {
        panic!("not saved");
    };
    reply.send(SaveOutcome::Failed).unwrap();
    let error = asked.join().unwrap().unwrap_err().to_string();
    assert!(error.contains("the store took nothing"), "{error}");
    assert!(
        error.contains("it was taken in, and is saved with"),
        "{error}"
    );
}

#[test]
fn what_is_no_export_is_refused_however_long_it_is() {
    let desk = Desk::open();
    let file = io::Cursor::new("1.2.3.4:80\n".repeat(500_000));
    let error = client::import(&desk.path, file).unwrap_err();
    assert!(
        error.to_string().contains("no export of proxy-checker"),
        "{error}"
    );
    assert!(desk.events.is_empty());
}

#[test]
fn a_service_that_ends_and_one_that_is_not_there_say_so() {
    let mut desk = Desk::open();
    let gone = std::mem::replace(&mut desk.events, unbounded().1);
    drop(gone);
    let error = client::save(&desk.path).unwrap_err();
    assert!(error.to_string().contains("the service ends"), "{error}");
    let error = client::save(&desk.path.with_extension("other")).unwrap_err();
    assert!(matches!(error, Unanswered::Silent(_)), "{error}");
}

#[test]
fn a_socket_that_is_removed_is_made_anew() {
    let desk = Desk::open();
    for _ in 0..3 {
        desk.is_soon_answered();
        fs::remove_file(&desk.path).unwrap();
    }
    desk.is_soon_answered();
}

#[test]
fn a_socket_that_could_not_be_made_at_the_start_is_made_when_it_can() {
    let desk = Desk::open_at("later/x.sock");
    thread::sleep(Duration::from_millis(50));
    fs::create_dir(desk.path.parent().unwrap()).unwrap();
    desk.is_soon_answered();
}

#[test]
fn who_came_in_before_the_socket_was_removed_is_answered_all_the_same() {
    let desk = Desk::open();
    let path = desk.path.clone();
    let asked = thread::spawn(move || client::save(&path));
    let Event::Save(reply) = desk.events.recv().unwrap() else {
        panic!("no save");
    };
    fs::remove_file(&desk.path).unwrap();
    desk.is_soon_answered();
    reply.send(SaveOutcome::Saved).unwrap();
    asked.join().unwrap().unwrap();
}
