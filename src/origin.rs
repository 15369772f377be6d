//! Who is at the other end: whom a limit is counted against, and how reverse proxies write it.

use crate::network::Network;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

/// An IPv4 address, or the /64 of an IPv6 address, which is what one customer has (RFC 6177).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Origin(IpAddr);

impl Origin {
    /// That of this address.
    pub(crate) fn of(ip: IpAddr) -> Origin {
        Origin(match ip.to_canonical() {
            v4 @ IpAddr::V4(_) => v4,
            IpAddr::V6(ip) => Ipv6Addr::from_bits(ip.to_bits() >> 64 << 64).into(),
        })
    }
}

/// Whether `ip` is a reverse proxy that is believed.
pub(crate) fn is_trusted(ip: IpAddr, trusted: &[Network]) -> bool {
    trusted.iter().any(|network| network.contains(ip))
}

/// An address as reverse proxies write it into `X-Forwarded-For`: bare, in brackets, or with a port.
pub(crate) fn hop(bytes: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(bytes).ok()?.trim();
    let bare = text
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .unwrap_or(text);
    let with_port = || text.parse::<SocketAddr>().ok().map(|address| address.ip());
    bare.parse().ok().or_else(with_port)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn are_one(a: &str, b: &str, expected: bool) {
        let (a, b): (IpAddr, IpAddr) = (a.parse().unwrap(), b.parse().unwrap());
        assert_eq!(Origin::of(a) == Origin::of(b), expected, "{a} {b}");
    }

    #[test]
    fn a_v6_network_is_one_origin_and_a_mapped_address_the_v4_one() {
        are_one("2001:db8::1", "2001:db8::ffff:0:0:1", true);
        are_one("2001:db8::1", "2001:db8:0:1::1", false);
        are_one("192.0.2.1", "::ffff:192.0.2.1", true);
        are_one("192.0.2.1", "192.0.2.2", false);
        are_one("::ffff:192.0.2.1", "::ffff:192.0.2.2", false);
    }
}
