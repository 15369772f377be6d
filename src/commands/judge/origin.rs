//! Whom a limit is counted against.

use std::net::{IpAddr, Ipv6Addr};

/// An IPv4 address, or the /64 of an IPv6 address, which is what one customer has (RFC 6177).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Origin(IpAddr);

impl Origin {
    pub(super) fn of(ip: IpAddr) -> Origin {
        Origin(match ip.to_canonical() {
            v4 @ IpAddr::V4(_) => v4,
            IpAddr::V6(ip) => Ipv6Addr::from_bits(ip.to_bits() >> 64 << 64).into(),
        })
    }
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
