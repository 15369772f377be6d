//! All that is said to one peer after the TCP connect, as one sans-io machine: handshake, TLS,
//! request, verification.

mod phase;
mod plan;
pub(crate) mod watch;

pub use plan::Plan;
pub use watch::{Note, Watch};

use crate::handshake::connect::Connect;
use crate::handshake::socks4::{self, Socks4};
use crate::handshake::socks5::Socks5;
use crate::handshake::{Progress, http};
use crate::judge::{Exit, NONCE_CHARS, Nonce};
use crate::rule::Rule;
use crate::target::{Learnt, Target};
use crate::verify::{Answer, Aside};
use crate::{Credentials, Protocol, Stage, Verdict};
use phase::{Phase, Secured, Surroundings};
use plan::Questions;
use ring::rand::{SecureRandom, SystemRandom};
use std::fmt;
use std::rc::Rc;

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
    /// What a judge saw; without a proxy, our own address.
    pub exit: Option<Exit>,
    /// What the target said, of a conversation without a proxy that got as far as its head.
    pub learnt: Option<Box<Learnt>>,
    /// Whether the peer's last word was status 400. A server behind TLS says so, in plain HTTP, to who
    /// speaks to it without.
    pub bad_request: bool,
}

/// What was said so far to one peer. At most one question is outstanding at any time. It is small,
/// because each lane holds one; what is large or rare is boxed.
pub struct Conversation {
    phase: Phase,
    /// What is this conversation's own: with a judge, and without a proxy.
    aside: Option<Box<Aside>>,
    /// Which target of the plan.
    target: u8,
    /// [`Finding::bad_request`].
    bad_request: bool,
}

impl Conversation {
    /// Begins after the TCP connect, with the first question; in connect-only mode the probe ends
    /// before. What a protocol cannot say ends it here: SOCKS 4 knows no IPv6 targets (`denied`),
    /// and credentials that do not fit the protocol's fields are not sent (`auth_required`). A plan
    /// without such a target is a fault of ours (`local_fault`).
    pub fn begin(
        plan: &Rc<Plan>,
        target: usize,
        way: Way,
        credentials: Option<&Credentials>,
    ) -> (Conversation, Step) {
        let begun = begun(plan, target, way, credentials);
        let (phase, aside, step) = match begun {
            Ok((phase, aside, question)) => (phase, aside, Step::Ask(question)),
            Err(rule) => {
                plan.watched.rule(&rule);
                let verdict = rule.verdict();
                (Phase::Done(verdict), None, Step::Done(verdict))
            }
        };
        let conversation = Conversation {
            phase,
            aside,
            target: u8::try_from(target).unwrap_or(u8::MAX),
            bad_request: false,
        };
        (conversation, step)
    }

    /// Takes bytes from the peer; an empty slice is the end of its stream. Total: after the verdict
    /// it gives the same verdict again.
    pub fn received(&mut self, plan: &Plan, bytes: &[u8]) -> Step {
        if let Phase::Done(verdict) = self.phase {
            return Step::Done(verdict);
        }
        let Some(questions) = plan.targets.get(usize::from(self.target)) else {
            return self.end(plan, &NO_TARGET);
        };
        let mut around = Surroundings {
            questions,
            aside: self.aside.as_deref_mut(),
            watched: &plan.watched,
        };
        match self.phase.received(&mut around, bytes) {
            Progress::Ask(question) => Step::Ask(question),
            Progress::Recv | Progress::Open => Step::Recv,
            Progress::Ended(rule) => self.end(plan, &rule),
        }
    }

    fn end(&mut self, plan: &Plan, rule: &Rule) -> Step {
        plan.watched.rule(rule);
        let verdict = rule.verdict();
        self.bad_request = rule.is_bad_request();
        self.phase = Phase::Done(verdict);
        Step::Done(verdict)
    }

    /// What was found out, once it has ended; the second time, nothing.
    pub fn finding(&mut self) -> Finding {
        let bad_request = std::mem::take(&mut self.bad_request);
        let (exit, learnt) = match self.aside.take() {
            None => (None, None),
            Some(aside) => (aside.exit, aside.learnt),
        };
        Finding {
            exit,
            learnt,
            bad_request,
        }
    }

    /// The stage under way: `Handshake` (the proxy's own, and TLS to it), `Tls` (to the target) or
    /// `Response`.
    pub fn stage(&self) -> Stage {
        self.phase.stage()
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

/// A target that the plan does not have.
const NO_TARGET: Rule = Rule::fault("the plan has no such target");

/// A conversation's beginning: what reads the reply, what is its own, and the first question.
type Begun = (Phase, Option<Box<Aside>>, Rc<[u8]>);

fn begun(
    plan: &Plan,
    target: usize,
    way: Way,
    credentials: Option<&Credentials>,
) -> Result<Begun, Rule> {
    let questions = plan.targets.get(target).ok_or(NO_TARGET)?;
    let aside = aside(questions, way)?;
    let opening = Opening {
        questions,
        target: &plan.policy.targets[target],
        aside: aside.as_deref(),
        credentials,
    };
    let (phase, question) = opening.first(way)?;
    Ok((phase, aside, question))
}

/// What is this conversation's own, if anything.
fn aside(questions: &Questions, way: Way) -> Result<Option<Box<Aside>>, Rule> {
    let direct = way == Way::Direct;
    let nonce = match questions.proof.is_judged() {
        true => nonce()?,
        false if direct => [b'0'; NONCE_CHARS],
        false => return Ok(None),
    };
    let request = questions.origin_form.with(&nonce);
    Ok(Some(Box::new(Aside::new(direct, nonce, request))))
}

/// A nonce that nobody can foresee.
fn nonce() -> Result<Nonce, Rule> {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut bytes = [0; NONCE_CHARS / 2];
    SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_| Rule::fault("the system gave no randomness for a nonce"))?;
    let mut nonce = [0; NONCE_CHARS];
    for (pair, byte) in nonce.chunks_exact_mut(2).zip(bytes) {
        pair[0] = DIGITS[usize::from(byte >> 4)];
        pair[1] = DIGITS[usize::from(byte & 15)];
    }
    Ok(nonce)
}

/// What the first question is made of.
struct Opening<'a> {
    questions: &'a Questions,
    target: &'a Target,
    aside: Option<&'a Aside>,
    credentials: Option<&'a Credentials>,
}

impl Opening<'_> {
    /// The first question and what reads its reply.
    fn first(&self, way: Way) -> Result<(Phase, Rc<[u8]>), Rule> {
        let questions = self.questions;
        match way {
            Way::Direct => Phase::at_target(questions, || match self.aside {
                Some(aside) => Rc::clone(&aside.request),
                None => Rc::clone(questions.origin_form.shared()),
            }),
            Way::Proxy(Protocol::Http) => Ok(self.http()),
            Way::Proxy(Protocol::Https) => {
                let (layer, hello) = questions.proxy_tls.connect()?;
                let (inner, first) = self.http();
                let secured = Secured::new(layer, first, inner);
                Ok((Phase::Secured(Box::new(secured)), hello))
            }
            Way::Proxy(Protocol::Socks4) => {
                let request = socks4::request(self.target, self.credentials)?;
                Ok((Phase::Socks4(Socks4::default()), request))
            }
            Way::Proxy(Protocol::Socks5) => {
                let (socks, greeting) = Socks5::begin(&questions.socks5, self.credentials)?;
                Ok((Phase::Socks5(socks), greeting))
            }
        }
    }

    /// The same of an HTTP proxy: CONNECT, or the request itself.
    fn http(&self) -> (Phase, Rc<[u8]>) {
        let questions = self.questions;
        match (questions.tunnel, self.aside) {
            (true, _) => (
                Phase::Connect(Connect::default()),
                http::authorized(&questions.connect, self.credentials),
            ),
            (false, aside) => {
                let request = match aside {
                    Some(aside) => questions.absolute_form.with(&aside.nonce),
                    None => Rc::clone(questions.absolute_form.shared()),
                };
                (
                    Phase::Answer(Answer::default()),
                    http::authorized(&request, self.credentials),
                )
            }
        }
    }
}

#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod judged;
#[cfg(test)]
mod replies;
#[cfg(test)]
mod secured;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod watched;
#[cfg(test)]
mod ways;
