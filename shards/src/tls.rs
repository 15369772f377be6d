//! TLS to the target through an opened tunnel, by rustls, and the answer inside it. Sans-io, but
//! rustls asks the system for randomness, and for the date that certificates are valid on.

use crate::Verdict;
use crate::handshake::Progress;
use crate::policy::ProbePolicy;
use crate::target::Target;
use crate::verify::head::HEAD_BYTES_MAX;
use crate::verify::{Answer, Proof};
use rustls::client::Resumption;
use rustls::crypto::ring;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, Error, IoState};
use std::io::{BufRead, Write};
use std::rc::Rc;
use std::sync::Arc;

/// Wire bytes that a handshake and its session tickets may take; a chain of certificates is 2 to
/// 10 KiB.
const HANDSHAKE_BYTES_MAX: usize = 128 * 1024;

/// A `ChangeCipherSpec` record. In TLS 1.3 it only placates middleboxes (RFC 8446, appendix D.4)
/// and waits for the `Finished` behind it rather than costing a send of its own.
const CHANGE_CIPHER_SPEC_BYTES: usize = 6;

/// How connections of one shard are made: its own configuration, so that shards never write the
/// same reference count, over trust anchors that they share and only read.
pub(crate) struct Client {
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
    wire_bytes_max: usize,
}

impl Client {
    /// The client for `target`; nothing if the target does not use TLS.
    pub(crate) fn new(policy: &ProbePolicy, target: &Target) -> Option<Client> {
        // A policy holds no target whose host is not a name for TLS.
        let name = ServerName::try_from(target.host.to_string()).ok()?;
        let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("ring supports TLS 1.2 and 1.3")
            .with_root_certificates(Arc::clone(&policy.roots))
            .with_no_client_auth();
        // Every probe is a stranger to its target. The cache would also keep memory per name.
        config.resumption = Resumption::disabled();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        let answer_bytes_max = HEAD_BYTES_MAX.saturating_add(target.body_bytes_max);
        target.tls.then(|| Client {
            config: Arc::new(config),
            name,
            // Twice: small records and chunks have their frames.
            wire_bytes_max: answer_bytes_max
                .saturating_mul(2)
                .saturating_add(HANDSHAKE_BYTES_MAX),
        })
    }

    /// A new connection and its ClientHello.
    ///
    /// # Errors
    /// `local_fault` if rustls cannot make one, as without randomness.
    pub(crate) fn connect(&self) -> Result<(Box<Session>, Rc<[u8]>), Verdict> {
        let (config, name) = (Arc::clone(&self.config), self.name.clone());
        let connection = ClientConnection::new(config, name).map_err(|_| Verdict::LocalFault)?;
        let mut session = Box::new(Session {
            connection,
            answer: None,
            wire_bytes_left: self.wire_bytes_max,
        });
        let hello = session.outgoing()?;
        Ok((session, hello))
    }
}

/// One TLS connection and the answer in it.
pub(crate) struct Session {
    connection: ClientConnection,
    /// The answer, once the request was sent.
    answer: Option<Answer>,
    wire_bytes_left: usize,
}

impl Session {
    /// Whether the request was sent.
    pub(crate) fn is_open(&self) -> bool {
        self.answer.is_some()
    }

    /// Takes bytes from the wire; an empty slice is the end of the stream, which always ends the
    /// probe: an answer that ends with its stream ends with `close_notify` (RFC 9112, section 9.8).
    pub(crate) fn received(&mut self, request: &[u8], proof: &Proof, bytes: &[u8]) -> Progress {
        self.advance(request, proof, bytes)
            .unwrap_or_else(Progress::Ended)
    }

    fn advance(
        &mut self,
        request: &[u8],
        proof: &Proof,
        bytes: &[u8],
    ) -> Result<Progress, Verdict> {
        if bytes.is_empty() {
            return Err(Verdict::Closed);
        }
        let was_open = self.is_open();
        let mut wire = bytes;
        let mut outgoing_bytes = 0;
        while !wire.is_empty() {
            let before = wire.len();
            // It fails on a full buffer only, which records and handshakes within bounds never make.
            self.connection
                .read_tls(&mut wire)
                .map_err(|_| Verdict::TooLarge)?;
            let read = before - wire.len();
            self.wire_bytes_left = self
                .wire_bytes_left
                .checked_sub(read)
                .ok_or(Verdict::TooLarge)?;
            let state = self.process(request, proof)?;
            outgoing_bytes = state.tls_bytes_to_write();
        }
        // Behind the request we have nothing to say; a key update may stay unanswered.
        let handshaking = !self.is_open() && outgoing_bytes > CHANGE_CIPHER_SPEC_BYTES;
        match handshaking || was_open != self.is_open() {
            true => Ok(Progress::Ask(self.outgoing()?)),
            false => Ok(Progress::Recv),
        }
    }

    /// Lets rustls look at what was read. What it decrypted before a fault still counts, so that
    /// the verdict does not depend on how the bytes were cut.
    fn process(&mut self, request: &[u8], proof: &Proof) -> Result<IoState, Verdict> {
        let processed = self.connection.process_new_packets();
        if !self.is_open() && processed.is_ok() && !self.connection.is_handshaking() {
            self.connection
                .writer()
                .write_all(request)
                .map_err(|_| Verdict::LocalFault)?;
            self.answer = Some(Answer::default());
        }
        if let Some(answer) = &mut self.answer {
            let mut reader = self.connection.reader();
            while let Ok(plain @ [_, ..]) = reader.fill_buf() {
                let length = plain.len();
                if let Some(verdict) = answer.received(proof, plain) {
                    return Err(verdict);
                }
                reader.consume(length);
            }
        }
        let state = processed.map_err(|error| verdict(&error, self.is_open()))?;
        match (state.peer_has_closed(), &mut self.answer) {
            (false, _) => Ok(state),
            (true, Some(answer)) => Err(answer.received(proof, &[]).unwrap_or(Verdict::Closed)),
            (true, None) => Err(Verdict::Closed),
        }
    }

    fn outgoing(&mut self) -> Result<Rc<[u8]>, Verdict> {
        let mut bytes = Vec::new();
        while self.connection.wants_write() {
            self.connection
                .write_tls(&mut bytes)
                .map_err(|_| Verdict::LocalFault)?;
        }
        Ok(bytes.into())
    }
}

/// What a fault of TLS says of the proxy. Once the connection is open the target has proven itself,
/// and it sends no records that are not sealed with the keys agreed upon: who sent such a one stands
/// in between.
fn verdict(error: &Error, is_open: bool) -> Verdict {
    match error {
        Error::DecryptError | Error::InvalidMessage(_) if is_open => Verdict::Tampered,
        Error::InvalidCertificate(_) | Error::NoCertificatesPresented => Verdict::TlsIntercepted,
        Error::FailedToGetRandomBytes | Error::FailedToGetCurrentTime => Verdict::LocalFault,
        _ => Verdict::BadProtocol,
    }
}

#[cfg(test)]
pub(crate) mod peer;
#[cfg(test)]
mod tests;
