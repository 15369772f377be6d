//! Which behaviour lives at which address: `127.B.x.y`, with the behaviour in the second octet.
//!
//! The second octet is the behaviour's index + 1, the last two are the proxy's own number. So
//! `127.0.0.0/16` is no proxy: there, and at every address without a behaviour, lives the plain
//! target.

use super::behaviour::Behaviour;
use std::net::{IpAddr, Ipv4Addr};

const NUMBER_BITS: u32 = 16;

/// How many proxies of one behaviour there are: 65 536.
pub const PROXIES_PER_BEHAVIOUR: u32 = 1 << NUMBER_BITS;

// The last octet of all, 255, holds the broadcast address.
const _: () = assert!(Behaviour::COUNT <= 250, "one octet of the address");

/// The address of the proxy `number` of `behaviour`; `number` < [`PROXIES_PER_BEHAVIOUR`].
pub(super) fn of(behaviour: Behaviour, number: u32) -> Ipv4Addr {
    assert!(
        number < PROXIES_PER_BEHAVIOUR,
        "{number}: there are {PROXIES_PER_BEHAVIOUR} proxies of one behaviour"
    );
    let low = ((behaviour.index() as u32 + 1) << NUMBER_BITS) | number;
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
            for number in [0, 1, 255, 256, PROXIES_PER_BEHAVIOUR - 1] {
                let ip = of(behaviour, number);
                assert_eq!(resident(ip.into()), Some(behaviour), "{ip}");
                assert!(ip.is_loopback());
            }
        }
    }

    #[test]
    fn the_first_addresses_and_the_unused_ones_are_the_target() {
        for ip in ["127.0.0.1", "127.0.255.255", "127.255.0.1"] {
            let ip: Ipv4Addr = ip.parse().expect("an address");
            assert_eq!(resident(ip.into()), None);
        }
    }

    #[test]
    fn the_text_of_an_address_shows_its_behaviour() {
        let [first, second] = [Behaviour::ALL[0], Behaviour::ALL[1]];
        assert_eq!(of(first, 17).to_string(), "127.1.0.17");
        assert_eq!(of(second, 256).to_string(), "127.2.1.0");
    }
}
