//! A range of IP addresses in CIDR form (RFC 4632, RFC 4291 section 2.3).

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// A range of IP addresses, such as `10.0.0.0/8`; a single address is a range of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    base: IpAddr,
    prefix: u8,
}

/// Why a text is not a [`Network`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is neither an IP address nor a range like 10.0.0.0/8")]
pub struct NetworkError;

impl Network {
    /// Whether `ip` lies in the range. An IPv4 address in IPv6 form (RFC 4291, section 2.5.5.2)
    /// counts as the IPv4 address.
    pub fn contains(self, ip: IpAddr) -> bool {
        let width = width(self.base);
        let ip = ip.to_canonical();
        let shift = u32::from(width - self.prefix);
        let high = |bits: u128| bits.checked_shr(shift).unwrap_or(0);
        width == self::width(ip) && high(bits(self.base)) == high(bits(ip))
    }
}

impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Network, NetworkError> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let base: IpAddr = address.parse().map_err(|_| NetworkError)?;
        let prefix = match prefix {
            Some(digits) => digits.parse().map_err(|_| NetworkError)?,
            None => width(base),
        };
        if prefix > width(base) {
            return Err(NetworkError);
        }
        // `contains` takes IPv4 addresses in IPv6 form for IPv4, so ranges of them are too.
        let canonical = base.to_canonical();
        match prefix.checked_sub(width(base) - width(canonical)) {
            Some(prefix) => Ok(Network {
                base: canonical,
                prefix,
            }),
            None => Ok(Network { base, prefix }),
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.base, self.prefix)
    }
}

fn width(ip: IpAddr) -> u8 {
    if ip.is_ipv4() { 32 } else { 128 }
}

fn bits(ip: IpAddr) -> u128 {
    match ip {
        IpAddr::V4(ip) => ip.to_bits().into(),
        IpAddr::V6(ip) => ip.to_bits(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(network: &str, ip: &str, expected: bool) {
        let network: Network = network.parse().unwrap();
        assert_eq!(
            network.contains(ip.parse().unwrap()),
            expected,
            "{network} {ip}"
        );
    }

    #[test]
    fn a_range_holds_its_addresses_and_no_others() {
        check("10.0.0.0/8", "10.255.0.1", true);
        check("10.0.0.0/8", "11.0.0.1", false);
        check("0.0.0.0/0", "203.0.113.9", true);
        check("0.0.0.0/0", "2001:db8::1", false);
        check("::/0", "2001:db8::1", true);
        check("2001:db8::/32", "2001:db8:ffff::1", true);
        check("2001:db8::/32", "2001:db9::1", false);
    }

    #[test]
    fn a_single_address_is_a_range_of_one() {
        check("127.0.0.1", "127.0.0.1", true);
        check("127.0.0.1", "127.0.0.2", false);
        check("127.0.0.1", "::ffff:127.0.0.1", true);
    }

    #[test]
    fn a_range_of_mapped_addresses_is_one_of_ipv4() {
        check("::ffff:10.0.0.0/104", "10.9.9.9", true);
        check("::ffff:10.0.0.0/104", "::ffff:10.9.9.9", true);
        check("::ffff:10.0.0.0/104", "11.9.9.9", false);
        check("::ffff:0:0/96", "203.0.113.9", true);
        check("::ffff:0:0/95", "203.0.113.9", false);
    }

    #[test]
    fn what_is_no_range_is_refused() {
        for text in ["", "10/8", "10.0.0.0/33", "::/129", "10.0.0.0/", "lan"] {
            assert_eq!(text.parse::<Network>(), Err(NetworkError), "{text}");
        }
    }
}
