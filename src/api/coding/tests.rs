//! What clients say that they take, and what they get, over the wire.

use super::*;
use crate::api::testing::{Server, many, ungzip};
use crate::snapshot::{SourceStat, Stat};

fn check(accepted: &[&str], expected: Coding) {
    let mut headers = HeaderMap::new();
    for value in accepted {
        headers.append(ACCEPT_ENCODING, value.parse().unwrap());
    }
    assert_eq!(Coding::wanted(&headers), expected, "{accepted:?}");
}

#[test]
fn gzip_is_chosen_where_it_is_wanted_at_least_as_much_as_plain() {
    for accepted in [
        "gzip",
        "GZIP",
        "x-gzip",
        "deflate, gzip;q=1.0, *;q=0.5",
        "br, gzip",
        "gzip ; q=0.001",
        "*",
        "identity;q=0.5, gzip;q=0.5",
        "identity;q=0, *;q=0.2",
        ",,gzip,",
    ] {
        check(&[accepted], Coding::Gzip);
    }
    check(&["br", "gzip"], Coding::Gzip);
}

#[test]
fn gzip_is_not_chosen_where_it_is_refused_or_wanted_less() {
    check(&[], Coding::Plain);
    for accepted in [
        "",
        "identity",
        "br",
        "gzip;q=0",
        "gzip;q=0.000",
        "*;q=0",
        "gzip;q=0, *",
        "gzip;q=0.5, identity",
        "*;q=0.5, identity;q=0.6",
        "gzip;q=2",
        "gzip;q=-1",
        "gzip;q=0.1234",
        "gzip;q=",
        "gzip;level=9",
        "notgzip",
        "gzip2",
    ] {
        check(&[accepted], Coding::Plain);
    }
}

#[test]
fn what_was_compressed_is_the_same_afterwards() {
    let text = "1.2.3.4:8080\n".repeat(10_000);
    let coded = gzip(text.as_bytes());
    assert!(coded.len() < text.len() / 10, "{}", coded.len());
    assert_eq!(ungzip(&coded), text.as_bytes());
}

#[test]
fn large_figures_and_metrics_are_compressed_for_those_who_take_it() {
    let server = Server::start();
    let source = |nth: u32| SourceStat {
        url: format!("https://lists.example/{nth}.txt").into(),
        ..SourceStat::default()
    };
    let stat = Stat {
        sources: (0..20).map(source).collect(),
        ..Stat::default()
    };
    server.publish(many(3), stat);
    for path in ["/stat", "/metrics"] {
        let plain = server.get(path);
        assert_eq!(plain.header("content-encoding"), None);
        assert_eq!(plain.header("vary"), Some("Accept-Encoding"), "{path}");
        let coded = server.ask("GET", path, "Accept-Encoding: gzip\r\n");
        assert_eq!(coded.header("content-encoding"), Some("gzip"), "{path}");
        assert_eq!(coded.header("vary"), Some("Accept-Encoding"), "{path}");
        assert_eq!(coded.header("content-type"), plain.header("content-type"));
        assert!(coded.bytes.len() < plain.bytes.len());
        let text = String::from_utf8(ungzip(&coded.bytes)).unwrap();
        assert!(text.contains("https://lists.example/7.txt"), "{text}");
    }
}

#[test]
fn small_answers_are_never_compressed() {
    let server = Server::start();
    server.publish(many(3), Stat::default());
    for path in ["/health", "/get-proxy", "/get-proxy?all=1", "/nowhere"] {
        let reply = server.ask("GET", path, "Accept-Encoding: gzip\r\n");
        assert_eq!(reply.header("content-encoding"), None, "{path}");
    }
}

#[test]
fn a_listing_that_is_made_for_one_request_is_compressed_whether_large_or_not() {
    let server = Server::start();
    server.publish(many(10_000), Stat::default());
    for (query, lines) in [("limit=500", 500), ("all=1&max_latency_ms=5000", 10_000)] {
        let target = format!("/get-proxy?{query}");
        let coded = server.ask("GET", &target, "Accept-Encoding: gzip\r\n");
        assert_eq!(coded.header("content-encoding"), Some("gzip"), "{query}");
        let text = String::from_utf8(ungzip(&coded.bytes)).unwrap();
        assert_eq!(text.lines().count(), lines, "{query}");
    }
}
