//! Whole listings: tags, what is unchanged, caches and compression, over the wire.

use super::MIXED;
use crate::api::Settings;
use crate::api::testing::{Reply, Server, many, proxies, settings_with_keys, ungzip};
use crate::snapshot::{Pool, Stat, TargetStat};
use std::collections::HashSet;
use std::sync::Arc;
use std::time::SystemTime;

const ALL: &str = "/get-proxy?all=1";

fn tag(reply: &Reply) -> String {
    assert_eq!(reply.status, 200, "{}", reply.body);
    let tag = reply.header("etag").expect("a tag");
    assert!(tag.starts_with("W/\"") && tag.ends_with('"'), "{tag}");
    tag.to_owned()
}

fn ask_with(server: &Server, target: &str, known: &str) -> Reply {
    server.ask("GET", target, &format!("If-None-Match: {known}\r\n"))
}

#[test]
fn who_has_the_listing_is_told_that_it_is_unchanged() {
    let server = Server::with(&MIXED);
    for target in [
        ALL,
        "/get-proxy?all=1&format=json",
        "/get-proxy?all=1&format=url",
        "/get-proxy?all=1&protocol=http",
        "/get-proxy?all=1&max_latency_ms=300",
        "/get-proxy?all=1&unheard=of",
    ] {
        let first = server.get(target);
        let tag = tag(&first);
        let strong = tag.trim_start_matches("W/");
        for known in [&*tag, strong, &format!("\"x\", {tag}"), "*"] {
            for method in ["GET", "HEAD"] {
                let headers = format!("If-None-Match: {known}\r\n");
                let again = server.ask(method, target, &headers);
                assert_eq!((again.status, again.body.as_str()), (304, ""), "{target}");
                for name in ["etag", "cache-control", "vary"] {
                    assert!(first.header(name).is_some(), "{name}");
                    assert_eq!(again.header(name), first.header(name), "{name}");
                }
                assert!(again.header("date").is_some());
                assert_eq!(again.header("content-type"), None);
                assert_eq!(again.header("content-length"), None);
                assert_eq!(again.header("x-snapshot-generation"), Some("1"));
            }
        }
        assert_eq!(ask_with(&server, target, "\"other\"").body, first.body);
    }
}

#[test]
fn a_tag_lasts_for_as_long_as_what_is_listed_is_the_same() {
    const FILTERED: &str = "/get-proxy?all=1&max_latency_ms=1000";
    const JSON: &str = "/get-proxy?all=1&format=json";
    let server = Server::start();
    let publish = |pool: &Arc<Pool>, stat: Stat| {
        let (pool, stat) = (Arc::clone(pool), Arc::new(stat));
        let now = SystemTime::now();
        server.snapshots.publish(pool, stat, now, false);
    };
    let pool = Arc::new(Pool::new(proxies(&MIXED)));
    publish(&pool, Stat::default());
    let targets = [ALL, FILTERED, JSON];
    let tags = targets.map(|target| tag(&server.get(target)));
    let now = || {
        let asked = targets.iter().zip(&tags);
        let asked = asked.map(|(target, tag)| ask_with(&server, target, tag).status);
        asked.collect::<Vec<_>>()
    };
    let figures = Stat {
        total_dead: 9,
        ..Stat::default()
    };
    publish(&pool, figures);
    assert_eq!(now(), [304; 3], "another generation of the same pool");
    let target = TargetStat {
        name: "shop".into(),
        ..TargetStat::default()
    };
    let named = Stat {
        targets: vec![target],
        ..Stat::default()
    };
    publish(&pool, named.clone());
    assert_eq!(now(), [304, 200, 200], "names are told in JSON");
    let mut checked = proxies(&MIXED);
    checked[0].latency_ms += 1;
    publish(&Arc::new(Pool::new(checked)), named.clone());
    assert_eq!(now(), [304, 200, 200], "the addresses are still the same");
    publish(&Arc::new(Pool::new(proxies(&MIXED[1..]))), named);
    assert_eq!(now(), [200; 3]);
}

#[test]
fn what_is_listed_otherwise_has_another_tag() {
    let server = Server::with(&MIXED);
    let tags: HashSet<String> = [
        "",
        "&format=json",
        "&format=url",
        "&protocol=http",
        "&protocol=socks5",
        "&max_latency_ms=200",
        "&max_latency_ms=300",
    ]
    .iter()
    .map(|more| tag(&server.get(&format!("{ALL}{more}"))))
    .collect();
    assert_eq!(tags.len(), 7);
    let json = server.ask("GET", ALL, "Accept: application/json\r\n");
    assert_eq!(json.json()["total"], 5);
    assert_ne!(tag(&json), tag(&server.get(ALL)));
    assert_eq!(
        server.get(ALL).header("vary"),
        Some("Accept, Accept-Encoding")
    );
}

#[test]
fn the_key_is_no_part_of_the_tag_and_is_asked_for_all_the_same() {
    let server = Server::with(&MIXED);
    server.configure(settings_with_keys(&["secret", "other"]));
    let tag = tag(&server.get("/get-proxy?all=1&key=secret"));
    let same = ask_with(&server, "/get-proxy?key=other&all=1", &tag);
    assert_eq!(same.status, 304);
    let refused = ask_with(&server, ALL, &tag);
    refused.is_refusal(401, "Invalid or missing API key");
    assert_eq!(refused.header("etag"), None);
}

#[test]
fn what_depends_on_the_clock_or_on_the_turn_has_no_tag() {
    let server = Server::with(&MIXED);
    for query in ["", "?limit=5", "?all=1&max_age=60", "?all=0"] {
        let reply = ask_with(&server, &format!("/get-proxy{query}"), "*");
        assert_eq!((reply.status, reply.header("etag")), (200, None), "{query}");
        assert_eq!(reply.header("cache-control"), Some("no-store"), "{query}");
    }
}

#[test]
fn refusals_are_refusals_whatever_the_client_has() {
    let server = Server::with(&["http://1.1.1.1:80"]);
    let check = |query: &str, status| {
        let reply = ask_with(&server, &format!("{ALL}{query}"), "*");
        assert_eq!((reply.status, reply.header("etag")), (status, None));
        assert_eq!(reply.header("cache-control"), Some("no-store"));
    };
    check("&protocol=ftp", 400);
    check("&protocol=socks4", 503);
    check("&max_latency_ms=1", 503);
    server.publish(Vec::new(), Stat::default());
    check("", 503);
}

#[test]
fn only_lists_without_passwords_may_be_kept_and_only_by_the_client_itself() {
    let server = Server::with(&MIXED);
    let caching = |format: &str| {
        let reply = server.get(&format!("{ALL}&format={format}"));
        reply.header("cache-control").unwrap().to_owned()
    };
    assert_eq!(caching("txt"), "private, no-cache");
    assert_eq!(caching("json"), "private, no-cache");
    assert_eq!(caching("url"), "no-store");
}

#[test]
fn format_txt_gives_addresses_whatever_is_accepted() {
    let server = Server::with(&["socks5://u:p@2.2.2.2:1080"]);
    let reply = server.ask(
        "GET",
        "/get-proxy?format=txt",
        "Accept: application/json\r\n",
    );
    assert_eq!(reply.lines(), ["2.2.2.2:1080"]);
}

#[test]
fn a_large_listing_is_the_same_made_once_or_in_turns_or_compressed() {
    let server = Server::start();
    server.publish(many(3_000), Stat::default());
    for format in ["txt", "url", "json"] {
        let whole = server.get(&format!("{ALL}&format={format}"));
        assert_eq!(whole.status, 200);
        let filter = "&max_latency_ms=100000";
        let turns = server.get(&format!("{ALL}&format={format}{filter}"));
        assert_eq!(turns.bytes, whole.bytes, "{format}");
        for query in ["", filter] {
            let target = format!("{ALL}&format={format}{query}");
            let coded = server.ask("GET", &target, "Accept-Encoding: gzip\r\n");
            assert_eq!(coded.header("content-encoding"), Some("gzip"), "{format}");
            assert_eq!(ungzip(&coded.bytes), whole.bytes, "{format}");
        }
        assert_eq!(whole.header("content-encoding"), None);
    }
    let page = server.get("/get-proxy?all=1&format=json").json();
    assert_eq!(page["proxies"].as_array().unwrap().len(), 3_000);
    assert_eq!(
        (&page["alive"], &page["total"]),
        (&3_000.into(), &3_000.into())
    );
}

#[test]
fn a_listing_by_protocol_has_that_protocol_only() {
    let server = Server::with(&MIXED);
    let lines = |protocol: &str| {
        let reply = server.get(&format!("{ALL}&protocol={protocol}"));
        reply.lines().len()
    };
    assert_eq!((lines("http"), lines("SOCKS5")), (4, 1));
    let json = server.get("/get-proxy?all=1&protocol=socks5&format=json");
    assert_eq!(json.json()["total"], 5, "of the whole snapshot");
}

#[test]
fn another_page_may_ask_conditionally() {
    let server = Server::with(&MIXED);
    server.configure(Settings {
        cors_origins: crate::config::Origins::Every,
        ..crate::api::testing::settings()
    });
    let tag = tag(&server.get(ALL));
    let headers = format!("Origin: https://app.example\r\nIf-None-Match: {tag}\r\n");
    let reply = server.ask("GET", ALL, &headers);
    assert_eq!(reply.status, 304);
    assert_eq!(reply.header("access-control-allow-origin"), Some("*"));
    let exposed = reply.header("access-control-expose-headers").unwrap();
    assert!(exposed.contains("ETag"), "{exposed}");
}
