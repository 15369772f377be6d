//! Asks a service over one kept connection, one question at a time.

use super::answer::Head;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(30);
const CHUNK_BYTES: usize = 64 * 1024;

/// What was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The whole body.
    pub body: Vec<u8>,
}

impl Answer {
    /// The body as text, with marks for what is none.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// Asks one service. What it asked over is kept, and made anew when the other end has closed it.
#[derive(Debug)]
pub struct Asker {
    address: SocketAddr,
    kept: Option<TcpStream>,
    bytes: Vec<u8>,
}

impl Asker {
    /// Asks at `address`; nothing is connected yet.
    pub fn new(address: SocketAddr) -> Asker {
        Asker {
            address,
            kept: None,
            bytes: Vec::new(),
        }
    }

    /// Gets a path.
    ///
    /// # Errors
    /// No connection, none that lasts until the answer is whole, or what is no answer.
    pub fn get(&mut self, path: &str) -> io::Result<Answer> {
        self.ask("GET", path)
    }

    /// Posts nothing to a path.
    ///
    /// # Errors
    /// As [`Asker::get`].
    pub fn post(&mut self, path: &str) -> io::Result<Answer> {
        self.ask("POST", path)
    }

    fn ask(&mut self, method: &str, path: &str) -> io::Result<Answer> {
        if let Some(stream) = self.kept.take()
            && let Ok(answer) = self.ask_over(stream, method, path)
        {
            return Ok(answer);
        }
        // The first time, or what was kept was closed by the other end meanwhile.
        let stream = TcpStream::connect_timeout(&self.address, PATIENCE)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        self.ask_over(stream, method, path)
    }

    fn ask_over(&mut self, mut stream: TcpStream, method: &str, path: &str) -> io::Result<Answer> {
        let request = request(method, path, self.address);
        stream.write_all(&request)?;
        self.bytes.clear();
        let head = loop {
            if let Some(head) = Head::read(&self.bytes).map_err(io::Error::other)? {
                break head;
            }
            self.read(&mut stream)?;
        };
        while self.bytes.len() < head.bytes + head.body_bytes {
            self.read(&mut stream)?;
        }
        if !head.closes {
            self.kept = Some(stream);
        }
        Ok(Answer {
            status: head.status,
            body: self.bytes[head.bytes..].to_vec(),
        })
    }

    fn read(&mut self, stream: &mut TcpStream) -> io::Result<()> {
        let mut chunk = [0; CHUNK_BYTES];
        match stream.read(&mut chunk)? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            count => {
                self.bytes.extend_from_slice(&chunk[..count]);
                Ok(())
            }
        }
    }
}

/// A request that keeps its connection.
pub fn request(method: &str, path: &str, host: SocketAddr) -> Vec<u8> {
    format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: 0\r\n\r\n").into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::BufRead;
    use std::net::TcpListener;

    /// Answers `per_connection` requests on each connection with the number of the connection.
    fn server(per_connection: usize) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        std::thread::spawn(move || {
            for (number, stream) in listener.incoming().enumerate() {
                let mut stream = io::BufReader::new(stream.expect("a connection"));
                for _ in 0..per_connection {
                    let mut line = String::new();
                    while line != "\r\n" {
                        line.clear();
                        stream.read_line(&mut line).expect("a line");
                    }
                    let body = format!("{number}");
                    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}", body.len());
                    write!(stream.get_mut(), "{head}\r\n\r\n{body}").expect("sent");
                }
            }
        });
        address
    }

    #[test]
    fn a_connection_is_kept_and_made_anew_when_it_was_closed() {
        let mut asker = Asker::new(server(2));
        let mut ask = || asker.get("/").expect("an answer").text();
        assert_eq!([ask(), ask(), ask()], ["0", "0", "1"]);
    }

    #[test]
    fn nobody_there_is_an_error() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        drop(listener);
        assert!(Asker::new(address).get("/").is_err());
    }
}
