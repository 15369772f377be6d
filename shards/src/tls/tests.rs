//! Handshakes, good and bad, with a real server in memory.

use super::peer::{Authority, Server};
use super::*;
use crate::Verdict;
use crate::conversation::watch::Watched;
use crate::handshake::Seen;
use crate::verify::{Proof, Trial};
use rustls::crypto::ring;
use rustls::version;

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n";
pub(super) const ALIVE: &str = "HTTP/1.1 204 No Content\r\n\r\n";

/// A client of the only target of `policy`, and what the target must answer.
fn client(policy: &ProbePolicy) -> (Client, Proof) {
    let target = &policy.targets[0];
    (
        Client::to_target(policy, target).unwrap(),
        Proof::new(policy, target),
    )
}

fn hear(session: &mut Session, proof: &Proof, bytes: &[u8]) -> Seen {
    let mut trial = Trial { proof, aside: None };
    let (request, watched) = (Rc::from(REQUEST), Watched::default());
    session
        .received(&request, &mut trial, &watched, bytes)
        .into()
}

/// The verdict when the server's bytes come in pieces of `piece` bytes and the stream then ends.
pub(super) fn talk(policy: &ProbePolicy, server: &mut Server, piece: usize) -> Verdict {
    let (client, proof) = client(policy);
    let (mut session, hello) = client.session().unwrap();
    let mut said = server.hear(&hello);
    loop {
        let mut next = Vec::new();
        for bytes in said.chunks(piece) {
            match hear(&mut session, &proof, bytes) {
                Seen::Ask(question) => next.extend(server.hear(&question)),
                Seen::Recv => {}
                Seen::Ended(verdict) => return verdict,
                Seen::Open => panic!("TLS opens nothing"),
            }
        }
        if next.is_empty() {
            return match hear(&mut session, &proof, &[]) {
                Seen::Ended(verdict) => verdict,
                other => panic!("{other:?} after the end of the stream"),
            };
        }
        said = next;
    }
}

pub(super) fn check(policy: &ProbePolicy, server: impl Fn() -> Server, expected: Verdict) {
    for piece in [1, 2, 7, 100, 1_000, usize::MAX] {
        let mut server = server();
        let verdict = talk(policy, &mut server, piece);
        assert_eq!(verdict, expected, "in pieces of {piece}");
        if verdict == Verdict::Alive {
            assert_eq!(server.request, REQUEST);
            assert_eq!(server.tls.alpn_protocol(), Some(&b"http/1.1"[..]));
        }
    }
}

pub(super) const URL: &str = "https://a.example/generate_204";

#[test]
fn the_targets_own_answer_is_alive_in_both_versions() {
    let authority = Authority::new();
    let policy = authority.policy(URL);
    for version in [&version::TLS12, &version::TLS13] {
        let provider = ring::default_provider;
        let server = || Server::with(&authority, "a.example", ALIVE, provider(), &[version]);
        check(&policy, server, Verdict::Alive);
    }
}

#[test]
fn a_handshake_costs_no_send_that_could_wait() {
    let authority = Authority::new();
    let policy = authority.policy(URL);
    for (version, sends) in [(&version::TLS12, 3), (&version::TLS13, 2)] {
        let provider = ring::default_provider();
        let mut server = Server::with(&authority, "a.example", ALIVE, provider, &[version]);
        assert_eq!(talk(&policy, &mut server, 1), Verdict::Alive);
        assert_eq!(server.heard, sends, "{version:?}");
    }
}

#[test]
fn a_target_that_is_an_address_is_verified_as_one() {
    let authority = Authority::new();
    let policy = authority.policy("https://192.0.2.7/generate_204");
    check(
        &policy,
        || Server::new(&authority, "192.0.2.7", ALIVE),
        Verdict::Alive,
    );
    check(
        &policy,
        || Server::new(&authority, "192.0.2.8", ALIVE),
        Verdict::TlsIntercepted,
    );
}

#[test]
fn a_server_that_wants_another_key_share_gets_it() {
    let authority = Authority::new();
    let provider = || rustls::crypto::CryptoProvider {
        kx_groups: vec![ring::kx_group::SECP384R1],
        ..ring::default_provider()
    };
    let versions = [&version::TLS13];
    let server = || Server::with(&authority, "a.example", ALIVE, provider(), &versions);
    check(&authority.policy(URL), server, Verdict::Alive);
}

#[test]
fn a_certificate_that_is_not_the_targets_is_interception() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let policy = authority.policy(URL);
    check(
        &policy,
        || Server::new(&authority, "b.example", ALIVE),
        Verdict::TlsIntercepted,
    );
    check(
        &policy,
        || Server::new(&stranger, "a.example", ALIVE),
        Verdict::TlsIntercepted,
    );
}

#[test]
fn an_expired_certificate_is_interception() {
    let authority = Authority::new();
    let policy = authority.policy("https://old.example/generate_204");
    let server = || Server::new(&authority, "old.example", ALIVE);
    check(&policy, server, Verdict::TlsIntercepted);
}

#[test]
fn an_answer_in_slivers_costs_no_more_than_its_cap() {
    let authority = Authority::new();
    let policy = authority.policy("https://a.example/");
    let answer = format!("HTTP/1.1 200 OK\r\n\r\n{}", "x".repeat(50_000));
    let mut server = Server::new(&authority, "a.example", &answer);
    server.record_bytes_max = 1;
    assert_eq!(talk(&policy, &mut server, 5_000), Verdict::TooLarge);
}

#[test]
fn an_answer_that_was_changed_on_its_way_is_tampering() {
    let authority = Authority::new();
    let policy = authority.policy(URL);
    let sealed_wrongly: fn(&mut Vec<u8>) = |said| *said.last_mut().unwrap() ^= 1;
    let not_sealed: fn(&mut Vec<u8>) = |said| *said = ALIVE.into();
    for version in [&version::TLS12, &version::TLS13] {
        for change in [sealed_wrongly, not_sealed] {
            let server = || {
                let provider = ring::default_provider();
                let mut server = Server::with(&authority, "a.example", ALIVE, provider, &[version]);
                server.change = Some(change);
                server
            };
            check(&policy, server, Verdict::Tampered);
        }
    }
}

#[test]
fn a_page_of_another_kind_is_judged_inside_the_tunnel() {
    let authority = Authority::new();
    let answer = "HTTP/1.1 302 Found\r\nLocation: /x\r\n\r\n";
    let server = || Server::new(&authority, "a.example", answer);
    check(&authority.policy(URL), server, Verdict::Redirected);
}

#[test]
fn a_long_answer_comes_through_and_a_longer_one_is_too_large() {
    let authority = Authority::new();
    let policy = authority.policy("https://a.example/");
    for (length, verdict) in [(100_000, Verdict::Alive), (100_001, Verdict::TooLarge)] {
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n");
        let answer = head + &"x".repeat(length);
        let mut server = Server::new(&authority, "a.example", &answer);
        assert_eq!(talk(&policy, &mut server, 5_000), verdict);
    }
}

#[test]
fn an_answer_that_ends_with_its_stream_ends_with_close_notify() {
    let authority = Authority::new();
    let policy = authority.policy("https://a.example/");
    for (closes, verdict) in [(true, Verdict::Alive), (false, Verdict::Closed)] {
        let server = || {
            let mut server = Server::new(&authority, "a.example", "HTTP/1.1 200 OK\r\n\r\nhello");
            server.closes = closes;
            server
        };
        check(&policy, server, verdict);
    }
}

/// The verdict when the wire says `bytes` to the ClientHello and then closes.
fn hear_only(policy: &ProbePolicy, bytes: &[u8]) -> Verdict {
    let (client, proof) = client(policy);
    let (mut session, _) = client.session().unwrap();
    for piece in [bytes, &[]] {
        if let Seen::Ended(verdict) = hear(&mut session, &proof, piece) {
            return verdict;
        }
    }
    panic!("no verdict after the end of the stream");
}

#[test]
fn what_is_not_tls_is_bad_protocol() {
    let policy = Authority::new().policy(URL);
    for garbage in [
        &b"HTTP/1.1 400 Bad Request\r\n\r\n"[..],
        b"<html>a page of the proxy",
        b"\x15\x03\x03\x00\x02\x02\x28", // a fatal alert: handshake_failure
        b"\x17\x03\x03\x00\x05hello",    // data before the handshake
        b"\x16\x03\x03\x00\x04\x02\x00\x00\x00", // a ServerHello of nothing
    ] {
        assert_eq!(
            hear_only(&policy, garbage),
            Verdict::BadProtocol,
            "{garbage:?}"
        );
    }
}

#[test]
fn a_stream_that_ends_in_the_handshake_is_closed() {
    let authority = Authority::new();
    let policy = authority.policy(URL);
    let (client, proof) = client(&policy);
    let (mut session, hello) = client.session().unwrap();
    let flight = Server::new(&authority, "a.example", ALIVE).hear(&hello);
    assert!(flight.len() > 500, "a ServerHello and a certificate");
    for bytes in flight[..flight.len() - 1].chunks(64) {
        assert!(!matches!(hear(&mut session, &proof, bytes), Seen::Ended(_)));
        assert!(!session.is_open());
    }
    let end = hear(&mut session, &proof, &[]);
    assert_eq!(end, Seen::Ended(Verdict::Closed));
    assert_eq!(hear_only(&policy, &[]), Verdict::Closed);
}

#[test]
fn a_changed_byte_never_panics_and_always_ends() {
    let seed = fastrand::u64(..);
    let mut random = fastrand::Rng::with_seed(seed);
    let authority = Authority::new();
    let policy = authority.policy(URL);
    let (client, proof) = client(&policy);
    for _ in 0..200 {
        let (mut session, hello) = client.session().unwrap();
        let mut flight = Server::new(&authority, "a.example", ALIVE).hear(&hello);
        let at = random.usize(..flight.len());
        flight[at] ^= random.u8(1..);
        let ended = [&flight[..], &[]]
            .iter()
            .any(|bytes| matches!(hear(&mut session, &proof, bytes), Seen::Ended(_)));
        assert!(ended, "seed {seed}: byte {at} of {}", flight.len());
    }
}

#[test]
fn a_handshake_without_end_is_cut_off() {
    let policy = Authority::new().policy(URL);
    let (client, proof) = client(&policy);
    let (mut session, _) = client.session().unwrap();
    // A handshake message that announces 16 MiB, in records of 16 KiB.
    let record = [&b"\x16\x03\x03\x40\x00\x02\xff\xff\xff"[..], &[0; 0x3ffc]].concat();
    let ended = (0..100).any(|_| {
        let progress = hear(&mut session, &proof, &record);
        matches!(progress, Seen::Ended(_))
    });
    assert!(ended);
}

#[test]
fn a_plain_target_needs_no_client() {
    let policy = Authority::new().policy("http://a.example/");
    assert!(Client::to_target(&policy, &policy.targets[0]).is_none());
}
