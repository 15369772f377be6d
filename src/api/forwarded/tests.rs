//! Headers as reverse proxies and liars write them.

use super::*;
use axum::http::HeaderValue;
use std::net::{Ipv4Addr, Ipv6Addr};

const TRUSTED: [&str; 3] = ["127.0.0.1", "10.0.0.0/8", "2001:db8:aa::/48"];

fn ask(peer: &str, lines: &[&[u8]]) -> String {
    let trusted: Vec<Network> = TRUSTED.iter().map(|text| text.parse().unwrap()).collect();
    let mut headers = HeaderMap::new();
    for line in lines {
        headers.append(X_FORWARDED_FOR, HeaderValue::from_bytes(line).unwrap());
    }
    client(peer.parse().unwrap(), &headers, &trusted).to_string()
}

fn check(peer: &str, list: &str, expected: &str) {
    assert_eq!(ask(peer, &[list.as_bytes()]), expected, "{peer} {list:?}");
}

#[test]
fn a_peer_that_is_not_trusted_is_the_client_whatever_it_writes() {
    check("203.0.113.5", "192.0.2.1", "203.0.113.5");
    check("203.0.113.5", "192.0.2.1, 10.0.0.1", "203.0.113.5");
    check("2001:db8:ab::1", "192.0.2.1", "2001:db8:ab::1");
    check("::ffff:203.0.113.5", "192.0.2.1", "203.0.113.5");
    assert_eq!(ask("203.0.113.5", &[]), "203.0.113.5");
}

#[test]
fn behind_trusted_proxies_it_is_the_right_most_address_that_is_not_trusted() {
    check("127.0.0.1", "192.0.2.1", "192.0.2.1");
    check("127.0.0.1", "198.51.100.7, 192.0.2.1", "192.0.2.1");
    check(
        "10.1.1.1",
        "8.8.8.8, 192.0.2.1, 10.2.2.2, 127.0.0.1",
        "192.0.2.1",
    );
    check("2001:db8:aa::9", "192.0.2.1", "192.0.2.1");
    check(
        "::ffff:127.0.0.1",
        "192.0.2.1, ::ffff:10.0.0.1",
        "192.0.2.1",
    );
    check("127.0.0.1", "192.0.2.1, 2001:db8:ab::1", "2001:db8:ab::1");
}

#[test]
fn a_client_that_is_trusted_itself_is_the_left_most() {
    check("127.0.0.1", "10.9.9.9, 10.0.0.1", "10.9.9.9");
    check("127.0.0.1", "10.9.9.9", "10.9.9.9");
}

#[test]
fn several_lines_are_one_list() {
    let lines: [&[u8]; 3] = [b"8.8.8.8", b"198.51.100.7, 192.0.2.1", b"10.0.0.1"];
    assert_eq!(ask("127.0.0.1", &lines), "192.0.2.1");
    let lines: [&[u8]; 2] = [b"nonsense", b"192.0.2.1"];
    assert_eq!(ask("127.0.0.1", &lines), "192.0.2.1");
    let lines: [&[u8]; 2] = [b"192.0.2.1", b"nonsense"];
    assert_eq!(ask("127.0.0.1", &lines), "127.0.0.1");
}

#[test]
fn addresses_come_with_ports_in_brackets_and_in_both_forms() {
    check("127.0.0.1", "192.0.2.1:4711", "192.0.2.1");
    check("127.0.0.1", "192.0.2.1, 10.0.0.1:80", "192.0.2.1");
    check("127.0.0.1", "[2001:db8:ab::1]:443", "2001:db8:ab::1");
    check("127.0.0.1", "[2001:db8:ab::1]", "2001:db8:ab::1");
    check("127.0.0.1", "2001:db8:ab::1", "2001:db8:ab::1");
    check("127.0.0.1", "::ffff:192.0.2.1", "192.0.2.1");
    check("127.0.0.1", "[::ffff:192.0.2.1]:1", "192.0.2.1");
    check("127.0.0.1", " \t192.0.2.1 \t", "192.0.2.1");
}

#[test]
fn empty_elements_do_not_count() {
    check("127.0.0.1", "192.0.2.1,, ,", "192.0.2.1");
    check("127.0.0.1", ",192.0.2.1", "192.0.2.1");
    for nothing in ["", " ", ",", " , ,,"] {
        check("127.0.0.1", nothing, "127.0.0.1");
    }
    assert_eq!(ask("127.0.0.1", &[]), "127.0.0.1");
}

#[test]
fn nonsense_before_a_stranger_is_found_falls_back_to_the_peer() {
    for nonsense in [
        "unknown",
        "_hidden",
        "localhost",
        "192.0.2.256",
        "192.0.2.1:port",
        "192.0.2.1:99999",
        "192.0.2.1;10.0.0.1",
        "192.0.2.1 10.0.0.1",
        "\"192.0.2.1\"",
        "for=192.0.2.1",
        "[192.0.2.1",
        "0x7f.1",
        "3221225985",
        "192.0.2.1/32",
        "-",
    ] {
        check("127.0.0.1", nonsense, "127.0.0.1");
        check("127.0.0.1", &format!("8.8.8.8, {nonsense}"), "127.0.0.1");
        let before = format!("{nonsense}, 10.0.0.1");
        check("127.0.0.1", &before, "127.0.0.1");
        let behind = format!("{nonsense}, 192.0.2.1, 10.0.0.1");
        check("127.0.0.1", &behind, "192.0.2.1");
    }
    assert_eq!(ask("127.0.0.1", &[b"192.0.2.1\xff"]), "127.0.0.1");
    assert_eq!(ask("127.0.0.1", &[b"\xff, 192.0.2.1"]), "192.0.2.1");
}

#[test]
fn forwarded_is_not_read() {
    let mut headers = HeaderMap::new();
    headers.insert("forwarded", HeaderValue::from_static("for=192.0.2.1"));
    let trusted = ["127.0.0.1".parse().unwrap()];
    let peer = IpAddr::V4(Ipv4Addr::LOCALHOST);
    assert_eq!(client(peer, &headers, &trusted), peer);
}

/// One way in which a proxy may write `ip`.
fn written(ip: IpAddr, random: &mut fastrand::Rng) -> String {
    let port = random.u16(..);
    match (ip, random.u8(..3)) {
        (IpAddr::V4(ip), 1) => format!("{ip}:{port}"),
        (IpAddr::V4(ip), 2) => ip.to_ipv6_mapped().to_string(),
        (IpAddr::V6(ip), 1) => format!("[{ip}]:{port}"),
        (IpAddr::V6(ip), 2) => format!("[{ip}]"),
        (ip, _) => ip.to_string(),
    }
}

/// Whatever the client writes itself, its address is the one that the first trusted proxy saw.
#[test]
fn no_lie_of_a_client_hides_its_address() {
    let seed = fastrand::u64(..);
    let mut random = fastrand::Rng::with_seed(seed);
    let trusted = ["10.0.0.0/8".parse().unwrap()];
    for round in 0..20_000 {
        let stranger: IpAddr = match random.bool() {
            true => Ipv4Addr::from_bits(0x0b00_0000 + random.u32(..0x0100_0000)).into(),
            false => Ipv6Addr::from_bits(0x2001 << 112 | random.u128(..1 << 100)).into(),
        };
        let lie: Vec<u8> = (0..random.usize(..40))
            .map(|_| random.choice(*b"0123456789.:,[] af\xff\t").unwrap())
            .collect();
        let mut list = lie.clone();
        list.extend_from_slice(b",");
        list.extend_from_slice(written(stranger, &mut random).as_bytes());
        for _ in 0..random.u8(..4) {
            let proxy = Ipv4Addr::from_bits(0x0a00_0000 + random.u32(..0x0100_0000));
            list.extend_from_slice(b", ");
            list.extend_from_slice(written(proxy.into(), &mut random).as_bytes());
        }
        let mut headers = HeaderMap::new();
        let cut = random.usize(..=lie.len());
        for line in [&list[..cut], &list[cut..]] {
            headers.append(X_FORWARDED_FOR, HeaderValue::from_bytes(line).unwrap());
        }
        let peer = Ipv4Addr::new(10, 0, 0, 1).into();
        let found = client(peer, &headers, &trusted);
        assert_eq!(found, stranger, "seed {seed}, round {round}: {headers:?}");
    }
}
