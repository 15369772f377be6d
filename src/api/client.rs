//! Who asks: what limits, leases and reports are counted by.

use std::net::IpAddr;

/// SHA-256 of a known key.
pub(super) type KeyHash = [u8; 32];

/// The client of one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Client {
    /// Where the connection comes from, an IPv4 address never in its IPv6 form.
    pub(super) address: IpAddr,
    /// The key that it shows, if that is one of ours.
    pub(super) key: Option<KeyHash>,
}

impl Client {
    /// Of a connection from `peer`.
    pub(super) fn at(peer: IpAddr, key: Option<KeyHash>) -> Client {
        Client {
            address: peer.to_canonical(),
            key,
        }
    }
}
