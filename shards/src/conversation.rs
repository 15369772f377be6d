//! All that is said to one proxy after the TCP connect, as one sans-io machine: handshake, TLS,
//! request, verification.

use crate::handshake::connect::{self, Connect};
use crate::handshake::socks4::{self, Socks4};
use crate::handshake::socks5::{self, Socks5};
use crate::handshake::{Progress, http};
use crate::judge::Exit;
use crate::policy::ProbePolicy;
use crate::target::{Learnt, Target};
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
    targets: Box<[Questions]>,
}

/// What is said about one target, and what must come back.
struct Questions {
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
        let questions = |target| Questions::new(&policy, target);
        Plan {
            targets: policy.targets.iter().map(questions).collect(),
            policy,
        }
    }

    /// The same, with every conversation watched.
    #[must_use]
    pub fn watched(self, watch: Rc<dyn Watch>) -> Plan {
        let _ = watch;
        todo!()
    }

    /// What was compiled.
    pub fn policy(&self) -> &ProbePolicy {
        &self.policy
    }
}

/// Sees what happens in conversations; only `explain` wants to.
pub trait Watch: fmt::Debug {
    /// Takes one note, in the order of what happens.
    fn note(&self, note: Note<'_>);
}

/// What is not to be seen on the wire. Bytes of a peer are raw: escape them before printing.
#[derive(Clone, Copy)]
pub enum Note<'a> {
    /// Said inside TLS.
    Sent(&'a [u8]),
    /// Heard inside TLS.
    Received(&'a [u8]),
    /// TLS stands: its version, cipher suite, and whether a session was resumed.
    Tls(&'a dyn fmt::Display),
    /// The rule that leads to the verdict, in one line of printable text.
    Rule(&'a dyn fmt::Display),
}

impl Questions {
    fn new(policy: &ProbePolicy, target: &Target) -> Questions {
        Questions {
            proof: Proof::new(target),
            absolute_form: http::absolute_form(policy, target),
            origin_form: http::origin_form(policy, target),
            connect: connect::request(policy, target),
            socks5: socks5::Questions::new(target),
            tls: Client::new(policy, target),
        }
    }
}

impl fmt::Debug for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Plan").field(&self.policy.targets).finish()
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
    /// Which target of the plan.
    target: u8,
    phase: Phase,
}

/// How the target is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Without a proxy.
    Direct,
    /// Through a proxy that speaks this.
    Proxy(Protocol),
}

/// What a conversation that has ended found out beside its verdict.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Finding {
    /// What a judge saw.
    pub exit: Option<Exit>,
    /// What the target said, of a conversation without a proxy.
    pub learnt: Option<Box<Learnt>>,
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
        target: usize,
        way: Way,
        credentials: Option<&Credentials>,
    ) -> (Conversation, Step) {
        let (phase, step) = match first(plan, target, way, credentials) {
            Ok((phase, question)) => (phase, Step::Ask(question)),
            Err(verdict) => (Phase::Done(verdict), Step::Done(verdict)),
        };
        let target = target as u8;
        (Conversation { target, phase }, step)
    }

    /// Takes bytes from the peer; an empty slice is the end of its stream. Total: after the verdict
    /// it gives the same verdict again.
    pub fn received(&mut self, plan: &Plan, bytes: &[u8]) -> Step {
        let questions = &plan.targets[usize::from(self.target)];
        let progress = match &mut self.phase {
            Phase::Done(verdict) => return Step::Done(*verdict),
            Phase::Answer(answer) => answer
                .received(&questions.proof, bytes)
                .map_or(Progress::Recv, Progress::Ended),
            Phase::Tls(session) => {
                session.received(&questions.origin_form, &questions.proof, bytes)
            }
            _ if bytes.is_empty() => Progress::Ended(Verdict::Closed),
            Phase::Connect(connect) => connect.received(bytes),
            Phase::Socks4(socks) => socks.received(bytes),
            Phase::Socks5(socks) => socks.received(&questions.socks5, bytes),
        };
        match progress {
            Progress::Ask(question) => Step::Ask(question),
            Progress::Recv => Step::Recv,
            Progress::Open => self.open(questions),
            Progress::Ended(verdict) => self.end(verdict),
        }
    }

    /// What was found out, once it has ended.
    pub fn finding(&mut self) -> Finding {
        Finding::default()
    }

    /// The stage under way: `Handshake` (the proxy's own, and TLS to it), `Tls` (to the target) or
    /// `Response`.
    pub fn stage(&self) -> Stage {
        match &self.phase {
            Phase::Connect(_) | Phase::Socks4(_) | Phase::Socks5(_) => Stage::Handshake,
            Phase::Tls(session) if !session.is_open() => Stage::Tls,
            Phase::Tls(_) | Phase::Answer(_) | Phase::Done(_) => Stage::Response,
        }
    }

    /// The way to the target is open: TLS or the request.
    fn open(&mut self, questions: &Questions) -> Step {
        let Some(client) = &questions.tls else {
            self.phase = Phase::Answer(Answer::default());
            return Step::Ask(Rc::clone(&questions.origin_form));
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

/// The first question and what reads its reply.
fn first(
    plan: &Plan,
    target: usize,
    way: Way,
    credentials: Option<&Credentials>,
) -> Result<(Phase, Rc<[u8]>), Verdict> {
    let questions = &plan.targets[target];
    Ok(match (way, &questions.tls) {
        (Way::Direct | Way::Proxy(Protocol::Https), _) => todo!(),
        (Way::Proxy(Protocol::Http), None) => {
            let request = http::authorized(&questions.absolute_form, credentials);
            (Phase::Answer(Answer::default()), request)
        }
        (Way::Proxy(Protocol::Http), Some(_)) => {
            let request = http::authorized(&questions.connect, credentials);
            (Phase::Connect(Connect::default()), request)
        }
        (Way::Proxy(Protocol::Socks4), _) => {
            let request = socks4::request(&plan.policy.targets[target], credentials)?;
            (Phase::Socks4(Socks4::default()), request)
        }
        (Way::Proxy(Protocol::Socks5), _) => {
            let (socks, greeting) = Socks5::begin(&questions.socks5, credentials)?;
            (Phase::Socks5(socks), greeting)
        }
    })
}

#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod tests;
