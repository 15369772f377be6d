//! Clients of the API that ask on whatever happens.

use crate::support::PATIENCE;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// Pause between two requests.
const PACE: Duration = Duration::from_millis(5);
/// Fewer answers than this are no proof.
const ANSWERS_MIN: usize = 20;
/// No answer may take longer; in the short form on a machine that does much else.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// Nor one of a hundred longer than this.
fn p99_max() -> Duration {
    crate::times(ANSWER_WITHIN, Duration::from_millis(500))
}

/// How a client connects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Habit {
    /// Everything over one connection.
    Stays,
    /// Over one connection, and every fourth request over a new one.
    Both,
}

/// A connection that is kept.
pub(crate) struct Kept {
    stream: TcpStream,
    bytes: Vec<u8>,
}

impl Kept {
    pub(crate) fn open(address: &str) -> Kept {
        let stream = TcpStream::connect(address).expect("the API accepts");
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Kept {
            stream,
            bytes: Vec::new(),
        }
    }

    /// Sends a request.
    pub(crate) fn send(&mut self, method: &str, target: &str) {
        let request =
            format!("{method} {target} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n");
        self.stream.write_all(request.as_bytes()).expect("sent");
    }

    /// The next answer: its status and its body.
    pub(crate) fn answer(&mut self) -> (u16, String) {
        let head = loop {
            match self.bytes.windows(4).position(|four| four == b"\r\n\r\n") {
                Some(end) => break self.take(end + 4),
                None => self.more(),
            }
        };
        let field = head.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("content-length").then_some(value)
        });
        let length = field.and_then(|value| value.trim().parse().ok());
        let length = length.unwrap_or_else(|| panic!("no length: {head}"));
        while self.bytes.len() < length {
            self.more();
        }
        let status = head
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok());
        (status.expect("a status"), self.take(length))
    }

    /// Sends a request and reads its answer.
    pub(crate) fn ask(&mut self, method: &str, target: &str) -> (u16, String) {
        self.send(method, target);
        self.answer()
    }

    fn take(&mut self, count: usize) -> String {
        let rest = self.bytes.split_off(count);
        let taken = std::mem::replace(&mut self.bytes, rest);
        String::from_utf8(taken).expect("text")
    }

    fn more(&mut self) {
        let mut piece = [0; 1 << 16];
        let read = self.stream.read(&mut piece).expect("an answer");
        assert!(read > 0, "closed in the middle of an answer");
        self.bytes.extend_from_slice(&piece[..read]);
    }
}

/// One that asks for a proxy without pause, on a thread of its own.
pub(crate) struct Client {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Vec<Duration>>,
}

impl Client {
    /// Begins to ask.
    pub(crate) fn start(address: &str, habit: Habit) -> Client {
        let stop = Arc::new(AtomicBool::new(false));
        let (stops, address) = (stop.clone(), address.to_owned());
        let mut kept = Kept::open(&address);
        let thread = thread::spawn(move || {
            let mut taken = Vec::new();
            while !stops.load(Ordering::Relaxed) || taken.len() < ANSWERS_MIN {
                let began = Instant::now();
                let is_fresh = habit == Habit::Both && taken.len() % 4 == 3;
                let mut fresh = is_fresh.then(|| Kept::open(&address));
                let connection = fresh.as_mut().unwrap_or(&mut kept);
                let (status, body) = connection.ask("GET", "/get-proxy");
                assert_eq!(status, 200, "{body}");
                taken.push(began.elapsed());
                thread::park_timeout(PACE);
            }
            taken
        });
        Client { stop, thread }
    }

    /// Stops it, and panics unless it was served always and in time.
    pub(crate) fn was_served(self) {
        self.stop.store(true, Ordering::Relaxed);
        let mut taken = self.thread.join().expect("it was always served");
        taken.sort_unstable();
        let (p99, last) = (taken[taken.len() * 99 / 100], taken[taken.len() - 1]);
        eprintln!("{} answers, p99 {p99:?}, longest {last:?}", taken.len());
        assert!(last < ANSWER_WITHIN, "an answer took {last:?}");
        assert!(p99 < p99_max(), "one of a hundred answers took {p99:?}");
    }
}
