//! A checker that is plain rustls over blocking sockets, a thread for each probe at once: it opens a
//! tunnel by CONNECT, shakes hands with the target, asks for the page and looks at the status.
//!
//! It verifies certificates and resumes sessions as rustls does by itself.

use super::Error;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, Stream};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

/// How long a peer may stay silent.
const PATIENCE: Duration = Duration::from_secs(15);

/// Longest head of an answer, in bytes.
const HEAD_BYTES_MAX: usize = 16 * 1024;

/// What is asked of every proxy.
#[derive(Debug)]
pub struct Checker {
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
    connect: Vec<u8>,
    request: Vec<u8>,
}

impl Checker {
    /// A checker for an `https://host:port/path` that answers 204, trusting the authority of `ca_pem`
    /// and nobody else.
    ///
    /// # Errors
    /// A URL or certificate that is none.
    pub fn new(target: &str, ca_pem: &[u8]) -> Result<Checker, Error> {
        let parts = target
            .strip_prefix("https://")
            .and_then(|rest| rest.split_once('/'));
        let (authority, path) = parts.ok_or("the target is no https://host:port/path")?;
        let (host, _port) = authority.rsplit_once(':').ok_or("the target has no port")?;
        Ok(Checker {
            config: config(ca_pem)?,
            name: ServerName::try_from(host.to_owned())?,
            connect: format!("CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n\r\n").into(),
            request: format!(
                "GET /{path} HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\n\r\n"
            )
            .into(),
        })
    }

    /// Which of the `proxies`, written `http://address:port`, answered as the target does, in their
    /// order; so many at once.
    pub fn check(&self, proxies: &[&str], threads: usize) -> Vec<bool> {
        let next = AtomicUsize::new(0);
        let work = || {
            let mine = || proxies.get(next.fetch_add(1, Relaxed)).copied();
            let check = |proxy| (proxy, self.attempt(proxy).unwrap_or(false));
            std::iter::from_fn(mine).map(check).collect::<Vec<_>>()
        };
        let found: std::collections::HashMap<&str, bool> = thread::scope(|scope| {
            let threads: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
            let ends = threads.into_iter().map(|thread| thread.join());
            ends.flat_map(|end| end.unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
                .collect()
        });
        proxies.iter().map(|proxy| found[proxy]).collect()
    }

    fn attempt(&self, proxy: &str) -> Result<bool, Error> {
        let address = proxy.strip_prefix("http://").ok_or("no HTTP proxy")?;
        let address: SocketAddr = address.parse()?;
        let mut socket = TcpStream::connect_timeout(&address, PATIENCE)?;
        socket.set_read_timeout(Some(PATIENCE))?;
        socket.write_all(&self.connect)?;
        if !head(&mut socket)?.starts_with(b"HTTP/1.1 200 ") {
            return Ok(false);
        }
        let mut tls = ClientConnection::new(Arc::clone(&self.config), self.name.clone())?;
        let mut stream = Stream::new(&mut tls, &mut socket);
        stream.write_all(&self.request)?;
        Ok(head(&mut stream)?.starts_with(b"HTTP/1.1 204 "))
    }
}

/// rustls as it is, with the roots of `ca_pem`.
pub(super) fn config(ca_pem: &[u8]) -> Result<Arc<ClientConfig>, Error> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(ca_pem) {
        roots.add(certificate?)?;
    }
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// Reads up to the end of a head.
fn head(stream: &mut impl Read) -> Result<Vec<u8>, Error> {
    let mut head = Vec::new();
    let mut room = [0; 4096];
    while !head.windows(4).any(|four| four == b"\r\n\r\n") {
        match stream.read(&mut room)? {
            0 => return Err("the stream ended before the head did".into()),
            length => head.extend_from_slice(&room[..length]),
        }
        if head.len() > HEAD_BYTES_MAX {
            return Err("the head is too long".into());
        }
    }
    Ok(head)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::farm::{Aim, Behaviour, Farm, FarmOptions};

    fn check(tickets: usize, behaviours: &[&str]) -> (Vec<bool>, crate::farm::Handshakes) {
        let farm = Farm::start(FarmOptions {
            tickets,
            ..FarmOptions::default()
        })
        .expect("a farm");
        let target = farm.target(Aim::Https);
        let checker = Checker::new(&target, farm.ca_pem().as_bytes()).expect("a checker");
        let behaviours: Vec<_> = behaviours
            .iter()
            .map(|label| Behaviour::from_label(label).expect("a behaviour"))
            .collect();
        let proxies = farm.mix(12, &behaviours);
        let proxies: Vec<_> = proxies.iter().map(|(proxy, _)| proxy.as_str()).collect();
        (checker.check(&proxies, 2), farm.handshakes())
    }

    #[test]
    fn those_that_forward_are_alive_and_others_are_not() {
        let (found, _) = check(2, &["forwards", "refuses", "forbidden"]);
        assert_eq!(found, [true, false, false].repeat(4));
    }

    #[test]
    fn sessions_are_resumed_as_far_as_the_target_gives_tickets() {
        let (found, shaken) = check(2, &["forwards"]);
        assert_eq!(found, [true; 12]);
        assert!(shaken.resumed >= 8 && shaken.full >= 1, "{shaken:?}");
        let (found, shaken) = check(0, &["forwards"]);
        assert_eq!(
            (found, shaken.full, shaken.resumed),
            (vec![true; 12], 12, 0)
        );
    }

    #[test]
    fn what_is_no_https_url_is_no_target() {
        for url in ["http://127.0.0.1:1/", "https://127.0.0.1:1", "https://a/"] {
            assert!(Checker::new(url, b"").is_err(), "{url}");
        }
    }
}
