//! The stream under a conversation: a plain blocking socket with deadlines, so that it works also
//! where io_uring is forbidden.

use proxy_shards::{Stage, Verdict};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, UdpSocket};
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

/// What a failure in `stage` says about the peer at `address`, or about this host.
pub(super) fn verdict(error: &io::Error, stage: Stage, address: SocketAddr) -> Verdict {
    /// No descriptors are left, of the host or of this process (`socket(2)`).
    const ENFILE_EMFILE: [i32; 2] = [23, 24];
    /// No buffers are left.
    const ENOBUFS: i32 = 105;
    match error.kind() {
        ErrorKind::TimedOut | ErrorKind::WouldBlock => Verdict::timed_out(stage),
        ErrorKind::ConnectionRefused => Verdict::Refused,
        ErrorKind::ConnectionReset
        | ErrorKind::ConnectionAborted
        | ErrorKind::BrokenPipe
        | ErrorKind::WriteZero => Verdict::Reset,
        // A router that declines and a host that has no way share an errno.
        ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable if is_routed(address) => {
            Verdict::Unreachable
        }
        ErrorKind::HostUnreachable
        | ErrorKind::NetworkUnreachable
        | ErrorKind::NetworkDown
        | ErrorKind::PermissionDenied => Verdict::LocalNetwork,
        ErrorKind::AddrNotAvailable if !is_routed(address) => Verdict::LocalNetwork,
        ErrorKind::AddrNotAvailable | ErrorKind::AddrInUse => Verdict::LocalPorts,
        ErrorKind::OutOfMemory => Verdict::LocalMemory,
        _ => match error.raw_os_error() {
            Some(errno) if ENFILE_EMFILE.contains(&errno) => Verdict::LocalDescriptors,
            Some(ENOBUFS) => Verdict::LocalMemory,
            _ => Verdict::LocalFault,
        },
    }
}

/// Whether this host knows a way to `at`: connecting UDP looks for one and sends nothing.
fn is_routed(at: SocketAddr) -> bool {
    let any: SocketAddr = match at {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    UdpSocket::bind(any).is_ok_and(|socket| socket.connect(at).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    fn here() -> SocketAddr {
        (Ipv4Addr::LOCALHOST, 9).into()
    }

    #[test]
    fn every_failure_is_the_peers_or_ours() {
        let check = |kind: ErrorKind, stage, expected| {
            assert_eq!(verdict(&kind.into(), stage, here()), expected, "{kind}");
        };
        check(ErrorKind::TimedOut, Stage::Connect, Verdict::ConnectTimeout);
        check(ErrorKind::WouldBlock, Stage::Tls, Verdict::HandshakeTimeout);
        check(
            ErrorKind::WouldBlock,
            Stage::Response,
            Verdict::ResponseTimeout,
        );
        check(ErrorKind::BrokenPipe, Stage::Response, Verdict::Reset);
        check(
            ErrorKind::NetworkUnreachable,
            Stage::Connect,
            Verdict::Unreachable,
        );
        check(
            ErrorKind::NetworkDown,
            Stage::Connect,
            Verdict::LocalNetwork,
        );
        let full = io::Error::from_raw_os_error(24);
        assert_eq!(
            verdict(&full, Stage::Connect, here()),
            Verdict::LocalDescriptors
        );
    }

    #[test]
    fn a_closed_port_refuses_and_a_silent_peer_runs_into_the_deadline() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let soon = || Instant::now() + Duration::from_millis(30);
        let mut tcp = Tcp::connect(address, soon()).unwrap();
        let error = tcp.receive(&mut [0; 8], soon()).unwrap_err();
        assert_eq!(
            verdict(&error, Stage::Response, address),
            Verdict::ResponseTimeout
        );
        let past = Instant::now();
        assert_eq!(
            tcp.send(b"x", past).unwrap_err().kind(),
            ErrorKind::TimedOut
        );
        drop(listener);
        let error = Tcp::connect(address, soon()).unwrap_err();
        assert_eq!(verdict(&error, Stage::Connect, address), Verdict::Refused);
    }
}
