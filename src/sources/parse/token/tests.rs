//! One token, one answer.

use super::*;
use std::net::Ipv4Addr;

fn check(token: &str, expected: Result<&str, Skip>) {
    let mut tokens = Tokens::new(Scheme::Auto, AddressPolicy::default());
    let read = match tokens.read(token.as_bytes()) {
        Ok(sighting) => Ok(sighting.candidate.url().to_string()),
        Err(Unread::Skip(skip)) => Err(skip),
        Err(Unread::Lonely(lonely)) => Err(lonely.otherwise),
    };
    assert_eq!(read.as_deref(), expected.as_ref().map(|t| *t), "{token}");
}

#[test]
fn the_usual_forms_are_read() {
    check("1.2.3.4:8080", Ok("auto://1.2.3.4:8080"));
    check("255.254.253.252:65535", Err(Skip::NotPublic));
    check("223.254.253.252:65535", Ok("auto://223.254.253.252:65535"));
    check(
        "proxy.Example.com:3128",
        Ok("auto://proxy.example.com:3128"),
    );
    check(
        "xn--e1afmkfd.xn--p1ai:80",
        Ok("auto://xn--e1afmkfd.xn--p1ai:80"),
    );
    check("[2606:4700::1]:80", Ok("auto://[2606:4700::1]:80"));
    check("socks5://1.2.3.4:80", Ok("socks5://1.2.3.4:80"));
    check("SOCKS4a://1.2.3.4:80/", Ok("socks4://1.2.3.4:80"));
    check("https://1.2.3.4:443", Ok("https://1.2.3.4:443"));
    check("socks5://tor:9050", Ok("socks5://tor:9050"));
    check("socks5://1.2.3.4:80#Paris", Ok("socks5://1.2.3.4:80"));
    check("1.2.3.4:80/", Ok("auto://1.2.3.4:80"));
}

#[test]
fn every_order_of_host_and_credentials_is_read() {
    for host in ["1.2.3.4", "proxy.example.com", "[2606:4700::1]"] {
        let expected = format!("auto://user:pa%3Ass@{host}:80");
        check(&format!("user:pa%3Ass@{host}:80"), Ok(&expected));
        check(&format!("{host}:80@user:pa%3Ass"), Ok(&expected));
        check(&format!("{host}:80:user:pa:ss"), Ok(&expected));
        let plain = format!("auto://user:pass@{host}:80");
        check(&format!("user:pass:{host}:80"), Ok(&plain));
        let socks = format!("socks5://user:pass@{host}:80");
        check(&format!("socks5://{host}:80:user:pass"), Ok(&socks));
        check(&format!("socks5://user:pass:{host}:80"), Ok(&socks));
        check(&format!("socks5://{host}:80@user:pass"), Ok(&socks));
        check(
            &format!("socks5:{host}:80"),
            Ok(&format!("socks5://{host}:80")),
        );
    }
}

#[test]
fn credentials_are_kept() {
    check("user:pass@1.2.3.4:80", Ok("auto://user:pass@1.2.3.4:80"));
    check(
        "http://user:p%40ss@1.2.3.4:80/",
        Ok("http://user:p%40ss@1.2.3.4:80"),
    );
    check(
        "http://us@er:pass@1.2.3.4:80",
        Ok("http://us%40er:pass@1.2.3.4:80"),
    );
    check("socks5://user@1.2.3.4:80", Ok("socks5://user:@1.2.3.4:80"));
    check(
        "http://user:pass@1.2.3.4:80#Paris",
        Ok("http://user:pass@1.2.3.4:80"),
    );
    for slash in ["1.2.3.4:80:user:pass/", "1.2.3.4:80@user:pass/"] {
        check(slash, Ok("auto://user:pass%2F@1.2.3.4:80"));
    }
    for slash in ["user:pass@a.test:80/", "user:pass:a.test:80/"] {
        check(slash, Ok("auto://user:pass@a.test:80"));
    }
    check("http://:@1.2.3.4:80", Ok("http://1.2.3.4:80"));
    check(
        "u:p@[2606:4700::1]:1080",
        Ok("auto://u:p@[2606:4700::1]:1080"),
    );
}

#[test]
fn credentials_that_cannot_be_read_are_never_dropped() {
    check("1.2.3.4:80:user1", Err(Skip::BadCredentials));
    check("1.2.3.4:80:p@ss", Err(Skip::BadCredentials));
    check("ss:1.2.3.4:80", Err(Skip::BadCredentials));
    check("user:pa:ss:1.2.3.4:80", Err(Skip::BadCredentials));
    check("1.2.3.4:80:user:", Err(Skip::BadCredentials));
    check("1.2.3.4:80:user:pass:socks5", Err(Skip::BadCredentials));
    check("http://user:pa/ss@1.2.3.4:80", Err(Skip::BadCredentials));
    check("http://user:%ff@1.2.3.4:80", Err(Skip::BadCredentials));
    check("ss@1.2.3.4:80", Err(Skip::BadCredentials));
    check("socks5://1.2.3.4:80:user:pa#ss", Err(Skip::BadCredentials));
    check("socks5://1.2.3.4:80@user:pa#ss", Err(Skip::BadCredentials));
    check("socks5://1.2.3.4:80:user:pass/", Err(Skip::BadCredentials));
    let long = "p".repeat(256);
    check(&format!("u:{long}@1.2.3.4:80"), Err(Skip::BadCredentials));
}

#[test]
fn repeated_credentials_are_shared() {
    let mut tokens = Tokens::new(Scheme::Auto, AddressPolicy::default());
    let mut read = |token: &[u8]| tokens.read(token).unwrap().candidate.credentials.unwrap();
    let (one, two) = (read(b"u:p@1.2.3.4:80"), read(b"u:p@1.2.3.5:80"));
    assert!(Arc::ptr_eq(&one, &two));
    assert_ne!(read(b"u:q@1.2.3.4:80"), one);
}

#[test]
fn what_is_dressed_on_behind_the_port_is_taken_off() {
    check("1.2.3.4:80:US", Ok("auto://1.2.3.4:80"));
    check("1.2.3.4:80:Côte_d'Ivoire", Ok("auto://1.2.3.4:80"));
    check("1.2.3.4:80:", Ok("auto://1.2.3.4:80"));
    check("1.2.3.4:80#US-7", Ok("auto://1.2.3.4:80"));
    check("1.2.3.4:80:SOCKS5", Ok("socks5://1.2.3.4:80"));
    check("socks4://1.2.3.4:80:FR", Ok("socks4://1.2.3.4:80"));
}

#[test]
fn a_bad_host_is_not_repaired() {
    for token in [
        "999.1.1.1:99999",
        "999.1.1.1",
        "01.2.3.4:80",
        "1.2.3.04:80",
        "1.2.3:80",
        "1.2.3.4.5:80",
        "0x7f.1:80",
        "2001:db8::1:8080",
        "1:2:3:4:5:6:7:8:8080",
        "fe80::1",
        "http://2001:db8::1:80",
        "http://[::1.2.3]:80",
        "[2606:4700::g]:80",
        "-a.example.com:80",
        "http://999.1.1.1:80",
        "http://:80",
        "a..com:80",
    ] {
        check(token, Err(Skip::BadHost));
    }
}

#[test]
fn a_bad_port_is_not_repaired() {
    for token in [
        "1.2.3.4",
        "1.2.3.4:",
        "1.2.3.4:0",
        "1.2.3.4:080",
        "1.2.3.4:65536",
        "1.2.3.4:99999999999999999999",
        "1.2.3.4:+80",
        "1.2.3.4:80/tcp",
        "1.2.3.4:8O80",
        "proxy.example.com:0",
        "proxy.example.com:70000",
        "[2606:4700::1]",
        "http://proxy.example.com",
        "socks5://1.2.3.4",
    ] {
        check(token, Err(Skip::BadPort));
    }
}

#[test]
fn an_unknown_scheme_is_not_guessed() {
    check("ftp://1.2.3.4:80", Err(Skip::BadScheme));
    check("vmess://eyJhZGQiOiIxLjIuMy40In0=", Err(Skip::BadScheme));
    check("://1.2.3.4:80", Err(Skip::BadScheme));
}

#[test]
fn addresses_that_are_not_public_are_refused_in_every_form() {
    for token in [
        "127.0.0.1:80",
        "10.1.2.3:80:US",
        "http://169.254.169.254:80",
        "u:p@192.168.1.1:80",
        "[::1]:80",
        "[::ffff:10.0.0.1]:80",
        "http://localhost:80",
    ] {
        check(token, Err(Skip::NotPublic));
    }
}

#[test]
fn what_does_not_look_like_a_proxy_is_noise() {
    for token in [
        "12:30:00",
        "2024-01-01T12:30:00Z",
        "00:1a:2b:3c:4d:5e",
        "hello",
        "note.well:this",
        "me@example.com",
        "git@github.com:someone/something",
        "foo:80",
        "1.5",
        "::",
        "[",
        "[x]",
        "[12:30:00]",
        "@",
        ":",
        ":80",
        "https://example.com/list.txt",
        "http://1.2.3.4:80/path",
        "http://1.2.3.4:80/?q",
        "3.14:pi",
        "-----",
    ] {
        check(token, Err(Skip::Noise));
    }
}

#[test]
fn the_hint_counts_only_where_nothing_else_is_said() {
    let addresses = AddressPolicy {
        allow_private: true,
        ..AddressPolicy::default()
    };
    let mut tokens = Tokens::new(Scheme::Socks4, addresses);
    let mut read = |token: &[u8]| tokens.read(token).unwrap().candidate.url().to_string();
    assert_eq!(read(b"127.0.0.1:1080"), "socks4://127.0.0.1:1080");
    assert_eq!(read(b"u:p@127.0.0.1:1080"), "socks4://u:p@127.0.0.1:1080");
    assert_eq!(read(b"http://127.0.0.1:1080"), "http://127.0.0.1:1080");
    assert_eq!(read(b"127.0.0.1:1080:socks5"), "socks5://127.0.0.1:1080");
}

#[test]
fn every_octet_and_every_port_is_read_as_the_standard_library_reads_it() {
    for n in 0..1000u32 {
        for text in [
            format!("{n}.2.3.4"),
            format!("1.2.3.{n}"),
            format!("1.0{n}.3.4"),
        ] {
            let expected: Option<Ipv4Addr> = text.parse().ok();
            let read = clean(format!("{text}:80").as_bytes()).map(|(ip, _)| ip);
            assert_eq!(read, expected, "{text}");
        }
    }
    for port in 0..=70_000u32 {
        let read = clean(format!("1.2.3.4:{port}").as_bytes()).map(|(_, p)| u32::from(p));
        assert_eq!(read, (1..=65535).contains(&port).then_some(port));
    }
}
