//! Servers whose certificate does not prove who they are.

use super::server::{Stream, head, reply};
use super::turning::{Bad, World};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::crypto::ring;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

/// Longest time that a handshake may wait for its client.
const PATIENCE: Duration = Duration::from_secs(20);

/// Whose certificate a server shows after it has turned.
#[derive(Clone, Copy, PartialEq)]
enum Shown {
    Expired,
    OfAnotherName,
    OfAnotherAuthority,
    SelfSigned,
    TheRightOne,
}

struct Authority(Issuer<'static, KeyPair>, String);

impl Authority {
    fn new() -> Authority {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).unwrap().pem();
        Authority(Issuer::new(params, key), pem)
    }

    /// How a server shows itself.
    fn config(&self, shown: Shown) -> Arc<ServerConfig> {
        let key = KeyPair::generate().unwrap();
        let name = match shown {
            Shown::OfAnotherName => "other.example",
            _ => "127.0.0.1",
        };
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        if shown == Shown::Expired {
            params.not_after = date_time_ymd(2020, 1, 1);
        }
        let certificate = match shown {
            Shown::SelfSigned => params.self_signed(&key),
            Shown::OfAnotherAuthority => params.signed_by(&key, &Authority::new().0),
            Shown::Expired | Shown::OfAnotherName | Shown::TheRightOne => {
                params.signed_by(&key, &self.0)
            }
        };
        let provider = Arc::new(ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.unwrap().into()], key.into());
        Arc::new(config.unwrap())
    }
}

/// Serves `text` within TLS: as the first of `configs` shows it, and as the second once `has_turned`.
fn serve(configs: [Arc<ServerConfig>; 2], has_turned: Arc<AtomicBool>, text: &str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let text = text.to_owned();
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let config = configs[usize::from(has_turned.load(Ordering::SeqCst))].clone();
            let text = text.clone();
            // A client that trusts us not goes away.
            thread::spawn(move || answer(stream, config, &text).ok());
        }
    });
    address
}

fn answer(tcp: TcpStream, config: Arc<ServerConfig>, text: &str) -> std::io::Result<()> {
    tcp.set_read_timeout(Some(PATIENCE))?;
    let tls = ServerConnection::new(config).map_err(std::io::Error::other)?;
    let mut stream = StreamOwned::new(tls, tcp);
    let stream: &mut dyn Stream = &mut stream;
    if head(stream).is_empty() {
        return Ok(());
    }
    reply(stream, "200 OK", "", text.as_bytes())?;
    stream.flush()
}

#[test]
fn a_server_that_cannot_prove_who_it_is_gives_no_list_and_it_is_said_why() {
    let _turn = crate::turn();
    let ours = Authority::new();
    let cases: [(&'static str, &'static [&'static str], Shown); 5] = [
        (
            "expired",
            &["not to be trusted: it has expired"],
            Shown::Expired,
        ),
        (
            "of_another_name",
            &["not to be trusted: it is for another name"],
            Shown::OfAnotherName,
        ),
        (
            "of_another_authority",
            &["no authority that this machine trusts has signed it"],
            Shown::OfAnotherAuthority,
        ),
        (
            "self_signed",
            &["no authority that this machine trusts has signed it"],
            Shown::SelfSigned,
        ),
        ("the_right_one", &[], Shown::TheRightOne),
    ];
    let bad = cases.map(|(name, says, _)| Bad {
        name,
        turn: None,
        says,
    });
    let mut world = World::start(bad.into(), |stage, server, name, text| {
        let authorities = stage.path("authorities.pem");
        fs::write(&authorities, &ours.1).unwrap();
        let named = (
            "SSL_CERT_FILE".to_owned(),
            authorities.display().to_string(),
        );
        stage.variables = vec![named];
        let shown = cases.iter().find(|case| case.0 == name).map(|case| case.2);
        let configs = [Shown::TheRightOne, shown.unwrap()].map(|shown| ours.config(shown));
        Some(format!(
            "https://{}/",
            serve(configs, server.switch(), text)
        ))
    });
    world.server.turn();
    world.withstands("certificates");
    world.ends();
}
