//! Who asks: what limits, leases and reports are counted by.

use std::net::IpAddr;

/// SHA-256 of a known key.
pub(super) type KeyHash = [u8; 32];

/// The client of one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Client {
    /// Where the request comes from, behind the reverse proxies that are trusted; an IPv4 address
    /// never in its IPv6 form.
    pub(super) address: IpAddr,
    /// The key that it shows, if that is one of ours.
    pub(super) key: Option<KeyHash>,
}

impl Client {
    /// At this address.
    pub(super) fn at(address: IpAddr, key: Option<KeyHash>) -> Client {
        Client {
            address: address.to_canonical(),
            key,
        }
    }
}
