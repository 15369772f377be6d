//! A policy compiled for one shard.

use super::watch::{Watch, Watched};
use crate::handshake::http::Request;
use crate::handshake::{connect, socks5};
use crate::policy::ProbePolicy;
use crate::target::Target;
use crate::tls::Client;
use crate::verify::Proof;
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;

/// A policy compiled for one shard: what is sent to every proxy is made once. Holds `Rc`s, so it
/// stays in its shard.
pub struct Plan {
    pub(super) policy: Arc<ProbePolicy>,
    pub(super) targets: Box<[Questions]>,
    pub(super) watched: Watched,
}

impl Plan {
    /// Compiles `policy`.
    pub fn new(policy: Arc<ProbePolicy>) -> Plan {
        let questions = |target| Questions::new(&policy, target);
        Plan {
            targets: policy.targets.iter().map(questions).collect(),
            policy,
            watched: Watched::default(),
        }
    }

    /// The same, with every conversation watched.
    #[must_use]
    pub fn watched(self, watch: Rc<dyn Watch>) -> Plan {
        Plan {
            watched: Watched::by(watch),
            ..self
        }
    }

    /// What was compiled.
    pub fn policy(&self) -> &ProbePolicy {
        &self.policy
    }
}

impl fmt::Debug for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Plan").field(&self.policy.targets).finish()
    }
}

/// What is said about one target, and what must come back.
pub(super) struct Questions {
    pub(super) proof: Proof,
    pub(super) absolute_form: Request,
    pub(super) origin_form: Request,
    pub(super) connect: Rc<[u8]>,
    pub(super) socks5: socks5::Questions,
    /// Whether an HTTP proxy is asked for a tunnel.
    pub(super) tunnel: bool,
    /// Present for an `https` target.
    pub(super) tls: Option<Client>,
    /// For proxies behind TLS.
    pub(super) proxy_tls: Client,
}

impl Questions {
    fn new(policy: &ProbePolicy, target: &Target) -> Questions {
        Questions {
            proof: Proof::new(policy, target),
            absolute_form: Request::absolute_form(policy, target),
            origin_form: Request::origin_form(policy, target),
            connect: connect::request(policy, target),
            socks5: socks5::Questions::new(target),
            tunnel: target.tls || target.tunnel,
            tls: Client::to_target(policy, target),
            proxy_tls: Client::to_proxies(target),
        }
    }
}
