//! Which addresses may be dialled: the IANA special-purpose registries as one table for each family.

use crate::network::Network;
use proxy_shards::Host;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

/// The ports that are denied unless the operator says otherwise: 25, where mail servers listen. No
/// proxy does, and hosts that connect to it in numbers end up on the lists of spammers.
pub const DENY_PORTS: &[u16] = &[25];

/// Which addresses may be dialled: checked when a list is parsed, and again before connecting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddressPolicy {
    /// Whether special-purpose addresses (loopback, private …) are allowed; those where clouds keep
    /// their metadata are not among them.
    pub allow_private: bool,
    /// Special-purpose addresses that are allowed all the same, those of metadata included.
    pub allow: Arc<[Network]>,
    /// Addresses that are never dialled, even if they are allowed elsewhere.
    pub deny: Arc<[Network]>,
    /// Ports that are never dialled.
    pub deny_ports: Arc<[u16]>,
}

impl Default for AddressPolicy {
    /// Public addresses only, at every port but [`DENY_PORTS`].
    fn default() -> AddressPolicy {
        AddressPolicy {
            allow_private: false,
            allow: Arc::new([]),
            deny: Arc::new([]),
            deny_ports: DENY_PORTS.into(),
        }
    }
}

impl AddressPolicy {
    /// Whether `ip` may be dialled. Multicast, broadcast and "this network" never may; then `deny`
    /// wins over everything, and `allow` over the tables. An IPv6 address that carries an IPv4
    /// address (mapped, NAT64, 6to4, Teredo …) may be dialled only if both may.
    pub fn allows(&self, ip: IpAddr) -> bool {
        let IpAddr::V6(v6) = ip else {
            return self.allows_itself(ip);
        };
        let mut carried = carried(v6).into_iter().flatten().map(IpAddr::V4);
        self.allows_itself(ip) && carried.all(|ip| self.allows_itself(ip))
    }

    /// The same without a look at what `ip` carries.
    fn allows_itself(&self, ip: IpAddr) -> bool {
        let within = |networks: &[Network]| networks.iter().any(|network| network.contains(ip));
        if within(&self.deny) {
            return false;
        }
        match reach(ip) {
            Reach::Public | Reach::Embedded => true,
            Reach::Special => self.allow_private || within(&self.allow),
            Reach::Metadata => within(&self.allow),
            Reach::Never => false,
        }
    }

    /// Whether `port` may be dialled.
    pub fn allows_port(&self, port: u16) -> bool {
        port != 0 && !self.deny_ports.contains(&port)
    }

    /// Whether a proxy at `host` and `port` may be dialled, as far as one can tell before a name is
    /// resolved.
    pub fn allows_proxy(&self, host: &Host, port: u16) -> bool {
        self.allows_port(port) && self.allows_host(host)
    }

    /// Whether `host` may be dialled as far as one can tell before it is resolved: a name is judged
    /// by its addresses when they are known, but `localhost` is loopback whatever a resolver says
    /// (RFC 6761, section 6.3).
    pub fn allows_host(&self, host: &Host) -> bool {
        match host {
            Host::V4(ip) => self.allows(IpAddr::V4(*ip)),
            Host::V6(ip) => self.allows(IpAddr::V6(*ip)),
            Host::Name(name) if is_localhost(name) => {
                self.allows(IpAddr::V4(Ipv4Addr::LOCALHOST))
                    || self.allows(IpAddr::V6(Ipv6Addr::LOCALHOST))
            }
            Host::Name(_) => true,
        }
    }
}

/// Whether anyone on the Internet may have `ip`, whatever the operator allows or denies.
pub fn is_public(ip: IpAddr) -> bool {
    let public = |ip| matches!(reach(ip), Public | Embedded);
    let IpAddr::V6(v6) = ip else {
        return public(ip);
    };
    let mut carried = carried(v6).into_iter().flatten().map(IpAddr::V4);
    public(ip) && carried.all(public)
}

fn is_localhost(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    let last = name.rsplit('.').next().unwrap_or(name);
    last.eq_ignore_ascii_case("localhost")
}

/// What an address is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reach {
    /// Anyone on the Internet may have it.
    Public,
    /// Set aside for a purpose: dialled only if the operator allows it.
    Special,
    /// Where a cloud tells a machine its secrets: dialled only if the operator names it.
    Metadata,
    /// Not the address of one machine: never dialled.
    Never,
    /// Another way to write the IPv4 address that it carries, which decides.
    Embedded,
}
use Reach::{Embedded, Metadata, Never, Public, Special};

fn reach(ip: IpAddr) -> Reach {
    match ip {
        IpAddr::V4(ip) => reach_v4(ip),
        IpAddr::V6(ip) => reach_v6(ip),
    }
}

fn reach_v4(ip: Ipv4Addr) -> Reach {
    let bits = ip.to_bits();
    if !V4_FIRST_OCTETS[(bits >> 24) as usize] {
        return Public;
    }
    let row = V4.iter().find(|row| (bits ^ row.0) >> (32 - row.1) == 0);
    row.map_or(Public, |row| row.2)
}

fn reach_v6(ip: Ipv6Addr) -> Reach {
    let bits = ip.to_bits();
    let row = V6.iter().find(|row| (bits ^ row.0) >> (128 - row.1) == 0);
    row.map_or(Special, |row| row.2)
}

/// The IPv4 addresses that packets to `ip` end up at: one for the forms that only write it
/// differently, for local NAT64 and for 6to4 (RFC 3056), server and client of Teredo (RFC 4380,
/// section 4; the client is inverted).
fn carried(ip: Ipv6Addr) -> [Option<Ipv4Addr>; 2] {
    let bits = ip.to_bits();
    let at = |shift: u32| Some(Ipv4Addr::from_bits((bits >> shift) as u32));
    match ip.segments() {
        _ if reach_v6(ip) == Embedded => [at(0), None],
        [0x64, 0xff9b, 1, ..] => [at(0), None],
        [0x2002, ..] => [at(80), None],
        [0x2001, 0, ..] => [at(64), Some(Ipv4Addr::from_bits(!bits as u32))],
        _ => [None, None],
    }
}

const fn v4(a: u8, b: u8, c: u8, d: u8) -> u32 {
    Ipv4Addr::new(a, b, c, d).to_bits()
}

/// An IPv6 prefix by its first four groups; the rest is zero.
const fn v6(a: u16, b: u16, c: u16, d: u16) -> u128 {
    Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).to_bits()
}

/// <https://www.iana.org/assignments/iana-ipv4-special-registry>, and multicast. The first row that
/// matches decides. A few of these blocks are globally reachable; what answers there is the
/// infrastructure they were set aside for, never a proxy, so they are refused like the others.
const V4: &[(u32, u32, Reach)] = &[
    (v4(0, 0, 0, 0), 8, Never),    // this network: RFC 791, section 3.2
    (v4(10, 0, 0, 0), 8, Special), // private: RFC 1918
    (v4(100, 100, 100, 200), 32, Metadata), // Alibaba Cloud
    (v4(100, 64, 0, 0), 10, Special), // behind carrier-grade NAT: RFC 6598
    (v4(127, 0, 0, 0), 8, Special), // loopback: RFC 1122, section 3.2.1.3
    (v4(168, 63, 129, 16), 32, Metadata), // Azure, amidst public addresses
    (v4(169, 254, 0, 0), 16, Metadata), // link-local: RFC 3927; 169.254.169.254 and its like
    (v4(172, 16, 0, 0), 12, Special), // private: RFC 1918
    (v4(192, 0, 0, 192), 32, Metadata), // Oracle Cloud
    (v4(192, 0, 0, 0), 24, Special), // protocol assignments: RFC 6890; with the anycast
    //                                    addresses of RFC 7723 (.9) and RFC 8155 (.10)
    (v4(192, 0, 2, 0), 24, Special),     // documentation: RFC 5737
    (v4(192, 31, 196, 0), 24, Special),  // AS112: RFC 7535
    (v4(192, 52, 193, 0), 24, Special),  // multicast tunnelling: RFC 7450
    (v4(192, 88, 99, 0), 24, Special),   // 6to4 relays, deprecated: RFC 7526
    (v4(192, 168, 0, 0), 16, Special),   // private: RFC 1918
    (v4(192, 175, 48, 0), 24, Special),  // AS112: RFC 7534
    (v4(198, 18, 0, 0), 15, Special),    // benchmarks: RFC 2544
    (v4(198, 51, 100, 0), 24, Special),  // documentation: RFC 5737
    (v4(203, 0, 113, 0), 24, Special),   // documentation: RFC 5737
    (v4(224, 0, 0, 0), 4, Never),        // multicast: RFC 5771
    (v4(255, 255, 255, 255), 32, Never), // broadcast: RFC 919, section 7
    (v4(240, 0, 0, 0), 4, Special),      // reserved: RFC 1112, section 4
];

/// Whether a row of [`V4`] begins with an octet. Most lists hold nothing but IPv4, and few rows share
/// an octet with them.
const V4_FIRST_OCTETS: [bool; 256] = {
    let mut octets = [false; 256];
    let mut row = 0;
    while row < V4.len() {
        let (first, bits, _) = V4[row];
        let last = first | (u32::MAX >> (bits - 1) >> 1);
        let mut octet = first >> 24;
        while octet <= last >> 24 {
            octets[octet as usize] = true;
            octet += 1;
        }
        row += 1;
    }
    octets
};

/// <https://www.iana.org/assignments/iana-ipv6-special-registry>, and what lies outside global
/// unicast. The first row that matches decides.
const V6: &[(u128, u32, Reach)] = &[
    (0, 128, Never),                            // unspecified: RFC 4291, section 2.5.2
    (1, 128, Special),                          // loopback: RFC 4291, section 2.5.3
    (0, 96, Embedded),                          // IPv4-compatible: RFC 4291, section 2.5.5.1
    (0xffff << 32, 96, Embedded),               // IPv4-mapped: RFC 4291, section 2.5.5.2
    (v6(0x64, 0xff9b, 0, 0), 96, Embedded),     // NAT64: RFC 6052
    (v6(0x64, 0xff9b, 1, 0), 48, Special),      // local NAT64: RFC 8215
    (v6(0x100, 0, 0, 0), 64, Special),          // discard: RFC 6666
    (v6(0x100, 0, 0, 1), 64, Special),          // dummy prefix: RFC 9780
    (v6(0x2001, 0, 0, 0), 23, Special), // protocol assignments: RFC 2928; with Teredo: RFC 4380
    (v6(0x2001, 0xdb8, 0, 0), 32, Special), // documentation: RFC 3849
    (v6(0x2002, 0, 0, 0), 16, Special), // 6to4: RFC 3056
    (v6(0x2620, 0x4f, 0x8000, 0), 48, Special), // AS112: RFC 7534
    (v6(0x3fff, 0, 0, 0), 20, Special), // documentation: RFC 9637
    (v6(0x5f00, 0, 0, 0), 16, Special), // segment routing: RFC 9602
    (v6(0xfd00, 0xec2, 0, 0), 32, Metadata), // AWS
    (v6(0xfd20, 0xce, 0, 0), 32, Metadata), // Google Cloud
    (v6(0xfc00, 0, 0, 0), 7, Special),  // unique local: RFC 4193
    (v6(0xfe80, 0, 0, 0) | 0xa9fe_a9fe, 128, Metadata), // OpenStack
    (v6(0xfe80, 0, 0, 0), 10, Special), // link-local: RFC 4291, section 2.5.6
    (v6(0xff00, 0, 0, 0), 8, Never),    // multicast: RFC 4291, section 2.7
    (v6(0x2000, 0, 0, 0), 3, Public),   // global unicast: RFC 4291, section 2.4; anything
                                        // else is not handed out to anyone
];

#[cfg(test)]
mod tests;
