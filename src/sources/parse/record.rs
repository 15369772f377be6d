//! A proxy whose parts have names: columns of a table, fields of a JSON object.

use super::Skip;
use super::columns::Role;
use super::endpoint::{lonely, read_port};
use super::token::{Tokens, Unread};
use super::words::Schemes;
use proxy_shards::{Candidate, Credentials, Host};
use std::net::Ipv6Addr;
use std::sync::Arc;

/// The named parts of one proxy, as text.
#[derive(Clone, Debug, Default)]
pub(super) struct Record {
    host: Option<Box<[u8]>>,
    proxy: Option<Box<[u8]>>,
    port: Option<Box<[u8]>>,
    user: Option<Box<[u8]>>,
    password: Option<Box<[u8]>>,
    pub(super) schemes: Schemes,
}

impl Record {
    /// Takes one part. Of several hosts the first that is an IP address counts, else the first.
    pub(super) fn set(&mut self, role: Role, value: &[u8]) {
        let value = value.trim_ascii();
        if value.is_empty() {
            return;
        }
        let place = match role {
            Role::Host => {
                let is_name = |text: &[u8]| !matches!(lonely(text), Some(l) if !matches!(l.host, Host::Name(_)));
                if self.host.as_deref().is_none_or(is_name)
                    && (self.host.is_none() || !is_name(value))
                {
                    self.host = Some(value.into());
                }
                return;
            }
            Role::Protocol => return self.schemes.read(&String::from_utf8_lossy(value)),
            Role::List => return,
            Role::Proxy => &mut self.proxy,
            Role::Port => &mut self.port,
            Role::User => &mut self.user,
            Role::Password => &mut self.password,
        };
        place.get_or_insert_with(|| value.into());
    }

    /// Whether there is a host.
    pub(super) fn has_host(&self) -> bool {
        self.host.is_some() || self.proxy.is_some()
    }

    /// The candidates: one for each protocol that is named. `Err(Noise)` if there is no proxy in it.
    pub(super) fn read(&self, tokens: &mut Tokens) -> Result<Vec<Candidate>, Skip> {
        let first = match (&self.host, &self.proxy) {
            (Some(host), Some(proxy)) => match self.read_one(host, tokens) {
                Err(Skip::BadPort | Skip::Noise) if self.port.is_none() => {
                    self.read_one(proxy, tokens)
                }
                read => read,
            },
            (Some(one), None) | (None, Some(one)) => self.read_one(one, tokens),
            (None, None) => Err(Skip::Noise),
        }?;
        if !first.1 && self.schemes.are_foreign() {
            return Err(Skip::BadScheme);
        }
        let schemes = match self.schemes.named() {
            named if !first.1 && !named.is_empty() => named,
            _ => return Ok(vec![first.0]),
        };
        let with = |scheme: &_| Candidate {
            scheme: *scheme,
            ..first.0.clone()
        };
        Ok(schemes.iter().map(with).collect())
    }

    /// A candidate from the text of its host, and whether that text names the protocol.
    fn read_one(&self, text: &[u8], tokens: &mut Tokens) -> Result<(Candidate, bool), Skip> {
        let whole = tokens.read(text);
        let port = self.port.as_deref().map(read_port).transpose();
        let (mut candidate, named) = match whole {
            Ok(sighting) => {
                if port?.is_some_and(|port| port != sighting.candidate.port) {
                    return Err(Skip::BadPort); // two ports, and nothing says which
                }
                (sighting.candidate, sighting.named)
            }
            Err(unread) => {
                let Some(port) = port? else {
                    return Err(match unread {
                        Unread::Skip(skip) => skip,
                        // Without brackets or a port it may still be told apart here.
                        Unread::Lonely(lonely) if lonely.otherwise == Skip::Noise => Skip::Noise,
                        Unread::Lonely(_) => Skip::BadPort,
                    });
                };
                self.apart(text, unread, port, tokens)?
            }
        };
        if candidate.credentials.is_none() {
            candidate.credentials = self.credentials(tokens)?;
        }
        Ok((candidate, named))
    }

    fn credentials(&self, tokens: &mut Tokens) -> Result<Option<Arc<Credentials>>, Skip> {
        let part = |part: &Option<Box<[u8]>>| part.clone().unwrap_or_default();
        match (&self.user, &self.password) {
            (None, None) => Ok(None),
            (user, password) => tokens
                .plain_credentials(&part(user), &part(password))
                .map(Some),
        }
    }

    /// A candidate whose port stands apart from its host, which may have a scheme before it.
    fn apart(
        &self,
        text: &[u8],
        unread: Unread,
        port: u16,
        tokens: &Tokens,
    ) -> Result<(Candidate, bool), Skip> {
        let text = match unread {
            Unread::Lonely(lonely) => {
                let candidate = tokens.admit(tokens.hint(), lonely.host, port, None)?;
                return Ok((candidate, false));
            }
            Unread::Skip(Skip::NotPublic | Skip::DeniedPort) => return Err(Skip::NotPublic),
            Unread::Skip(_) => str::from_utf8(text).map_err(|_| Skip::BadHost)?,
        };
        let (scheme, host) = match text.split_once("://") {
            Some((scheme, host)) => {
                let scheme = proxy_shards::Scheme::from_label(scheme).ok_or(Skip::BadScheme)?;
                (Some(scheme), host.strip_suffix('/').unwrap_or(host))
            }
            None => (None, text),
        };
        let v6 = |text: &str| text.parse::<Ipv6Addr>().map(Host::V6);
        let host = v6(host)
            .or_else(|_| host.parse())
            .map_err(|_| Skip::BadHost)?;
        // `nginx` is a name too: nothing says that it is one of a proxy.
        let is_said = scheme.is_some() || self.user.is_some() || !self.schemes.named().is_empty();
        if matches!(&host, Host::Name(name) if !name.contains('.') && !is_said) {
            return Err(Skip::BadHost);
        }
        let candidate = tokens.admit(scheme.unwrap_or(tokens.hint()), host, port, None)?;
        Ok((candidate, scheme.is_some()))
    }
}
