//! Why an operation failed, and what that says about the proxy or about this host.

use super::slot::Given;
use crate::verdict::{Stage, Verdict};
use rustix::net::{AddressFamily, SocketFlags, SocketType, connect, socket_with};
use std::io;
use std::net::SocketAddr;

/// Why an operation failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The deadline passed.
    Expired,
    /// The engine stops.
    Cancelled,
    /// The kernel could not make the socket; an errno.
    NoSocket(i32),
    /// The connection could not be made, or was lost; an errno.
    Os(i32),
}

impl From<Given> for Failure {
    fn from(given: Given) -> Failure {
        match given {
            Given::Expired => Failure::Expired,
            Given::Cancelled => Failure::Cancelled,
        }
    }
}

impl Failure {
    /// The failure of a connect to `at`. Linux has one errno for two troubles: a router that
    /// declines, and a host that has no way (`icmp(7)`); no port that is free, and no address to
    /// come from. What our own routing table says of `at` tells them apart.
    pub(super) fn towards(self, at: SocketAddr) -> Failure {
        let if_routed = match (self, at) {
            (Failure::Os(libc::ENETUNREACH | libc::EHOSTUNREACH), _)
            | (Failure::Os(libc::EACCES), SocketAddr::V6(_)) => libc::EHOSTUNREACH,
            (Failure::Os(libc::EADDRNOTAVAIL), _) => libc::EADDRNOTAVAIL,
            _ => return self,
        };
        Failure::Os(if is_routed(at) {
            if_routed
        } else {
            libc::ENETUNREACH
        })
    }

    /// What the failure says about the proxy, or about this host (`connect(2)`, `socket(2)`).
    pub(crate) fn verdict(self, stage: Stage) -> Verdict {
        match self {
            Failure::Expired => Verdict::timed_out(stage),
            Failure::Cancelled => Verdict::LocalCancelled,
            Failure::NoSocket(libc::EMFILE | libc::ENFILE) => Verdict::LocalDescriptors,
            Failure::NoSocket(libc::ENOMEM | libc::ENOBUFS) => Verdict::LocalMemory,
            Failure::NoSocket(_) => Verdict::LocalNetwork,
            Failure::Os(errno) => match errno {
                libc::ECONNREFUSED => Verdict::Refused,
                libc::ECONNRESET | libc::ECONNABORTED | libc::EPIPE => Verdict::Reset,
                libc::ETIMEDOUT => Verdict::timed_out(stage),
                libc::EHOSTUNREACH
                | libc::EHOSTDOWN
                | libc::ENONET
                | libc::ENOPROTOOPT
                | libc::EOPNOTSUPP
                | libc::EPROTO => Verdict::Unreachable,
                libc::EMFILE | libc::ENFILE => Verdict::LocalDescriptors,
                libc::EADDRNOTAVAIL | libc::EADDRINUSE => Verdict::LocalPorts,
                libc::ENOMEM | libc::ENOBUFS | libc::EAGAIN => Verdict::LocalMemory,
                libc::ENETUNREACH
                | libc::ENETDOWN
                | libc::EACCES
                | libc::EPERM
                | libc::EINVAL
                | libc::EAFNOSUPPORT => Verdict::LocalNetwork,
                libc::ECANCELED => Verdict::LocalCancelled,
                _ => Verdict::LocalFault,
            },
        }
    }
}

/// What an error of a plain socket in `stage` says about the peer at `at`, or about this host: the
/// same as it would from a socket of the ring, whose deadlines are not errors.
pub fn socket_verdict(error: &io::Error, stage: Stage, at: SocketAddr) -> Verdict {
    match (error.raw_os_error(), error.kind()) {
        (Some(libc::EAGAIN), _) if stage != Stage::Connect => Verdict::timed_out(stage),
        (Some(errno), _) if stage == Stage::Connect => {
            Failure::Os(errno).towards(at).verdict(stage)
        }
        (Some(errno), _) => Failure::Os(errno).verdict(stage),
        (None, io::ErrorKind::TimedOut) => Verdict::timed_out(stage),
        (None, io::ErrorKind::WriteZero) => Verdict::Reset,
        (None, _) => Verdict::LocalFault,
    }
}

/// Whether this host knows a way to `at`: connecting UDP looks for one and sends nothing.
fn is_routed(at: SocketAddr) -> bool {
    let family = match at {
        SocketAddr::V4(_) => AddressFamily::INET,
        SocketAddr::V6(_) => AddressFamily::INET6,
    };
    socket_with(family, SocketType::DGRAM, SocketFlags::CLOEXEC, None)
        .and_then(|socket| connect(&socket, &at))
        .is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(errno: i32, at: &str, expected: Verdict) {
        let failure = Failure::Os(errno).towards(at.parse().unwrap());
        assert_eq!(
            failure.verdict(Stage::Connect),
            expected,
            "{errno} for {at}"
        );
    }

    #[test]
    fn what_a_router_says_is_no_trouble_of_ours() {
        use Verdict::{LocalNetwork, Unreachable};
        // All that ICMP makes of a SYN, but for a closed port.
        for errno in [
            libc::EHOSTUNREACH,
            libc::EHOSTDOWN,
            libc::ENETUNREACH,
            libc::ENONET,
            libc::ENOPROTOOPT,
            libc::EOPNOTSUPP,
        ] {
            check(errno, "127.0.0.1:1", Unreachable);
        }
        check(libc::EACCES, "[::1]:1", Unreachable);
        check(libc::EACCES, "127.0.0.1:1", LocalNetwork);
    }

    #[test]
    fn a_plain_socket_fails_as_one_of_the_ring_does() {
        let here = "127.0.0.1:1".parse().unwrap();
        let check = |error: io::Error, stage, expected| {
            assert_eq!(socket_verdict(&error, stage, here), expected, "{error}");
        };
        let os = io::Error::from_raw_os_error;
        let late = || io::Error::from(io::ErrorKind::TimedOut);
        check(late(), Stage::Connect, Verdict::ConnectTimeout);
        check(late(), Stage::Tls, Verdict::HandshakeTimeout);
        check(os(libc::EAGAIN), Stage::Response, Verdict::ResponseTimeout);
        check(os(libc::EAGAIN), Stage::Connect, Verdict::LocalMemory);
        check(os(libc::EHOSTDOWN), Stage::Connect, Verdict::Unreachable);
        check(os(libc::EPROTO), Stage::Connect, Verdict::Unreachable);
        check(os(libc::ENETUNREACH), Stage::Connect, Verdict::Unreachable);
        check(os(libc::ENETDOWN), Stage::Connect, Verdict::LocalNetwork);
        check(os(libc::EMFILE), Stage::Connect, Verdict::LocalDescriptors);
        check(os(libc::EPIPE), Stage::Response, Verdict::Reset);
        let unsent = io::ErrorKind::WriteZero.into();
        check(unsent, Stage::Response, Verdict::Reset);
    }

    #[test]
    fn a_host_without_a_way_has_trouble_of_its_own() {
        // Nobody has a way for a connection to all hosts. A host whose IPv6 is switched off gives
        // EADDRNOTAVAIL for an IPv6 address, one with a route of type `unreachable` EHOSTUNREACH.
        for errno in [libc::ENETUNREACH, libc::EHOSTUNREACH, libc::EADDRNOTAVAIL] {
            check(errno, "255.255.255.255:1", Verdict::LocalNetwork);
        }
        check(libc::EADDRNOTAVAIL, "127.0.0.1:1", Verdict::LocalPorts);
    }
}
