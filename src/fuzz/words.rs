//! Short texts from outside, each with its own small parser: proxies and networks as texts, the names
//! of lists, redirects and bodies of sources, what a judge is asked, spans of clients, and what a peer
//! says where an operator sees it.
//!
//! Input: which of them (a digit), and the text.

use crate::network::Network;
use crate::sources::input::Input;
use crate::{commands, sources, traces};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use proxy_shards::{Candidate, Host};
use std::net::IpAddr;

pub(super) fn words(bytes: &[u8]) {
    let Some((which, rest)) = bytes.split_first() else {
        return;
    };
    let text = String::from_utf8_lossy(rest);
    match which.wrapping_sub(b'0') % 8 {
        0 => candidate(&text),
        1 => network(&text),
        2 => input(&text),
        3 => sources::fetch::fuzz::redirect(rest),
        4 => sources::fetch::fuzz::body(rest),
        5 => commands::explain::fuzz::heard(rest),
        6 => commands::judge::fuzz::asked(&text, &headers(rest)),
        _ => parent(rest),
    }
}

fn candidate(text: &str) {
    if let Ok(host) = text.parse::<Host>() {
        assert_eq!(host.to_string().parse(), Ok(host));
    }
    let Ok(candidate) = text.parse::<Candidate>() else {
        return;
    };
    let url = candidate.url().to_string();
    assert_eq!(url.parse().as_ref(), Ok(&candidate), "{url}");
    assert!(url.bytes().all(|byte| byte.is_ascii_graphic()), "{url:?}");
    assert_ne!(candidate.port, 0);
    if let Some(credentials) = &candidate.credentials {
        let lengths = (credentials.user.len(), credentials.password.len());
        assert!(lengths != (0, 0) && lengths.0 <= 255 && lengths.1 <= 255);
    }
}

fn network(text: &str) {
    let Ok(network) = text.parse::<Network>() else {
        return;
    };
    let shown = network.to_string();
    assert_eq!(shown.parse(), Ok(network), "{shown}");
    let base = shown.split('/').next().and_then(|ip| ip.parse().ok());
    let base: IpAddr = base.expect("an address");
    // An IPv4 address in IPv6 form counts as the IPv4 address.
    let is_itself = base.to_canonical() == base;
    assert!(!is_itself || network.contains(base), "{shown}");
}

fn input(text: &str) {
    if let Ok(input) = text.parse::<Input>() {
        let shown = input.to_string();
        assert!(!shown.chars().any(char::is_control), "{shown:?}");
    }
}

/// The lines `name: value` of a text, as far as they can be fields.
fn headers(bytes: &[u8]) -> HeaderMap {
    let field = |line: &[u8]| {
        let colon = line.iter().position(|&byte| byte == b':')?;
        let name = HeaderName::from_bytes(&line[..colon]).ok()?;
        let value = HeaderValue::from_bytes(line[colon + 1..].trim_ascii()).ok()?;
        Some((name, value))
    };
    let mut headers = HeaderMap::new();
    for (name, value) in bytes
        .split(|&byte| byte == b'\n')
        .filter_map(field)
        .take(64)
    {
        headers.append(name, value);
    }
    headers
}

fn parent(bytes: &[u8]) {
    let Ok(value) = HeaderValue::from_bytes(bytes) else {
        return;
    };
    let headers = HeaderMap::from_iter([(HeaderName::from_static("traceparent"), value)]);
    if traces::has_parent(&headers) {
        assert!(bytes.starts_with(b"00-") && bytes.len() == 55);
    }
}
