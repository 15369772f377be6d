//! How far a conversation is, and what the peer's next bytes make of it. A proxy behind TLS is the
//! same conversation inside one more layer.

use super::Note;
use super::plan::Questions;
use super::watch::Watched;
use crate::handshake::connect::Connect;
use crate::handshake::socks4::Socks4;
use crate::handshake::socks5::Socks5;
use crate::handshake::{Progress, SPOKE_FIRST};
use crate::rule::Rule;
use crate::tls::layer::{Inside, Layer};
use crate::tls::session::Session;
use crate::verify::{Answer, Aside, Trial};
use crate::{Stage, Verdict};
use std::fmt;
use std::rc::Rc;

/// How far a conversation is. What is large or rare is boxed.
pub(super) enum Phase {
    Connect(Connect),
    Socks4(Socks4),
    Socks5(Socks5),
    Tls(Box<Session>),
    Answer(Answer),
    Secured(Box<Secured>),
    Done(Verdict),
}

/// A conversation inside TLS to the proxy.
pub(super) struct Secured {
    layer: Layer,
    /// What is asked once TLS stands.
    first: Rc<[u8]>,
    inner: Phase,
}

/// All that a phase needs to go on.
pub(super) struct Surroundings<'a> {
    pub(super) questions: &'a Questions,
    pub(super) aside: Option<&'a mut Aside>,
    pub(super) watched: &'a Watched,
}

impl Surroundings<'_> {
    /// The request to the target itself.
    fn request(&self) -> Rc<[u8]> {
        match &self.aside {
            Some(aside) => Rc::clone(&aside.request),
            None => Rc::clone(self.questions.origin_form.shared()),
        }
    }

    fn trial(&mut self) -> Trial<'_> {
        Trial {
            proof: &self.questions.proof,
            aside: self.aside.as_deref_mut(),
        }
    }
}

impl Secured {
    /// Will ask `first` inside `layer` and go on as `inner`.
    pub(super) fn new(layer: Layer, first: Rc<[u8]>, inner: Phase) -> Secured {
        Secured {
            layer,
            first,
            inner,
        }
    }
}

impl Phase {
    /// Takes bytes from the peer; an empty slice is the end of its stream, which always ends it.
    /// Never says that the way is open, but goes it.
    pub(super) fn received(&mut self, around: &mut Surroundings<'_>, bytes: &[u8]) -> Progress {
        let progress = match self {
            Phase::Done(verdict) => {
                Progress::Ended(Rule::Told(*verdict, "the conversation was over"))
            }
            Phase::Secured(secured) => return secured.received(around, bytes),
            Phase::Answer(answer) => answer
                .received(&mut around.trial(), bytes)
                .map_or(Progress::Recv, Progress::Ended),
            Phase::Tls(session) => {
                let (request, watched) = (around.request(), around.watched);
                session.received(&request, &mut around.trial(), watched, bytes)
            }
            _ if bytes.is_empty() => Progress::Ended(Rule::closed(
                "the stream ended before the proxy had opened the way",
            )),
            Phase::Connect(connect) => connect.received(bytes),
            Phase::Socks4(socks) => socks.received(bytes),
            Phase::Socks5(socks) => socks.received(&around.questions.socks5, bytes),
        };
        match progress {
            Progress::Open => self.go(around),
            other => other,
        }
    }

    /// The way to the target is open: TLS or the request.
    fn go(&mut self, around: &Surroundings<'_>) -> Progress {
        match Phase::at_target(around.questions, || around.request()) {
            Ok((phase, question)) => {
                *self = phase;
                Progress::Ask(question)
            }
            Err(rule) => Progress::Ended(rule),
        }
    }

    /// The first question to the target itself: TLS or the request.
    pub(super) fn at_target(
        questions: &Questions,
        request: impl FnOnce() -> Rc<[u8]>,
    ) -> Result<(Phase, Rc<[u8]>), Rule> {
        match &questions.tls {
            None => Ok((Phase::Answer(Answer::default()), request())),
            Some(client) => {
                let (session, hello) = client.session()?;
                Ok((Phase::Tls(session), hello))
            }
        }
    }

    /// The stage under way.
    pub(super) fn stage(&self) -> Stage {
        match self {
            Phase::Connect(_) | Phase::Socks4(_) | Phase::Socks5(_) => Stage::Handshake,
            Phase::Secured(secured) if !secured.layer.stands() => Stage::Handshake,
            Phase::Secured(secured) => secured.inner.stage(),
            Phase::Tls(session) if !session.is_open() => Stage::Tls,
            Phase::Tls(_) | Phase::Answer(_) | Phase::Done(_) => Stage::Response,
        }
    }
}

impl Secured {
    fn received(&mut self, around: &mut Surroundings<'_>, bytes: &[u8]) -> Progress {
        let mut within = Within {
            first: &self.first,
            inner: &mut self.inner,
            around,
            has_just_asked: false,
        };
        self.layer.received(&mut within, bytes)
    }
}

/// What is said inside TLS to the proxy, while one piece from the wire is looked at.
struct Within<'a, 'b> {
    first: &'a Rc<[u8]>,
    inner: &'a mut Phase,
    around: &'a mut Surroundings<'b>,
    /// Whether this very piece led to a question of the proxy's or the target's first: what it still
    /// holds came before the question was sent.
    has_just_asked: bool,
}

impl Inside for Within<'_, '_> {
    fn stands(&mut self, tls: &dyn fmt::Display) -> Rc<[u8]> {
        self.around.watched.note(Note::Tls(tls));
        self.around.watched.note(Note::Sent(self.first));
        self.has_just_asked = true;
        Rc::clone(self.first)
    }

    fn received(&mut self, plain: &[u8]) -> Progress {
        // What the target's TLS puts on its wire is shown by that layer, decrypted.
        let is_readable = !matches!(self.inner, Phase::Tls(_)) && !plain.is_empty();
        if is_readable {
            self.around.watched.note(Note::Received(plain));
        }
        if self.has_just_asked && !plain.is_empty() {
            return Progress::Ended(SPOKE_FIRST);
        }
        let was_opening = self.inner.stage() == Stage::Handshake;
        let progress = self.inner.received(self.around, plain);
        if let (Progress::Ask(question), true) = (&progress, was_opening) {
            self.has_just_asked = true;
            if !matches!(self.inner, Phase::Tls(_)) {
                self.around.watched.note(Note::Sent(question));
            }
        }
        progress
    }
}
