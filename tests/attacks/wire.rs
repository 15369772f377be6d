//! Bytes to and from the service.

use crate::support::PATIENCE;
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpStream};
use std::time::Duration;
use tokio::net::TcpSocket;

/// A connection from 127.0.0.1.
pub(crate) fn connect(address: SocketAddr) -> TcpStream {
    patient(TcpStream::connect_timeout(&address, PATIENCE).expect("the API accepts"))
}

/// A connection from an address of its own for each `nth`, and with a receive buffer of this many
/// bytes if any are said.
pub(crate) fn connect_from(nth: usize, address: SocketAddr, buffer: Option<u32>) -> TcpStream {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let stream = runtime.block_on(async {
        let socket = TcpSocket::new_v4().unwrap();
        if let Some(bytes) = buffer {
            socket.set_recv_buffer_size(bytes).unwrap();
        }
        let first = Ipv4Addr::new(127, 2, 0, 1).to_bits();
        let ip = Ipv4Addr::from_bits(first + u32::try_from(nth).unwrap());
        socket.bind((ip, 0).into()).unwrap();
        let stream = tokio::time::timeout(PATIENCE, socket.connect(address)).await;
        stream.expect("in time").expect("the API accepts")
    });
    let stream = stream.into_std().unwrap();
    stream.set_nonblocking(false).unwrap();
    patient(stream)
}

fn patient(stream: TcpStream) -> TcpStream {
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

/// Sends `piece` again and again, `times` at most, and says how many bytes were taken before the
/// service closed or read no more for `pause`.
pub(crate) fn pour(stream: &mut TcpStream, piece: &[u8], times: usize, pause: Duration) -> usize {
    stream.set_write_timeout(Some(pause)).unwrap();
    let mut taken = 0;
    for _ in 0..times {
        let mut left = piece;
        while !left.is_empty() {
            match stream.write(left) {
                Ok(sent) => {
                    taken += sent;
                    left = &left[sent..];
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return taken,
            }
        }
    }
    taken
}

/// All that arrives until the service closes; panics if it does not.
pub(crate) fn rest(stream: &mut TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    match stream.read_to_end(&mut bytes) {
        Ok(_) => {}
        // It closed while bytes of ours were under way.
        Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
        Err(error) => panic!("not closed: {error}"),
    }
    bytes
}

/// Sends a request, says that nothing more comes, and reads to the end.
pub(crate) fn exchange(address: SocketAddr, request: &[u8]) -> Vec<u8> {
    let mut stream = connect(address);
    // It may have closed before the last byte.
    let _ = stream.write_all(request);
    let _ = stream.shutdown(Shutdown::Write);
    rest(&mut stream)
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
}

/// Reads the answers of one connection, one after the other.
pub(crate) struct Reader {
    stream: TcpStream,
    bytes: Vec<u8>,
}

impl Reader {
    pub(crate) fn new(stream: TcpStream) -> Reader {
        Reader {
            stream,
            bytes: Vec::new(),
        }
    }

    /// Sends a request and reads its answer.
    pub(crate) fn ask(&mut self, request: &str) -> Answer {
        self.stream.write_all(request.as_bytes()).expect("sent");
        self.answer()
    }

    /// The next answer, whose length its head says.
    pub(crate) fn answer(&mut self) -> Answer {
        let end = loop {
            match self.bytes.windows(4).position(|four| four == b"\r\n\r\n") {
                Some(end) => break end + 4,
                None => self.more(),
            }
        };
        let head = String::from_utf8(self.bytes[..end].to_vec()).expect("text");
        let length = head
            .lines()
            .filter_map(|line| line.split_once(": "))
            .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
            .map_or(0, |(_, length)| length.parse().expect("a length"));
        while self.bytes.len() < end + length {
            self.more();
        }
        let body = String::from_utf8_lossy(&self.bytes[end..end + length]).into_owned();
        self.bytes.drain(..end + length);
        let status = status(head.as_bytes()).expect("a status");
        Answer { status, body }
    }

    fn more(&mut self) {
        let mut piece = [0; 64 << 10];
        let read = self.stream.read(&mut piece).expect("an answer in time");
        assert!(read > 0, "closed before the answer was whole");
        self.bytes.extend_from_slice(&piece[..read]);
    }
}

/// The status of an answer that begins with these bytes.
pub(crate) fn status(answer: &[u8]) -> Option<u16> {
    let digits = answer.strip_prefix(b"HTTP/1.")?.get(2..5)?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}
