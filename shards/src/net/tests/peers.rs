//! The peers of the ring's tests: what they do is their name.

use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, listen, socket_with};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

/// What a peer does with each connection, one after another.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Peer {
    /// Reads, answers `pong`, waits for the end.
    Answers,
    /// Reads, answers `pong` and then nothing, until its client hangs up.
    AnswersThenNothing,
    /// Closes when it has accepted.
    ClosesAtOnce,
    /// Closes when it has read.
    ClosesAfterRequest,
    /// Closes in the middle of its answer.
    ClosesInAnswer,
    /// Resets when it has accepted.
    ResetsAtOnce,
    /// Resets when it has read.
    ResetsAfterRequest,
}

impl Peer {
    fn serve(self, mut stream: TcpStream) {
        let mut request = [0; 64];
        let reset = matches!(self, Peer::ResetsAtOnce | Peer::ResetsAfterRequest);
        if reset {
            // SO_LINGER of zero makes the close a reset.
            rustix::net::sockopt::set_socket_linger(&stream, Some(Duration::ZERO)).unwrap();
        }
        if matches!(self, Peer::ClosesAtOnce | Peer::ResetsAtOnce) {
            return;
        }
        let read = stream.read(&mut request).unwrap_or(0);
        match self {
            Peer::Answers | Peer::AnswersThenNothing if read > 0 => {
                let _ = stream.write_all(b"pong");
                if self == Peer::AnswersThenNothing {
                    let _ = stream.read(&mut request);
                }
            }
            Peer::ClosesInAnswer => drop(stream.write_all(b"po")),
            _ => {}
        }
    }

    /// Serves until the process ends. Gives the address and the count of connections.
    pub(super) fn start(self, at: &str) -> (SocketAddr, Arc<AtomicUsize>) {
        let listener = TcpListener::bind(at).unwrap();
        let (address, count) = (
            listener.local_addr().unwrap(),
            Arc::new(AtomicUsize::new(0)),
        );
        let counted = count.clone();
        thread::spawn(move || {
            for stream in listener.incoming() {
                counted.fetch_add(1, Ordering::Relaxed);
                self.serve(stream.unwrap());
            }
        });
        (address, count)
    }
}

/// Sockets that complete connections and never accept them.
pub(super) fn silent(listeners: usize) -> (SocketAddr, Vec<OwnedFd>) {
    let mut address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let listen_once = |_| {
        let fd = socket_with(
            AddressFamily::INET,
            SocketType::STREAM,
            SocketFlags::CLOEXEC,
            None,
        )
        .unwrap();
        rustix::net::sockopt::set_socket_reuseport(&fd, true).unwrap();
        bind(&fd, &address).unwrap();
        listen(&fd, 4096).unwrap();
        address = rustix::net::getsockname(&fd).unwrap().try_into().unwrap();
        fd
    };
    let fds = (0..listeners).map(listen_once).collect();
    (address, fds)
}

/// A socket whose queue is full, so that further SYNs are dropped, and what fills it.
pub(super) fn black_hole() -> (SocketAddr, OwnedFd, Vec<OwnedFd>) {
    let fd = socket_with(
        AddressFamily::INET,
        SocketType::STREAM,
        SocketFlags::CLOEXEC,
        None,
    )
    .unwrap();
    bind(&fd, &SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).unwrap();
    listen(&fd, 0).unwrap();
    let address: SocketAddr = rustix::net::getsockname(&fd).unwrap().try_into().unwrap();
    let fill = |_| {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let client = socket_with(AddressFamily::INET, SocketType::STREAM, flags, None).unwrap();
        let _ = rustix::net::connect(&client, &address);
        client
    };
    (address, fd, (0..8).map(fill).collect())
}
