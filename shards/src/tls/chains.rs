//! Verifies the certificates of one target as rustls does, and the same ones not again for a while:
//! the signatures of a chain cost more than all the rest of a handshake that is not resumed.
//!
//! That a chain of certificates is good for a name, at a time, under the roots of a policy, is a
//! property of these bytes: who presents them has no part in it. So what was found once holds for
//! the same bytes, the same name and the same verifier, as long as no certificate of the chain
//! begins or ends to be valid in between. Who presents them is proven afterwards, by a signature
//! with the key of the first certificate over this very handshake (RFC 8446, section 4.4.3; RFC 5246,
//! section 7.4.3), which is verified every time. So:
//!
//! - A chain is remembered for [`CHAIN_SECONDS_MAX`], and only if it is still valid at the end of that
//!   time: it is verified for both ends, and at each use the date must lie between them. (Were a chain
//!   to have two ways to a root, of which one ends and the other begins within these minutes, the gap
//!   would go unseen; the certificate of the target itself is valid throughout even then.)
//! - Every byte of every certificate counts, and so do their number and order. What differs is
//!   verified as if nothing were known, and a chain that is not good is never remembered.
//! - It is remembered only once whoever presented it has proven to hold its key. In TLS 1.3 nobody
//!   but the target can, so proxies do not choose what is remembered; in TLS 1.2 one that changes a
//!   chain on its way can have its version remembered, which has to be as good, and gains nothing.
//! - Little is kept: [`CHAINS_MAX`] chains of at most [`CHAIN_BYTES_MAX`] bytes, per target and plan.
//!
//! Nobody asks for revocation, here or in rustls without lists of it.

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{DigitallySignedStruct, Error, SignatureScheme};
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// How long a chain is remembered, in seconds.
pub(super) const CHAIN_SECONDS_MAX: u64 = 300;

/// Most chains that are remembered of one target: one with an RSA and one with an ECDSA certificate
/// at several sites that change theirs at different times.
pub(super) const CHAINS_MAX: usize = 8;

/// Longest chain that is remembered, in bytes; usual ones have 2 to 6 KiB.
const CHAIN_BYTES_MAX: usize = 16 * 1024;

/// The verifier for one target under one policy.
#[derive(Debug)]
pub(super) struct Chains {
    verifier: Arc<WebPkiServerVerifier>,
    /// rustls asks that a verifier can be shared between threads, and so there is a lock; only one
    /// shard ever takes it, and does not wait for it.
    memory: Mutex<Memory>,
}

#[derive(Default)]
struct Memory {
    /// The last one that was remembered first.
    known: Vec<Chain>,
    /// What was verified last, until whoever presented it proves to hold its key.
    presented: Option<Chain>,
    /// How often what was known was enough.
    #[cfg(test)]
    spared: usize,
}

/// A chain that was verified.
struct Chain {
    name: ServerName<'static>,
    certificates: Vec<CertificateDer<'static>>,
    /// When it was verified, in seconds since 1970.
    since: u64,
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Memory({} chains)", self.known.len())
    }
}

/// What a server presents.
#[derive(Clone, Copy)]
struct Presented<'a> {
    end_entity: &'a CertificateDer<'a>,
    intermediates: &'a [CertificateDer<'a>],
    name: &'a ServerName<'a>,
}

impl Presented<'_> {
    fn bytes(&self) -> usize {
        let others = self.intermediates.iter().map(|other| other.len());
        self.end_entity.len() + others.sum::<usize>()
    }

    fn verified(self, since: UnixTime) -> Chain {
        let certificates = std::iter::once(self.end_entity).chain(self.intermediates);
        Chain {
            name: self.name.to_owned(),
            certificates: certificates.map(|one| one.clone().into_owned()).collect(),
            since: since.as_secs(),
        }
    }
}

impl Chain {
    /// Whether it is this, to the last byte, and was found good at a time so near to `now`.
    fn vouches_for(&self, presented: &Presented<'_>, now: UnixTime) -> bool {
        let Some((end_entity, intermediates)) = self.certificates.split_first() else {
            return false;
        };
        let age = now.as_secs().checked_sub(self.since);
        age.is_some_and(|age| age <= CHAIN_SECONDS_MAX)
            && end_entity == presented.end_entity
            && intermediates == presented.intermediates
            && self.name == *presented.name
    }
}

impl Chains {
    /// Nothing is known yet.
    pub(super) fn new(verifier: Arc<WebPkiServerVerifier>) -> Chains {
        Chains {
            verifier,
            memory: Mutex::default(),
        }
    }

    /// How often what was known was enough.
    #[cfg(test)]
    pub(super) fn spared(&self) -> usize {
        self.memory.lock().unwrap().spared
    }

    /// How many chains are known.
    #[cfg(test)]
    pub(super) fn known(&self) -> usize {
        self.memory.lock().unwrap().known.len()
    }

    fn is_known(&self, presented: &Presented<'_>, now: UnixTime) -> bool {
        let Ok(mut memory) = self.memory.try_lock() else {
            return false;
        };
        // Whatever was presented before this has not proven anything.
        memory.presented = None;
        let is_known = |chain: &Chain| chain.vouches_for(presented, now);
        let known = memory.known.iter().any(is_known);
        #[cfg(test)]
        {
            memory.spared += usize::from(known);
        }
        known
    }

    /// Whoever holds the key of `end_entity` has just signed a handshake with it.
    fn proven(&self, end_entity: &CertificateDer<'_>) {
        let Ok(mut memory) = self.memory.try_lock() else {
            return;
        };
        let Some(chain) = memory.presented.take() else {
            return;
        };
        let is_good = chain.certificates.first() == Some(end_entity) && self.will_be_good(&chain);
        if is_good {
            let is_old = |known: &Chain| known.since.abs_diff(chain.since) > CHAIN_SECONDS_MAX;
            memory.known.retain(|known| !is_old(known));
            memory.known.truncate(CHAINS_MAX - 1);
            memory.known.insert(0, chain);
        }
    }

    /// Whether `chain`, which is good now, will be so for as long as it is remembered.
    fn will_be_good(&self, chain: &Chain) -> bool {
        let until = Duration::from_secs(chain.since.saturating_add(CHAIN_SECONDS_MAX));
        let until = UnixTime::since_unix_epoch(until);
        let verified = chain.certificates.split_first().map(|(first, others)| {
            self.verifier
                .verify_server_cert(first, others, &chain.name, &[], until)
        });
        matches!(verified, Some(Ok(_)))
    }
}

impl ServerCertVerifier for Chains {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let presented = Presented {
            end_entity,
            intermediates,
            name,
        };
        if self.is_known(&presented, now) {
            return Ok(ServerCertVerified::assertion());
        }
        let verified = self.verifier.verify_server_cert(
            end_entity,
            intermediates,
            name,
            ocsp_response,
            now,
        )?;
        if let (true, Ok(mut memory)) =
            (presented.bytes() <= CHAIN_BYTES_MAX, self.memory.try_lock())
        {
            memory.presented = Some(presented.verified(now));
        }
        Ok(verified)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        end_entity: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let valid = self
            .verifier
            .verify_tls12_signature(message, end_entity, signed)?;
        self.proven(end_entity);
        Ok(valid)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        end_entity: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let valid = self
            .verifier
            .verify_tls13_signature(message, end_entity, signed)?;
        self.proven(end_entity);
        Ok(valid)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.verifier.supported_verify_schemes()
    }
}

#[cfg(test)]
mod tests;
