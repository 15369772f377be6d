//! TLS to the target, and its answer.

use super::layer::{Inside, Layer};
use crate::conversation::watch::{Note, Watched};
use crate::handshake::Progress;
use crate::verify::{Answer, Trial};
use std::fmt;
use std::rc::Rc;

/// One TLS connection to the target and the answer in it.
pub(crate) struct Session {
    layer: Layer,
    answer: Answer,
}

impl Session {
    pub(super) fn new(layer: Layer) -> Session {
        let answer = Answer::default();
        Session { layer, answer }
    }

    /// Whether the request was sent.
    pub(crate) fn is_open(&self) -> bool {
        self.layer.stands()
    }

    /// Takes bytes from the wire; an empty slice is the end of the stream, which always ends the
    /// conversation. `request` is sent as soon as TLS stands.
    pub(crate) fn received(
        &mut self,
        request: &Rc<[u8]>,
        trial: &mut Trial<'_>,
        watched: &Watched,
        bytes: &[u8],
    ) -> Progress {
        let mut exchange = Exchange {
            request,
            answer: &mut self.answer,
            trial,
            watched,
        };
        self.layer.received(&mut exchange, bytes)
    }
}

/// What is said inside.
struct Exchange<'a, 'b> {
    request: &'a Rc<[u8]>,
    answer: &'a mut Answer,
    trial: &'a mut Trial<'b>,
    watched: &'a Watched,
}

impl Inside for Exchange<'_, '_> {
    fn stands(&mut self, tls: &dyn fmt::Display) -> Rc<[u8]> {
        self.watched.note(Note::Tls(tls));
        self.watched.note(Note::Sent(self.request));
        Rc::clone(self.request)
    }

    fn received(&mut self, plain: &[u8]) -> Progress {
        if !plain.is_empty() {
            self.watched.note(Note::Received(plain));
        }
        self.answer
            .received(self.trial, plain)
            .map_or(Progress::Recv, Progress::Ended)
    }
}
