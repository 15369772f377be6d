//! Host names → addresses, before anything is handed to a shard: only addresses cross into one.

use crossbeam_channel::{Receiver, Sender, never, select, unbounded};
use std::collections::HashMap;
use std::net::{IpAddr, ToSocketAddrs};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

/// Lookups at once.
const LOOKUPS_MAX: usize = 64;
/// Time for one lookup; the system's resolver may take longer, but nobody waits for it.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(5);

/// The addresses of each name: none for one that has none, or did not resolve in time.
pub(crate) type Found = HashMap<Box<str>, Vec<IpAddr>>;

/// What a lookup thread says about the name of this index.
enum Note {
    Started(usize),
    Ended(usize, Vec<IpAddr>),
}

/// Asks the system's resolver.
pub(crate) fn system(name: &str) -> Vec<IpAddr> {
    let found = (name, 0).to_socket_addrs();
    found.map_or_else(|_| Vec::new(), |all| all.map(|a| a.ip()).collect())
}

/// Resolves `names` with `lookup`, which may block. An interrupt ends it early with `None`.
pub(crate) fn resolve(
    names: Vec<Box<str>>,
    lookup: fn(&str) -> Vec<IpAddr>,
    interrupts: &Receiver<()>,
) -> Option<Found> {
    resolve_within(LOOKUP_TIMEOUT, names, lookup, interrupts)
}

fn resolve_within(
    timeout: Duration,
    names: Vec<Box<str>>,
    lookup: fn(&str) -> Vec<IpAddr>,
    interrupts: &Receiver<()>,
) -> Option<Found> {
    let names: Arc<[Box<str>]> = names.into();
    let notes = start(&names, lookup);
    let mut found: Vec<Option<Vec<IpAddr>>> = vec![None; names.len()];
    let mut deadlines: HashMap<usize, Instant> = HashMap::new();
    let mut left = names.len();
    while left > 0 {
        let next = deadlines.values().min();
        let expiry = next.map_or_else(never, |at| crossbeam_channel::at(*at));
        select! {
            recv(notes) -> note => match note {
                Ok(Note::Started(index)) => {
                    deadlines.insert(index, Instant::now() + timeout);
                }
                Ok(Note::Ended(index, ips)) => {
                    // One that ran out of time has its answer already.
                    if deadlines.remove(&index).is_some() {
                        found[index] = Some(ips);
                        left -= 1;
                    }
                }
                // No thread could be started, or all have ended.
                Err(_) => break,
            },
            recv(interrupts) -> _ => return None,
            recv(expiry) -> now => {
                let before = deadlines.len();
                let now = now.unwrap_or_else(|_| Instant::now());
                deadlines.retain(|_, at| *at > now);
                left -= before - deadlines.len();
            }
        }
    }
    let ips = found.into_iter().map(Option::unwrap_or_default);
    Some(names.iter().cloned().zip(ips).collect())
}

/// Starts the threads that share the names; they end when no name is left.
fn start(names: &Arc<[Box<str>]>, lookup: fn(&str) -> Vec<IpAddr>) -> Receiver<Note> {
    let (todo, indexes) = unbounded();
    for index in 0..names.len() {
        // Cannot fail: this function holds the receiver.
        let _ = todo.send(index);
    }
    let (tell, notes) = unbounded();
    for _ in 0..LOOKUPS_MAX.min(names.len()) {
        let (names, indexes, tell) = (names.clone(), indexes.clone(), tell.clone());
        let work = move || look_up_all(&names, lookup, &indexes, &tell);
        // With fewer threads it takes longer; with none, the notes end and nothing resolves.
        let _ = thread::Builder::new().name("names".into()).spawn(work);
    }
    notes
}

fn look_up_all(
    names: &[Box<str>],
    lookup: fn(&str) -> Vec<IpAddr>,
    indexes: &Receiver<usize>,
    tell: &Sender<Note>,
) {
    while let Ok(index) = indexes.try_recv() {
        // Nobody listens any more after an interrupt.
        if tell.send(Note::Started(index)).is_err() {
            return;
        }
        let _ = tell.send(Note::Ended(index, lookup(&names[index])));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crossbeam_channel::bounded;

    const LONG: Duration = Duration::from_secs(60);

    fn names(count: usize) -> Vec<Box<str>> {
        (0..count).map(|i| format!("n{i}.test").into()).collect()
    }

    fn blocks_for_ever(_: &str) -> Vec<IpAddr> {
        loop {
            thread::park();
        }
    }

    #[test]
    fn more_names_than_threads_are_all_resolved() {
        let lookup = |name: &str| match name {
            "n7.test" => Vec::new(),
            _ => vec![IpAddr::from([192, 0, 2, 1])],
        };
        let found = resolve_within(LONG, names(200), lookup, &never()).unwrap();
        assert_eq!(found.len(), 200);
        assert!(found["n7.test"].is_empty());
        assert_eq!(found["n199.test"].len(), 1);
    }

    #[test]
    fn a_lookup_that_blocks_is_given_up_and_holds_nobody_back() {
        let lookup = |name: &str| match name {
            "n1.test" => blocks_for_ever(name),
            _ => vec![IpAddr::from([192, 0, 2, 1])],
        };
        let found =
            resolve_within(Duration::from_millis(50), names(100), lookup, &never()).unwrap();
        assert!(found["n1.test"].is_empty());
        assert_eq!(found.values().filter(|ips| !ips.is_empty()).count(), 99);
    }

    #[test]
    fn an_interrupt_ends_the_wait() {
        let (tell, told) = bounded(1);
        tell.send(()).unwrap();
        assert!(resolve_within(LONG, names(3), blocks_for_ever, &told).is_none());
    }

    #[test]
    fn no_names_need_no_thread() {
        assert!(
            resolve_within(LONG, Vec::new(), blocks_for_ever, &never())
                .unwrap()
                .is_empty()
        );
    }

    #[test]
    fn an_address_resolves_to_itself() {
        assert_eq!(system("127.0.0.1"), [IpAddr::from([127, 0, 0, 1])]);
    }
}
