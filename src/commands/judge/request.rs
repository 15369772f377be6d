//! Pure: what a request asks, whom it came from, and which forwarding fields came with it.

use crate::network::Network;
use crate::origin::{hop, is_trusted};
use axum::http::header::{HeaderMap, HeaderName, HeaderValue};
use proxy_shards::judge::{FORWARDING_FIELDS, NONCE_CHARS};
use std::net::IpAddr;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_REAL_IP: HeaderName = HeaderName::from_static("x-real-ip");

/// The one `nonce` of a query, if it has the right form.
pub(super) fn nonce(query: Option<&str>) -> Option<&str> {
    let mut nonces = query?
        .split('&')
        .filter_map(|part| part.strip_prefix("nonce="));
    let nonce = nonces.next().filter(|_| nonces.next().is_none())?;
    let is_hex = nonce.bytes().all(|byte| byte.is_ascii_hexdigit());
    (nonce.len() == NONCE_CHARS && is_hex).then_some(nonce)
}

/// Where a request came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Peer {
    /// Its address; of IPv4 in IPv6 form the IPv4 address (RFC 4291, section 2.5.5.2).
    pub(super) ip: IpAddr,
    /// Whether a trusted reverse proxy says so, rather than the socket.
    pub(super) is_forwarded: bool,
}

/// Where a request came from that arrived from `socket`. `None`: a trusted reverse proxy does not
/// say it in the last hop of its `X-Forwarded-For`.
pub(super) fn peer(socket: IpAddr, headers: &HeaderMap, trusted: &[Network]) -> Option<Peer> {
    if !is_trusted(socket, trusted) {
        return Some(Peer {
            ip: socket.to_canonical(),
            is_forwarded: false,
        });
    }
    let (_, last) = hops(headers.get_all(X_FORWARDED_FOR).iter().next_back()?);
    Some(Peer {
        ip: hop(last)?.to_canonical(),
        is_forwarded: true,
    })
}

/// The last hop of a list, and the bytes before it, without the comma between them.
fn hops(value: &HeaderValue) -> (&[u8], &[u8]) {
    let bytes = value.as_bytes();
    match bytes.iter().rposition(|&byte| byte == b',') {
        Some(comma) => (&bytes[..comma], &bytes[comma + 1..]),
        None => (b"", bytes),
    }
}

/// The forwarding fields that came from beyond `peer`, as they stand: what a trusted reverse proxy
/// added of its own gives nothing away.
pub(super) fn fields(headers: &HeaderMap, peer: Peer) -> Vec<(&str, &[u8])> {
    let mut left = headers.get_all(X_FORWARDED_FOR).iter().count();
    let seen = headers
        .iter()
        .filter(|(name, _)| FORWARDING_FIELDS.contains(&name.as_str()));
    let mut fields = Vec::new();
    for (name, value) in seen {
        let is_for = *name == X_FORWARDED_FOR;
        left -= usize::from(is_for);
        let beyond = match peer.is_forwarded {
            true if is_for && left == 0 => {
                Some(hops(value).0.trim_ascii()).filter(|b| !b.is_empty())
            }
            true if *name == X_REAL_IP && is_peer(value, peer) => None,
            _ => Some(value.as_bytes()),
        };
        fields.extend(beyond.map(|value| (name.as_str(), value)));
    }
    fields
}

fn is_peer(value: &HeaderValue, peer: Peer) -> bool {
    hop(value.as_bytes()).is_some_and(|ip| ip.to_canonical() == peer.ip)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONCE: &str = "00112233445566778899aabbccddEEFF";

    fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
        let parsed = lines.iter().map(|(name, value)| {
            let value = HeaderValue::from_bytes(value.as_bytes()).unwrap();
            (HeaderName::from_static(name), value)
        });
        parsed.collect()
    }

    #[test]
    fn a_nonce_is_exactly_32_hexadecimal_digits_and_there_is_one() {
        let check = |query: &str, expected| assert_eq!(nonce(Some(query)), expected, "{query}");
        check(&format!("nonce={NONCE}"), Some(NONCE));
        check(&format!("a=1&nonce={NONCE}&b"), Some(NONCE));
        check(&format!("nonce={NONCE}0"), None);
        check(&format!("nonce={}", &NONCE[1..]), None);
        check(&format!("nonce={}g", &NONCE[1..]), None);
        check(&format!("nonce=%30{}", &NONCE[3..]), None);
        check(&format!("nonce={NONCE}&nonce={NONCE}"), None);
        check(&format!("Nonce={NONCE}"), None);
        check(&format!("xnonce={NONCE}"), None);
        check("nonce=", None);
        check("", None);
        assert_eq!(nonce(None), None);
    }

    fn seen(
        socket: &str,
        lines: &[(&'static str, &str)],
        trusted: &[&str],
    ) -> Option<(String, Vec<String>)> {
        let headers = headers(lines);
        let trusted: Vec<Network> = trusted.iter().map(|t| t.parse().unwrap()).collect();
        let peer = peer(socket.parse().unwrap(), &headers, &trusted)?;
        let fields = fields(&headers, peer).into_iter();
        let fields = fields.map(|(name, value)| format!("{name}: {}", value.escape_ascii()));
        Some((peer.ip.to_string(), fields.collect()))
    }

    fn check(
        socket: &str,
        lines: &[(&'static str, &str)],
        trusted: &[&str],
        ip: &str,
        fields: &[&str],
    ) {
        let (seen_ip, seen_fields) = seen(socket, lines, trusted).unwrap();
        assert_eq!(seen_ip, ip, "{lines:?}");
        assert_eq!(seen_fields, fields, "{lines:?}");
    }

    #[test]
    fn forwarding_fields_are_told_and_others_are_not() {
        let lines = [
            ("host", "judge.example"),
            ("via", "1.1 squid"),
            ("user-agent", "x"),
            ("x-forwarded-for", "192.0.2.1"),
            ("x-forwarded-for", "192.0.2.2, unknown"),
        ];
        let told = [
            "via: 1.1 squid",
            "x-forwarded-for: 192.0.2.1",
            "x-forwarded-for: 192.0.2.2, unknown",
        ];
        check("198.51.100.7", &lines, &[], "198.51.100.7", &told);
        check(
            "::ffff:198.51.100.7",
            &lines,
            &["10.0.0.0/8"],
            "198.51.100.7",
            &told,
        );
    }

    #[test]
    fn a_trusted_proxy_says_who_came_and_leaves_no_trace_of_itself() {
        let trusted = ["127.0.0.0/8", "::1"];
        let by_nginx = [
            ("x-forwarded-for", "203.0.113.5"),
            ("x-real-ip", "203.0.113.5"),
        ];
        check("127.0.0.1", &by_nginx, &trusted, "203.0.113.5", &[]);
        check("::ffff:127.0.0.1", &by_nginx, &trusted, "203.0.113.5", &[]);
        let after_a_proxy = [
            ("x-forwarded-for", "192.0.2.1, 203.0.113.5"),
            ("via", "1.1 p"),
        ];
        let told = ["x-forwarded-for: 192.0.2.1", "via: 1.1 p"];
        check("::1", &after_a_proxy, &trusted, "203.0.113.5", &told);
        let in_two_lines = [
            ("x-forwarded-for", "192.0.2.1"),
            ("x-forwarded-for", "[2001:db8::9]:443"),
            ("x-real-ip", "192.0.2.1"),
        ];
        let told = ["x-forwarded-for: 192.0.2.1", "x-real-ip: 192.0.2.1"];
        check("127.0.0.1", &in_two_lines, &trusted, "2001:db8::9", &told);
    }

    #[test]
    fn a_forged_hop_before_the_trusted_one_is_not_believed() {
        let lines = [("x-forwarded-for", "8.8.8.8, 203.0.113.5:4711")];
        check(
            "127.0.0.1",
            &lines,
            &["127.0.0.1"],
            "203.0.113.5",
            &["x-forwarded-for: 8.8.8.8"],
        );
    }

    #[test]
    fn a_trusted_proxy_that_does_not_say_who_came_is_noticed() {
        for value in [
            "unknown",
            "",
            "203.0.113.5,",
            "_hidden",
            "1.2.3.4.5",
            "[::1",
        ] {
            let lines = [("x-forwarded-for", value)];
            assert_eq!(seen("127.0.0.1", &lines, &["127.0.0.1"]), None, "{value}");
        }
        assert_eq!(seen("127.0.0.1", &[], &["127.0.0.1"]), None);
    }

    #[test]
    fn the_documentation_names_every_field_that_is_told() {
        let page = include_str!("../../../docs/judge.md");
        for name in FORWARDING_FIELDS {
            assert!(page.contains(&format!("`{name}`")), "{name}");
        }
    }

    #[test]
    fn bytes_of_any_kind_are_told_as_they_are() {
        let mut headers = HeaderMap::new();
        let value = HeaderValue::from_bytes(b"\xff\xfe, <b>").unwrap();
        headers.insert("x-forwarded-for", value);
        let peer = peer([192, 0, 2, 1].into(), &headers, &[]).unwrap();
        assert_eq!(
            fields(&headers, peer),
            [("x-forwarded-for", &b"\xff\xfe, <b>"[..])]
        );
    }
}
