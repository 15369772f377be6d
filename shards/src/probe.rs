//! Drives one probe – connect, then the conversation – over a socket of the ring, under one
//! deadline.

use crate::conversation::{Conversation, Plan, Step, Way};
use crate::job::{Ended, Job, Timing};
use crate::net::{Failure, Socket};
use crate::policy::Mode;
use crate::verdict::{Stage, Verdict};
use std::rc::Rc;
use std::time::Instant;

/// Probes the proxy of `job` once.
pub(crate) async fn probe(socket: &mut Socket, plan: &Rc<Plan>, job: &Job) -> Ended {
    let started = Instant::now();
    let mut connect_us = 0;
    let verdict = match connect(socket, plan, job, started).await {
        Ok(()) => {
            connect_us = micros_since(started).max(1);
            match plan.policy().mode {
                Mode::ConnectOnly => Verdict::Alive,
                Mode::FullHttp => converse(socket, plan, job, started).await,
            }
        }
        Err(failure) => failure.verdict(Stage::Connect),
    };
    Ended {
        timing: Timing {
            total_us: micros_since(started),
            connect_us,
            ..Timing::default()
        },
        ..Ended::unprobed(verdict)
    }
}

async fn connect(
    socket: &mut Socket,
    plan: &Plan,
    job: &Job,
    started: Instant,
) -> Result<(), Failure> {
    let policy = plan.policy();
    let deadline = started + policy.connect_timeout.min(policy.timeout);
    match policy.mode {
        Mode::ConnectOnly => socket.knock(job.address, deadline).await,
        Mode::FullHttp => socket.connect(job.address, deadline).await,
    }
}

/// Says to the proxy what the plan says, until a verdict.
async fn converse(socket: &mut Socket, plan: &Rc<Plan>, job: &Job, started: Instant) -> Verdict {
    socket.set_deadline(started + plan.policy().timeout);
    let protocol = job.protocols.in_order(job.address.port()).next();
    let protocol = protocol.unwrap_or(crate::Protocol::Http);
    let (mut conversation, mut step) =
        Conversation::begin(plan, 0, Way::Proxy(protocol), job.credentials.as_deref());
    loop {
        let answer = match step {
            Step::Ask(out) => socket.ask(out).await,
            Step::Recv => socket.recv().await,
            Step::Done(verdict) => return verdict,
        };
        step = match answer {
            Ok(chunk) => conversation.received(plan, &chunk),
            Err(failure) => return failure.verdict(conversation.stage()),
        };
    }
}

fn micros_since(started: Instant) -> u32 {
    started.elapsed().as_micros().try_into().unwrap_or(u32::MAX)
}
