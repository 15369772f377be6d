//! The course of one job: which probe is next, and what all of them together say. Pure.
//!
//! A job asks for each of its protocols against each target of the policy. Each such pair is one
//! probe: a connection of its own under a deadline of its own. Protocols are tried in the order of
//! [`crate::Protocols::in_order`], and within one the targets in the order of the policy. As few
//! connections as possible are made:
//!
//! - What the connect itself ends in (`refused`, `unreachable`, `connect_timeout`, or a connection
//!   lost before it stood) holds for every protocol and target: it ends the job.
//! - `bad_protocol` and `auth_required` hold for every target: they end the protocol. Not so
//!   `bad_protocol` behind a way that the proxy had opened: what stands there may be that target's.
//! - A port is plain or behind TLS: once `http` was answered in its own words, well or ill, `https`
//!   is not tried, nor the other way round. Only 400 to `http` says nothing: servers behind TLS
//!   answer so, in plain HTTP, to who speaks to them without.
//! - Who took two connections and let the time pass on both, by two protocols, is taken for silent
//!   by all.
//! - SOCKS 4 has no IPv6 addresses: for such a target it is not tried beside other protocols.
//! - Where all targets are required, the first that is missed ends the protocol. Where any is
//!   enough, the others are tried all the same: which of them were reached is told.
//! - Without a conversation (`connect-only`) there is one probe. It proves no protocol, so an open
//!   port counts as the first one, with every target, as it is listed.
//! - Silence and lost connections are tried again as often as the policy says, each probe for
//!   itself; trouble of this host three times in the whole job, each after a pause. If it stays,
//!   it ends the job: what was not tried is not held against the proxy, and the record says what.
//!
//! A job ends under the policy that it began with. Were it to begin anew with each new one, it
//! might never end.

use crate::Protocol;
use crate::job::{Ended, Job, Record, Timing};
use crate::judge::Exit;
use crate::policy::{Mode, ProbePolicy};
use crate::target::Target;
use crate::verdict::Verdict;
use crate::works::{Protocols, Require, Targets, Works};
use std::net::Ipv6Addr;
use std::time::Duration;

/// Before a probe that ended in local trouble is made again.
pub const LOCAL_PAUSE: Duration = Duration::from_millis(250);
/// Probes of one job that end in local trouble are made again this many times.
pub(crate) const LOCAL_RETRIES: u8 = 3;

/// Protocols by which a peer may stay silent before it is not asked by another.
const SILENT_PROTOCOLS_MAX: usize = 2;
/// [`Verdict::informative_rank`] of what only an answer in the protocol's own words leads to.
const ANSWERED: u8 = 3;

/// What becomes of a job after a probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Another probe, behind all other jobs, so that no lane waits for it.
    Probe,
    /// Another probe, after [`LOCAL_PAUSE`].
    ProbeLater,
    /// It is over: [`Course::record`].
    Record,
}

/// Where a job is on its way, and what it has found.
#[derive(Clone, Debug)]
pub struct Course {
    /// Of the probe under way, or of the next one.
    protocol: Protocol,
    target: u8,
    /// Protocols that are not begun any more.
    done: Protocols,
    /// Protocols by which the time passed.
    silent: Protocols,
    works: Works,
    /// The first protocol that reached enough.
    first: Option<Protocol>,
    attempts: u8,
    /// Times that the probe under way was made already.
    retried: u8,
    local_tries: u8,
    /// The most telling failure so far.
    failure: Option<Verdict>,
    /// What the job asks for and was not tried to its end, if it was cut.
    untried: Protocols,
    /// Of the first probe that reached its target: of `first`, else of the protocol under way.
    reached: Timing,
    last: Timing,
    /// What a judge saw, and by which protocol.
    exit: Option<(Protocol, Exit)>,
}

impl Course {
    /// Before the first probe of `job`.
    pub fn new(job: &Job) -> Course {
        let port = job.address.port();
        let protocol = job.protocols.in_order(port).next();
        Course {
            protocol: protocol.unwrap_or(Protocol::usual(port)),
            target: 0,
            done: Protocols::NONE,
            silent: Protocols::NONE,
            works: Works::default(),
            first: None,
            attempts: 0,
            retried: 0,
            local_tries: 0,
            failure: None,
            untried: Protocols::NONE,
            reached: Timing::default(),
            last: Timing::default(),
            exit: None,
        }
    }

    /// The protocol and the target of the next probe. The target is one of the policy's, as long as
    /// that is always the same.
    pub fn at(&self) -> (Protocol, usize) {
        (self.protocol, usize::from(self.target))
    }

    /// A probe of `job` ended so.
    pub fn ended(&mut self, job: &Job, policy: &ProbePolicy, ended: &Ended) -> Next {
        self.attempts = self.attempts.saturating_add(1);
        self.last = ended.timing;
        if let Some(exit) = ended.exit {
            self.saw(exit);
        }
        let (verdict, again) = (ended.verdict, ended.verdict.is_worth_retrying());
        if verdict.is_local() {
            if again && self.local_tries < LOCAL_RETRIES {
                self.local_tries += 1;
                return Next::ProbeLater;
            }
            self.cut(job, verdict);
            return Next::Record;
        }
        if again && self.retried < policy.retries {
            self.retried += 1;
            return Next::Probe;
        }
        self.retried = 0;
        match verdict {
            Verdict::Alive => self.reach(policy, ended.timing),
            failure => self.miss(failure, ended.bad_request),
        }
        self.advance(job, policy, Scope::of(ended, policy))
    }

    /// `job` ends here, for a reason of our own.
    pub fn cut(&mut self, job: &Job, verdict: Verdict) {
        self.failure = Some(verdict);
        let order = job.protocols.in_order(job.address.port());
        self.untried = order.filter(|&p| !self.done.contains(p)).collect();
    }

    /// What all probes together say of the job `id`.
    pub fn record(&self, id: u64) -> Record {
        let failure = self.failure.unwrap_or(Verdict::LocalFault);
        let (verdict, timing) = match self.first {
            Some(_) => (Verdict::Alive, self.reached),
            None => (failure, self.last),
        };
        Record {
            id,
            verdict,
            attempts: self.attempts,
            works: self.works,
            first: self.first,
            timing,
            exit: self.exit.map(|(_, exit)| exit),
            untried: self.untried,
        }
    }

    /// The target was reached.
    fn reach(&mut self, policy: &ProbePolicy, timing: Timing) {
        let (protocol, count) = (self.protocol, policy.targets.len());
        let before = self.works.by(protocol);
        let now = match policy.mode {
            Mode::FullHttp => before.with(usize::from(self.target)),
            Mode::ConnectOnly => Targets::first(count),
        };
        self.works.set(protocol, now);
        if before.is_empty() && self.first.is_none() {
            self.reached = timing;
        }
        if policy.require.is_met(now, count) {
            self.first.get_or_insert(protocol);
        }
        self.speaks();
    }

    /// The peer answered as one that speaks the protocol under way.
    fn speaks(&mut self) {
        self.done = match self.protocol {
            Protocol::Http => self.done.with(Protocol::Https),
            Protocol::Https => self.done.with(Protocol::Http),
            Protocol::Socks4 | Protocol::Socks5 => self.done,
        };
    }

    /// The target was missed.
    fn miss(&mut self, verdict: Verdict, bad_request: bool) {
        if self
            .failure
            .is_none_or(|failure| failure.informative_rank() < verdict.informative_rank())
        {
            self.failure = Some(verdict);
        }
        match verdict {
            Verdict::HandshakeTimeout | Verdict::ResponseTimeout => {
                self.silent = self.silent.with(self.protocol);
            }
            _ if bad_request && self.protocol == Protocol::Http => {}
            answer if answer.informative_rank() >= ANSWERED => self.speaks(),
            _ => {}
        }
    }

    /// A judge was reached: that of `first` counts, then whoever came last.
    fn saw(&mut self, exit: Exit) {
        let counts = self.first.is_none_or(|first| first == self.protocol);
        let replaces = self
            .exit
            .is_none_or(|(by, _)| counts && by != self.protocol);
        if replaces {
            self.exit = Some((self.protocol, exit));
        }
    }

    /// Goes on to the next target, or to the next protocol.
    fn advance(&mut self, job: &Job, policy: &ProbePolicy, scope: Scope) -> Next {
        self.target += 1;
        match scope {
            Scope::Job => return Next::Record,
            Scope::Target if usize::from(self.target) < policy.targets.len() => return Next::Probe,
            Scope::Target | Scope::Protocol => {}
        }
        self.done = self.done.with(self.protocol);
        if self.silent.len() >= SILENT_PROTOCOLS_MAX && self.works == Works::default() {
            return Next::Record;
        }
        let mut order = job.protocols.in_order(job.address.port());
        let Some(protocol) = order.find(|&p| !self.done.contains(p) && can_say(p, policy)) else {
            return Next::Record;
        };
        (self.protocol, self.target) = (protocol, 0);
        Next::Probe
    }
}

/// Whether `protocol` can name at least one target: SOCKS 4 has no field for an IPv6 address.
fn can_say(protocol: Protocol, policy: &ProbePolicy) -> bool {
    let is_v6 = |target: &Target| target.host.parse::<Ipv6Addr>().is_ok();
    protocol != Protocol::Socks4 || !policy.targets.iter().all(is_v6)
}

/// How far the end of a probe holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scope {
    /// For this target by this protocol.
    Target,
    /// For every target by this protocol.
    Protocol,
    /// For the whole job.
    Job,
}

impl Scope {
    /// The rules at the head of this file; not asked of local trouble.
    fn of(ended: &Ended, policy: &ProbePolicy) -> Scope {
        use Verdict::{Alive, AuthRequired, BadProtocol, ConnectTimeout, Refused, Unreachable};
        let timing = &ended.timing;
        let connected = timing.connect_us > 0;
        let opened = timing.tls_us > 0 || timing.handshake_us > 0 && timing.first_byte_us > 0;
        match ended.verdict {
            _ if policy.mode == Mode::ConnectOnly => Scope::Job,
            Alive => Scope::Target,
            Refused | Unreachable | ConnectTimeout => Scope::Job,
            _ if !connected => Scope::Job,
            AuthRequired => Scope::Protocol,
            BadProtocol if !opened => Scope::Protocol,
            _ if policy.require == Require::All => Scope::Protocol,
            _ => Scope::Target,
        }
    }
}

#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod tests;
