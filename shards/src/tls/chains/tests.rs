//! Chains that are verified anew, and those that need not be.

use super::super::builder;
use super::super::clock::Clock;
use super::super::peer::Authority;
use super::*;
use rustls::client::Resumption;
use rustls::crypto::ring;
use rustls::crypto::ring::sign::any_supported_type;
use rustls::pki_types::PrivateKeyDer;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::version::{TLS12, TLS13};
use rustls::{CertificateError, ClientConfig, ClientConnection};
use rustls::{ServerConfig, ServerConnection, SupportedProtocolVersion};

const NAME: &str = "a.example";

/// The first second of 2030, before which the intermediates of these tests end to be valid.
const YEAR: i32 = 2030;
const END: u64 = 1_893_456_000;

/// What a server shows and signs with, whether it fits together or not.
#[derive(Debug)]
struct Shown(Arc<CertifiedKey>);

impl ResolvesServerCert for Shown {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }
}

type Certificates = Vec<CertificateDer<'static>>;

/// A client that never resumes, with its verifier and its clock.
struct Client {
    chains: Arc<Chains>,
    clock: Arc<Clock>,
    config: Arc<ClientConfig>,
    version: &'static SupportedProtocolVersion,
}

impl Client {
    fn of(authority: &Authority, version: &'static SupportedProtocolVersion) -> Client {
        let roots = authority.policy("https://a.example/").roots;
        let provider = Arc::new(ring::default_provider());
        let verifier = WebPkiServerVerifier::builder_with_provider(roots, provider);
        let chains = Arc::new(Chains::new(verifier.build().unwrap()));
        let clock = Clock::at(END - 10_000);
        let mut config = builder(Arc::<Clock>::clone(&clock))
            .dangerous()
            .with_custom_certificate_verifier(Arc::<Chains>::clone(&chains))
            .with_no_client_auth();
        config.resumption = Resumption::disabled();
        Client {
            chains,
            clock,
            config: Arc::new(config),
            version,
        }
    }

    /// A handshake with a server of that name which shows `certificates` and signs with `key`.
    fn meet(
        &self,
        name: &str,
        certificates: &Certificates,
        key: &PrivateKeyDer<'_>,
    ) -> Result<(), Error> {
        let shown = CertifiedKey::new(certificates.clone(), any_supported_type(key).unwrap());
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(&[self.version])
            .unwrap()
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(Shown(Arc::new(shown))));
        let mut server = ServerConnection::new(Arc::new(config)).unwrap();
        let name = ServerName::try_from(name.to_owned()).unwrap();
        let mut client = ClientConnection::new(Arc::clone(&self.config), name).unwrap();
        while client.is_handshaking() {
            let (mut there, mut back) = (Vec::new(), Vec::new());
            while client.wants_write() {
                client.write_tls(&mut there).unwrap();
            }
            let mut wire = &there[..];
            while !wire.is_empty() {
                server.read_tls(&mut wire).unwrap();
                server.process_new_packets().unwrap();
            }
            while server.wants_write() {
                server.write_tls(&mut back).unwrap();
            }
            let mut wire = &back[..];
            while !wire.is_empty() {
                client.read_tls(&mut wire).unwrap();
                client.process_new_packets()?;
            }
        }
        Ok(())
    }

    fn spared(&self) -> usize {
        self.chains.spared()
    }
}

fn check(change: impl Fn(&Authority, &Client, Certificates, PrivateKeyDer<'static>)) {
    for version in [&TLS12, &TLS13] {
        let authority = Authority::new();
        let client = Client::of(&authority, version);
        let (certificates, key) = authority.chain_until(NAME, YEAR);
        change(&authority, &client, certificates, key);
    }
}

const BAD_SIGNATURE: Result<(), Error> =
    Err(Error::InvalidCertificate(CertificateError::BadSignature));

#[test]
fn the_same_chain_is_verified_once() {
    check(|_, client, certificates, key| {
        for spared in 0..5 {
            assert_eq!(client.meet(NAME, &certificates, &key), Ok(()));
            assert_eq!((client.spared(), client.chains.known()), (spared, 1));
        }
    });
}

#[test]
fn who_shows_a_known_chain_must_hold_its_key() {
    check(|authority, client, certificates, key| {
        let (_, other_key) = authority.chain(NAME);
        assert_eq!(client.meet(NAME, &certificates, &key), Ok(()));
        let met = client.meet(NAME, &certificates, &other_key);
        assert_eq!((met, client.spared()), (BAD_SIGNATURE, 1));
    });
}

#[test]
fn nothing_is_remembered_of_who_does_not_hold_the_key() {
    check(|authority, client, certificates, key| {
        let (_, other_key) = authority.chain(NAME);
        let met = client.meet(NAME, &certificates, &other_key);
        assert_eq!((met, client.chains.known()), (BAD_SIGNATURE, 0));
        // Nor once somebody else proves to hold another key.
        let (others, their_key) = authority.chain(NAME);
        assert_eq!(client.meet(NAME, &others, &their_key), Ok(()));
        assert_eq!(client.meet(NAME, &certificates, &key), Ok(()));
        assert_eq!(client.spared(), 0);
    });
}

#[test]
fn a_changed_byte_is_another_chain() {
    check(|_, client, certificates, key| {
        assert_eq!(client.meet(NAME, &certificates, &key), Ok(()));
        let mut tried = 0;
        for place in 0..certificates.len() {
            for at in (0..certificates[place].len()).step_by(23) {
                let mut bytes = certificates[place].to_vec();
                bytes[at] ^= 1;
                let mut changed = certificates.clone();
                changed[place] = bytes.into();
                assert!(client.meet(NAME, &changed, &key).is_err(), "{place}: {at}");
                tried += 1;
            }
        }
        assert!(tried > 20, "{tried}");
        assert_eq!((client.spared(), client.chains.known()), (0, 1));
        assert_eq!(client.meet(NAME, &certificates, &key), Ok(()));
        assert_eq!(client.spared(), 1);
    });
}

#[test]
fn number_and_order_of_certificates_count() {
    check(|authority, client, certificates, key| {
        let [leaf, middle] = &certificates[..] else {
            panic!("a chain of two");
        };
        let (one, three) = (
            vec![leaf.clone()],
            [&certificates[..], std::slice::from_ref(middle)].concat(),
        );
        let others = authority.chain(NAME).0;
        let swapped = [
            vec![leaf.clone()],
            others[1..].to_vec(),
            certificates[1..].to_vec(),
        ];
        assert_eq!(client.meet(NAME, &certificates, &key), Ok(()));
        assert!(client.meet(NAME, &one, &key).is_err());
        assert_eq!(client.meet(NAME, &three, &key), Ok(()));
        assert_eq!(client.meet(NAME, &swapped.concat(), &key), Ok(()));
        assert_eq!((client.spared(), client.chains.known()), (0, 3));
    });
}

#[test]
fn a_known_chain_is_good_for_its_name_only() {
    check(|_, client, certificates, key| {
        assert_eq!(client.meet(NAME, &certificates, &key), Ok(()));
        assert!(client.meet("b.example", &certificates, &key).is_err());
        assert_eq!(client.spared(), 0);
    });
}

#[test]
fn a_chain_is_known_for_a_while_and_not_before() {
    check(|_, client, certificates, key| {
        let start = END - 10_000;
        let last = start + CHAIN_SECONDS_MAX;
        for (now, spared) in [
            (start, 0),
            (start, 1),
            (last, 2),
            (start - 1, 2),
            (last + 1, 2),
            (last + 2, 3),
        ] {
            client.clock.set(now);
            assert_eq!(client.meet(NAME, &certificates, &key), Ok(()));
            assert_eq!(client.spared(), spared, "{now}");
        }
    });
}

#[test]
fn what_ends_soon_is_not_remembered_and_what_has_ended_is_not_good() {
    check(|_, client, certificates, key| {
        let expired = |met| match met {
            Err(Error::InvalidCertificate(error)) => matches!(
                error,
                CertificateError::Expired | CertificateError::ExpiredContext { .. }
            ),
            _ => false,
        };
        client.clock.set(END - CHAIN_SECONDS_MAX + 1);
        assert_eq!(client.meet(NAME, &certificates, &key), Ok(()));
        assert_eq!(client.chains.known(), 0);
        client.clock.set(END - CHAIN_SECONDS_MAX);
        assert_eq!(client.meet(NAME, &certificates, &key), Ok(()));
        assert_eq!(client.chains.known(), 1);
        client.clock.set(END);
        assert_eq!(client.meet(NAME, &certificates, &key), Ok(()));
        assert_eq!(client.spared(), 1);
        client.clock.set(END + 1);
        assert!(expired(client.meet(NAME, &certificates, &key)));
        assert_eq!(client.spared(), 1);
    });
}

#[test]
fn few_and_short_chains_are_remembered() {
    check(|authority, client, certificates, key| {
        let many: Vec<_> = (0..CHAINS_MAX).map(|_| authority.chain(NAME)).collect();
        assert_eq!(client.meet(NAME, &certificates, &key), Ok(()));
        for (certificates, key) in &many {
            assert_eq!(client.meet(NAME, certificates, key), Ok(()));
        }
        assert_eq!((client.chains.known(), client.spared()), (CHAINS_MAX, 0));
        let (last, last_key) = many.last().unwrap();
        assert_eq!(client.meet(NAME, last, last_key), Ok(()));
        assert_eq!(client.spared(), 1);
        // The first one has made room.
        assert_eq!(client.meet(NAME, &certificates, &key), Ok(()));
        assert_eq!(client.spared(), 1);
    });
}

#[test]
fn a_chain_that_is_very_long_is_verified_each_time() {
    check(|_, client, certificates, key| {
        let copies = vec![certificates[1].clone(); CHAIN_BYTES_MAX / certificates[1].len()];
        let long = [certificates, copies].concat();
        for _ in 0..2 {
            assert_eq!(client.meet(NAME, &long, &key), Ok(()));
            assert_eq!((client.chains.known(), client.spared()), (0, 0));
        }
    });
}
