//! The other end of the wire: a real rustls server and the authority behind its certificate.

use crate::policy::{PolicyOptions, ProbePolicy};
use crate::target::TargetOptions;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, SupportedProtocolVersion, version};
use std::io::{Read, Write};
use std::sync::Arc;

/// A certificate authority of its own.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    pub(crate) fn new() -> Authority {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).unwrap().pem();
        let issuer = Issuer::new(params, key);
        Authority { issuer, pem }
    }

    /// Its own certificate.
    pub(crate) fn pem(&self) -> &str {
        &self.pem
    }

    /// A policy whose target is `url` and that trusts this authority too.
    pub(crate) fn policy(&self, url: &str) -> ProbePolicy {
        ProbePolicy::new(PolicyOptions {
            targets: vec![TargetOptions {
                body_bytes_max: 100_000,
                ..url.into()
            }],
            ca_pem: Some(self.pem.clone().into_bytes()),
            ..PolicyOptions::default()
        })
        .unwrap()
    }

    /// A chain of two for `name`, with its key: what a handshake usually has to verify.
    pub(crate) fn chain(
        &self,
        name: &str,
    ) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
        self.chain_until(name, 4000)
    }

    /// The same, where the intermediate certificate ends with the first day of `year`.
    pub(crate) fn chain_until(
        &self,
        name: &str,
        year: i32,
    ) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.not_after = date_time_ymd(year, 1, 1);
        params
            .distinguished_name
            .push(DnType::CommonName, "intermediate");
        let middle = params.signed_by(&key, &self.issuer).unwrap();
        let issuer = Issuer::new(params, key);
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.into()]).unwrap();
        let leaf = params.signed_by(&key, &issuer).unwrap();
        (vec![leaf.into(), middle.into()], key.into())
    }

    /// A certificate for `name`, with its key. Names under `old.` have expired.
    fn certificate(&self, name: &str) -> (CertificateDer<'static>, PrivateKeyDer<'static>) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![name.into()]).unwrap();
        if name.starts_with("old.") {
            params.not_after = date_time_ymd(2020, 1, 1);
        }
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        (certificate.into(), key.into())
    }
}

/// A server that gives one answer to the first request, and then perhaps closes.
pub(crate) struct Server {
    pub(crate) tls: ServerConnection,
    pub(crate) config: Arc<ServerConfig>,
    pub(crate) request: Vec<u8>,
    answer: Vec<u8>,
    pub(crate) closes: bool,
    /// Longest piece of the answer that goes into one record.
    pub(crate) record_bytes_max: usize,
    /// What a proxy does to the wire bytes of the answer.
    pub(crate) change: Option<fn(&mut Vec<u8>)>,
    /// How often the client sent something.
    pub(crate) heard: usize,
}

impl Server {
    pub(crate) fn new(authority: &Authority, name: &str, answer: &str) -> Server {
        let versions = [&version::TLS12, &version::TLS13];
        Server::with(authority, name, answer, ring::default_provider(), &versions)
    }

    pub(crate) fn with(
        authority: &Authority,
        name: &str,
        answer: &str,
        provider: CryptoProvider,
        versions: &[&'static SupportedProtocolVersion],
    ) -> Server {
        let (certificate, key) = authority.certificate(name);
        let mut config = ServerConfig::builder_with_provider(Arc::new(provider))
            .with_protocol_versions(versions)
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)
            .unwrap();
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Server::of(Arc::new(config), answer)
    }

    /// One more server that remembers the sessions of the others with this configuration.
    pub(crate) fn of(config: Arc<ServerConfig>, answer: &str) -> Server {
        Server {
            tls: ServerConnection::new(Arc::clone(&config)).unwrap(),
            config,
            request: Vec::new(),
            answer: answer.into(),
            closes: false,
            record_bytes_max: usize::MAX,
            change: None,
            heard: 0,
        }
    }

    /// Takes what the client sent and gives what the server says to it.
    pub(crate) fn hear(&mut self, mut wire: &[u8]) -> Vec<u8> {
        self.heard += 1;
        let mut said = Vec::new();
        while !wire.is_empty() {
            self.tls.read_tls(&mut wire).unwrap();
            if self.tls.process_new_packets().is_err() {
                break;
            }
            let mut plain = [0; 4096];
            while let Ok(length @ 1..) = self.tls.reader().read(&mut plain) {
                self.request.extend(&plain[..length]);
            }
            if self.request.ends_with(b"\r\n\r\n") {
                self.tls.set_buffer_limit(None);
                let answer = std::mem::take(&mut self.answer);
                for record in answer.chunks(self.record_bytes_max) {
                    self.tls.writer().write_all(record).unwrap();
                }
                if self.closes {
                    self.tls.send_close_notify();
                }
            }
        }
        while self.tls.wants_write() {
            self.tls.write_tls(&mut said).unwrap();
        }
        if let (Some(change), true) = (self.change, self.answer.is_empty()) {
            change(&mut said);
        }
        said
    }
}

/// What a proxy behind TLS makes of what it hears.
type Script<'a> = dyn FnMut(&[u8]) -> (Vec<u8>, End) + 'a;

/// A proxy behind TLS: what comes decrypted is answered by a script.
pub(crate) struct SecureProxy<'a> {
    pub(crate) tls: ServerConnection,
    /// Takes what was said inside and gives what is said back, and whether that is the end.
    script: Box<Script<'a>>,
    /// All that was said inside.
    pub(crate) heard: Vec<u8>,
}

/// Whether a peer goes on.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum End {
    /// It does.
    Open,
    /// It says goodbye by `close_notify`.
    Notified,
}

impl<'a> SecureProxy<'a> {
    /// Its certificate is for `name`, and its records are at most `record_bytes_max` long.
    pub(crate) fn new(
        authority: &Authority,
        name: &str,
        record_bytes_max: Option<usize>,
        script: impl FnMut(&[u8]) -> (Vec<u8>, End) + 'a,
    ) -> SecureProxy<'a> {
        let (certificate, key) = authority.certificate(name);
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)
            .unwrap();
        config.max_fragment_size = record_bytes_max;
        let mut tls = ServerConnection::new(Arc::new(config)).unwrap();
        tls.set_buffer_limit(None);
        SecureProxy {
            tls,
            script: Box::new(script),
            heard: Vec::new(),
        }
    }

    /// Takes what the client sent and gives what the proxy says to it.
    pub(crate) fn hear(&mut self, mut wire: &[u8]) -> Vec<u8> {
        let mut said = Vec::new();
        let mut plain = Vec::new();
        while !wire.is_empty() {
            self.tls.read_tls(&mut wire).unwrap();
            if self.tls.process_new_packets().is_err() {
                break;
            }
            // It fails when there is nothing more, with what there was already read.
            let _ = self.tls.reader().read_to_end(&mut plain);
        }
        if !plain.is_empty() {
            self.heard.extend(&plain);
            let (back, end) = (self.script)(&plain);
            self.tls.writer().write_all(&back).unwrap();
            if end == End::Notified {
                self.tls.send_close_notify();
            }
        }
        while self.tls.wants_write() {
            self.tls.write_tls(&mut said).unwrap();
        }
        said
    }
}
