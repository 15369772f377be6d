//! Tests of sessions that are resumed, and of those that are not.

use super::clock::Clock;
use super::peer::{Authority, Server};
use super::tickets::TICKET_SECONDS_MAX;
use super::*;
use crate::Verdict;
use crate::conversation::watch::Watched;
use crate::handshake::Progress;
use crate::verify::{Proof, Trial};
use rustls::crypto::ring;
use rustls::{HandshakeKind, ServerConfig, version};
use std::io::Write;
use std::time::{Duration, Instant};

const URL: &str = "https://a.example/generate_204";
const ALIVE: &str = "HTTP/1.1 204 No Content\r\n\r\n";

/// A client of the only target of a policy, and what the target must answer.
struct Probe {
    client: Client,
    proof: Proof,
}

impl Probe {
    fn new(policy: &ProbePolicy) -> Probe {
        Probe::by(Arc::new(DefaultTimeProvider), policy)
    }

    fn by(clock: Arc<dyn TimeProvider>, policy: &ProbePolicy) -> Probe {
        let target = &policy.targets[0];
        Probe {
            client: Client::by(clock, policy, target).unwrap(),
            proof: Proof::new(policy, target),
        }
    }

    /// How one more connection to `server` ends, of which kind it was, and what it took of our own
    /// time.
    fn talk(&self, server: &mut Server) -> (Verdict, Option<HandshakeKind>, Duration) {
        let request = Rc::from(&b"GET / HTTP/1.1\r\n\r\n"[..]);
        let mut trial = Trial {
            proof: &self.proof,
            aside: None,
        };
        let started = Instant::now();
        let (mut session, mut question) = self.client.session().unwrap();
        let mut spent = started.elapsed();
        loop {
            let said = server.hear(&question);
            let started = Instant::now();
            let watched = Watched::default();
            let progress = session.received(&request, &mut trial, &watched, &said);
            spent += started.elapsed();
            match progress {
                Progress::Ask(next) => question = next,
                Progress::Ended(rule) => {
                    return (rule.verdict(), server.tls.handshake_kind(), spent);
                }
                Progress::Recv | Progress::Open => question = [].into(),
            }
        }
    }

    /// The same with a server that remembers its sessions.
    fn again(&self, config: &Arc<ServerConfig>) -> (Verdict, Option<HandshakeKind>) {
        let (verdict, kind, _) = self.talk(&mut Server::of(Arc::clone(config), ALIVE));
        (verdict, kind)
    }
}

fn remembering(authority: &Authority, name: &str) -> Arc<ServerConfig> {
    Server::new(authority, name, ALIVE).config
}

const FULL: (Verdict, Option<HandshakeKind>) = (Verdict::Alive, Some(HandshakeKind::Full));
const RESUMED: (Verdict, Option<HandshakeKind>) = (Verdict::Alive, Some(HandshakeKind::Resumed));

#[test]
fn a_verified_session_is_resumed_and_so_are_those_that_come_of_it() {
    let authority = Authority::new();
    let (probe, server) = (
        Probe::new(&authority.policy(URL)),
        remembering(&authority, "a.example"),
    );
    assert_eq!(probe.again(&server), FULL);
    for _ in 0..10 {
        assert_eq!(probe.again(&server), RESUMED);
    }
}

#[test]
fn a_certificate_is_verified_anew_however_many_sessions_came_of_it() {
    let authority = Authority::new();
    let start = 1_800_000_000;
    let clock = Clock::at(start);
    let probe = Probe::by(Arc::<Clock>::clone(&clock), &authority.policy(URL));
    let server = remembering(&authority, "a.example");
    for (second, expected) in [
        (0, FULL),
        (TICKET_SECONDS_MAX / 2, RESUMED),
        (TICKET_SECONDS_MAX, RESUMED),
        // Its tickets are new, but the certificate is not.
        (TICKET_SECONDS_MAX + 1, FULL),
        (TICKET_SECONDS_MAX + 2, RESUMED),
        (2 * TICKET_SECONDS_MAX + 1, RESUMED),
        (2 * TICKET_SECONDS_MAX + 2, FULL),
        // The clock was set back: nothing is of the future.
        (0, FULL),
    ] {
        clock.set(start + second);
        assert_eq!(probe.again(&server), expected, "second {second}");
    }
}

#[test]
fn each_session_offers_a_ticket_of_its_own() {
    let authority = Authority::new();
    let probe = Probe::new(&authority.policy(URL));
    let server = remembering(&authority, "a.example");
    assert_eq!(probe.again(&server), FULL);
    // Two tickets, and nobody else gives more: the third has none to offer.
    let hellos = [(); 3].map(|()| probe.client.connect().unwrap());
    assert_ne!(hellos[0].1, hellos[1].1);
    let offers = hellos.map(|(layer, hello)| (layer.offers(), hello.len()));
    let [(true, first), (true, second), (false, third)] = offers else {
        panic!("{offers:?}");
    };
    assert!(first == second && third < first, "{offers:?}");
}

#[test]
fn who_does_not_know_the_session_must_have_the_certificate() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let probe = Probe::new(&authority.policy(URL));
    let target = remembering(&authority, "a.example");
    assert_eq!(probe.again(&target), FULL);
    for interceptor in [
        remembering(&stranger, "a.example"),
        remembering(&authority, "b.example"),
    ] {
        // It is offered a ticket of the target, and cannot use it.
        let (verdict, _) = probe.again(&interceptor);
        assert_eq!(verdict, Verdict::TlsIntercepted);
    }
    // It gave no tickets that the target would be offered.
    assert_eq!(probe.again(&target), FULL);
    assert_eq!(probe.again(&target), RESUMED);
}

#[test]
fn a_session_is_of_one_target_and_one_policy() {
    let authority = Authority::new();
    let server = remembering(&authority, "a.example");
    for _ in 0..2 {
        // The same name and roots, but compiled anew.
        assert_eq!(Probe::new(&authority.policy(URL)).again(&server), FULL);
    }
}

#[test]
fn sessions_of_tls_1_2_are_not_resumed() {
    let authority = Authority::new();
    let provider = ring::default_provider();
    let versions = [&version::TLS12];
    let server = Server::with(&authority, "a.example", ALIVE, provider, &versions).config;
    let probe = Probe::new(&authority.policy(URL));
    for _ in 0..2 {
        assert_eq!(probe.again(&server), FULL);
    }
}

/// Prints what a handshake and its exchange cost our own side:
/// `cargo test -p proxy-shards --lib a_resumed_handshake_costs -- --nocapture`.
#[test]
fn a_resumed_handshake_costs_less_than_one_with_a_known_chain_and_that_less_than_the_first() {
    let authority = Authority::new();
    let policy = authority.policy(URL);
    let (chain, key) = authority.chain("a.example");
    let config = |tickets| {
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(&[&version::TLS13])
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain.clone(), key.clone_key())
            .unwrap();
        config.send_tls13_tickets = tickets;
        Arc::new(config)
    };
    let (giving, keeping) = (config(2), config(0));
    let (probe, mut medians) = (Probe::new(&policy), Vec::new());
    for kind in ["the first", "with a known chain", "resumed"] {
        let (server, expected) = match kind {
            "resumed" => (&giving, HandshakeKind::Resumed),
            _ => (&keeping, HandshakeKind::Full),
        };
        // What it needs of earlier ones.
        probe.again(server);
        let mut times: Vec<_> = (0..101)
            .map(|_| {
                let stranger = (kind == "the first").then(|| Probe::new(&policy));
                let probe = stranger.as_ref().unwrap_or(&probe);
                let (verdict, met, spent) = probe.talk(&mut Server::of(Arc::clone(server), ALIVE));
                assert_eq!((verdict, met), (Verdict::Alive, Some(expected)), "{kind}");
                spent
            })
            .collect();
        times.sort_unstable();
        writeln!(std::io::stderr(), "{kind}: {:?}", times[50]).unwrap();
        medians.push(times[50]);
    }
    assert!(medians.is_sorted_by(|a, b| a > b), "{medians:?}");
}
