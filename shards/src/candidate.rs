//! A proxy to be checked: protocol, host, port and credentials, and its one text form
//! `scheme://user:pass@host:port`.

use crate::works::Protocols;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;
use std::sync::Arc;

/// What a proxy speaks. Closed set: each variant is also the word in JSON and lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Protocol {
    /// HTTP/1.1 forward proxy (RFC 9110, section 3.7), with CONNECT for https targets.
    Http,
    /// The same behind TLS: the connection to the proxy itself is encrypted.
    Https,
    /// SOCKS 4 and 4a.
    Socks4,
    /// SOCKS 5 (RFC 1928, RFC 1929).
    Socks5,
}

impl Protocol {
    /// Every protocol.
    pub const ALL: [Protocol; 4] = [
        Protocol::Http,
        Protocol::Https,
        Protocol::Socks4,
        Protocol::Socks5,
    ];

    /// The one word for this protocol in JSON and metrics; also the scheme of the text form.
    pub const fn label(self) -> &'static str {
        match self {
            Protocol::Http => "http",
            Protocol::Https => "https",
            Protocol::Socks4 => "socks4",
            Protocol::Socks5 => "socks5",
        }
    }

    /// What usually listens on `port`.
    pub const fn usual(port: u16) -> Protocol {
        match port {
            443 | 8443 | 9443 => Protocol::Https,
            1080..=1090 | 9050 | 9150 | 10808 => Protocol::Socks5,
            4145 => Protocol::Socks4,
            _ => Protocol::Http,
        }
    }
}

/// What a list says that a proxy speaks: which protocols are tried on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Scheme {
    /// Nothing: each protocol is tried, the usual one of the port first.
    Auto,
    /// An HTTP proxy.
    Http,
    /// What lists call an HTTP proxy that can CONNECT, and also one behind TLS: both are tried.
    Https,
    /// SOCKS 4 or 4a.
    Socks4,
    /// SOCKS 5.
    Socks5,
}

impl Scheme {
    /// Every scheme.
    pub const ALL: [Scheme; 5] = [
        Scheme::Auto,
        Scheme::Http,
        Scheme::Https,
        Scheme::Socks4,
        Scheme::Socks5,
    ];

    /// The one word for this scheme.
    pub const fn label(self) -> &'static str {
        match self {
            Scheme::Auto => "auto",
            Scheme::Http => "http",
            Scheme::Https => "https",
            Scheme::Socks4 => "socks4",
            Scheme::Socks5 => "socks5",
        }
    }

    /// The scheme that a text names, in any case. The `a` and `h` of `socks4a` and `socks5h` say
    /// who resolves names, which is always the proxy here.
    pub fn from_label(label: &str) -> Option<Scheme> {
        let is = |name: &str| label.eq_ignore_ascii_case(name);
        match () {
            () if is("auto") => Some(Scheme::Auto),
            () if is("http") => Some(Scheme::Http),
            () if is("https") => Some(Scheme::Https),
            () if is("socks4") || is("socks4a") => Some(Scheme::Socks4),
            () if is("socks5") || is("socks5h") || is("socks") => Some(Scheme::Socks5),
            () => None,
        }
    }

    /// What is tried.
    pub const fn protocols(self) -> Protocols {
        match self {
            Scheme::Auto => Protocols::ALL,
            Scheme::Http => Protocols::only(Protocol::Http),
            Scheme::Https => Protocols::only(Protocol::Http).with(Protocol::Https),
            Scheme::Socks4 => Protocols::only(Protocol::Socks4),
            Scheme::Socks5 => Protocols::only(Protocol::Socks5),
        }
    }
}

impl From<Protocol> for Scheme {
    fn from(protocol: Protocol) -> Scheme {
        match protocol {
            Protocol::Http => Scheme::Http,
            Protocol::Https => Scheme::Https,
            Protocol::Socks4 => Scheme::Socks4,
            Protocol::Socks5 => Scheme::Socks5,
        }
    }
}

/// User name and password for a proxy. Its `Debug` never shows them.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Credentials {
    /// The user name, decoded.
    pub user: Box<str>,
    /// The password, decoded; may be empty.
    pub password: Box<str>,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials(***)")
    }
}

/// Where a proxy listens.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Host {
    /// An IPv4 address.
    V4(Ipv4Addr),
    /// An IPv6 address.
    V6(Ipv6Addr),
    /// A host name in lower case, to be resolved before the probe.
    Name(Box<str>),
}

impl Host {
    /// The address, unless the host is a name.
    pub fn ip(&self) -> Option<IpAddr> {
        match self {
            Host::V4(ip) => Some(IpAddr::V4(*ip)),
            Host::V6(ip) => Some(IpAddr::V6(*ip)),
            Host::Name(_) => None,
        }
    }
}

impl From<IpAddr> for Host {
    fn from(ip: IpAddr) -> Host {
        match ip {
            IpAddr::V4(ip) => Host::V4(ip),
            IpAddr::V6(ip) => Host::V6(ip),
        }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Host::V4(ip) => ip.fmt(f),
            Host::V6(ip) => write!(f, "[{ip}]"),
            Host::Name(name) => f.write_str(name),
        }
    }
}

impl FromStr for Host {
    type Err = CandidateError;

    /// Reads `1.2.3.4` (four decimal octets without leading zeros), `[v6]` or a host name
    /// (RFC 1123 labels, the last of which is not a number).
    fn from_str(text: &str) -> Result<Host, CandidateError> {
        if let Some(inner) = text.strip_prefix('[').and_then(|t| t.strip_suffix(']')) {
            return inner
                .parse()
                .map(Host::V6)
                .map_err(|_| CandidateError::Host);
        }
        if let Ok(ip) = text.parse() {
            return Ok(Host::V4(ip));
        }
        let name = text.strip_suffix('.').unwrap_or(text);
        let label_ok = |label: &str| {
            let bytes = label.as_bytes();
            (1..=63).contains(&bytes.len())
                && bytes
                    .iter()
                    .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
                && bytes[0] != b'-'
                && bytes[bytes.len() - 1] != b'-'
        };
        let last = name.rsplit('.').next().unwrap_or_default();
        let is_hex = last
            .get(..2)
            .is_some_and(|start| start.eq_ignore_ascii_case("0x"));
        let numeric = last.bytes().all(|b| b.is_ascii_digit()) || is_hex;
        if name.len() > 253 || numeric || !name.split('.').all(label_ok) {
            return Err(CandidateError::Host);
        }
        Ok(Host::Name(name.to_ascii_lowercase().into()))
    }
}

/// Why a text is not a candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CandidateError {
    /// There is no `scheme://`, or it names no proxy protocol.
    #[error("unknown scheme: expected auto, http, https, socks4 or socks5")]
    Scheme,
    /// The host is neither an address nor a name.
    #[error("the host is neither an IP address nor a host name")]
    Host,
    /// The port is missing or not in 1..=65535.
    #[error("the port is missing or not in 1..=65535")]
    Port,
    /// The credentials are not percent-encoded UTF-8, or longer than 255 bytes (RFC 1929).
    #[error("the credentials are not percent-encoded UTF-8 of at most 255 bytes each")]
    Credentials,
}

/// A parsed, unique proxy to be checked.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Candidate {
    /// What its list says that it speaks.
    pub scheme: Scheme,
    /// Where it listens.
    pub host: Host,
    /// Its TCP port, never 0.
    pub port: u16,
    /// What it asks for, if anything.
    pub credentials: Option<Arc<Credentials>>,
}

/// What must be encoded in the user part of a URL (RFC 3986, section 3.2.1).
const USERINFO: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

impl Candidate {
    /// `host:port`, without scheme and credentials.
    pub fn address(&self) -> impl fmt::Display + '_ {
        fmt::from_fn(|f| write!(f, "{}:{}", self.host, self.port))
    }

    /// The whole text form, **with credentials**: for those who asked for the proxy, never for logs.
    pub fn url(&self) -> impl fmt::Display + '_ {
        self.url_as(self.scheme.label())
    }

    /// The same for a protocol that it was seen to speak.
    pub fn url_by(&self, protocol: Protocol) -> impl fmt::Display + '_ {
        self.url_as(protocol.label())
    }

    fn url_as(&self, scheme: &'static str) -> impl fmt::Display + '_ {
        fmt::from_fn(move |f| {
            write!(f, "{scheme}://")?;
            if let Some(c) = &self.credentials {
                let (user, password) = (
                    utf8_percent_encode(&c.user, USERINFO),
                    utf8_percent_encode(&c.password, USERINFO),
                );
                write!(f, "{user}:{password}@")?;
            }
            write!(f, "{}:{}", self.host, self.port)
        })
    }
}

impl FromStr for Candidate {
    type Err = CandidateError;

    /// Reads the text form. A trailing `/` is allowed; a path, query or fragment is not.
    fn from_str(text: &str) -> Result<Candidate, CandidateError> {
        let (scheme, rest) = text.split_once("://").ok_or(CandidateError::Scheme)?;
        let scheme = Scheme::from_label(scheme).ok_or(CandidateError::Scheme)?;
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let (userinfo, address) = match rest.rsplit_once('@') {
            Some((userinfo, address)) => (Some(userinfo), address),
            None => (None, rest),
        };
        let (host, port) = address.rsplit_once(':').ok_or(CandidateError::Port)?;
        Ok(Candidate {
            scheme,
            host: host.parse()?,
            port: parse_port(port).ok_or(CandidateError::Port)?,
            credentials: userinfo.map(parse_userinfo).transpose()?.flatten(),
        })
    }
}

/// A decimal port in 1..=65535, digits only.
pub fn parse_port(text: &str) -> Option<u16> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|&port| digits && port != 0)
}

/// Credentials of the form `user[:password]`, each part percent-encoded UTF-8 of at most 255 bytes;
/// `None` if both are empty.
pub fn parse_userinfo(text: &str) -> Result<Option<Arc<Credentials>>, CandidateError> {
    let (user, password) = text.split_once(':').unwrap_or((text, ""));
    let decode = |part: &str| -> Result<Box<str>, CandidateError> {
        let decoded = percent_decode_str(part)
            .decode_utf8()
            .map_err(|_| CandidateError::Credentials)?;
        if decoded.len() > 255 {
            Err(CandidateError::Credentials)
        } else {
            Ok(decoded.into())
        }
    };
    let credentials = Credentials {
        user: decode(user)?,
        password: decode(password)?,
    };
    let empty = credentials.user.is_empty() && credentials.password.is_empty();
    Ok((!empty).then(|| Arc::new(credentials)))
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Result<&str, CandidateError>) {
        let read = text.parse::<Candidate>().map(|c| c.url().to_string());
        assert_eq!(read.as_deref(), expected.as_ref().map(|t| *t), "{text}");
    }

    #[test]
    fn the_text_form_comes_back_as_it_went_in() {
        for text in [
            "http://1.2.3.4:8080",
            "socks5://user:pa%3Ass%40@1.2.3.4:1080",
            "socks4://[2001:db8::1]:1080",
            "http://proxy.example.com:3128",
        ] {
            check(text, Ok(text));
        }
    }

    #[test]
    fn scheme_aliases_are_read_as_their_protocol() {
        check("HTTPS://1.2.3.4:443/", Ok("https://1.2.3.4:443"));
        check("socks5h://1.2.3.4:1080", Ok("socks5://1.2.3.4:1080"));
    }

    #[test]
    fn what_is_no_candidate_says_why() {
        check("1.2.3.4:80", Err(CandidateError::Scheme));
        check("ftp://1.2.3.4:80", Err(CandidateError::Scheme));
        check("http://999.1.1.1:80", Err(CandidateError::Host));
        check("http://01.2.3.4:80", Err(CandidateError::Host));
        check("http://2001:db8::1:80", Err(CandidateError::Host));
        check("http://0x7f.0x1:80", Err(CandidateError::Host));
        check("http://a.0X1F:80", Err(CandidateError::Host));
        check("http://-a.example:80", Err(CandidateError::Host));
        check("http://1.2.3.4:0", Err(CandidateError::Port));
        check("http://1.2.3.4:70000", Err(CandidateError::Port));
        check("http://1.2.3.4:+80", Err(CandidateError::Port));
        check("http://%ff:x@1.2.3.4:80", Err(CandidateError::Credentials));
    }

    #[test]
    fn debug_masks_the_credentials() {
        let candidate: Candidate = "http://alice:secret@1.2.3.4:80".parse().unwrap();
        let debug = format!("{candidate:?}");
        assert!(
            !debug.contains("alice") && !debug.contains("secret"),
            "{debug}"
        );
    }

    #[test]
    fn a_candidate_is_at_most_40_bytes() {
        assert!(size_of::<Candidate>() <= 40, "{}", size_of::<Candidate>());
    }
}
