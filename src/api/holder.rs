//! One client among others: whose lease it is, and whose report counts once.

use super::client::{Client, KeyHash};
use std::net::{IpAddr, Ipv6Addr};

/// Who shows a key is that key, wherever it comes from; who shows none is its address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Holder {
    Key(KeyHash),
    /// An IPv6 address without its lower half, which a client changes as it likes.
    Address(IpAddr),
}

impl From<Client> for Holder {
    fn from(client: Client) -> Holder {
        match (client.key, client.address) {
            (Some(key), _) => Holder::Key(key),
            (None, IpAddr::V6(ip)) => {
                let network = Ipv6Addr::from_bits(ip.to_bits() & (u128::MAX << 64));
                Holder::Address(network.into())
            }
            (None, ip) => Holder::Address(ip),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holder(address: &str, key: Option<u8>) -> Holder {
        let client = Client {
            address: address.parse().unwrap(),
            key: key.map(|byte| [byte; 32]),
        };
        client.into()
    }

    #[test]
    fn a_key_is_one_client_from_wherever_it_comes() {
        assert_eq!(holder("192.0.2.1", Some(1)), holder("2001:db8::1", Some(1)));
        assert_ne!(holder("192.0.2.1", Some(1)), holder("192.0.2.1", Some(2)));
        assert_ne!(holder("192.0.2.1", Some(1)), holder("192.0.2.1", None));
    }

    #[test]
    fn without_a_key_an_ipv4_address_or_a_64_is_one_client() {
        assert_ne!(holder("192.0.2.1", None), holder("192.0.2.2", None));
        let host = holder("2001:db8:0:1::1", None);
        assert_eq!(host, holder("2001:db8:0:1:ffff::2", None));
        assert_ne!(host, holder("2001:db8:0:2::1", None));
    }
}
