//! One layer of TLS around whatever is said inside.

use super::tickets::Tickets;
use crate::Verdict;
use crate::handshake::Progress;
use crate::rule::Rule;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, Error, HandshakeKind, IoState};
use std::fmt;
use std::io::{BufRead, Write};
use std::rc::Rc;
use std::sync::Arc;

/// A `ChangeCipherSpec` record. In TLS 1.3 it only placates middleboxes (RFC 8446, appendix D.4)
/// and waits for the `Finished` behind it rather than costing a send of its own.
const CHANGE_CIPHER_SPEC_BYTES: usize = 6;

/// What is said inside a layer of TLS.
pub(crate) trait Inside {
    /// TLS stands: the first question.
    fn stands(&mut self, tls: &dyn fmt::Display) -> Rc<[u8]>;

    /// Takes plain bytes; an empty slice is the end of the stream, which always ends it.
    fn received(&mut self, plain: &[u8]) -> Progress;
}

/// Who is at the other end.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Peer {
    /// The target: its certificate has been verified once TLS stands.
    Target,
    /// A proxy: it may be anybody.
    Proxy,
}

/// One TLS connection.
pub(crate) struct Layer {
    connection: ClientConnection,
    peer: Peer,
    stands: bool,
    wire_bytes_left: usize,
    tickets: Option<Arc<Tickets>>,
    /// Whether the ClientHello offers to resume a session.
    offers_ticket: bool,
}

impl Layer {
    /// A new connection and its ClientHello.
    pub(super) fn new(
        config: Arc<ClientConfig>,
        name: ServerName<'static>,
        peer: Peer,
        wire_bytes_max: usize,
        tickets: Option<Arc<Tickets>>,
    ) -> Result<(Layer, Rc<[u8]>), Rule> {
        let connection = ClientConnection::new(config, name)
            .map_err(|_| Rule::fault("rustls could not begin a connection"))?;
        let mut layer = Layer {
            connection,
            peer,
            stands: false,
            wire_bytes_left: wire_bytes_max,
            offers_ticket: tickets.as_ref().is_some_and(|tickets| tickets.were_taken()),
            tickets,
        };
        let hello = layer.outgoing()?;
        Ok((layer, hello))
    }

    /// Whether the handshake is over.
    pub(crate) fn stands(&self) -> bool {
        self.stands
    }

    /// Takes bytes from the wire; an empty slice is the end of the stream, which always ends the
    /// conversation. A stream to the target that is to be whole ends with `close_notify` (RFC 9112,
    /// section 9.8). A proxy's need not: it could end it anywhere, with `close_notify` or without.
    pub(crate) fn received(&mut self, inside: &mut dyn Inside, bytes: &[u8]) -> Progress {
        match (bytes, self.stands, self.peer) {
            ([], false, _) => {
                Progress::Ended(Rule::closed("the stream ended in the handshake of TLS"))
            }
            ([], true, Peer::Target) => Progress::Ended(Rule::closed(
                "the stream to the target ended without close_notify",
            )),
            ([], true, Peer::Proxy) => inside.received(&[]),
            _ => self.advance(inside, bytes).unwrap_or_else(Progress::Ended),
        }
    }

    fn advance(&mut self, inside: &mut dyn Inside, bytes: &[u8]) -> Result<Progress, Rule> {
        let mut wire = bytes;
        let mut asked = false;
        let mut outgoing_bytes = 0;
        while !wire.is_empty() {
            let before = wire.len();
            // It fails on a full buffer only, which records and handshakes within bounds never make.
            self.connection
                .read_tls(&mut wire)
                .map_err(|_| Rule::too_large("a message of TLS is longer than its buffer"))?;
            let read = before - wire.len();
            self.wire_bytes_left = self
                .wire_bytes_left
                .checked_sub(read)
                .ok_or(Rule::too_large("TLS takes more bytes than its content can"))?;
            outgoing_bytes = self.process(inside, &mut asked)?.tls_bytes_to_write();
        }
        // Once TLS stands nothing is said but questions; a key update may stay unanswered.
        let handshaking = !self.stands && outgoing_bytes > CHANGE_CIPHER_SPEC_BYTES;
        match handshaking || asked {
            true => Ok(Progress::Ask(self.outgoing()?)),
            false => Ok(Progress::Recv),
        }
    }

    /// Lets rustls look at what was read. What it decrypted before a fault still counts, so that
    /// the verdict does not depend on how the bytes were cut.
    fn process(&mut self, inside: &mut dyn Inside, asked: &mut bool) -> Result<IoState, Rule> {
        if let Some(tickets) = &self.tickets {
            tickets.come_verified(self.is_full());
        }
        let processed = self.connection.process_new_packets();
        if !self.stands && processed.is_ok() && !self.connection.is_handshaking() {
            self.stands = true;
            let question = inside.stands(&Terms(&self.connection));
            self.ask(&question)?;
            *asked = true;
        }
        while let Some(progress) = self.stands.then(|| self.plain(inside)).flatten() {
            match progress {
                Progress::Ask(question) => {
                    self.ask(&question)?;
                    *asked = true;
                }
                Progress::Recv | Progress::Open => {}
                Progress::Ended(rule) => return Err(rule),
            }
        }
        let state = processed.map_err(|error| self.fault(error))?;
        match (state.peer_has_closed(), self.stands) {
            (false, _) => Ok(state),
            (true, true) => match inside.received(&[]) {
                Progress::Ended(rule) => Err(rule),
                _ => Err(Rule::closed("the stream ended too early")),
            },
            (true, false) => Err(Rule::closed("TLS was closed in its handshake")),
        }
    }

    /// Whether the handshake is certainly one in which the certificate is verified. rustls hands out
    /// tickets only once it was.
    fn is_full(&self) -> bool {
        use HandshakeKind::{Full, FullWithHelloRetryRequest};
        let kind = self.connection.handshake_kind();
        !self.offers_ticket || matches!(kind, Some(Full | FullWithHelloRetryRequest))
    }

    /// Hands in the next plain bytes, if there are any.
    fn plain(&mut self, inside: &mut dyn Inside) -> Option<Progress> {
        let mut reader = self.connection.reader();
        let plain @ [_, ..] = reader.fill_buf().ok()? else {
            return None;
        };
        let length = plain.len();
        let progress = inside.received(plain);
        reader.consume(length);
        Some(progress)
    }

    fn ask(&mut self, question: &[u8]) -> Result<(), Rule> {
        self.connection
            .writer()
            .write_all(question)
            .map_err(|_| Rule::fault("rustls did not take a question"))
    }

    fn outgoing(&mut self) -> Result<Rc<[u8]>, Rule> {
        let mut bytes = Vec::new();
        while self.connection.wants_write() {
            self.connection
                .write_tls(&mut bytes)
                .map_err(|_| Rule::fault("rustls did not give what it has to send"))?;
        }
        Ok(bytes.into())
    }

    /// What a fault of TLS says of the proxy. Once TLS to the target stands the target has proven
    /// itself, and it sends no records that are not sealed with the keys agreed upon: who sent such
    /// a one stands in between. A proxy's TLS proves nothing, so a fault of it is just a fault.
    fn fault(&self, error: Error) -> Rule {
        let verdict = match (&error, self.peer) {
            (Error::FailedToGetRandomBytes | Error::FailedToGetCurrentTime, _) => {
                Verdict::LocalFault
            }
            (_, Peer::Proxy) => Verdict::BadProtocol,
            (Error::DecryptError | Error::InvalidMessage(_), _) if self.stands => Verdict::Tampered,
            (Error::InvalidCertificate(_) | Error::NoCertificatesPresented, _) => {
                Verdict::TlsIntercepted
            }
            _ => Verdict::BadProtocol,
        };
        Rule::Tls(verdict, Box::new(error))
    }
}

/// What was agreed upon, in one line.
struct Terms<'a>(&'a ClientConnection);

impl fmt::Display for Terms<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Both names come from rustls: a version or suite that it does not know is not agreed upon.
        if let Some(version) = self.0.protocol_version() {
            write!(f, "{version:?}")?;
        }
        if let Some(suite) = self.0.negotiated_cipher_suite() {
            write!(f, ", {:?}", suite.suite())?;
        }
        match self.0.handshake_kind() {
            Some(HandshakeKind::Resumed) => f.write_str(", resumed"),
            _ => f.write_str(", a full handshake"),
        }
    }
}
