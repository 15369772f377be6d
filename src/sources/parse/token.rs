//! One run of bytes without separators → a candidate, or why not. Pure: it knows neither lines nor
//! the list around it.
//!
//! A new order of the same parts (`host:port:user:pass` …) is one more function tried in
//! [`Tokens::read`].

use super::Skip;
use super::endpoint::{Context, clean, endpoint};
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

impl Tokens {
    pub(super) fn new(hint: Scheme, addresses: AddressPolicy) -> Tokens {
        Tokens {
            hint,
            addresses,
            credentials: None,
        }
    }

    /// Reads one token. [`Skip::Noise`] means that it does not look like a proxy at all.
    pub(super) fn read(&mut self, token: &[u8]) -> Result<Candidate, Skip> {
        if let Some((ip, port)) = clean(token) {
            return self.admit(self.hint, Host::V4(ip), port, None);
        }
        match find(token, b"://") {
            Some(at) => self.read_url(&token[..at], &token[at + 3..]),
            None => self.read_bare(token),
        }
    }

    /// `scheme://[user[:pass]@]host:port[/]`
    fn read_url(&mut self, scheme: &[u8], rest: &[u8]) -> Result<Candidate, Skip> {
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
        let (userinfo, address) = split_userinfo(authority);
        let endpoint = endpoint(address, Context::Scheme)?;
        let credentials = self.credentials(userinfo)?;
        self.admit(scheme, endpoint.host, endpoint.port, credentials)
    }

    /// `[user:pass@]host:port[:Country]`
    fn read_bare(&mut self, token: &[u8]) -> Result<Candidate, Skip> {
        let (userinfo, address) = split_userinfo(token);
        let address = address.strip_suffix(b"/").unwrap_or(address);
        let endpoint = match endpoint(address, Context::Bare) {
            // `host:port@user:pass`: the right parts in an order that is not read.
            Err(Skip::Noise) if userinfo.is_some_and(|u| clean(u).is_some()) => {
                return Err(Skip::BadCredentials);
            }
            other => other?,
        };
        if userinfo.is_some_and(|u| !u.contains(&b':')) {
            return Err(Skip::BadCredentials); // `ss@1.2.3.4:80` may be the end of a password
        }
        let credentials = self.credentials(userinfo)?;
        let scheme = endpoint.scheme.unwrap_or(self.hint);
        self.admit(scheme, endpoint.host, endpoint.port, credentials)
    }

    fn credentials(&mut self, userinfo: Option<&[u8]>) -> Result<Option<Arc<Credentials>>, Skip> {
        let Some(userinfo) = userinfo else {
            return Ok(None);
        };
        let text = str::from_utf8(userinfo).map_err(|_| Skip::BadCredentials)?;
        let read = parse_userinfo(text).map_err(|_| Skip::BadCredentials)?;
        if read.is_some() && read != self.credentials {
            self.credentials = read;
        } else if read.is_none() {
            return Ok(None);
        }
        Ok(self.credentials.clone())
    }

    fn admit(
        &self,
        scheme: Scheme,
        host: Host,
        port: u16,
        credentials: Option<Arc<Credentials>>,
    ) -> Result<Candidate, Skip> {
        if !self.addresses.allows_host(&host) {
            return Err(Skip::NotPublic);
        }
        Ok(Candidate {
            scheme,
            host,
            port,
            credentials,
        })
    }
}

/// What stands before the last `@`, if there is one, and what stands behind it.
fn split_userinfo(text: &[u8]) -> (Option<&[u8]>, &[u8]) {
    match text.iter().rposition(|b| *b == b'@') {
        Some(at) => (Some(&text[..at]), &text[at + 1..]),
        None => (None, text),
    }
}

fn find(text: &[u8], what: &[u8]) -> Option<usize> {
    text.windows(what.len()).position(|window| window == what)
}

#[cfg(test)]
mod tests;
