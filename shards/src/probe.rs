//! Drives one probe – connect, then the conversation – over a socket of the ring, under one
//! deadline, and measures its parts.

use crate::Credentials;
use crate::conversation::{Conversation, Finding, Plan, Step, Way};
use crate::heard::Count;
#[cfg(any(test, feature = "hooks"))]
use crate::hooks::{self, Place};
use crate::job::{ControlJob, Ended, Job, Timing};
use crate::net::{Failure, Socket};
use crate::policy::Mode;
use crate::verdict::{Stage, Verdict};
use futures_lite::FutureExt;
use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// One connection to be made, and what is said over it.
#[derive(Debug)]
pub(crate) struct Probe {
    pub(crate) plan: Rc<Plan>,
    /// One of the plan's.
    pub(crate) target: usize,
    pub(crate) way: Way,
    pub(crate) address: SocketAddr,
    pub(crate) credentials: Option<Arc<Credentials>>,
    /// Added to its deadlines, for what those before it lost to this host's own delays.
    pub(crate) grace: Duration,
}

impl Probe {
    /// To a target of `plan`, through the proxy of `job`.
    pub(crate) fn through(plan: &Rc<Plan>, job: &Job, way: Way, target: usize) -> Probe {
        Probe {
            plan: plan.clone(),
            target,
            way,
            address: job.address,
            credentials: job.credentials.clone(),
            grace: Duration::ZERO,
        }
    }

    /// To a target of `plan` itself.
    pub(crate) fn direct(plan: &Rc<Plan>, job: ControlJob) -> Probe {
        Probe {
            plan: plan.clone(),
            target: job.target,
            way: Way::Direct,
            address: job.address,
            credentials: None,
            grace: Duration::ZERO,
        }
    }

    /// The same with so much on top of its deadlines.
    pub(crate) fn with_grace(self, grace: Duration) -> Probe {
        Probe { grace, ..self }
    }

    /// Makes it. A fault of ours ends the probe, not the shard.
    pub(crate) async fn run(&self, socket: &mut Socket) -> Ended {
        AssertUnwindSafe(self.attempt(socket))
            .catch_unwind()
            .await
            .unwrap_or_else(|_panic| Ended::unprobed(Verdict::LocalFault))
    }

    async fn attempt(&self, socket: &mut Socket) -> Ended {
        let mut laps = Laps::start(Instant::now());
        #[cfg(any(test, feature = "hooks"))]
        hooks::panic_at(Place::Begin);
        let (verdict, finding) = match self.connect(socket, laps.started).await {
            Ok(()) => {
                laps.connected(Instant::now());
                #[cfg(any(test, feature = "hooks"))]
                hooks::panic_at(Place::Connected);
                match self.plan.policy().mode {
                    Mode::ConnectOnly => (Verdict::Alive, Finding::default()),
                    Mode::FullHttp => self.converse(socket, &mut laps).await,
                }
            }
            Err(failure) => (failure.verdict(Stage::Connect), Finding::default()),
        };
        Ended {
            verdict,
            timing: laps.end(Instant::now()),
            exit: finding.exit,
            learnt: finding.learnt,
            bad_request: finding.bad_request,
        }
    }

    async fn connect(&self, socket: &mut Socket, started: Instant) -> Result<(), Failure> {
        let policy = self.plan.policy();
        let deadline = started + policy.connect_timeout.min(policy.timeout) + self.grace;
        match policy.mode {
            Mode::ConnectOnly => socket.knock(self.address, deadline).await,
            Mode::FullHttp => socket.connect(self.address, deadline).await,
        }
    }

    /// Says what the plan says, until a verdict.
    async fn converse(&self, socket: &mut Socket, laps: &mut Laps) -> (Verdict, Finding) {
        let plan = &self.plan;
        socket.set_deadline(laps.started + plan.policy().timeout + self.grace);
        let credentials = self.credentials.as_deref();
        let (mut conversation, mut step) =
            Conversation::begin(plan, self.target, self.way, credentials);
        let mut count = Count::of(self.address);
        loop {
            if let Step::Done(verdict) = step {
                return (verdict, conversation.finding());
            }
            let stage = conversation.stage();
            laps.enter(stage, Instant::now());
            let answer = match step {
                Step::Ask(out) => socket.ask(out).await,
                _ => socket.recv().await,
            };
            step = match answer {
                Ok(chunk) => {
                    count.add(chunk.len());
                    if !chunk.is_empty() {
                        laps.heard(Instant::now());
                    }
                    #[cfg(any(test, feature = "hooks"))]
                    hooks::panic_at(Place::hearing(stage));
                    conversation.received(plan, &chunk)
                }
                Err(failure) => return (failure.verdict(stage), Finding::default()),
            };
        }
    }
}

/// Measures the parts of a probe as its stages follow each other.
#[derive(Clone, Debug)]
pub struct Laps {
    started: Instant,
    /// The stage under way behind the connect, if any.
    stage: Option<Stage>,
    /// When it began, or what is before it ended.
    since: Instant,
    timing: Timing,
}

impl Laps {
    /// A probe begins, with its first SYN.
    pub fn start(now: Instant) -> Laps {
        Laps {
            started: now,
            stage: None,
            since: now,
            timing: Timing::default(),
        }
    }

    /// The connection stands.
    pub fn connected(&mut self, now: Instant) {
        self.timing.connect_us = micros(self.started, now);
        self.since = now;
    }

    /// `stage` is under way, perhaps as before.
    pub fn enter(&mut self, stage: Stage, now: Instant) {
        if self.stage == Some(stage) {
            return;
        }
        if self.stage.is_some() {
            self.leave(now);
            self.since = now;
        }
        self.stage = Some(stage);
    }

    /// The peer said something.
    pub fn heard(&mut self, now: Instant) {
        if self.stage == Some(Stage::Response) && self.timing.first_byte_us == 0 {
            self.timing.first_byte_us = micros(self.since, now);
        }
    }

    /// The probe is over.
    pub fn end(mut self, now: Instant) -> Timing {
        self.leave(now);
        self.timing.total_us = micros(self.started, now);
        self.timing
    }

    /// The stage under way is over. Connects and first bytes count where they happen.
    fn leave(&mut self, now: Instant) {
        let part = match self.stage {
            Some(Stage::Handshake) => &mut self.timing.handshake_us,
            Some(Stage::Tls) => &mut self.timing.tls_us,
            Some(Stage::Connect | Stage::Response) | None => return,
        };
        *part = part.saturating_add(micros(self.since, now));
    }
}

/// At least 1, so that 0 is left for what never was.
fn micros(from: Instant, to: Instant) -> u32 {
    let micros = to.saturating_duration_since(from).as_micros();
    u32::try_from(micros).unwrap_or(u32::MAX).max(1)
}

#[cfg(test)]
mod tests;
