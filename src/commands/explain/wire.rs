//! The stream under a conversation: a plain blocking socket with deadlines, so that it works also
//! where io_uring is forbidden.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// A stream of bytes to and from one peer.
pub(super) trait Wire {
    /// Sends all of `bytes` before `deadline`.
    fn send(&mut self, bytes: &[u8], deadline: Instant) -> io::Result<()>;
    /// Waits for bytes until `deadline`; 0 is the end of the peer's stream.
    fn receive(&mut self, into: &mut [u8], deadline: Instant) -> io::Result<usize>;
}

/// A TCP connection.
#[derive(Debug)]
pub(super) struct Tcp(TcpStream);

impl Tcp {
    /// Connects before `deadline`.
    pub(super) fn connect(to: SocketAddr, deadline: Instant) -> io::Result<Tcp> {
        let stream = TcpStream::connect_timeout(&to, left(deadline)?)?;
        stream.set_nodelay(true)?;
        Ok(Tcp(stream))
    }
}

impl Wire for Tcp {
    fn send(&mut self, mut bytes: &[u8], deadline: Instant) -> io::Result<()> {
        while !bytes.is_empty() {
            self.0.set_write_timeout(Some(left(deadline)?))?;
            match self.0.write(bytes) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(sent) => bytes = &bytes[sent..],
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn receive(&mut self, into: &mut [u8], deadline: Instant) -> io::Result<usize> {
        loop {
            self.0.set_read_timeout(Some(left(deadline)?))?;
            match self.0.read(into) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                other => return other,
            }
        }
    }
}

/// Time until `deadline`; a socket takes no timeout of zero.
fn left(deadline: Instant) -> io::Result<Duration> {
    let left = deadline.saturating_duration_since(Instant::now());
    match left.is_zero() {
        true => Err(ErrorKind::TimedOut.into()),
        false => Ok(left),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proxy_shards::{Stage, Verdict, socket_verdict};
    use std::net::{Ipv4Addr, TcpListener};

    #[test]
    fn a_closed_port_refuses_and_a_silent_peer_runs_into_the_deadline() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let soon = || Instant::now() + Duration::from_millis(30);
        let mut tcp = Tcp::connect(address, soon()).unwrap();
        let error = tcp.receive(&mut [0; 8], soon()).unwrap_err();
        assert_eq!(
            socket_verdict(&error, Stage::Response, address),
            Verdict::ResponseTimeout
        );
        let past = Instant::now();
        assert_eq!(
            tcp.send(b"x", past).unwrap_err().kind(),
            ErrorKind::TimedOut
        );
        drop(listener);
        let error = Tcp::connect(address, soon()).unwrap_err();
        assert_eq!(
            socket_verdict(&error, Stage::Connect, address),
            Verdict::Refused
        );
    }
}
