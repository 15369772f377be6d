//! Limits, over the wire.

use super::NO_KEY;
use crate::api::Settings;
use crate::api::rates::Limit;
use crate::api::testing::{Reply, Server, settings, settings_with_keys};
use std::io::{Read, Write};
use std::num::NonZeroU32;

const PROXY: &[&str] = &["http://1.1.1.1:80"];
const EXCEEDED: &str = "Rate limit exceeded";

fn limited(per_minute: Option<u32>, per_ip: Option<u32>, rest: Settings) -> Settings {
    Settings {
        rate_limit_per_minute: per_minute.and_then(NonZeroU32::new),
        rate_limit_per_ip: per_ip.and_then(NonZeroU32::new),
        ..rest
    }
}

/// The four fields that say where the client stands.
fn standing(reply: &Reply) -> [Option<&str>; 4] {
    ["limit", "remaining", "reset", "policy"].map(|name| reply.header(&format!("ratelimit-{name}")))
}

fn sample(server: &Server, name: &str) -> String {
    let page = server.get("/metrics").body;
    let line = page.lines().find_map(|line| line.strip_prefix(name));
    line.expect(&page).trim().to_owned()
}

#[test]
fn an_address_above_its_limit_is_told_429_and_when_to_come_again() {
    let server = Server::with(PROXY);
    // A token comes back in a minute: long after this test.
    server.configure(limited(None, Some(1), settings()));
    let first = server.get("/get-proxy");
    assert_eq!(first.status, 200);
    let all_taken = [Some("1"), Some("0"), Some("60"), Some("1;w=60;burst=1")];
    assert_eq!(standing(&first), all_taken);
    assert_eq!(first.header("retry-after"), None);
    let second = server.get("/stat");
    second.is_refusal(429, EXCEEDED);
    assert_eq!(standing(&second)[..2], [Some("1"), Some("0")]);
    let wait: u64 = second.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=60).contains(&wait), "{wait}");
    assert_eq!(
        sample(
            &server,
            r#"proxychecker_api_rate_limited_total{limit="address"}"#
        ),
        "1"
    );
}

#[test]
fn every_limit_is_in_the_metrics_before_it_is_exceeded() {
    let server = Server::start();
    for limit in [Limit::Key, Limit::Address, Limit::FailedKeys] {
        let name = format!(
            r#"proxychecker_api_rate_limited_total{{limit="{}"}}"#,
            limit.label()
        );
        assert_eq!(sample(&server, &name), "0");
    }
}

#[test]
fn what_tells_how_the_service_is_is_never_limited() {
    let server = Server::with(PROXY);
    server.configure(limited(None, Some(1), settings()));
    server.get("/get-proxy");
    for path in ["/health", "/ready", "/metrics"] {
        for _ in 0..3 {
            let reply = server.get(path);
            assert_eq!(reply.status, 200, "{path}");
            assert_eq!(standing(&reply), [None; 4], "{path}");
        }
    }
    let mut closed = limited(Some(1), None, settings_with_keys(&["secret"]));
    closed.metrics.require_key = true;
    server.configure(closed);
    assert_eq!(server.get("/metrics?key=secret").status, 200);
    server.get("/metrics?key=secret").is_refusal(429, EXCEEDED);
}

#[test]
fn a_key_above_its_limit_is_refused_and_another_one_is_not() {
    let server = Server::with(PROXY);
    server.configure(limited(Some(1), None, settings_with_keys(&["one", "two"])));
    assert_eq!(server.get("/get-proxy?key=one").status, 200);
    server.get("/get-proxy?key=one").is_refusal(429, EXCEEDED);
    server
        .ask("GET", "/stat", "X-Api-Key: one\r\n")
        .is_refusal(429, EXCEEDED);
    assert_eq!(server.get("/get-proxy?key=two").status, 200);
    assert_eq!(
        sample(
            &server,
            r#"proxychecker_api_rate_limited_total{limit="key"}"#
        ),
        "2"
    );
}

#[test]
fn refusals_of_the_route_say_where_the_client_stands_too() {
    let server = Server::with(PROXY);
    server.configure(limited(None, Some(100), settings()));
    for (target, status) in [("/get-proxy?limit=x", 400), ("/proxy/nonsense", 400)] {
        let reply = server.get(target);
        assert_eq!(reply.status, status, "{target}");
        assert_eq!(standing(&reply)[0], Some("10"), "{target}");
    }
}

#[test]
fn a_reload_that_changes_the_limits_applies_at_once_and_one_that_does_not_forgets_nothing() {
    let server = Server::with(PROXY);
    server.configure(limited(None, Some(1), settings()));
    assert_eq!(server.get("/get-proxy").status, 200);
    assert_eq!(server.get("/get-proxy").status, 429);
    server.configure(Settings {
        descriptors_percent: 70,
        ..limited(None, Some(1), settings())
    });
    assert_eq!(server.get("/get-proxy").status, 429);
    server.configure(limited(None, Some(20), settings()));
    assert_eq!(
        server.get("/get-proxy").header("ratelimit-remaining"),
        Some("1")
    );
    server.configure(settings());
    assert_eq!(standing(&server.get("/get-proxy")), [None; 4]);
}

#[test]
fn clients_behind_a_trusted_proxy_are_counted_one_by_one_and_liars_as_what_they_are() {
    let server = Server::with(PROXY);
    let ask = |hops: &str| {
        let header = format!("X-Forwarded-For: {hops}\r\n");
        server.ask("GET", "/get-proxy", &header).status
    };
    let limits = limited(None, Some(1), settings());
    server.configure(limits.clone());
    assert_eq!(
        (ask("192.0.2.1"), ask("192.0.2.2")),
        (200, 429),
        "not trusted"
    );
    server.configure(Settings {
        trusted_proxies: ["127.0.0.0/8".parse().unwrap()].into(),
        ..limits
    });
    assert_eq!((ask("192.0.2.1"), ask("192.0.2.1")), (200, 429));
    assert_eq!((ask("192.0.2.2"), ask("8.8.8.8, 192.0.2.2:81")), (200, 429));
    assert_eq!((ask("2001:db8::1"), ask("[2001:db8::2]:80")), (200, 429));
}

#[test]
fn wrong_keys_are_limited_without_rate_limits_and_the_right_one_passes() {
    let server = Server::with(PROXY);
    server.configure(settings_with_keys(&["secret"]));
    for _ in 0..10 {
        server.get("/get-proxy?key=guess").is_refusal(401, NO_KEY);
    }
    let header = "X-Api-Key: guess\r\n";
    for _ in 0..3 {
        let reply = server.ask("GET", "/stat", header);
        reply.is_refusal(429, EXCEEDED);
        assert_eq!(reply.header("ratelimit-limit"), Some("10"));
        assert_eq!(reply.header("connection"), Some("close"));
        let wait: u64 = reply.header("retry-after").unwrap().parse().unwrap();
        assert!((1..=6).contains(&wait), "{wait}");
    }
    assert_eq!(server.get("/get-proxy?key=secret").status, 200);
    server.get("/get-proxy").is_refusal(401, NO_KEY);
    server.get("/get-proxy?key=").is_refusal(401, NO_KEY);
    let failed = r#"proxychecker_api_rate_limited_total{limit="failed_keys"}"#;
    assert_eq!(sample(&server, failed), "3");
}

#[test]
fn no_key_and_a_key_where_none_is_asked_for_are_no_guesses() {
    let server = Server::with(PROXY);
    for _ in 0..20 {
        assert_eq!(server.get("/get-proxy?key=guess").status, 200);
    }
    server.configure(settings_with_keys(&["secret"]));
    for _ in 0..20 {
        server.get("/get-proxy").is_refusal(401, NO_KEY);
        assert_eq!(server.get("/health?key=guess").status, 200);
    }
    server.get("/get-proxy?key=guess").is_refusal(401, NO_KEY);
}

#[test]
fn a_hundred_requests_on_one_connection_are_counted_like_any_others() {
    let server = Server::with(PROXY);
    server.configure(limited(None, Some(10), settings()));
    let mut many = "GET /get-proxy HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(99);
    many += "GET /get-proxy HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    let mut stream = server.connect();
    stream.write_all(many.as_bytes()).unwrap();
    let mut answers = String::new();
    stream.read_to_string(&mut answers).unwrap();
    assert_eq!(answers.matches("HTTP/1.1 200 ").count(), 1);
    assert_eq!(answers.matches("HTTP/1.1 429 ").count(), 99);
}
