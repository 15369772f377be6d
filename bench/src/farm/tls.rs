//! TLS as the farm speaks it: certificates of several kinds, made at the start, and one layer of
//! TLS over a connection.

use super::answers::TARGET_NAME;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair,
    date_time_ymd,
};
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{HandshakeKind, ServerConfig, ServerConnection};
use std::io::{self, BufRead, Write};
use std::sync::Arc;

/// Whose certificate a server shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Identity {
    /// The target's: signed by the farm's authority.
    Genuine,
    /// For the target's name, signed by the authority of whoever intercepts.
    Forged,
    /// As the genuine one, but expired.
    Expired,
    /// Signed by the farm's authority for another name.
    WrongName,
    /// For the target's name, signed by nobody else.
    SelfSigned,
    /// A proxy's own, which nobody has to trust.
    Proxy,
}

impl Identity {
    const ALL: [Identity; 6] = [
        Identity::Genuine,
        Identity::Forged,
        Identity::Expired,
        Identity::WrongName,
        Identity::SelfSigned,
        Identity::Proxy,
    ];
}

/// Every identity, ready to serve; connections share them.
pub(super) struct Identities {
    configs: [Arc<ServerConfig>; Identity::ALL.len()],
    ca_pem: String,
}

/// The names that the target is asked by.
const TARGET_NAMES: [&str; 3] = [TARGET_NAME, "127.0.0.1", "localhost"];

struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    fn new(name: &str) -> Result<Authority, rcgen::Error> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::new(Vec::new())?;
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key)?.pem();
        let issuer = Issuer::new(params, key);
        Ok(Authority { issuer, pem })
    }
}

impl Identities {
    /// Makes the authorities and the certificates, all ECDSA P-256. A handshake gives so many
    /// `tickets`.
    ///
    /// # Errors
    /// No randomness.
    pub(super) fn new(tickets: usize) -> io::Result<Identities> {
        let made = || -> Result<Identities, Box<dyn std::error::Error + Send + Sync>> {
            let (ours, theirs) = (
                Authority::new("farm")?,
                Authority::new("who stands in between")?,
            );
            let mut configs = Vec::with_capacity(Identity::ALL.len());
            for identity in Identity::ALL {
                let (certificate, key) = certificate(identity, &ours, &theirs)?;
                configs.push(Arc::new(config(certificate, key, tickets)?));
            }
            let configs = <[_; Identity::ALL.len()]>::try_from(configs);
            Ok(Identities {
                configs: configs.map_err(|_| "one for each identity")?,
                ca_pem: ours.pem,
            })
        };
        made().map_err(io::Error::other)
    }

    /// The certificate of the farm's authority.
    pub(super) fn ca_pem(&self) -> &str {
        &self.ca_pem
    }
}

impl std::fmt::Debug for Identities {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Identities")
    }
}

fn certificate(
    identity: Identity,
    ours: &Authority,
    theirs: &Authority,
) -> Result<(CertificateDer<'static>, PrivateKeyDer<'static>), rcgen::Error> {
    let key = KeyPair::generate()?;
    let names = match identity {
        Identity::WrongName => vec!["other.test".to_owned()],
        Identity::Proxy => vec!["proxy.test".to_owned()],
        _ => TARGET_NAMES.map(str::to_owned).to_vec(),
    };
    let mut params = CertificateParams::new(names)?;
    if identity == Identity::Expired {
        params.not_after = date_time_ymd(2020, 1, 1);
    }
    let signed = match identity {
        Identity::Genuine | Identity::Expired | Identity::WrongName => {
            params.signed_by(&key, &ours.issuer)
        }
        Identity::Forged => params.signed_by(&key, &theirs.issuer),
        Identity::SelfSigned | Identity::Proxy => params.self_signed(&key),
    };
    Ok((signed?.into(), key.into()))
}

fn config(
    certificate: CertificateDer<'static>,
    key: PrivateKeyDer<'static>,
    tickets: usize,
) -> Result<ServerConfig, rustls::Error> {
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    // Tickets that hold their session, so that however many clients can resume.
    config.ticketer = ring::Ticketer::new()?;
    config.send_tls13_tickets = tickets;
    Ok(config)
}

/// What became of bytes that a layer was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Opened {
    /// They were TLS so far.
    Fine,
    /// They were not; an alert waits to be sent.
    Broken,
}

/// The server's end of one TLS connection, sans-io.
pub(super) struct Layer {
    /// Boxed: it is large, and most connections have none.
    tls: Box<ServerConnection>,
    /// Whether what it says is changed on its way once the handshake is done.
    tampers: bool,
    /// Whether its handshake was counted.
    counted: bool,
}

impl std::fmt::Debug for Layer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Layer")
    }
}

impl Layer {
    /// A layer that begins with the ClientHello; `None` without memory or randomness.
    pub(super) fn new(identities: &Identities, identity: Identity, tampers: bool) -> Option<Layer> {
        let config = Arc::clone(&identities.configs[identity as usize]);
        let mut tls = Box::new(ServerConnection::new(config).ok()?);
        tls.set_buffer_limit(None);
        Some(Layer {
            tls,
            tampers,
            counted: false,
        })
    }

    /// Takes bytes of the wire; what they hide is added to `plain`.
    pub(super) fn open(&mut self, mut wire: &[u8], plain: &mut Vec<u8>) -> Opened {
        while !wire.is_empty() {
            // It fails where a peer sends more than a handshake or a record may have.
            if self.tls.read_tls(&mut wire).is_err() || self.tls.process_new_packets().is_err() {
                return Opened::Broken;
            }
            let mut reader = self.tls.reader();
            while let Ok(bytes @ [_, ..]) = reader.fill_buf() {
                plain.extend_from_slice(bytes);
                let length = bytes.len();
                reader.consume(length);
            }
        }
        Opened::Fine
    }

    /// Says `plain`, and whatever else TLS has to say: the bytes for the wire are added to `wire`.
    pub(super) fn seal(&mut self, plain: &[u8], wire: &mut Vec<u8>) {
        // A `Vec` takes everything, and so does a buffer without a limit.
        self.tls.writer().write_all(plain).ok();
        let before = wire.len();
        while self.tls.wants_write() {
            if self.tls.write_tls(wire).is_err() {
                break;
            }
        }
        // The last byte is of the seal of the last record.
        let said = self.tampers && !plain.is_empty() && wire.len() > before;
        if let (true, Some(last)) = (said, wire.last_mut()) {
            *last ^= 1;
        }
    }

    /// Has the next [`Layer::seal`] end with `close_notify` (RFC 8446, section 6.1).
    pub(super) fn close(&mut self) {
        self.tls.send_close_notify();
    }

    /// How the handshake went, once, when it is done.
    pub(super) fn handshake(&mut self) -> Option<HandshakeKind> {
        if self.counted || self.tls.is_handshaking() {
            return None;
        }
        self.counted = true;
        self.tls.handshake_kind()
    }
}
