//! What must be undone also if a signal ends the harness: settings of the host, children, scratch
//! folders. Who has something to say first may have the first signal only ask for the end.

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use std::collections::BTreeMap;
use std::io;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Mutex, MutexGuard, Once, PoisonError};
use std::time::Duration;

type Undo = Box<dyn FnOnce() + Send>;

struct Book {
    next: u64,
    undos: BTreeMap<u64, Undo>,
}

static BOOK: Mutex<Book> = Mutex::new(Book {
    next: 0,
    undos: BTreeMap::new(),
});

fn book() -> MutexGuard<'static, Book> {
    // Each entry is whole whenever the lock is free, also after a panic elsewhere.
    BOOK.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Something to be undone once: when this is dropped, or when a signal comes before.
#[derive(Debug)]
pub(super) struct Undone(u64);

impl Undone {
    /// Enters `undo` into the book.
    pub(super) fn later(undo: impl FnOnce() + Send + 'static) -> Undone {
        let mut book = book();
        let number = book.next;
        book.next += 1;
        book.undos.insert(number, Box::new(undo));
        Undone(number)
    }

    /// Nothing is left to be undone.
    pub(super) fn forget(&self) {
        book().undos.remove(&self.0);
    }
}

impl Drop for Undone {
    fn drop(&mut self) {
        let undo = book().undos.remove(&self.0);
        if let Some(undo) = undo {
            undo();
        }
    }
}

/// Who is asked by the next signal.
static ASKED: Mutex<Option<Sender<()>>> = Mutex::new(None);

/// While it lives, the first SIGINT or SIGTERM only asks for the end; the next one ends all.
#[derive(Debug)]
pub struct Asked(Receiver<()>);

impl Asked {
    /// From now on.
    pub fn from_now() -> Asked {
        let (tell, asked) = mpsc::channel();
        *ASKED.lock().unwrap_or_else(PoisonError::into_inner) = Some(tell);
        Asked(asked)
    }

    /// Waits for so long; whether the end was asked for.
    pub fn within(&self, time: Duration) -> bool {
        match self.0.recv_timeout(time) {
            Err(RecvTimeoutError::Timeout) => false,
            // Asked, and so is who comes back: the sender was taken to ask.
            Ok(()) | Err(RecvTimeoutError::Disconnected) => true,
        }
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        ASKED.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

/// Asks who is to be asked; whether there is somebody.
fn ask() -> bool {
    let asked = ASKED.lock().unwrap_or_else(PoisonError::into_inner).take();
    asked.is_some_and(|asked| asked.send(()).is_ok())
}

/// From now on SIGINT and SIGTERM undo everything, the latest first, and end this process with 128
/// and the signal's number, as a shell has it.
///
/// # Errors
/// The system's refusal.
pub(super) fn watch() -> io::Result<()> {
    static STARTED: Once = Once::new();
    let mut started = Ok(());
    STARTED.call_once(|| started = start());
    started
}

fn start() -> io::Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM])?;
    let wait = move || {
        // A signal is lost on those who are asked, and only on them.
        if let Some(signal) = signals.forever().find(|_| !ask()) {
            // The lock is kept, so that nothing new is entered while the process ends.
            let mut book = book();
            while let Some((_, undo)) = book.undos.pop_last() {
                undo();
            }
            std::process::exit(128 + signal);
        }
    };
    let thread = std::thread::Builder::new().name("interrupt".into());
    thread.spawn(wait).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

    #[test]
    fn what_is_dropped_is_undone_once_and_what_is_forgotten_not_at_all() {
        let count = Arc::new(AtomicUsize::new(0));
        let undo = |count: &Arc<AtomicUsize>| {
            let count = Arc::clone(count);
            Undone::later(move || {
                count.fetch_add(1, Relaxed);
            })
        };
        drop(undo(&count));
        assert_eq!(count.load(Relaxed), 1);
        let forgotten = undo(&count);
        forgotten.forget();
        drop(forgotten);
        assert_eq!(count.load(Relaxed), 1);
    }

    #[test]
    fn who_is_asked_to_end_hears_of_it_once_and_is_not_asked_again() {
        let asked = Asked::from_now();
        assert!(!asked.within(Duration::ZERO));
        assert!(ask());
        assert!(asked.within(Duration::ZERO) && asked.within(Duration::ZERO));
        assert!(!ask());
        drop(Asked::from_now());
        assert!(!ask());
    }
}
