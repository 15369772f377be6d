//! One run of bytes without separators → a candidate, or why not. Pure: it knows neither lines nor
//! the list around it.
//!
//! `docs/formats.md` has the rules in words.

use super::Skip;
use super::endpoint::{Context, Endpoint, Lonely, clean, endpoint, is_bare_v6, lonely};
use crate::sources::address::AddressPolicy;
use proxy_shards::candidate::parse_userinfo;
use proxy_shards::{Candidate, Credentials, Host, Scheme};
use std::sync::Arc;

/// Reads tokens of one list.
#[derive(Debug)]
pub(super) struct Tokens {
    hint: Scheme,
    addresses: AddressPolicy,
    /// Those of the candidate before: paid lists repeat them on every line, so they are shared.
    credentials: Option<Arc<Credentials>>,
}

/// A proxy that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sighting {
    pub(super) candidate: Candidate,
    /// Whether the token itself said the protocol.
    pub(super) named: bool,
}

/// What a token is, if it is no proxy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Unread {
    /// Nothing that is read, for this reason. [`Skip::Noise`] means that it does not look like a
    /// proxy at all.
    Skip(Skip),
    /// An address whose port may follow.
    Lonely(Lonely),
}

impl From<Skip> for Unread {
    fn from(skip: Skip) -> Unread {
        Unread::Skip(skip)
    }
}

/// The parts of a proxy, none of them judged yet.
struct Parts {
    scheme: Option<Scheme>,
    host: Host,
    port: u16,
    credentials: Option<Arc<Credentials>>,
}

impl Tokens {
    pub(super) fn new(hint: Scheme, addresses: AddressPolicy) -> Tokens {
        Tokens {
            hint,
            addresses,
            credentials: None,
        }
    }

    /// Reads one token.
    pub(super) fn read(&mut self, token: &[u8]) -> Result<Sighting, Unread> {
        if let Some((ip, port)) = clean(token) {
            let candidate = self.admit(self.hint, Host::V4(ip), port, None)?;
            return Ok(Sighting {
                candidate,
                named: false,
            });
        }
        let parts = match find(token, b"://") {
            Some(at) => self.read_url(&token[..at], &token[at + 3..])?,
            None => {
                if let Some(lonely) = lonely(token) {
                    return Err(Unread::Lonely(lonely));
                }
                self.read_bare(token)?
            }
        };
        let scheme = parts.scheme.unwrap_or(self.hint);
        Ok(Sighting {
            candidate: self.admit(scheme, parts.host, parts.port, parts.credentials)?,
            named: parts.scheme.is_some(),
        })
    }

    /// The protocol of what names none.
    pub(super) fn hint(&self) -> Scheme {
        self.hint
    }

    /// A candidate from parts that were read apart, if its address may be dialled.
    pub(super) fn admit(
        &self,
        scheme: Scheme,
        host: Host,
        port: u16,
        credentials: Option<Arc<Credentials>>,
    ) -> Result<Candidate, Skip> {
        if !self.addresses.allows_host(&host) {
            return Err(Skip::NotPublic);
        }
        if !self.addresses.allows_port(port) {
            return Err(Skip::DeniedPort);
        }
        Ok(Candidate {
            scheme,
            host,
            port,
            credentials,
        })
    }

    /// `scheme://` and any order of the parts behind it.
    fn read_url(&mut self, scheme: &[u8], rest: &[u8]) -> Result<Parts, Skip> {
        let scheme = str::from_utf8(scheme).map_err(|_| Skip::Noise)?;
        let scheme = Scheme::from_label(scheme).ok_or(Skip::BadScheme)?;
        let end = rest.iter().position(|b| matches!(b, b'/' | b'?' | b'#'));
        let (authority, tail) = rest.split_at(end.unwrap_or(rest.len()));
        if !matches!(tail, b"" | b"/" | [b'#', ..]) {
            // A link to a page, unless it is a password with a `/` that should have been `%2F`.
            let password = tail.contains(&b'@');
            return Err(if password {
                Skip::BadCredentials
            } else {
                Skip::Noise
            });
        }
        let parts = match authority.contains(&b'@') {
            true => self.around_at(authority, Context::Scheme),
            false => self.between_colons(authority, Context::Scheme),
        };
        let parts = parts?;
        // `host:port:user:pa` is no URL: a `#` or a `/` behind it may be part of the password.
        let open = parts.credentials.is_some() && !authority.ends_with(&port_bytes(parts.port));
        if open && !tail.is_empty() {
            return Err(Skip::BadCredentials);
        }
        Ok(Parts {
            scheme: Some(scheme),
            ..parts
        })
    }

    /// Any order of the parts without a scheme.
    fn read_bare(&mut self, token: &[u8]) -> Result<Parts, Skip> {
        match token.contains(&b'@') {
            true => self.around_at(token, Context::Bare),
            false => self.between_colons(token, Context::Bare),
        }
    }

    /// `user:pass@host:port` or `host:port@user:pass`: if the host could be on both sides it is behind
    /// the `@`, as in URLs.
    fn around_at(&mut self, token: &[u8], context: Context) -> Result<Parts, Skip> {
        let Some((first, last)) = ends(token, b'@') else {
            return Err(Skip::Noise);
        };
        let (before, behind) = (&token[..last], &token[last + 1..]);
        let (endpoint, userinfo) = match (endpoint(behind, context), whole(&token[..first])) {
            (Ok(endpoint), _) => (endpoint, before),
            (Err(_), Some(endpoint)) => (endpoint, &token[first + 1..]),
            (Err(skip), None) => {
                // The `@` may be part of a user or a password.
                let colons = self.between_colons(token, Context::Bare);
                return colons.map_err(|other| if skip == Skip::Noise { other } else { skip });
            }
        };
        // `ss@1.2.3.4:80` may be the end of a password; a URL may hold a user alone.
        if context == Context::Bare && !userinfo.contains(&b':') {
            return Err(Skip::BadCredentials);
        }
        let text = str::from_utf8(userinfo).map_err(|_| Skip::BadCredentials)?;
        let credentials = parse_userinfo(text).map_err(|_| Skip::BadCredentials)?;
        let credentials = credentials.map(|read| self.shared(read));
        let scheme = match Tail::of(endpoint.tail) {
            Tail::Nothing => None,
            Tail::Protocol(scheme) => Some(scheme),
            Tail::Credentials(..) | Tail::Unclear => return Err(Skip::BadCredentials),
        };
        Ok(Parts {
            scheme,
            host: endpoint.host,
            port: endpoint.port,
            credentials,
        })
    }

    /// `host:port`, `host:port:Country`, `host:port:user:pass`, `user:pass:host:port`,
    /// `protocol:host:port`.
    fn between_colons(&mut self, token: &[u8], context: Context) -> Result<Parts, Skip> {
        let bare = match endpoint(token, Context::Bare) {
            Ok(endpoint) => return self.with_tail(endpoint),
            Err(skip) => skip,
        };
        if is_bare_v6(token) {
            return Err(Skip::BadHost);
        }
        if let Some((before, endpoint)) = at_end(token) {
            return self.with_start(before, endpoint);
        }
        match context {
            Context::Bare => Err(bare),
            Context::Scheme => {
                let endpoint = endpoint(token, context)?;
                self.with_tail(endpoint)
            }
        }
    }

    fn with_tail(&mut self, endpoint: Endpoint<'_>) -> Result<Parts, Skip> {
        let (mut scheme, mut credentials) = (None, None);
        match Tail::of(endpoint.tail) {
            Tail::Nothing => {}
            Tail::Protocol(named) => scheme = Some(named),
            Tail::Credentials(user, password) => {
                credentials = Some(self.plain_credentials(user, password)?);
            }
            Tail::Unclear => return Err(Skip::BadCredentials),
        }
        Ok(Parts {
            scheme,
            host: endpoint.host,
            port: endpoint.port,
            credentials,
        })
    }

    /// What stands before `host:port`: a user and a password, or a protocol.
    fn with_start(&mut self, before: &[u8], endpoint: Endpoint<'_>) -> Result<Parts, Skip> {
        let (mut scheme, mut credentials) = (None, None);
        match ends(before, b':') {
            None => scheme = Some(protocol(before).ok_or(Skip::BadCredentials)?),
            Some((one, other)) if one == other => {
                credentials = Some(self.plain_credentials(&before[..one], &before[one + 1..])?);
            }
            Some(_) => return Err(Skip::BadCredentials),
        }
        Ok(Parts {
            scheme,
            host: endpoint.host,
            port: endpoint.port,
            credentials,
        })
    }

    /// Credentials that are not percent-encoded.
    pub(super) fn plain_credentials(
        &mut self,
        user: &[u8],
        password: &[u8],
    ) -> Result<Arc<Credentials>, Skip> {
        let text = |part: &[u8]| match str::from_utf8(part) {
            Ok(text) if text.len() <= 255 => Ok(text.into()),
            _ => Err(Skip::BadCredentials),
        };
        let (user, password) = (text(user)?, text(password)?);
        Ok(self.shared(Arc::new(Credentials { user, password })))
    }

    fn shared(&mut self, read: Arc<Credentials>) -> Arc<Credentials> {
        match &self.credentials {
            Some(before) if *before == read => Arc::clone(before),
            _ => Arc::clone(self.credentials.insert(read)),
        }
    }
}

/// What may follow a port.
enum Tail<'a> {
    /// Nothing, a `#comment`, or words such as a country.
    Nothing,
    Protocol(Scheme),
    Credentials(&'a [u8], &'a [u8]),
    /// What could be the half of credentials, which must not be dropped.
    Unclear,
}

impl Tail<'_> {
    fn of(tail: &[u8]) -> Tail<'_> {
        let Some(words) = tail.strip_prefix(b":") else {
            return Tail::Nothing;
        };
        let Some((first, last)) = ends(words, b':') else {
            return match protocol(words) {
                Some(scheme) => Tail::Protocol(scheme),
                None if words.iter().any(|b| b.is_ascii_digit() || *b == b'@') => Tail::Unclear,
                None => Tail::Nothing,
            };
        };
        let (user, password) = (&words[..first], &words[first + 1..]);
        let named = protocol(user).is_some() || protocol(&words[last + 1..]).is_some();
        match named || user.is_empty() || password.is_empty() {
            true => Tail::Unclear,
            false => Tail::Credentials(user, password),
        }
    }
}

fn protocol(word: &[u8]) -> Option<Scheme> {
    str::from_utf8(word).ok().and_then(Scheme::from_label)
}

/// `host:port` and nothing else.
fn whole(text: &[u8]) -> Option<Endpoint<'_>> {
    let endpoint = endpoint(text, Context::Bare).ok()?;
    endpoint.tail.is_empty().then_some(endpoint)
}

/// What stands before a `host:port` that ends the token.
fn at_end(token: &[u8]) -> Option<(&[u8], Endpoint<'_>)> {
    let port = token.iter().rposition(|b| *b == b':')?;
    let start = match token[..port].ends_with(b"]") {
        true => token.iter().rposition(|b| *b == b'[')?,
        false => token[..port].iter().rposition(|b| *b == b':')? + 1,
    };
    let before = token[..start].strip_suffix(b":")?;
    let endpoint = whole(&token[start..])?;
    (!before.is_empty()).then_some((before, endpoint))
}

/// The end of what ends in `port`.
fn port_bytes(port: u16) -> Vec<u8> {
    format!(":{port}").into_bytes()
}

/// Where `byte` stands first and last.
fn ends(text: &[u8], byte: u8) -> Option<(usize, usize)> {
    let first = text.iter().position(|b| *b == byte)?;
    let last = text.iter().rposition(|b| *b == byte)?;
    Some((first, last))
}

fn find(text: &[u8], what: &[u8]) -> Option<usize> {
    text.windows(what.len()).position(|window| window == what)
}

#[cfg(test)]
mod tests;
