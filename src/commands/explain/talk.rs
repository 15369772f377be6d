//! One attempt: connects, and says to the peer what the conversation wants said, until a verdict.

use super::diary::{Diary, Speaker, What};
use super::wire::{Tcp, Wire, verdict};
use proxy_shards::conversation::{Conversation, Finding, Plan, Step, Way};
use proxy_shards::{Credentials, Stage, Timing, Verdict};
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// Bytes that are received at once.
const PIECE_BYTES: usize = 16 * 1024;

/// Whom to reach, how, and where.
#[derive(Clone, Copy)]
pub(super) struct Talk<'a> {
    pub(super) plan: &'a Rc<Plan>,
    /// The target's place in the plan.
    pub(super) target: usize,
    pub(super) way: Way,
    pub(super) credentials: Option<&'a Credentials>,
    /// What is dialled: the proxy, or the target itself.
    pub(super) address: SocketAddr,
}

/// How an attempt ended.
#[derive(Clone, Debug)]
pub(super) struct Outcome {
    pub(super) verdict: Verdict,
    pub(super) timing: Timing,
    pub(super) finding: Finding,
}

impl Talk<'_> {
    /// Does it, over TCP. The diary begins anew.
    pub(super) fn over_tcp(&self, diary: &Diary) -> Outcome {
        let policy = self.plan.policy();
        let began = diary.begin();
        diary.write(What::Connecting(self.address.to_string()));
        let connect_deadline = began + policy.connect_timeout.min(policy.timeout);
        match Tcp::connect(self.address, connect_deadline) {
            Ok(mut wire) => {
                diary.write(What::Connected);
                let connected = micros(began.elapsed()).max(1);
                let mut outcome = self.over(&mut wire, diary, began + policy.timeout);
                outcome.timing.connect_us = connected;
                outcome.timing.total_us = micros(began.elapsed());
                outcome
            }
            Err(error) => Outcome {
                verdict: self.failed(&error, Stage::Connect, diary),
                timing: Timing {
                    total_us: micros(began.elapsed()),
                    ..Timing::default()
                },
                finding: Finding::default(),
            },
        }
    }

    /// The conversation alone, over a wire that stands.
    pub(super) fn over(&self, wire: &mut impl Wire, diary: &Diary, deadline: Instant) -> Outcome {
        let began = Instant::now();
        let (mut conversation, mut step) =
            Conversation::begin(self.plan, self.target, self.way, self.credentials);
        let mut clock = Clock::new(conversation.stage());
        let mut piece = vec![0; PIECE_BYTES];
        let verdict = loop {
            let answer = match &step {
                Step::Ask(question) => {
                    diary.on_wire(Speaker::Us, question);
                    wire.send(question, deadline)
                        .and_then(|()| wire.receive(&mut piece, deadline))
                }
                Step::Recv => wire.receive(&mut piece, deadline),
                Step::Done(verdict) => break *verdict,
            };
            let length = match answer {
                Ok(length) => length,
                Err(error) => break self.failed(&error, conversation.stage(), diary),
            };
            clock.heard();
            diary.on_wire(Speaker::Peer, &piece[..length]);
            step = conversation.received(self.plan, &piece[..length]);
            clock.turns_to(conversation.stage());
        };
        clock.timing.total_us = micros(began.elapsed());
        Outcome {
            verdict,
            timing: clock.timing,
            finding: conversation.finding(),
        }
    }

    fn failed(&self, error: &io::Error, stage: Stage, diary: &Diary) -> Verdict {
        let verdict = verdict(error, stage, self.address);
        let late = verdict == Verdict::timed_out(stage);
        diary.write(What::Failed(match late {
            true => "the time is up".into(),
            false => error.to_string(),
        }));
        let during = match stage {
            Stage::Connect => "while connecting",
            Stage::Handshake => "during the handshake with the proxy",
            Stage::Tls => "during the TLS handshake with the target",
            Stage::Response => "while waiting for the target's answer",
        };
        let what = if late {
            "the time was up"
        } else {
            "the connection failed"
        };
        diary.write(What::Rule(format!("{what} {during}")));
        verdict
    }
}

/// Measures the stages.
struct Clock {
    stage: Stage,
    since: Instant,
    timing: Timing,
}

impl Clock {
    fn new(stage: Stage) -> Clock {
        Clock {
            stage,
            since: Instant::now(),
            timing: Timing::default(),
        }
    }

    /// Bytes came, before anybody looked at them.
    fn heard(&mut self) {
        if self.stage == Stage::Response && self.timing.first_byte_us == 0 {
            self.timing.first_byte_us = micros(self.since.elapsed()).max(1);
        }
    }

    /// Another stage has begun, if it is another.
    fn turns_to(&mut self, stage: Stage) {
        if stage == self.stage {
            return;
        }
        let took = micros(self.since.elapsed()).max(1);
        match self.stage {
            Stage::Handshake => self.timing.handshake_us = took,
            Stage::Tls => self.timing.tls_us = took,
            Stage::Connect | Stage::Response => {}
        }
        self.stage = stage;
        self.since = Instant::now();
    }
}

fn micros(span: Duration) -> u32 {
    u32::try_from(span.as_micros()).unwrap_or(u32::MAX)
}
