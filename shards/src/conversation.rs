//! All that is said to one proxy after the TCP connect, as one sans-io machine: handshake, TLS,
//! request, verification.

use crate::handshake::connect::{self, Connect};
use crate::handshake::socks4::{self, Socks4};
use crate::handshake::socks5::{self, Socks5};
use crate::handshake::{Progress, http};
use crate::policy::ProbePolicy;
use crate::tls::{Client, Session};
use crate::verify::{Answer, Proof};
use crate::{Credentials, Protocol, Stage, Verdict};
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;

/// A policy compiled for one shard: what is sent to every proxy is made once. Holds `Rc`s, so it
/// stays in its shard.
pub struct Plan {
    policy: Arc<ProbePolicy>,
    proof: Proof,
    absolute_form: Rc<[u8]>,
    origin_form: Rc<[u8]>,
    connect: Rc<[u8]>,
    socks5: socks5::Questions,
    /// Present for an `https` target.
    tls: Option<Client>,
}

impl Plan {
    /// Compiles `policy`.
    pub fn new(policy: Arc<ProbePolicy>) -> Plan {
        Plan {
            proof: Proof::new(&policy),
            absolute_form: http::absolute_form(&policy),
            origin_form: http::origin_form(&policy),
            connect: connect::request(&policy),
            socks5: socks5::Questions::new(&policy.target),
            tls: Client::new(&policy),
            policy,
        }
    }

    /// What was compiled.
    pub fn policy(&self) -> &ProbePolicy {
        &self.policy
    }
}

impl fmt::Debug for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Plan").field(&self.policy.target).finish()
    }
}

/// What the caller of a [`Conversation`] does next.
#[derive(Clone, PartialEq, Eq)]
pub enum Step {
    /// Send these bytes, then receive.
    Ask(Rc<[u8]>),
    /// Receive more.
    Recv,
    /// The probe is over.
    Done(Verdict),
}

/// Shows the length of what is sent, never the bytes: they may hold credentials.
impl fmt::Debug for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Step::Ask(bytes) => write!(f, "Ask({} bytes)", bytes.len()),
            Step::Recv => f.write_str("Recv"),
            Step::Done(verdict) => f.debug_tuple("Done").field(verdict).finish(),
        }
    }
}

/// What was said so far to one proxy. At most one question is outstanding at any time. It is small,
/// because each lane holds one; what is large or rare is boxed.
pub struct Conversation {
    phase: Phase,
}

enum Phase {
    Connect(Connect),
    Socks4(Socks4),
    Socks5(Socks5),
    Tls(Box<Session>),
    Answer(Answer),
    Done(Verdict),
}

impl Conversation {
    /// Begins after the TCP connect, with the first question; in connect-only mode the probe ends
    /// before. What a protocol cannot say ends it here: SOCKS 4 knows no IPv6 targets (`denied`),
    /// and credentials that do not fit the protocol's fields are not sent (`auth_required`).
    pub fn begin(
        plan: &Rc<Plan>,
        protocol: Protocol,
        credentials: Option<&Credentials>,
    ) -> (Conversation, Step) {
        match first(plan, protocol, credentials) {
            Ok((phase, question)) => (Conversation { phase }, Step::Ask(question)),
            Err(verdict) => {
                let phase = Phase::Done(verdict);
                (Conversation { phase }, Step::Done(verdict))
            }
        }
    }

    /// Takes bytes from the peer; an empty slice is the end of its stream. Total: after the verdict
    /// it gives the same verdict again.
    pub fn received(&mut self, plan: &Plan, bytes: &[u8]) -> Step {
        let progress = match &mut self.phase {
            Phase::Done(verdict) => return Step::Done(*verdict),
            Phase::Answer(answer) => answer
                .received(&plan.proof, bytes)
                .map_or(Progress::Recv, Progress::Ended),
            Phase::Tls(session) => session.received(&plan.origin_form, &plan.proof, bytes),
            _ if bytes.is_empty() => Progress::Ended(Verdict::Closed),
            Phase::Connect(connect) => connect.received(bytes),
            Phase::Socks4(socks) => socks.received(bytes),
            Phase::Socks5(socks) => socks.received(&plan.socks5, bytes),
        };
        match progress {
            Progress::Ask(question) => Step::Ask(question),
            Progress::Recv => Step::Recv,
            Progress::Open => self.open(plan),
            Progress::Ended(verdict) => self.end(verdict),
        }
    }

    /// The stage under way, for timeouts: `Handshake` (the proxy's handshake and TLS) or `Response`.
    pub fn stage(&self) -> Stage {
        match &self.phase {
            Phase::Connect(_) | Phase::Socks4(_) | Phase::Socks5(_) => Stage::Handshake,
            Phase::Tls(session) if !session.is_open() => Stage::Handshake,
            Phase::Tls(_) | Phase::Answer(_) | Phase::Done(_) => Stage::Response,
        }
    }

    /// The way to the target is open: TLS or the request.
    fn open(&mut self, plan: &Plan) -> Step {
        let Some(client) = &plan.tls else {
            self.phase = Phase::Answer(Answer::default());
            return Step::Ask(Rc::clone(&plan.origin_form));
        };
        match client.connect() {
            Ok((session, hello)) => {
                self.phase = Phase::Tls(session);
                Step::Ask(hello)
            }
            Err(verdict) => self.end(verdict),
        }
    }

    fn end(&mut self, verdict: Verdict) -> Step {
        self.phase = Phase::Done(verdict);
        Step::Done(verdict)
    }
}

impl fmt::Debug for Conversation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.phase {
            Phase::Done(verdict) => write!(f, "Conversation(Done({verdict:?}))"),
            _ => write!(f, "Conversation({:?})", self.stage()),
        }
    }
}

/// The first question to a proxy and what reads its reply.
fn first(
    plan: &Plan,
    protocol: Protocol,
    credentials: Option<&Credentials>,
) -> Result<(Phase, Rc<[u8]>), Verdict> {
    Ok(match (protocol, &plan.tls) {
        (Protocol::Http, None) => {
            let request = http::authorized(&plan.absolute_form, credentials);
            (Phase::Answer(Answer::default()), request)
        }
        (Protocol::Http, Some(_)) => {
            let request = http::authorized(&plan.connect, credentials);
            (Phase::Connect(Connect::default()), request)
        }
        (Protocol::Socks4, _) => {
            let request = socks4::request(&plan.policy.target, credentials)?;
            (Phase::Socks4(Socks4::default()), request)
        }
        (Protocol::Socks5, _) => {
            let (socks, greeting) = Socks5::begin(&plan.socks5, credentials)?;
            (Phase::Socks5(socks), greeting)
        }
    })
}

#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod tests;
