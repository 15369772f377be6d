//! One layer of TLS around whatever is said inside.

use super::outgoing::Outgoing;
use super::tickets::{Origin, Tickets};
use crate::Verdict;
use crate::handshake::Progress;
use crate::rule::Rule;
use rustls::client::{ClientConnectionData, UnbufferedClientConnection};
use rustls::pki_types::{ServerName, UnixTime};
use rustls::unbuffered::{ConnectionState, ReadTraffic, UnbufferedStatus};
use rustls::{ClientConfig, Error, HandshakeKind};
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;

/// A `ChangeCipherSpec` record. In TLS 1.3 it only placates middleboxes (RFC 8446, appendix D.4)
/// and waits for the `Finished` behind it rather than costing a send of its own.
const CHANGE_CIPHER_SPEC_BYTES: usize = 6;

/// Memory that a layer may keep for bytes to come, rather than have it grow for each of them anew.
const SPARE_BYTES_MAX: usize = 512;

/// What a layer does after one look at what was read.
#[derive(PartialEq)]
enum Turn {
    /// It looks again.
    Again,
    /// It waits for more.
    Waits,
    /// The same, and something is to be asked before.
    Asked,
}

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
///
/// rustls is used without its own buffers, which hold 4 KiB from the first byte of the peer to the
/// end. Most of a probe is waiting for a peer that said something and says nothing now; a layer then
/// holds the bytes of a record that is not whole yet, and usually none.
pub(crate) struct Layer {
    connection: UnbufferedClientConnection,
    peer: Peer,
    stands: bool,
    wire_bytes_left: usize,
    tickets: Option<Arc<Tickets>>,
    /// When the certificate was verified of the session that the ClientHello offers to resume.
    offered: Option<UnixTime>,
    /// From the wire: the beginning of what is not whole yet.
    incoming: Vec<u8>,
    /// For the wire: what waits for more to go with it.
    outgoing: Outgoing,
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
        let connection = UnbufferedClientConnection::new(config, name)
            .map_err(|_| Rule::fault("rustls could not begin a connection"))?;
        let mut layer = Layer {
            connection,
            peer,
            stands: false,
            wire_bytes_left: wire_bytes_max,
            offered: tickets.as_ref().and_then(|tickets| tickets.taken()),
            tickets,
            incoming: Vec::new(),
            outgoing: Outgoing::default(),
        };
        while let Ok(state) = layer.connection.process_tls_records(&mut []).state {
            match state {
                ConnectionState::EncodeTlsData(message) => layer.outgoing.encode(message)?,
                ConnectionState::TransmitTlsData(message) => message.done(),
                _ => break,
            }
        }
        let hello = layer.outgoing.take();
        Ok((layer, hello))
    }

    /// Whether the handshake is over.
    pub(crate) fn stands(&self) -> bool {
        self.stands
    }

    /// Whether its ClientHello offers to resume a session.
    #[cfg(test)]
    pub(super) fn offers(&self) -> bool {
        self.offered.is_some()
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
        let within = bytes.len().min(self.wire_bytes_left);
        self.wire_bytes_left -= within;
        self.incoming.extend_from_slice(&bytes[..within]);
        let mut questions = Vec::new();
        let turn = loop {
            match self.turn(inside, &mut questions)? {
                Turn::Again => {}
                last => break last,
            }
        };
        if within < bytes.len() {
            return Err(Rule::too_large("TLS takes more bytes than its content can"));
        }
        if self.incoming.capacity() - self.incoming.len() > SPARE_BYTES_MAX {
            self.incoming.shrink_to_fit();
        }
        // Once TLS stands nothing is said but questions; a key update may stay unanswered.
        let handshaking = !self.stands && self.outgoing.len() > CHANGE_CIPHER_SPEC_BYTES;
        match handshaking || turn == Turn::Asked {
            true => Ok(Progress::Ask(self.outgoing.take())),
            false => Ok(Progress::Recv),
        }
    }

    /// Lets rustls go through what was read up to the next record that matters. What it decrypted
    /// before a fault was handed in before it, so that the verdict does not depend on how the bytes
    /// were cut.
    fn turn(
        &mut self,
        inside: &mut dyn Inside,
        questions: &mut Vec<Rc<[u8]>>,
    ) -> Result<Turn, Rule> {
        if !self.stands && !self.connection.is_handshaking() {
            self.stands = true;
            questions.push(inside.stands(&Terms(&self.connection)));
        }
        if let Some(tickets) = &self.tickets {
            tickets.come_from(self.origin());
        }
        let wire = &mut self.incoming;
        let UnbufferedStatus { discard, state, .. } = self.connection.process_tls_records(wire);
        let mut turn = Turn::Again;
        match state {
            Ok(ConnectionState::EncodeTlsData(message)) => self.outgoing.encode(message)?,
            Ok(ConnectionState::TransmitTlsData(message)) => message.done(),
            // It stands since just now: the first question comes before what came without one.
            Ok(ConnectionState::ReadTraffic(_) | ConnectionState::WriteTraffic(_))
                if !self.stands => {}
            Ok(ConnectionState::ReadTraffic(traffic)) => hand_in(inside, traffic, questions)?,
            Ok(ConnectionState::WriteTraffic(mut traffic)) => {
                turn = match questions.is_empty() {
                    true => Turn::Waits,
                    false => Turn::Asked,
                };
                for question in questions.drain(..) {
                    self.outgoing.seal(&mut traffic, &question)?;
                }
            }
            Ok(ConnectionState::PeerClosed) => return Err(self.closed(inside)),
            Ok(_) => turn = Turn::Waits,
            Err(error) => return Err(self.fault(error)),
        }
        self.incoming.drain(..discard);
        Ok(turn)
    }

    /// Since when the peer of this session is known to be the target, as far as the handshake has
    /// told yet. Tickets come only behind it.
    fn origin(&self) -> Origin {
        use HandshakeKind::{Full, FullWithHelloRetryRequest, Resumed};
        match (self.connection.handshake_kind(), self.offered) {
            (Some(Full | FullWithHelloRetryRequest), _) => Origin::Verified,
            (Some(Resumed), Some(at)) => Origin::Resumed(at),
            _ => Origin::Unknown,
        }
    }

    /// The peer has said `close_notify`.
    fn closed(&self, inside: &mut dyn Inside) -> Rule {
        match self.has_stood() {
            true => match inside.received(&[]) {
                Progress::Ended(rule) => rule,
                _ => Rule::closed("the stream ended too early"),
            },
            false => Rule::closed("TLS was closed in its handshake"),
        }
    }

    /// Whether the handshake is over, though it may be since this very turn.
    fn has_stood(&self) -> bool {
        self.stands || !self.connection.is_handshaking()
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
            (Error::DecryptError | Error::InvalidMessage(_), _) if self.has_stood() => {
                Verdict::Tampered
            }
            (Error::InvalidCertificate(_) | Error::NoCertificatesPresented, _) => {
                Verdict::TlsIntercepted
            }
            _ => Verdict::BadProtocol,
        };
        Rule::Tls(verdict, Box::new(error))
    }
}

/// Hands in what was decrypted, and takes the questions that it leads to.
fn hand_in(
    inside: &mut dyn Inside,
    mut traffic: ReadTraffic<'_, '_, ClientConnectionData>,
    questions: &mut Vec<Rc<[u8]>>,
) -> Result<(), Rule> {
    while let Some(Ok(record)) = traffic.next_record() {
        match inside.received(record.payload) {
            Progress::Ask(question) => questions.push(question),
            Progress::Recv | Progress::Open => {}
            Progress::Ended(rule) => return Err(rule),
        }
    }
    Ok(())
}

/// What was agreed upon, in one line.
struct Terms<'a>(&'a UnbufferedClientConnection);

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
