//! A normal client, which asks on whatever others do and measures how it is served.

use crate::P99_MAX;
use crate::wire::{self, Reader};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// How it connects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Habit {
    /// Everything over one connection.
    Stays,
    /// Over one connection, and every fourth request over a new one.
    Both,
}

/// The client, on a thread of its own.
pub(crate) struct Bystander {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Vec<Duration>>,
}

/// Pause between two requests.
const PACE: Duration = Duration::from_millis(2);
/// Fewer answers than this are no measurement.
const ANSWERS_MIN: usize = 50;

impl Bystander {
    /// Begins to ask.
    pub(crate) fn start(address: SocketAddr, habit: Habit) -> Bystander {
        let stop = Arc::new(AtomicBool::new(false));
        let stops = stop.clone();
        let thread = thread::spawn(move || {
            let mut kept = Reader::new(wire::connect(address));
            let mut taken = Vec::new();
            while !stops.load(Ordering::Relaxed) || taken.len() < ANSWERS_MIN {
                let began = Instant::now();
                let mut fresh = None;
                let reader = match habit {
                    Habit::Both if taken.len() % 4 == 3 => {
                        fresh.insert(Reader::new(wire::connect(address)))
                    }
                    _ => &mut kept,
                };
                let answer = reader.ask("GET /get-proxy HTTP/1.1\r\nHost: localhost\r\n\r\n");
                taken.push(began.elapsed());
                assert_eq!(answer.status, 200, "{}", answer.body);
                thread::park_timeout(PACE);
            }
            taken
        });
        Bystander { stop, thread }
    }

    /// Stops it, and panics unless it was always served and soon enough.
    pub(crate) fn was_served(self) {
        self.stop.store(true, Ordering::Relaxed);
        let mut taken = self.thread.join().expect("it was always served");
        taken.sort_unstable();
        let p99 = taken[taken.len() * 99 / 100];
        let last = taken[taken.len() - 1];
        eprintln!("{} answers, p99 {p99:?}, longest {last:?}", taken.len());
        assert!(p99 < P99_MAX, "p99 {p99:?} of {} answers", taken.len());
    }
}
