//! What web pages of other sites make a browser ask, told from what its user or a program asks. Pure.
//!
//! A key is what keeps strangers out. A service that asks for none trusts whoever reaches it – and a
//! page of any site reaches it through the browser of someone who may: with a plain request, which asks
//! nobody first, or under a name of its own that leads to this host (DNS rebinding).

use crate::config::Origins;
use crate::network::Network;
use crate::origin::is_trusted;
use axum::http::header::{HOST, HeaderName, ORIGIN};
use axum::http::request::Parts;
use std::net::{IpAddr, Ipv6Addr};

/// What browsers say of the page that asks (Fetch Metadata Request Headers, section 2.4); no page can
/// change it.
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Whether a page that is neither the service's own nor one of `origins` asks, as far as a request that
/// needs no key shows. `client`: behind the reverse proxies that are `trusted`.
pub(super) fn is_cross_site(
    head: &Parts,
    client: IpAddr,
    trusted: &[Network],
    origins: &Origins,
) -> bool {
    let host = host(head);
    // A reverse proxy on this host passes on the name that the world knows; one that is trusted may.
    let is_local = client.to_canonical().is_loopback() && !is_trusted(client, trusted);
    if is_local && !host.is_none_or(names_this_host) {
        return true;
    }
    let site = head.headers.get(SEC_FETCH_SITE);
    let site = site.map(|site| site.as_bytes());
    match head.headers.get(ORIGIN).map(|origin| origin.as_bytes()) {
        Some(origin) if is_listed(origins, origin) => false,
        // The own page, though a reverse proxy may have written another `Host`.
        _ if site == Some(b"same-origin") => false,
        Some(origin) => site == Some(b"cross-site") || !host.is_some_and(|h| is_own(origin, h)),
        None => site == Some(b"cross-site"),
    }
}

/// Where the request is sent to: what stands in its target counts before the header (RFC 9112, section
/// 3.2.2). `None`: it does not say so, as no browser does.
fn host(head: &Parts) -> Option<&[u8]> {
    let target = head.uri.authority().map(|it| it.as_str().as_bytes());
    target.or_else(|| head.headers.get(HOST).map(|host| host.as_bytes()))
}

/// Whether a host with or without a port is an address, or a name that leads to the asker's own host
/// wherever it is asked for (RFC 6761, section 6.3): no stranger has one.
fn names_this_host(host: &[u8]) -> bool {
    let Ok(host) = std::str::from_utf8(host) else {
        return false;
    };
    if let Some(rest) = host.strip_prefix('[') {
        let ip = rest.split_once(']').map(|(ip, _)| ip);
        return ip.is_some_and(|ip| ip.parse::<Ipv6Addr>().is_ok());
    }
    let name = host.split_once(':').map_or(host, |(name, _)| name);
    let name = name.to_ascii_lowercase();
    let name = name.strip_suffix('.').unwrap_or(&name);
    name == "localhost" || name.ends_with(".localhost") || name.parse::<IpAddr>().is_ok()
}

/// Whether an origin is what the request is sent to; a browser leaves the usual port out of both.
fn is_own(origin: &[u8], host: &[u8]) -> bool {
    [&b"http://"[..], b"https://"]
        .into_iter()
        .filter_map(|scheme| origin.strip_prefix(scheme))
        .any(|authority| authority.eq_ignore_ascii_case(host))
}

fn is_listed(origins: &Origins, origin: &[u8]) -> bool {
    match origins {
        Origins::None => false,
        Origins::Every => true,
        Origins::Only(known) => known.iter().any(|known| known.as_bytes() == origin),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::Request;

    const NEAR: &str = "127.0.0.1";
    const FAR: &str = "192.0.2.7";

    /// Of a request with these headers, one a line.
    fn refused(client: &str, headers: &str, trusted: &[&str], origins: &Origins) -> bool {
        let mut request = Request::builder().uri("/get-proxy");
        for (name, value) in headers.lines().filter_map(|line| line.split_once(": ")) {
            request = request.header(name, value);
        }
        let (head, ()) = request.body(()).unwrap().into_parts();
        let trusted: Vec<Network> = trusted.iter().map(|text| text.parse().unwrap()).collect();
        is_cross_site(&head, client.parse().unwrap(), &trusted, origins)
    }

    #[test]
    fn a_stranger_s_name_for_this_host_is_refused_and_its_own_names_are_not() {
        for (host, is_refused) in [
            ("127.0.0.1:8080", false),
            ("127.0.0.1", false),
            ("192.168.1.5:8080", false),
            ("[::1]:8080", false),
            ("[::1]", false),
            ("localhost", false),
            ("LocalHost:8080", false),
            ("localhost.:8080", false),
            ("checker.localhost:8080", false),
            ("evil.example", true),
            ("evil.example:8080", true),
            ("localhost.evil.example", true),
            ("notlocalhost", true),
            ("127.0.0.1.evil.example", true),
            ("[evil]:80", true),
            ("", true),
        ] {
            let headers = format!("Host: {host}");
            for client in [NEAR, "::1", "::ffff:127.0.0.1"] {
                let found = refused(client, &headers, &[], &Origins::None);
                assert_eq!(found, is_refused, "{client} {host:?}");
            }
            assert!(!refused(FAR, &headers, &[], &Origins::None), "{host:?}");
            let trusted = refused(NEAR, &headers, &["127.0.0.0/8"], &Origins::None);
            assert!(!trusted, "{host:?}");
        }
        assert!(!refused(NEAR, "", &[], &Origins::None), "HTTP/1.0");
    }

    #[test]
    fn a_page_of_another_site_is_refused_unless_it_is_listed() {
        let listed = Origins::Only(["https://app.example".into()].into());
        for (headers, by_none, by_list) in [
            ("Sec-Fetch-Site: cross-site", true, true),
            ("Sec-Fetch-Site: same-site", false, false),
            ("Sec-Fetch-Site: none", false, false),
            ("Origin: http://localhost:8080", false, false),
            ("Origin: http://localhost", true, true),
            ("Origin: http://localhost:3000", true, true),
            (
                "Origin: http://localhost:3000\nSec-Fetch-Site: same-site",
                true,
                true,
            ),
            ("Origin: null", true, true),
            ("Origin: https://app.example", true, false),
            (
                "Origin: https://app.example\nSec-Fetch-Site: cross-site",
                true,
                false,
            ),
            (
                "Origin: https://evil.example\nSec-Fetch-Site: cross-site",
                true,
                true,
            ),
            (
                "Origin: https://public.example\nSec-Fetch-Site: same-origin",
                false,
                false,
            ),
        ] {
            let headers = format!("Host: localhost:8080\n{headers}");
            for client in [NEAR, FAR] {
                let of = |origins| refused(client, &headers, &[], origins);
                let found = (of(&Origins::None), of(&listed), of(&Origins::Every));
                let by_every = by_none && !headers.contains("Origin");
                assert_eq!(found, (by_none, by_list, by_every), "{client} {headers}");
            }
        }
        let alone = "Origin: http://localhost:8080";
        assert!(
            refused(NEAR, alone, &[], &Origins::None),
            "nothing to compare"
        );
    }
}
