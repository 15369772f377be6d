//! TLS to proxies, to the target through them, and both at once; and who stands in between.

mod client;

use client::tls::{Tls, begin, trusting, trusting_all};
use client::{TUNNELLED_204, address, ask, connect, farm, wait_until};
use proxy_bench::farm::{Aim, Behaviour, Farm};
use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;

const NAME: &str = "target.test";
const CONNECT: &[u8] = b"CONNECT target.test:443 HTTP/1.1\r\nHost: target.test:443\r\n\r\n";
const ESTABLISHED: &[u8] = b"HTTP/1.1 200 Connection established\r\n\r\n";

fn named(label: &str) -> Behaviour {
    Behaviour::from_label(label).expect(label)
}

/// A tunnel to the target through a proxy over `stream`.
fn tunnel<S: Read + Write>(mut stream: S) -> S {
    stream.write_all(CONNECT).expect("sent");
    let mut answer = [0; ESTABLISHED.len()];
    stream.read_exact(&mut answer).expect("an answer");
    assert_eq!(answer, ESTABLISHED);
    stream
}

fn socks5_tunnel(proxy: &str) -> TcpStream {
    let mut stream = connect(proxy);
    assert_eq!(client::exchange(&mut stream, &[5, 1, 0]), [5, 0]);
    let request = b"\x05\x01\x00\x03\x0btarget.test\x01\xbb";
    let granted: [u8; 10] = client::exchange(&mut stream, request);
    assert_eq!(granted[..2], [5, 0]);
    stream
}

/// What comes back in TLS, whole or up to the fault.
fn get<S: Read + Write>(tls: &mut Tls<S>) -> (String, io::Result<usize>) {
    tls.write_all(TUNNELLED_204.as_bytes()).expect("sent");
    let mut answer = Vec::new();
    let ended = tls.read_to_end(&mut answer);
    (String::from_utf8(answer).expect("text"), ended)
}

#[track_caller]
fn expect_204<S: Read + Write>(tls: &mut Tls<S>) {
    let (answer, ended) = get(tls);
    assert!(answer.starts_with("HTTP/1.1 204 "), "{answer}");
    assert!(ended.is_ok(), "close_notify was not sent: {ended:?}");
}

/// Why the handshake with the target through `behaviour` fails.
#[track_caller]
fn fault(farm: &Farm, label: &str) -> String {
    let proxy = farm.proxy(named(label), 0);
    let error = begin(&trusting(farm.ca_pem()), NAME, tunnel(connect(&proxy)));
    error.expect_err(label).to_string()
}

#[test]
fn the_target_has_a_certificate_of_the_farms_authority_with_and_without_a_proxy() {
    let farm = farm();
    let config = trusting(farm.ca_pem());
    let direct = connect(&farm.target(Aim::Https));
    expect_204(&mut begin(&config, "127.0.0.1", direct).expect("trust"));
    let http = tunnel(connect(&farm.proxy(Behaviour::Forwards, 0)));
    expect_204(&mut begin(&config, NAME, http).expect("trust"));
    let socks = socks5_tunnel(&farm.proxy(Behaviour::Socks5, 0));
    expect_204(&mut begin(&config, NAME, socks).expect("trust"));
    let mixed = socks5_tunnel(&farm.proxy(Behaviour::Mixed, 0));
    expect_204(&mut begin(&config, NAME, mixed).expect("trust"));
}

#[test]
fn a_proxy_behind_tls_forwards_and_tunnels_in_it() {
    let farm = farm();
    let proxy = farm.proxy(Behaviour::Https, 3);
    assert!(proxy.starts_with("https://127."), "{proxy}");
    let outer = || begin(&trusting_all(), "proxy.test", connect(&proxy)).expect("TLS");
    let mut stream = outer();
    stream.write_all(client::GET_204.as_bytes()).expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("a clean end");
    assert!(answer.starts_with("HTTP/1.1 204 "), "{answer}");
    let inner = begin(&trusting(farm.ca_pem()), NAME, tunnel(outer()));
    expect_204(&mut inner.expect("TLS in TLS"));
    assert_eq!(farm.counts(Behaviour::Https).accepted, 2);
}

#[test]
fn tls_may_come_byte_by_byte() {
    /// Sends a byte at a time.
    struct Slowly(TcpStream);
    impl Read for Slowly {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.0.read(&mut buffer[..1])
        }
    }
    impl Write for Slowly {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.write(&bytes[..1])
        }
        fn flush(&mut self) -> io::Result<()> {
            self.0.flush()
        }
    }
    let farm = farm();
    let stream = connect(&farm.proxy(Behaviour::Https, 0));
    stream.set_nodelay(true).expect("set");
    let outer = begin(&trusting_all(), "proxy.test", Slowly(stream)).expect("TLS");
    let inner = begin(&trusting(farm.ca_pem()), NAME, tunnel(outer));
    expect_204(&mut inner.expect("TLS in TLS"));
}

#[test]
fn who_stands_in_between_is_given_away_by_the_certificate() {
    let farm = farm();
    for (label, word) in [
        ("intercepts", "UnknownIssuer"),
        ("imitates_judge", "UnknownIssuer"),
        ("expired", "expired"),
        ("wrong_name", "not valid for name"),
        ("self_signed", "UnknownIssuer"),
    ] {
        let fault = fault(&farm, label);
        assert!(fault.contains(word), "{label}: {fault}");
    }
    let proxy = farm.proxy(Behaviour::Intercepts, 0);
    let stream = tunnel(connect(&proxy));
    let mut tls = begin(&trusting_all(), NAME, stream).expect("anybody's certificate");
    expect_204(&mut tls);
}

#[test]
fn who_changes_a_byte_breaks_the_seal_of_the_record() {
    let farm = farm();
    let stream = tunnel(connect(&farm.proxy(Behaviour::Tampers, 0)));
    let mut tls = begin(&trusting(farm.ca_pem()), NAME, stream).expect("TLS stands");
    let (answer, ended) = get(&mut tls);
    assert_eq!(answer, "");
    assert_eq!(ended.expect_err("a fault").kind(), ErrorKind::InvalidData);
}

#[test]
fn deeds_are_done_inside_tls_too() {
    let farm = farm();
    let get = |label: &str| {
        let proxy = farm.proxy(named(label), 0);
        let mut tls = begin(&trusting(farm.ca_pem()), NAME, socks5_tunnel(&proxy)).expect(label);
        get(&mut tls)
    };
    for (label, start) in [
        ("socks5_forbidden", "HTTP/1.1 403 "),
        ("socks5_redirects", "HTTP/1.1 302 "),
        ("socks5_late", "HTTP/1.1 204 "),
        ("socks5_transparent", "HTTP/1.1 204 "),
    ] {
        let (answer, _) = get(label);
        assert!(answer.starts_with(start), "{label}: {answer}");
    }
    let (answer, _) = get("socks5_half");
    assert!(!answer.contains("\r\n\r\n"), "{answer}");
    let proxy = farm.proxy(named("socks5_endless_body"), 0);
    let stream = socks5_tunnel(&proxy);
    let mut tls = begin(&trusting(farm.ca_pem()), NAME, stream).expect("TLS");
    tls.write_all(TUNNELLED_204.as_bytes()).expect("sent");
    tls.read_exact(&mut vec![0; 1 << 20]).expect("a megabyte");
    drop(tls);
    wait_until(|| farm.connections() == 0);
}

#[test]
fn clear_text_where_tls_was_begun_is_none() {
    let farm = farm();
    for label in ["socks5_own_page", "socks5_garbage"] {
        let stream = socks5_tunnel(&farm.proxy(named(label), 0));
        let error = begin(&trusting(farm.ca_pem()), NAME, stream).expect_err(label);
        assert_eq!(error.kind(), ErrorKind::InvalidData, "{label}: {error}");
    }
}

#[test]
fn a_proxy_behind_tls_answers_clear_text_with_an_alert() {
    let farm = farm();
    let proxy = farm.proxy(Behaviour::Https, 0);
    let answer = client::try_ask(&proxy, client::GET_204.as_bytes()).expect("an alert");
    assert_eq!(answer.first(), Some(&21), "{answer:?}");
    assert_eq!(
        address(&proxy).ip().to_string(),
        farm.address(Behaviour::Https, 0).to_string()
    );
}

#[test]
fn a_client_that_comes_again_resumes_its_session() {
    let farm = farm();
    let config = trusting(farm.ca_pem());
    for _ in 0..2 {
        let stream = connect(&farm.target(Aim::Https));
        expect_204(&mut begin(&config, "127.0.0.1", stream).expect("trust"));
    }
    let handshakes = farm.handshakes();
    assert_eq!((handshakes.full, handshakes.resumed), (1, 1));
}

#[test]
fn a_target_that_is_down_is_down_with_and_without_a_proxy_until_it_is_back() {
    let farm = farm();
    let direct = farm.target(Aim::NoContent);
    farm.set_target(false);
    let error = client::try_ask(&direct, TUNNELLED_204.as_bytes()).expect_err("a reset");
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    let proxy = farm.proxy(Behaviour::Forwards, 0);
    assert!(ask(&proxy, client::GET_204).starts_with("HTTP/1.1 502 "));
    let list = farm.serve_list("one\n");
    let path = &list[list.rfind("/lists").expect("a path")..];
    let served = ask(&list, format!("GET {path} HTTP/1.0\r\nHost: a\r\n\r\n"));
    assert!(served.ends_with("one\n"), "{served}");
    farm.set_target(true);
    assert!(ask(&direct, TUNNELLED_204).starts_with("HTTP/1.1 204 "));
    assert!(ask(&proxy, client::GET_204).starts_with("HTTP/1.1 204 "));
}
