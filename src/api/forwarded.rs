//! Who is behind the reverse proxies that are trusted. Pure.
//!
//! Only `X-Forwarded-For` is read. `Forwarded` (RFC 7239) is not: two fields that say the same thing can
//! be made to disagree, and reverse proxies that write the one often pass the other through.

use crate::network::Network;
use crate::origin::{hop, is_trusted};
use axum::http::HeaderMap;
use std::net::IpAddr;

const X_FORWARDED_FOR: &str = "x-forwarded-for";

/// The client of a request that arrived from `peer`; of IPv4 in IPv6 form the IPv4 address.
///
/// That is `peer`, unless it is trusted: then the right-most address of `X-Forwarded-For` that is not,
/// because all before it is what a stranger wrote. Several lines are one list (RFC 9110, section 5.3),
/// and its empty elements do not count (section 5.6.1). If all are trusted it is the left-most. A list
/// in which something else than an address comes before that says nothing: it is `peer`.
pub(super) fn client(peer: IpAddr, headers: &HeaderMap, trusted: &[Network]) -> IpAddr {
    let peer = peer.to_canonical();
    if !is_trusted(peer, trusted) {
        return peer;
    }
    let lines = headers.get_all(X_FORWARDED_FOR).iter().rev();
    let hops = lines.flat_map(|line| line.as_bytes().rsplit(|&byte| byte == b','));
    let mut client = peer;
    for bytes in hops.filter(|hop| !hop.trim_ascii().is_empty()) {
        match hop(bytes) {
            Some(ip) => client = ip.to_canonical(),
            None => return peer,
        }
        if !is_trusted(client, trusted) {
            break;
        }
    }
    client
}

#[cfg(test)]
mod tests;
