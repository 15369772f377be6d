//! Leases over the wire.

use super::*;
use crate::api::testing::{PATIENCE, Reply, Server, many, settings_with_keys};
use crate::snapshot::Stat;
use std::collections::HashSet;
use std::time::SystemTime;

const ALL_LEASED: &str = "All proxies that match are leased. Try again later";

/// A server with two keys and `count` proxies.
fn server(count: u32) -> Server {
    let server = Server::start();
    server.configure(settings_with_keys(&["first", "second"]));
    server.publish(many(count), Stat::default());
    server
}

fn ask(server: &Server, method: &str, target: &str, key: &str) -> Reply {
    server.ask(method, target, &format!("X-Api-Key: {key}\r\n"))
}

fn get(server: &Server, query: &str, key: &str) -> Reply {
    ask(server, "GET", &format!("/get-proxy?{query}"), key)
}

fn id(reply: &Reply) -> String {
    let id = reply.header("x-lease-id").expect(&reply.body).to_owned();
    assert_eq!(id.len(), 32);
    id
}

#[test]
fn what_one_client_leased_no_other_gets_until_it_ends_the_lease() {
    let server = server(6);
    let lease = get(&server, "lease=30s&limit=3", "first");
    let leased: HashSet<String> = lease.lines().into_iter().map(String::from).collect();
    assert_eq!(leased.len(), 3);
    for query in ["", "limit=1", "limit=5", "limit=20", "format=url"] {
        for key in ["second", "first"] {
            let reply = get(&server, query, key);
            let free = |line: &&str| !leased.contains(line.trim_start_matches("http://"));
            assert!(reply.lines().iter().all(free), "{query} {key}");
        }
    }
    assert_eq!(get(&server, "limit=20", "second").lines().len(), 3);
    let rest = get(&server, "lease=5m&limit=5", "second");
    assert_eq!(rest.lines().len(), 3);
    let none = get(&server, "limit=3", "second");
    none.is_refusal(503, ALL_LEASED);
    let seconds: u64 = none.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=30).contains(&seconds), "{seconds}");

    let path = format!("/lease/{}", id(&lease));
    ask(&server, "DELETE", &path, "second").is_refusal(404, "No such lease");
    let ended = ask(&server, "DELETE", &path, "first");
    assert_eq!((ended.status, ended.body.as_str()), (204, ""));
    ask(&server, "DELETE", &path, "first").is_refusal(404, "No such lease");
    let free = get(&server, "limit=5", "second");
    assert_eq!(free.lines().len(), 3);
}

#[test]
fn all_tells_of_the_leased_too_and_leases_nothing() {
    let server = server(4);
    get(&server, "lease=1h&limit=2", "first");
    assert_eq!(get(&server, "all=1", "second").lines().len(), 4);
    let words = "A lease is for at most 100 proxies, and not for all=1";
    for query in ["all=1&lease=30s", "limit=101&lease=30s"] {
        get(&server, query, "second").is_refusal(400, words);
    }
}

#[test]
fn a_lease_is_told_in_headers_and_in_json_beside_the_old_keys() {
    let server = server(4);
    let before = SystemTime::now();
    let reply = get(&server, "lease=1m&format=json&limit=2", "first");
    let json = reply.json();
    assert_eq!(json["lease"]["id"], id(&reply));
    let expires = reply.header("x-lease-expires").unwrap();
    assert_eq!(json["lease"]["expires"], expires);
    let expires: jiff::Timestamp = expires.parse().unwrap();
    let expires = SystemTime::from(expires).duration_since(before).unwrap();
    assert!((55..=61 + PATIENCE.as_secs()).contains(&expires.as_secs()));
    assert_eq!(
        (&json["alive"], json["proxies"].as_array().unwrap().len()),
        (&4.into(), 2)
    );
    let plain = get(&server, "format=json", "first");
    assert!(plain.json().get("lease").is_none() && plain.header("x-lease-id").is_none());
}

#[test]
fn a_time_is_from_a_second_to_an_hour() {
    for (text, seconds) in [
        ("1", Some(1)),
        ("30", Some(30)),
        ("30s", Some(30)),
        ("5m", Some(300)),
        ("1h", Some(3_600)),
        ("60m", Some(3_600)),
        ("3600", Some(3_600)),
        ("3601", None),
        ("61m", None),
        ("0", None),
        ("0s", None),
        ("-1", None),
        ("s", None),
        ("1.5m", None),
        ("5 m", None),
        ("5ms", None),
        ("99999999999999999999h", None),
        ("5м", None),
        ("", None),
    ] {
        assert_eq!(time(text), seconds.map(Duration::from_secs), "{text:?}");
    }
    let server = server(1);
    let words = "Invalid lease parameter. Must be a time from 1s to 1h, such as 30s or 5m";
    get(&server, "lease=2h", "first").is_refusal(400, words);
    get(&server, "lease=2h&all=1", "first").is_refusal(400, words);
    assert_eq!(get(&server, "lease=", "first").header("x-lease-id"), None);
}

#[test]
fn a_lease_ends_by_itself() {
    let server = server(1);
    get(&server, "lease=1s", "first");
    let start = Instant::now();
    while get(&server, "", "second").status == 503 {
        assert!(start.elapsed() < PATIENCE);
    }
    assert!(start.elapsed() > Duration::from_millis(800));
}

#[test]
fn a_lease_outlives_the_snapshot_and_is_kept_by_what_the_proxy_is() {
    let server = server(3);
    let leased = get(&server, "lease=30s", "first").lines()[0].to_owned();
    let mut others = many(5);
    others.reverse();
    server.publish(others, Stat::default());
    let free = get(&server, "limit=5", "second");
    assert_eq!(free.lines().len(), 4);
    assert!(!free.lines().contains(&&*leased));
}

#[test]
fn a_client_has_a_bound_and_is_told_when_to_come_back() {
    let server = server(2_100);
    assert_eq!(get(&server, "lease=5m", "second").status, 200);
    for minutes in 40..50 {
        let query = format!("lease={minutes}m&limit=100");
        assert_eq!(get(&server, &query, "first").lines().len(), 100);
    }
    let words = "Too many proxies are leased by this client. End a lease, or try again later";
    let refused = get(&server, "lease=30s", "first");
    refused.is_refusal(429, words);
    // When the first of its own is over, not the one of the other, which is sooner.
    let seconds: u64 = refused.header("retry-after").unwrap().parse().unwrap();
    let longest = 40 * 60;
    assert!(
        (longest - PATIENCE.as_secs()..=longest).contains(&seconds),
        "{seconds}"
    );
    assert_eq!(get(&server, "limit=2000", "first").lines().len(), 1_099);
    assert_eq!(get(&server, "lease=30s", "second").status, 200);
}

#[test]
fn nobody_leases_more_than_half_of_the_alive_but_one_in_any_case() {
    let half = |count: u32, most: usize| {
        let server = server(count);
        // Who wants more gets as many as there may be.
        let reply = get(&server, &format!("lease=30s&limit={}", most + 1), "first");
        assert_eq!((reply.status, reply.body.lines().count()), (200, most));
        server
    };
    half(1, 1);
    half(2, 1);
    half(3, 1);
    let server = half(6, 3);
    assert_eq!(get(&server, "lease=30s", "first").status, 429);
    assert_eq!(get(&server, "limit=6", "second").lines().len(), 3);
    // The pool grows: half of it is more.
    server.publish(many(8), Stat::default());
    assert_eq!(get(&server, "lease=30s", "first").status, 200);
    assert_eq!(get(&server, "lease=30s", "first").status, 429);
    // Each protocol of a proxy is a row and none is another proxy: five rows are three of four.
    let server = self::server(1);
    let rows = many(4).into_iter().flat_map(|proxy| [proxy.clone(), proxy]);
    server.publish(rows.collect(), Stat::default());
    assert_eq!(get(&server, "lease=30s&limit=5", "second").lines().len(), 4);
    assert_eq!(get(&server, "lease=30s", "second").status, 429);
}

#[test]
fn without_a_key_the_address_holds_the_lease() {
    let server = Server::with(&["http://1.1.1.1:80"]);
    let lease = server.get("/get-proxy?lease=30s");
    server.get("/get-proxy").is_refusal(503, ALL_LEASED);
    let path = format!("/lease/{}", id(&lease));
    assert_eq!(server.ask("DELETE", &path, "").status, 204);
    assert_eq!(server.get("/get-proxy").status, 200);
}

#[test]
fn what_is_no_id_is_404_and_another_method_405() {
    let server = server(1);
    for id in ["x", "0", "%00", "00000000000000000000000000000000"] {
        let reply = ask(&server, "DELETE", &format!("/lease/{id}"), "first");
        reply.is_refusal(404, "No such lease");
    }
    ask(&server, "DELETE", "/lease/", "first").is_refusal(404, "Not found");
    server
        .ask("DELETE", "/lease/x", "")
        .is_refusal(401, "Invalid or missing API key");
    let get = ask(&server, "GET", "/lease/x", "first");
    get.is_refusal(405, "Method not allowed");
    assert_eq!(get.header("allow"), Some("DELETE"));
}

#[test]
fn leases_in_force_are_counted_at_each_scrape() {
    let server = server(4);
    let sample = |count: u32| format!("\nproxychecker_api_leases {count}\n");
    assert!(server.get("/metrics").body.contains(&sample(0)));
    let lease = get(&server, "lease=30s&limit=2", "first");
    get(&server, "lease=30s", "second");
    assert!(server.get("/metrics").body.contains(&sample(2)));
    ask(
        &server,
        "DELETE",
        &format!("/lease/{}", id(&lease)),
        "first",
    );
    let page = server.get("/metrics").body;
    assert!(page.contains(&sample(1)));
    assert!(page.contains(r#"endpoint="/lease/{id}",method="DELETE",status="204"} 1"#));
    assert!(!page.contains(&id(&lease)));
}
