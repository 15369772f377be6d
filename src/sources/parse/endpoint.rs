//! `host:port` as lists write it: IPv4, `[v6]` or a name, with a country or a protocol behind it.

use super::Skip;
use proxy_shards::candidate::parse_port;
use proxy_shards::{Host, Scheme};
use std::net::{Ipv4Addr, Ipv6Addr};

/// `host:port`, and what is dressed on behind it.
pub(super) struct Endpoint {
    pub(super) host: Host,
    pub(super) port: u16,
    /// A protocol named behind the port: `1.2.3.4:1080:socks5`.
    pub(super) scheme: Option<Scheme>,
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
    let (ip, rest) = leading_v4(token)?;
    let port = rest.strip_prefix(b":")?;
    if port.is_empty() || port.len() > 5 {
        return None;
    }
    let mut value = 0u32;
    for byte in port {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value = value * 10 + u32::from(digit);
    }
    let port = u16::try_from(value).ok().filter(|&port| port != 0)?;
    Some((ip, port))
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

/// Reads `host:port`, with a country or a protocol behind it.
pub(super) fn endpoint(text: &[u8], context: Context) -> Result<Endpoint, Skip> {
    let (host, rest) = match text.first() {
        Some(b'[') => bracketed(text)?,
        _ => {
            let end = text.iter().position(|b| *b == b':').unwrap_or(text.len());
            let (host, rest) = text.split_at(end);
            (read_host(host, rest, text, context)?, rest)
        }
    };
    let rest = rest.strip_prefix(b":").ok_or(Skip::BadPort)?;
    let end = rest.iter().position(|b| matches!(b, b':' | b'#'));
    let (port, tail) = rest.split_at(end.unwrap_or(rest.len()));
    Ok(Endpoint {
        host,
        port: read_port(port)?,
        scheme: read_tail(tail)?,
    })
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
fn is_bare_v6(text: &[u8]) -> bool {
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

/// Whether `rest` is a colon and digits, up to its end or to the next part.
fn begins_with_port(rest: &[u8]) -> bool {
    let Some(rest) = rest.strip_prefix(b":") else {
        return false;
    };
    let end = rest.iter().position(|b| matches!(b, b':' | b'#'));
    let port = &rest[..end.unwrap_or(rest.len())];
    !port.is_empty() && port.iter().all(u8::is_ascii_digit)
}

/// Whether the last label is letters, or a top-level domain in its ASCII form (RFC 5890).
fn ends_in_letters(host: &[u8]) -> bool {
    let host = host.strip_suffix(b".").unwrap_or(host);
    let last = host.rsplit(|b| *b == b'.').next().unwrap_or_default();
    let ascii_form = last.len() > 4 && last[..4].eq_ignore_ascii_case(b"xn--");
    !last.is_empty() && (ascii_form || last.iter().all(u8::is_ascii_alphabetic))
}

fn read_port(text: &[u8]) -> Result<u16, Skip> {
    let text = str::from_utf8(text).map_err(|_| Skip::BadPort)?;
    parse_port(text).ok_or(Skip::BadPort)
}

/// What may follow a port: nothing, a `#comment`, a protocol, or words such as a country. A digit or
/// another colon could be credentials, which must not be dropped.
fn read_tail(tail: &[u8]) -> Result<Option<Scheme>, Skip> {
    let Some(word) = tail.strip_prefix(b":") else {
        return Ok(None);
    };
    if let Some(scheme) = str::from_utf8(word).ok().and_then(Scheme::from_label) {
        return Ok(Some(scheme));
    }
    let credentials = word.iter().any(|b| b.is_ascii_digit() || *b == b':');
    if credentials {
        return Err(Skip::BadCredentials);
    }
    Ok(None)
}
