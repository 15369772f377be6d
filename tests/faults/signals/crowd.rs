//! Clients that read, lease and reload without pause, until they are told to stop, whatever the answer.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

const REQUESTS: [(&str, &str); 5] = [
    ("GET", "/get-proxy?all=1&format=json"),
    ("GET", "/get-proxy?limit=5&lease=2s"),
    ("GET", "/stat"),
    ("POST", "/reload"),
    ("GET", "/get-proxy?limit=3"),
];

/// Clients, each a thread; they end when this is dropped.
pub(super) struct Crowd {
    stop: Arc<AtomicBool>,
    answers: Arc<AtomicU64>,
    threads: Vec<JoinHandle<()>>,
}

impl Crowd {
    /// So many at a service.
    pub(super) fn at(address: &str, clients: usize) -> Crowd {
        let (stop, answers) = (
            Arc::new(AtomicBool::new(false)),
            Arc::new(AtomicU64::new(0)),
        );
        let client = |number: usize| {
            let (stop, answers) = (Arc::clone(&stop), Arc::clone(&answers));
            let address = address.to_owned();
            thread::spawn(move || {
                let mut turn = number;
                while !stop.load(Ordering::Relaxed) {
                    let (method, target) = REQUESTS[turn % REQUESTS.len()];
                    turn += 1;
                    match ask(&address, method, target) {
                        Some(()) => _ = answers.fetch_add(1, Ordering::Relaxed),
                        // It has ended.
                        None => thread::park_timeout(Duration::from_millis(5)),
                    }
                    // The machine is to serve others too.
                    thread::park_timeout(Duration::from_millis(2));
                }
            })
        };
        let threads = (0..clients).map(client).collect();
        Crowd {
            stop,
            answers,
            threads,
        }
    }

    /// Answers so far.
    pub(super) fn answers(&self) -> u64 {
        self.answers.load(Ordering::Relaxed)
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            // A panic of one of them is none of the service.
            thread.join().ok();
        }
    }
}

/// One request; `None` if it was not answered.
fn ask(address: &str, method: &str, target: &str) -> Option<()> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream
        .set_read_timeout(Some(Duration::from_secs(10)))
        .ok()?;
    let request = format!(
        "{method} {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).ok()?;
    answer.starts_with(b"HTTP/1.1 ").then_some(())
}
