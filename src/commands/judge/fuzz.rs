//! What a judge is asked: from whomever and with whatever fields, a page is told of them, or none.

use super::request::{fields, nonce, peer};
use crate::network::Network;
use axum::http::HeaderMap;
use proxy_shards::judge::{FORWARDING_FIELDS, NONCE_CHARS, PAGE_BYTES_MAX, page};
use proxy_shards::target::Secret;
use std::net::{IpAddr, Ipv4Addr};

/// A request with this query and these headers.
pub(crate) fn asked(query: &str, headers: &HeaderMap) {
    if let Some(nonce) = nonce(Some(query)) {
        assert_eq!(nonce.len(), NONCE_CHARS);
        assert!(nonce.bytes().all(|byte| byte.is_ascii_hexdigit()));
    }
    let trusted: [Network; 1] = ["127.0.0.0/8".parse().expect("a network")];
    let socket = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let secret = Secret::new(&[7; Secret::BYTES_MIN]).expect("it is long enough");
    for trusted in [&[][..], &trusted] {
        let Some(peer) = peer(socket, headers, trusted) else {
            assert!(!trusted.is_empty(), "the socket says who asks");
            continue;
        };
        assert_eq!(peer.ip, peer.ip.to_canonical());
        assert!(peer.is_forwarded || peer.ip == socket);
        let fields = fields(headers, peer);
        let known = |(name, _): &(&str, _)| FORWARDING_FIELDS.contains(name);
        assert!(fields.len() <= headers.len() && fields.iter().all(known));
        let page = page(&secret, &"0".repeat(NONCE_CHARS), peer.ip, &fields);
        assert!(page.len() <= PAGE_BYTES_MAX, "{} bytes", page.len());
    }
}
