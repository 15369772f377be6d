//! One connection to the API on which one request follows the other.

use crate::support::PATIENCE;
use flate2::read::GzDecoder;
use std::io::{Read, Write};
use std::net::TcpStream;

/// An answer that has arrived whole.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    head: String,
    /// Not compressed any more.
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let fields = self.head.lines().filter_map(|line| line.split_once(": "));
        let mut values = fields.filter(|(key, _)| key.eq_ignore_ascii_case(name));
        values.next().map(|(_, value)| value)
    }

    /// A header that is a number.
    pub(crate) fn number(&self, name: &str) -> u64 {
        let value = self.header(name).and_then(|value| value.parse().ok());
        value.unwrap_or_else(|| panic!("no number {name}: {}", self.head))
    }
}

/// The connection.
pub(crate) struct Line {
    stream: TcpStream,
    host: String,
    unread: Vec<u8>,
}

impl Line {
    pub(crate) fn to(address: &str) -> Line {
        let stream = TcpStream::connect(address).expect("the API accepts");
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Line {
            stream,
            host: address.to_owned(),
            unread: Vec::new(),
        }
    }

    /// Sends a GET with these header lines, each with its end, and reads its answer.
    pub(crate) fn get(&mut self, target: &str, headers: &str) -> Answer {
        let request = format!(
            "GET {target} HTTP/1.1\r\nHost: {}\r\n{headers}\r\n",
            self.host
        );
        self.stream.write_all(request.as_bytes()).expect("sent");
        let end = loop {
            match self.unread.windows(4).position(|four| four == b"\r\n\r\n") {
                Some(end) => break end + 4,
                None => self.more(),
            }
        };
        let head = String::from_utf8(self.unread.drain(..end).collect()).expect("text");
        let status = head.split(' ').nth(1).and_then(|word| word.parse().ok());
        let mut answer = Answer {
            status: status.expect("a status"),
            head,
            body: String::new(),
        };
        // 304 tells the length that 200 would have, and has no body (RFC 9110, section 15.4.5).
        let length = match answer.status {
            304 => 0,
            _ => answer.number("content-length") as usize,
        };
        while self.unread.len() < length {
            self.more();
        }
        let bytes: Vec<u8> = self.unread.drain(..length).collect();
        answer.body = match answer.header("content-encoding") {
            Some("gzip") => {
                let mut plain = String::new();
                let read = GzDecoder::new(&*bytes).read_to_string(&mut plain);
                read.expect("a whole body");
                plain
            }
            Some(other) => panic!("{other}: nobody asked for it"),
            None => String::from_utf8(bytes).expect("text"),
        };
        answer
    }

    fn more(&mut self) {
        let mut piece = [0; 64 << 10];
        let read = self.stream.read(&mut piece).expect("an answer in time");
        assert!(read > 0, "closed before the answer was whole");
        self.unread.extend_from_slice(&piece[..read]);
    }
}
