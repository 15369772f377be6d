//! `host:port` as lists write it: IPv4, `[v6]` or a name.

use super::Skip;
use proxy_shards::candidate::parse_port;
use proxy_shards::{Host, Scheme};
use std::net::{Ipv4Addr, Ipv6Addr};

/// `host:port`, and what follows it.
pub(super) struct Endpoint<'a> {
    pub(super) host: Host,
    pub(super) port: u16,
    /// Nothing, or a `:` or `#` and anything behind it.
    pub(super) tail: &'a [u8],
}

/// An address without its port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Lonely {
    pub(super) host: Host,
    /// What it is if no port follows.
    pub(super) otherwise: Skip,
}

/// Whether the text around a host says that it is one.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Context {
    /// There is a scheme: any name will do.
    Scheme,
    /// There is none: a name needs a dot and a last label of letters.
    Bare,
}

/// The token that lists are made of: exactly `a.b.c.d:port`. `None` says nothing: the token may still
/// be anything.
pub(super) fn clean(token: &[u8]) -> Option<(Ipv4Addr, u16)> {
    match leading_clean(token)? {
        (ip, port, b"") => Some((ip, port)),
        _ => None,
    }
}

/// The same at the start of a text, with what follows it, which does not begin with a digit.
pub(super) fn leading_clean(text: &[u8]) -> Option<(Ipv4Addr, u16, &[u8])> {
    let (ip, rest) = leading_v4(text)?;
    let port = rest.strip_prefix(b":")?;
    let mut value = 0u32;
    let mut length = 0;
    while let Some(digit) = port.get(length).map(|b| b.wrapping_sub(b'0'))
        && digit <= 9
    {
        value = value * 10 + u32::from(digit);
        length += 1;
        if length > 5 || value == 0 {
            return None;
        }
    }
    let port_read = u16::try_from(value).ok().filter(|&port| port != 0)?;
    Some((ip, port_read, &port[length..]))
}

/// A `scheme://` at the start of a text, as nearly every list writes it, and what follows it; `None`
/// and the whole text if there is none, or one that is written in another way.
pub(super) fn leading_scheme(text: &[u8]) -> (Option<Scheme>, &[u8]) {
    const USUAL: [(&[u8], Scheme); 4] = [
        (b"http://", Scheme::Http),
        (b"https://", Scheme::Https),
        (b"socks4://", Scheme::Socks4),
        (b"socks5://", Scheme::Socks5),
    ];
    let mut usual = USUAL.iter();
    let found = usual.find_map(|(start, scheme)| Some((*scheme, text.strip_prefix(*start)?)));
    found.map_or((None, text), |(scheme, rest)| (Some(scheme), rest))
}

/// An address or a name that stands alone: its port may be in the next column.
pub(super) fn lonely(text: &[u8]) -> Option<Lonely> {
    let alone = |host, otherwise| Some(Lonely { host, otherwise });
    if let Some((ip, b"")) = leading_v4(text) {
        return alone(Host::V4(ip), Skip::BadPort);
    }
    if text.first() == Some(&b'[') {
        return match bracketed(text) {
            Ok((host, b"")) => alone(host, Skip::BadPort),
            _ => None,
        };
    }
    let text = str::from_utf8(text).ok()?;
    if text.contains(':') && text.contains(|c: char| c.is_ascii_hexdigit()) {
        let host = text.parse().ok().map(Host::V6)?;
        return alone(host, Skip::BadHost); // a port may be the last group of it
    }
    let is_name = text.contains('.') && ends_in_letters(text.as_bytes());
    match text.parse() {
        Ok(host) if is_name => alone(host, Skip::Noise),
        _ => None,
    }
}

/// Four decimal octets without leading zeros, and what follows them. An own reader instead of
/// `str::parse`, because nearly every byte of a list goes through it.
fn leading_v4(text: &[u8]) -> Option<(Ipv4Addr, &[u8])> {
    let mut rest = text;
    let mut bits = 0u32;
    for place in 0..4 {
        if place > 0 {
            rest = rest.strip_prefix(b".")?;
        }
        let digit = |at: usize| {
            rest.get(at)
                .map(|b| b.wrapping_sub(b'0'))
                .filter(|d| *d <= 9)
        };
        let mut octet = u32::from(digit(0)?);
        let mut length = 1;
        while let Some(next) = digit(length) {
            octet = octet * 10 + u32::from(next);
            length += 1;
            if octet > 255 || rest[0] == b'0' {
                return None;
            }
        }
        bits = bits << 8 | octet;
        rest = &rest[length..];
    }
    Some((Ipv4Addr::from_bits(bits), rest))
}

/// Reads `host:port` at the start of `text`.
pub(super) fn endpoint(text: &[u8], context: Context) -> Result<Endpoint<'_>, Skip> {
    let (host, rest) = match text.first() {
        Some(b'[') => bracketed(text)?,
        _ => {
            let end = text.iter().position(|b| *b == b':').unwrap_or(text.len());
            let (host, rest) = text.split_at(end);
            (read_host(host, rest, text, context)?, rest)
        }
    };
    let rest = rest.strip_prefix(b":").ok_or(Skip::BadPort)?;
    let (port, tail) = port_and_tail(rest);
    let port = read_port(port)?;
    Ok(Endpoint { host, port, tail })
}

/// `[v6]` and what follows it.
fn bracketed(text: &[u8]) -> Result<(Host, &[u8]), Skip> {
    let closing = text.iter().position(|b| *b == b']').ok_or(Skip::Noise)?;
    let (inner, rest) = (&text[1..closing], &text[closing + 1..]);
    let ip = str::from_utf8(inner).ok().and_then(|t| t.parse().ok());
    match ip {
        Some(ip) => Ok((Host::V6(ip), rest)),
        None if begins_with_port(rest) => Err(Skip::BadHost),
        None => Err(Skip::Noise),
    }
}

/// A host outside of brackets; `rest` is what follows it in `whole`.
fn read_host(host: &[u8], rest: &[u8], whole: &[u8], context: Context) -> Result<Host, Skip> {
    if let Some((ip, b"")) = leading_v4(host) {
        return Ok(Host::V4(ip));
    }
    if is_bare_v6(whole) {
        return Err(Skip::BadHost);
    }
    let dots = host.iter().filter(|b| **b == b'.').count();
    let numeric = dots > 0 && host.iter().all(|b| b.is_ascii_digit() || *b == b'.');
    if context == Context::Bare {
        match () {
            () if numeric && dots == 3 => return Err(Skip::BadHost), // meant as IPv4
            () if dots == 0 || !begins_with_port(rest) => return Err(Skip::Noise),
            () if !ends_in_letters(host) => return Err(Skip::BadHost),
            () => {}
        }
    }
    let text = str::from_utf8(host).map_err(|_| Skip::BadHost)?;
    text.parse().map_err(|_| Skip::BadHost)
}

/// Whether this is an IPv6 address without brackets, alone or with a port: where it ends and the
/// port begins cannot be told.
pub(super) fn is_bare_v6(text: &[u8]) -> bool {
    let looks = |b: &u8| b.is_ascii_hexdigit() || matches!(b, b':' | b'.');
    let colons = text.iter().filter(|b| **b == b':').count();
    if colons < 2 || !text.iter().all(looks) || !text.iter().any(u8::is_ascii_hexdigit) {
        return false;
    }
    let Ok(text) = str::from_utf8(text) else {
        return false;
    };
    let is_v6 = |t: &str| t.parse::<Ipv6Addr>().is_ok();
    is_v6(text) || text.rsplit_once(':').is_some_and(|(host, _)| is_v6(host))
}

/// A port up to the next part. A slash may follow it, as in `1.2.3.4:80/`, if nothing else does:
/// behind credentials it may belong to the password.
fn port_and_tail(rest: &[u8]) -> (&[u8], &[u8]) {
    let end = rest.iter().position(|b| matches!(b, b':' | b'#'));
    match end {
        Some(end) => rest.split_at(end),
        None => (rest.strip_suffix(b"/").unwrap_or(rest), b""),
    }
}

/// Whether `rest` is a colon and digits, up to its end or to the next part.
fn begins_with_port(rest: &[u8]) -> bool {
    let Some(rest) = rest.strip_prefix(b":") else {
        return false;
    };
    let (port, _) = port_and_tail(rest);
    !port.is_empty() && port.iter().all(u8::is_ascii_digit)
}

/// Endings of file names that are no top-level domains: `app.js:10` is a place in a program.
const FILES: &[&str] = &[
    "conf", "cpp", "css", "csv", "gif", "go", "htm", "html", "ini", "java", "jpeg", "jpg", "js",
    "json", "jsx", "log", "mjs", "php", "png", "svg", "tsx", "txt", "xml", "yaml", "yml",
];

/// Whether the last label is letters, two at least, or a top-level domain in its ASCII form
/// (RFC 5890).
fn ends_in_letters(host: &[u8]) -> bool {
    let host = host.strip_suffix(b".").unwrap_or(host);
    let last = host.rsplit(|b| *b == b'.').next().unwrap_or_default();
    let ascii_form = last.len() > 4 && last[..4].eq_ignore_ascii_case(b"xn--");
    let is_file = |last: &[u8]| {
        FILES
            .iter()
            .any(|f| last.eq_ignore_ascii_case(f.as_bytes()))
    };
    ascii_form || last.len() > 1 && last.iter().all(u8::is_ascii_alphabetic) && !is_file(last)
}

/// A decimal port in 1..=65535 without a leading zero.
pub(super) fn read_port(text: &[u8]) -> Result<u16, Skip> {
    let text = str::from_utf8(text).map_err(|_| Skip::BadPort)?;
    let port = parse_port(text).filter(|_| !text.starts_with('0'));
    port.ok_or(Skip::BadPort)
}
