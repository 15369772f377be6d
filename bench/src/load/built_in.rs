//! The client in this process: one thread, epoll, one request rendered beforehand.

use super::{Latency, Load, Outcome};
use crate::harness::answer::Head;
use crate::harness::asker::request;
use crate::harness::{Result, system};
use hdrhistogram::Histogram;
use rustix::event::Timespec;
use rustix::event::epoll::{self, Event, EventData, EventFlags};
use rustix::io::Errno;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

/// How long the server may say nothing at all.
const SILENCE_MAX: Duration = Duration::from_secs(30);
const READ_BYTES: usize = 256 * 1024;
const HEAD_BYTES_MAX: usize = 16 * 1024;

/// One connection, and the answer that it waits for.
struct Connection {
    stream: TcpStream,
    asked: Instant,
    /// The beginning of an answer whose head is not whole.
    head: Vec<u8>,
    /// What is still to come of the body, once the head is known.
    left: Option<usize>,
}

struct Client<'a> {
    load: &'a Load,
    request: Vec<u8>,
    poll: OwnedFd,
    connections: Vec<Connection>,
    /// Microseconds.
    latencies: Histogram<u64>,
    bytes: u64,
    waiting: usize,
}

/// Asks for as long as it says, and waits for the last answers.
pub(super) fn run(load: &Load) -> Result<Outcome> {
    let mut client = Client::connect(load)?;
    let begun = Instant::now();
    let last = client.ask(begun + load.length)?;
    Ok(Outcome {
        answers: client.latencies.len(),
        seconds: (last - begun).as_secs_f64(),
        bytes: client.bytes,
        latency: Latency::of(&client.latencies),
    })
}

impl<'a> Client<'a> {
    fn connect(load: &'a Load) -> Result<Client<'a>> {
        let failed = |error: io::Error| load.failed(error.to_string());
        let poll = epoll::create(epoll::CreateFlags::CLOEXEC);
        let poll = poll.map_err(|e| system("epoll")(e.into()))?;
        let mut connections = Vec::with_capacity(load.connections);
        for place in 0..load.connections {
            let stream = TcpStream::connect_timeout(&load.address, SILENCE_MAX).map_err(failed)?;
            stream.set_nodelay(true).map_err(failed)?;
            stream.set_nonblocking(true).map_err(failed)?;
            let data = EventData::new_u64(place as u64);
            let added = epoll::add(&poll, &stream, data, EventFlags::IN);
            added.map_err(|e| system("epoll")(e.into()))?;
            connections.push(Connection {
                stream,
                asked: Instant::now(),
                head: Vec::new(),
                left: None,
            });
        }
        Ok(Client {
            request: request("GET", &load.path, load.address),
            load,
            poll,
            waiting: 0,
            connections,
            latencies: Histogram::new(3).map_err(|e| load.failed(e.to_string()))?,
            bytes: 0,
        })
    }

    /// Asks until `deadline` and returns when the last answer came.
    fn ask(&mut self, deadline: Instant) -> Result<Instant> {
        for place in 0..self.connections.len() {
            self.send(place, Instant::now())?;
        }
        let mut bytes = vec![0; READ_BYTES];
        let mut events = Vec::with_capacity(self.connections.len());
        let mut now = Instant::now();
        while self.waiting > 0 {
            self.wait(&mut events)?;
            for event in events.drain(..) {
                let place = event.data.u64() as usize;
                if self.receive(place, &mut bytes)? {
                    now = Instant::now();
                    self.answered(place, now)?;
                    if now < deadline {
                        self.send(place, now)?;
                    }
                }
            }
        }
        Ok(now)
    }

    fn wait(&self, events: &mut Vec<Event>) -> Result<()> {
        let silence = Timespec {
            tv_sec: SILENCE_MAX.as_secs() as _,
            tv_nsec: 0,
        };
        let room = rustix::buffer::spare_capacity(events);
        match epoll::wait(&self.poll, room, Some(&silence)) {
            Ok(0) => Err(self.load.failed("no answer for half a minute")),
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(errno) => Err(system("epoll")(errno.into())),
        }
    }

    fn send(&mut self, place: usize, now: Instant) -> Result<()> {
        let connection = &mut self.connections[place];
        connection.asked = now;
        self.waiting += 1;
        // All that was sent before is answered, so there is room for it.
        let sent = connection.stream.write(&self.request);
        match sent.map_err(|error| self.load.failed(error.to_string()))? {
            count if count == self.request.len() => Ok(()),
            _ => Err(self
                .load
                .failed("a request did not fit into the kernel's buffer")),
        }
    }

    /// Reads what is there; whether the answer is whole.
    fn receive(&mut self, place: usize, bytes: &mut [u8]) -> Result<bool> {
        let connection = &mut self.connections[place];
        let count = match connection.stream.read(bytes) {
            Ok(0) => return Err(self.load.failed("the connection was closed")),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
            Err(error) => return Err(self.load.failed(error.to_string())),
        };
        self.bytes += count as u64;
        connection
            .take(&bytes[..count])
            .map_err(|what| self.load.failed(what))
    }

    fn answered(&mut self, place: usize, now: Instant) -> Result<()> {
        self.waiting -= 1;
        let took = now - self.connections[place].asked;
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX).max(1);
        let recorded = self.latencies.record(micros);
        recorded.map_err(|error| self.load.failed(error.to_string()))
    }
}

impl Connection {
    /// Takes bytes of the answer in; whether it is whole, or what is wrong with it.
    fn take(&mut self, bytes: &[u8]) -> std::result::Result<bool, String> {
        let left = match self.left {
            Some(left) => left.checked_sub(bytes.len()),
            None => {
                let all = match self.head.is_empty() {
                    // Mostly the head comes at once, and needs no copy.
                    true => bytes,
                    false => {
                        self.head.extend_from_slice(bytes);
                        &self.head
                    }
                };
                let Some(head) = Head::read(all).map_err(|error| error.to_string())? else {
                    if self.head.is_empty() {
                        self.head.extend_from_slice(bytes);
                    }
                    return match self.head.len() <= HEAD_BYTES_MAX {
                        true => Ok(false),
                        false => Err("a head without end".into()),
                    };
                };
                if head.status != 200 {
                    return Err(format!("status {}", head.status));
                }
                let left = (head.bytes + head.body_bytes).checked_sub(all.len());
                self.head.clear();
                left
            }
        };
        match left {
            Some(0) => {
                self.left = None;
                Ok(true)
            }
            Some(left) => {
                self.left = Some(left);
                Ok(false)
            }
            None => Err("more was answered than asked for".into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{SocketAddr, TcpListener};

    const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";

    /// Answers every request of every connection with the same.
    fn server(answer: &'static [u8]) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.expect("a connection");
                std::thread::spawn(move || {
                    let mut bytes = [0; 4096];
                    // A request comes whole: there is one at a time.
                    while stream.read(&mut bytes).is_ok_and(|count| count > 0) {
                        if stream.write_all(answer).is_err() {
                            return;
                        }
                    }
                });
            }
        });
        address
    }

    fn load(answer: &'static [u8]) -> Load {
        Load {
            address: server(answer),
            path: "/".into(),
            connections: 4,
            length: Duration::from_millis(50),
        }
    }

    fn connection() -> Connection {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        Connection {
            stream: TcpStream::connect(address).expect("a connection"),
            asked: Instant::now(),
            head: Vec::new(),
            left: None,
        }
    }

    #[test]
    fn every_answer_is_counted_with_its_bytes() {
        let outcome = run(&load(ANSWER)).expect("answers");
        assert!(outcome.answers >= 4, "{outcome:?}");
        assert_eq!(outcome.bytes, outcome.answers * ANSWER.len() as u64);
        assert!(outcome.seconds >= 0.05 && outcome.latency.max >= outcome.latency.p50);
    }

    #[test]
    fn another_status_than_200_fails() {
        let answer = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n";
        let error = run(&load(answer)).expect_err("503").to_string();
        assert!(error.ends_with("status 503"), "{error}");
    }

    #[test]
    fn an_answer_is_whole_at_its_last_byte_however_it_is_cut() {
        for cut in 1..ANSWER.len() {
            let mut connection = connection();
            for _ in 0..2 {
                assert_eq!(connection.take(&ANSWER[..cut]), Ok(false), "{cut}");
                assert_eq!(connection.take(&ANSWER[cut..]), Ok(true), "{cut}");
            }
        }
    }

    #[test]
    fn more_than_was_asked_for_fails() {
        let twice = [ANSWER, ANSWER].concat();
        assert!(connection().take(&twice).is_err());
    }
}
