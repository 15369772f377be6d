//! The target in memory: rustls with a chain of certificates, answering 204.

use super::Error;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, PKCS_ECDSA_P256_SHA256,
    PKCS_ECDSA_P384_SHA384, SignatureAlgorithm,
};
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection};
use std::io::{BufRead, Write};
use std::sync::Arc;

/// The target's name.
pub const NAME: &str = "target.test";

const ANSWER: &[u8] = b"HTTP/1.1 204 No Content\r\n\r\n";

/// What a client has to verify beside the signature over the handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chain {
    /// As the farm has it: the target's certificate is signed by the root; all ECDSA P-256.
    Short,
    /// As public sites have it: an intermediate certificate between, and a larger root. Google's, of
    /// the key types that rustls prefers, are P-256 under P-256 under the root GTS R4, P-384.
    Public,
}

impl Chain {
    /// Each.
    pub const ALL: [Chain; 2] = [Chain::Short, Chain::Public];

    /// The one word for it.
    pub const fn short(self) -> &'static str {
        match self {
            Chain::Short => "short",
            Chain::Public => "public",
        }
    }

    /// What a table says of it.
    pub const fn label(self) -> &'static str {
        match self {
            Chain::Short => "P-256 by P-256",
            Chain::Public => "P-256 by P-256 by P-384",
        }
    }
}

/// A target and the authority behind it.
#[derive(Debug)]
pub struct Target {
    config: Arc<ServerConfig>,
    /// The root certificate, in PEM.
    pub ca_pem: String,
}

type Signer = Issuer<'static, KeyPair>;

fn authority(
    name: &str,
    algorithm: &'static SignatureAlgorithm,
    by: Option<&Signer>,
) -> Result<(Signer, rcgen::Certificate), Error> {
    let key = KeyPair::generate_for(algorithm)?;
    let mut params = CertificateParams::new(Vec::new())?;
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, name);
    let certificate = match by {
        Some(issuer) => params.signed_by(&key, issuer)?,
        None => params.self_signed(&key)?,
    };
    Ok((Issuer::new(params, key), certificate))
}

impl Target {
    /// One with such a `chain`, whose handshakes give so many `tickets`.
    ///
    /// # Errors
    /// No randomness.
    pub fn new(chain: Chain, tickets: usize) -> Result<Target, Error> {
        let algorithm = match chain {
            Chain::Short => &PKCS_ECDSA_P256_SHA256,
            Chain::Public => &PKCS_ECDSA_P384_SHA384,
        };
        let (root, root_certificate) = authority("root", algorithm, None)?;
        let between = match chain {
            Chain::Short => None,
            Chain::Public => Some(authority(
                "intermediate",
                &PKCS_ECDSA_P256_SHA256,
                Some(&root),
            )?),
        };
        let key = KeyPair::generate()?;
        let params = CertificateParams::new(vec![NAME.to_owned()])?;
        let signer = between.as_ref().map_or(&root, |(signer, _)| signer);
        let mut certificates: Vec<CertificateDer<'static>> =
            vec![params.signed_by(&key, signer)?.into()];
        certificates.extend(between.map(|(_, certificate)| certificate.into()));
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .with_no_client_auth()
            .with_single_cert(certificates, PrivateKeyDer::from(key))?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        config.ticketer = ring::Ticketer::new()?;
        config.send_tls13_tickets = tickets;
        Ok(Target {
            config: Arc::new(config),
            ca_pem: root_certificate.pem(),
        })
    }

    /// A connection of this target.
    ///
    /// # Errors
    /// rustls' own.
    pub fn accept(&self) -> Result<Server, Error> {
        let tls = ServerConnection::new(Arc::clone(&self.config))?;
        Ok(Server(Box::new(tls)))
    }
}

/// The target's end of one connection.
#[derive(Debug)]
pub struct Server(Box<ServerConnection>);

impl Server {
    /// Takes bytes of the wire and gives what it says to them: to any request, 204.
    ///
    /// # Errors
    /// What rustls says of them.
    pub fn hear(&mut self, mut wire: &[u8]) -> Result<Vec<u8>, Error> {
        let Server(tls) = self;
        let mut said = Vec::new();
        while !wire.is_empty() {
            tls.read_tls(&mut wire)?;
            tls.process_new_packets()?;
            let heard = tls.reader().fill_buf().map_or(0, <[u8]>::len);
            if heard > 0 {
                tls.reader().consume(heard);
                tls.writer().write_all(ANSWER)?;
            }
        }
        while tls.wants_write() {
            tls.write_tls(&mut said)?;
        }
        Ok(said)
    }

    /// Whether the session of this connection is one of before.
    pub fn is_resumed(&self) -> bool {
        self.0.handshake_kind() == Some(rustls::HandshakeKind::Resumed)
    }
}
