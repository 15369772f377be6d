//! Which behaviour lives at which address: `127.B.x.y`, with the behaviour in the second octet.
//!
//! The 24 bits after `127` are six of behaviour (its index + 1) and eighteen of the proxy's own
//! number: the second octet is `4 * (behaviour + 1) + number / 65536`, the last two are
//! `number % 65536`. So `127.0.0.0/14` is no proxy: there, and at every address without a
//! behaviour, lives the plain target.

use super::behaviour::Behaviour;
use std::net::{IpAddr, Ipv4Addr};

const NUMBER_BITS: u32 = 18;

/// How many proxies of one behaviour there are: 262 144.
pub const PROXIES_PER_BEHAVIOUR: u32 = 1 << NUMBER_BITS;

const _: () = assert!(Behaviour::COUNT < 64, "six bits of the address");

/// The address of the proxy `number` of `behaviour`; `number` < [`PROXIES_PER_BEHAVIOUR`].
pub(super) fn of(behaviour: Behaviour, number: u32) -> Ipv4Addr {
    assert!(
        number < PROXIES_PER_BEHAVIOUR,
        "{number}: there are {PROXIES_PER_BEHAVIOUR} proxies of one behaviour"
    );
    let low = ((behaviour as u32 + 1) << NUMBER_BITS) | number;
    Ipv4Addr::from_bits((127 << 24) | low)
}

/// Who answers at a local address; `None` is the plain target. IPv6 always forwards.
pub(super) fn resident(local: IpAddr) -> Option<Behaviour> {
    match local {
        IpAddr::V4(ip) => {
            let index = ((ip.to_bits() & 0x00ff_ffff) >> NUMBER_BITS).checked_sub(1)?;
            Behaviour::ALL.get(index as usize).copied()
        }
        IpAddr::V6(_) => Some(Behaviour::Forwards),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_address_leads_back_to_its_behaviour() {
        for behaviour in Behaviour::ALL {
            for number in [0, 1, 65_535, 65_536, PROXIES_PER_BEHAVIOUR - 1] {
                let ip = of(behaviour, number);
                assert_eq!(resident(ip.into()), Some(behaviour), "{ip}");
                assert!(ip.is_loopback());
            }
        }
    }

    #[test]
    fn the_first_addresses_and_the_unused_ones_are_the_target() {
        for ip in ["127.0.0.1", "127.3.255.255", "127.255.0.1"] {
            let ip: Ipv4Addr = ip.parse().expect("an address");
            assert_eq!(resident(ip.into()), None);
        }
    }

    #[test]
    fn the_text_of_an_address_shows_its_behaviour() {
        assert_eq!(of(Behaviour::Forwards, 17).to_string(), "127.4.0.17");
        assert_eq!(of(Behaviour::ForwardsAuth, 65_536).to_string(), "127.9.0.0");
    }
}
