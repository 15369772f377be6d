//! One attempt: connects, and says to the peer what the conversation wants said, until a verdict.

use super::diary::{Diary, Speaker, What};
use super::wire::{Tcp, Wire};
use proxy_shards::conversation::{Conversation, Finding, Plan, Step, Way};
use proxy_shards::{Credentials, Ended, Laps, Stage, Verdict, socket_verdict};
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Instant;

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

impl Talk<'_> {
    /// Does it, over TCP. The diary begins anew.
    pub(super) fn over_tcp(&self, diary: &Diary) -> Ended {
        let policy = self.plan.policy();
        let began = diary.begin(self.way);
        let mut laps = Laps::start(began);
        diary.write(What::Connecting(self.address.to_string()));
        let connect_deadline = began + policy.connect_timeout.min(policy.timeout);
        let (verdict, finding) = match Tcp::connect(self.address, connect_deadline) {
            Ok(mut wire) => {
                laps.connected(Instant::now());
                diary.write(What::Connected);
                self.over(&mut wire, diary, &mut laps, began + policy.timeout)
            }
            Err(error) => {
                let verdict = self.failed(&error, Stage::Connect, diary);
                (verdict, Finding::default())
            }
        };
        Ended {
            verdict,
            timing: laps.end(Instant::now()),
            exit: finding.exit,
            learnt: finding.learnt,
            bad_request: finding.bad_request,
        }
    }

    /// The conversation alone, over a wire that stands.
    fn over(
        &self,
        wire: &mut impl Wire,
        diary: &Diary,
        laps: &mut Laps,
        deadline: Instant,
    ) -> (Verdict, Finding) {
        let (mut conversation, mut step) =
            Conversation::begin(self.plan, self.target, self.way, self.credentials);
        let mut piece = vec![0; PIECE_BYTES];
        let verdict = loop {
            let stage = conversation.stage();
            if !matches!(step, Step::Done(_)) {
                laps.enter(stage, Instant::now());
            }
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
                Err(error) => break self.failed(&error, stage, diary),
            };
            if length > 0 {
                laps.heard(Instant::now());
            }
            diary.on_wire(Speaker::Peer, &piece[..length]);
            step = conversation.received(self.plan, &piece[..length]);
        };
        (verdict, conversation.finding())
    }

    fn failed(&self, error: &io::Error, stage: Stage, diary: &Diary) -> Verdict {
        let verdict = socket_verdict(error, stage, self.address);
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
