//! Passwords and TLS: who comes in, and what the others are told.

use super::*;
use rcgen::{CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use std::fs;
use std::io::Read;
use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;

const PASSWORD: &str = "s3cret-of-redis";

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority() -> Authority {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// A server that speaks TLS only, with a certificate of `authority` for 127.0.0.1.
fn guarded(authority: &Authority) -> RedisServer {
    let (key, names) = (KeyPair::generate().unwrap(), vec!["127.0.0.1".to_owned()]);
    let params = CertificateParams::new(names).unwrap();
    let certificate = params.signed_by(&key, authority).unwrap();
    let (certificate, key) = (certificate.pem(), key.serialize_pem());
    RedisServer::start_tls(|folder: &Path| {
        let put = |name: &str, text: &str| {
            let path = folder.join(name);
            fs::write(&path, text).unwrap();
            path.display().to_string()
        };
        vec![
            "--tls-cert-file".to_owned(),
            put("certificate.pem", &certificate),
            "--tls-key-file".to_owned(),
            put("key.pem", &key),
            "--tls-auth-clients".to_owned(),
            "no".to_owned(),
            "--requirepass".to_owned(),
            PASSWORD.to_owned(),
        ]
    })
}

fn opened(url: &str, password: Option<&str>, ca: Option<&Authority>) -> Result<RedisStore, String> {
    let ca = ca.map(|ca| Arc::from(ca.pem().into_bytes()));
    let place = RedisPlace::new(url, password.map(Box::from), ca).unwrap();
    RedisStore::open_with(&place, "p", SHORT).map_err(|error| error.to_string())
}

fn refusal(url: &str, password: Option<&str>, ca: Option<&Authority>) -> String {
    let error = opened(url, password, ca).err().expect("it is refused");
    assert!(
        !error.contains(PASSWORD) && !error.contains("wr0ng"),
        "{error}"
    );
    error
}

#[test]
fn who_has_the_password_and_the_authority_comes_in_over_tls() {
    let (ours, other) = (authority(), authority());
    let server = guarded(&ours);
    let url = format!("rediss://{}", server.place());
    let image = random_image(&mut Rng::with_seed(1), 1_000);
    let mut store = opened(&url, Some(PASSWORD), Some(&ours)).unwrap();
    store.save(&image).unwrap();
    drop(store);
    let written = format!("rediss://:{PASSWORD}@{}", server.place());
    let mut store = opened(&written, None, Some(&ours)).unwrap();
    assert!(store.load().unwrap() == image);

    for wrong in [Some("wr0ng"), None] {
        let error = refusal(&url, wrong, Some(&ours));
        assert!(error.contains("see storage.password_env"), "{error}");
    }
    for authority in [Some(&other), None] {
        let error = refusal(&url, Some(PASSWORD), authority);
        assert!(error.contains("see storage.ca_file"), "{error}");
    }
    // Without TLS it does not even say why.
    let plain = format!("redis://{}", server.place());
    refusal(&plain, Some(PASSWORD), None);
}

#[test]
fn a_password_without_tls_is_asked_for_and_a_wrong_one_named() {
    let server = RedisServer::start_with(|_| vec!["--requirepass".to_owned(), PASSWORD.to_owned()]);
    let url = format!("redis://{}", server.place());
    assert!(opened(&url, Some(PASSWORD), None).is_ok());
    for wrong in [Some("wr0ng"), None] {
        let error = refusal(&url, wrong, None);
        assert!(error.contains("see storage.password_env"), "{error}");
    }
}

#[test]
fn one_who_takes_the_connection_and_says_nothing_is_not_waited_for() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..2 {
                let (mut stream, _) = listener.accept().unwrap();
                // Until the other side gives up.
                let _ = stream.read_to_end(&mut Vec::new());
            }
        });
        for scheme in ["redis", "rediss"] {
            let start = Instant::now();
            let error = refusal(&format!("{scheme}://{address}"), Some(PASSWORD), None);
            assert!(
                start.elapsed() < 4 * SHORT.answer,
                "{scheme}: {:?}",
                start.elapsed()
            );
            assert!(
                error.contains("no answer within 0.5 s"),
                "{scheme}: {error}"
            );
        }
    });
}

#[test]
fn a_place_where_nobody_listens_is_named() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let error = refusal(&format!("redis://{address}"), None, None);
    assert!(
        error.starts_with(&format!("redis://{address} p:ledger: cannot open")),
        "{error}"
    );
    assert!(error.contains("see storage.path"), "{error}");
}
