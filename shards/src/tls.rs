//! TLS by rustls: to the target through an opened tunnel, and to a proxy itself. Sans-io, but rustls
//! asks the system for randomness, and for the date that certificates are valid on.

mod chains;
pub(crate) mod layer;
mod outgoing;
mod provider;
pub(crate) mod session;
mod tickets;
mod unverified;

use crate::policy::ProbePolicy;
use crate::rule::Rule;
use crate::target::Target;
use crate::verify::head::HEAD_BYTES_MAX;
use chains::Chains;
use layer::{Layer, Peer};
use provider::provider;
use rustls::client::{Resumption, Tls12Resumption, WantsClientCert, WebPkiServerVerifier};
use rustls::pki_types::ServerName;
use rustls::time_provider::{DefaultTimeProvider, TimeProvider};
use rustls::{ClientConfig, ConfigBuilder, WantsVerifier};
use session::Session;
use std::net::{IpAddr, Ipv4Addr};
use std::rc::Rc;
use std::sync::Arc;
use tickets::Tickets;
use unverified::Unverified;

/// Wire bytes that a handshake and its session tickets may take; a chain of certificates is 2 to
/// 10 KiB.
const HANDSHAKE_BYTES_MAX: usize = 128 * 1024;

/// Wire bytes that TLS may take to carry `plain` bytes, its handshake included. Twice: small records
/// and chunks have their frames.
const fn wire_bytes_max(plain: usize) -> usize {
    plain.saturating_mul(2).saturating_add(HANDSHAKE_BYTES_MAX)
}

/// How connections of one shard are made: its own configuration, so that shards never write the
/// same reference count, over trust anchors that they share and only read.
pub(crate) struct Client {
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
    peer: Peer,
    wire_bytes_max: usize,
    /// Sessions that can be resumed; none with proxies, who are met once.
    tickets: Option<Arc<Tickets>>,
}

impl Client {
    /// The client for `target`; nothing if the target does not use TLS.
    pub(crate) fn to_target(policy: &ProbePolicy, target: &Target) -> Option<Client> {
        Client::by(Arc::new(DefaultTimeProvider), policy, target)
    }

    /// The same by another clock than the system's.
    fn by(clock: Arc<dyn TimeProvider>, policy: &ProbePolicy, target: &Target) -> Option<Client> {
        if !target.tls {
            return None;
        }
        // A policy holds no target whose host is not a name for TLS.
        let name = ServerName::try_from(target.host.to_string()).ok()?;
        let verifier =
            WebPkiServerVerifier::builder_with_provider(Arc::clone(&policy.roots), provider())
                .build()
                .expect("a policy has trust anchors");
        let config = builder(Arc::clone(&clock))
            .dangerous() // rustls' own verifier, which only does not do again what it has done
            .with_custom_certificate_verifier(Arc::new(Chains::new(verifier)));
        let tickets = Arc::new(Tickets::new(clock));
        let resumption = Resumption::store(Arc::<Tickets>::clone(&tickets))
            .tls12_resumption(Tls12Resumption::Disabled);
        Some(Client {
            config: finished(config, resumption),
            name,
            peer: Peer::Target,
            wire_bytes_max: wire_bytes_max(answer_bytes_max(target)),
            tickets: Some(tickets),
        })
    }

    /// The client for proxies that are asked for `target` inside TLS.
    ///
    /// Their certificates are not verified: a public list has addresses, hardly a proxy has a
    /// certificate for one, and a proxy is not to be trusted anyway. That the target answered is
    /// proven as through any other proxy, for an `https` target by a second TLS inside the first.
    pub(crate) fn to_proxies(target: &Target) -> Client {
        let config = builder(Arc::new(DefaultTimeProvider))
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Unverified::new()));
        // Inside: the proxy's head, then the answer or the target's TLS around it.
        let answer = match target.tls {
            true => wire_bytes_max(answer_bytes_max(target)),
            false => answer_bytes_max(target),
        };
        Client {
            config: finished(config, Resumption::disabled()),
            // No address of any proxy, and so no SNI (RFC 6066, section 3); it is never looked at.
            name: ServerName::from(IpAddr::V4(Ipv4Addr::UNSPECIFIED)),
            peer: Peer::Proxy,
            wire_bytes_max: wire_bytes_max(answer.saturating_add(HEAD_BYTES_MAX)),
            tickets: None,
        }
    }

    /// A new connection and its ClientHello.
    ///
    /// # Errors
    /// `local_fault` if rustls cannot make one, as without randomness.
    pub(crate) fn connect(&self) -> Result<(Layer, Rc<[u8]>), Rule> {
        let (config, name) = (Arc::clone(&self.config), self.name.clone());
        Layer::new(
            config,
            name,
            self.peer,
            self.wire_bytes_max,
            self.tickets.clone(),
        )
    }

    /// The same, for the target's answer.
    ///
    /// # Errors
    /// As [`Client::connect`].
    pub(crate) fn session(&self) -> Result<(Box<Session>, Rc<[u8]>), Rule> {
        let (layer, hello) = self.connect()?;
        Ok((Box::new(Session::new(layer)), hello))
    }
}

fn answer_bytes_max(target: &Target) -> usize {
    HEAD_BYTES_MAX.saturating_add(target.body_bytes_max)
}

fn builder(clock: Arc<dyn TimeProvider>) -> ConfigBuilder<ClientConfig, WantsVerifier> {
    ClientConfig::builder_with_details(provider(), clock)
        .with_safe_default_protocol_versions()
        .expect("ring supports TLS 1.2 and 1.3")
}

fn finished(
    builder: ConfigBuilder<ClientConfig, WantsClientCert>,
    resumption: Resumption,
) -> Arc<ClientConfig> {
    let mut config = builder.with_no_client_auth();
    config.resumption = resumption;
    config.enable_early_data = false;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Arc::new(config)
}

#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;

#[cfg(test)]
mod clock;
#[cfg(test)]
pub(crate) mod peer;
#[cfg(test)]
mod resumption;
#[cfg(test)]
mod tests;
