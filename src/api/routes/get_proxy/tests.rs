//! The contract of `/get-proxy`, line by line, over the wire.

use crate::api::testing::{Server, many, proxies};
use crate::snapshot::{Stale, Stat, TargetStat};
use proxy_shards::{Anonymity, Exit, Protocol, Targets};
use std::collections::HashSet;
use std::time::{Duration, SystemTime};

mod filters;
mod listings;
mod mistakes;
mod unique;

const MIXED: [&str; 5] = [
    "http://1.1.1.1:80",
    "socks5://user:p%40ss@2.2.2.2:1080",
    "http://3.3.3.3:3128",
    "http://[2001:db8::1]:8080",
    "http://proxy.example.com:8080",
];

#[test]
fn with_nothing_alive_it_is_503_even_if_the_parameters_are_bad() {
    let server = Server::start();
    let words = "No alive proxies available";
    for query in [
        "",
        "?limit=bad",
        "?limit=0",
        "?protocol=ftp",
        "?all=1",
        "?max_age=x",
    ] {
        let reply = server.get(&format!("/get-proxy{query}"));
        reply.is_refusal(503, words);
    }
    server.publish(Vec::new(), Stat::default());
    server.get("/get-proxy").is_refusal(503, words);
}

#[test]
fn all_wins_over_limit_even_over_a_bad_one() {
    let server = Server::with(&MIXED);
    for query in ["all=1", "all=1&limit=1", "limit=bad&all=1"] {
        assert_eq!(server.get(&format!("/get-proxy?{query}")).lines().len(), 5);
    }
}

#[test]
fn a_limit_that_is_no_integer_of_at_least_1_is_400() {
    let server = Server::with(&MIXED);
    // A plus sign in a query is a space; `%2B` is the sign.
    for limit in [
        "0", "-1", "bad", "5.0", "0x5", "%205", "+5", "1e3", "%00", "%ff",
    ] {
        let reply = server.get(&format!("/get-proxy?limit={limit}"));
        reply.is_refusal(400, "Invalid limit parameter");
    }
}

#[test]
fn a_limit_above_the_pool_is_clamped_however_large_it_is() {
    let server = Server::with(&MIXED);
    for limit in ["5", "%2B5", "6", "1000", "99999999999999999999"] {
        let reply = server.get(&format!("/get-proxy?limit={limit}"));
        assert_eq!(
            reply.lines().iter().collect::<HashSet<_>>().len(),
            5,
            "{limit}"
        );
    }
}

#[test]
fn an_empty_parameter_is_none_and_the_first_of_two_wins() {
    let server = Server::with(&MIXED);
    for query in [
        "limit=",
        "limit=&limit=bad",
        "limit=1&limit=bad",
        "protocol=&limit=1",
    ] {
        let reply = server.get(&format!("/get-proxy?{query}"));
        assert_eq!(reply.lines().len(), 1, "{query}");
    }
}

#[test]
fn up_to_ten_are_consecutive_over_a_cursor_that_all_clients_share() {
    let server = Server::with(&MIXED);
    let all = server.get("/get-proxy?all=1").body;
    let order: Vec<&str> = all.lines().collect();
    assert_eq!(server.get("/get-proxy?limit=3").lines(), order[..3]);
    assert_eq!(server.get("/get-proxy").lines(), [order[3]]);
    assert_eq!(
        server.get("/get-proxy?limit=2").lines(),
        [order[4], order[0]]
    );
    assert_eq!(server.get("/get-proxy").lines(), [order[1]]);
}

#[test]
fn more_than_ten_are_a_random_sample_without_repeats() {
    let server = Server::start();
    server.publish(many(1000), Stat::default());
    let draw = || server.get("/get-proxy?limit=200").body;
    let (first, second) = (draw(), draw());
    for sample in [&first, &second] {
        let unique: HashSet<&str> = sample.lines().collect();
        assert_eq!(unique.len(), 200);
    }
    assert_ne!(first, second);
}

#[test]
fn a_limit_of_the_whole_large_pool_gives_each_once() {
    let server = Server::start();
    server.publish(many(100), Stat::default());
    let reply = server.get("/get-proxy?limit=100");
    assert_eq!(reply.lines().iter().collect::<HashSet<_>>().len(), 100);
}

#[test]
fn text_is_one_address_a_line_each_with_its_newline() {
    let server = Server::with(&MIXED);
    assert_eq!(
        server.get("/get-proxy?all=1").body,
        "1.1.1.1:80\n2.2.2.2:1080\n3.3.3.3:3128\n[2001:db8::1]:8080\nproxy.example.com:8080\n"
    );
}

#[test]
fn format_url_adds_scheme_and_credentials_whatever_is_accepted() {
    let server = Server::with(&MIXED);
    let target = "/get-proxy?format=url&protocol=socks5";
    for headers in ["", "Accept: application/json\r\n"] {
        let reply = server.ask("GET", target, headers);
        assert_eq!(reply.lines(), ["socks5://user:p%40ss@2.2.2.2:1080"]);
    }
}

#[test]
fn format_json_or_an_accept_with_it_gives_json_and_anything_else_text() {
    let server = Server::with(&MIXED);
    let is_json = |target: &str, headers: &str| {
        let reply = server.ask("GET", target, headers);
        assert_eq!(reply.status, 200, "{target}");
        reply.header("content-type") == Some("application/json")
    };
    assert!(is_json("/get-proxy?format=json", ""));
    assert!(is_json(
        "/get-proxy",
        "Accept: text/html, application/json;q=0.9\r\n"
    ));
    assert!(is_json(
        "/get-proxy",
        "Accept: text/html\r\nAccept: application/json\r\n"
    ));
    assert!(is_json("/get-proxy", "Accept: Application/JSON\r\n"));
    assert!(!is_json("/get-proxy", "Accept: application/jso\r\n"));
    for word in ["text", "txt", "TXT", "Url"] {
        let target = format!("/get-proxy?format={word}");
        assert!(!is_json(&target, "Accept: application/json\r\n"));
    }
    assert!(is_json(
        "/get-proxy?format=",
        "Accept: application/json\r\n"
    ));
    assert!(is_json("/get-proxy?format=JSON", ""));
    assert!(!is_json("/get-proxy", "Accept: */*\r\n"));
}

#[test]
fn json_has_the_keys_and_types_of_the_old_service_and_ours_beside_them() {
    let server = Server::start();
    let mut listed = proxies(&["http://1.2.3.4:8080", "socks4://5.6.7.8:1080"]);
    listed[0].last_check = SystemTime::UNIX_EPOCH + Duration::from_millis(1_700_000_000_250);
    listed[0].latency_ms = 234;
    listed[0].targets = Targets::first(3);
    let target = |name: &str| TargetStat {
        name: name.into(),
        ..TargetStat::default()
    };
    let stat = Stat {
        targets: ["sh\"op", "mail"].map(target).into(),
        ..Stat::default()
    };
    server.publish(listed, stat);
    let reply = server.get("/get-proxy?format=json");
    assert_eq!(
        reply.json(),
        serde_json::json!({
            "alive": 2,
            "proxies": [{
                "address": "1.2.3.4:8080",
                "protocol": "http",
                "alive": true,
                "latency_ms": 234,
                "last_check": "2023-11-14T22:13:20.250Z",
                "targets": ["sh\"op", "mail"],
            }],
            "total": 2,
        })
    );
}

#[test]
fn json_tells_the_exit_and_its_anonymity_where_a_judge_has_seen_them() {
    let server = Server::start();
    let mut listed = proxies(&["http://1.2.3.4:8080", "http://1.2.3.5:8080"]);
    listed[1].exit = Some(Exit {
        ip: "2001:db8::7".parse().unwrap(),
        anonymity: Anonymity::Anonymous,
    });
    server.publish(listed, Stat::default());
    let page = server.get("/get-proxy?all=1&format=json").json();
    let row = page["proxies"][0].as_object().unwrap();
    assert!(!row.contains_key("exit") && !row.contains_key("anonymity"));
    let row = page["proxies"][1].as_object().unwrap();
    assert_eq!(
        (&row["exit"], &row["anonymity"]),
        (&"2001:db8::7".into(), &"anonymous".into())
    );
}

#[test]
fn a_proxy_is_handed_out_by_each_protocol_that_it_speaks() {
    let server = Server::start();
    let mut listed = proxies(&["auto://u:p@1.2.3.4:8080", "auto://u:p@1.2.3.4:8080"]);
    listed[1].protocol = Protocol::Socks5;
    server.publish(listed, Stat::default());
    let ask = |query: &str| {
        server
            .get(&format!("/get-proxy?all=1&format=url{query}"))
            .body
    };
    let (http, socks) = ("http://u:p@1.2.3.4:8080\n", "socks5://u:p@1.2.3.4:8080\n");
    assert_eq!(ask(""), format!("{http}{socks}"));
    assert_eq!(ask("&protocol=socks5"), socks);
}

#[test]
fn headers_tell_the_snapshot_and_whether_it_is_held() {
    let server = Server::start();
    let published = SystemTime::now() - Duration::from_secs(3600);
    server.publish_as(proxies(&MIXED), Stat::default(), published, false);
    let fresh = server.get("/get-proxy");
    assert_eq!(fresh.header("x-snapshot-generation"), Some("1"));
    let age: u64 = fresh.header("x-snapshot-age").unwrap().parse().unwrap();
    assert!((3600..3660).contains(&age), "{age}");
    assert_eq!(fresh.header("x-snapshot-stale"), None);
    assert_eq!(fresh.header("x-snapshot-stale-reason"), None);
    server.publish_as(proxies(&MIXED), Stat::default(), published, true);
    let held = server.get("/get-proxy?limit=bad");
    assert_eq!(held.header("x-snapshot-generation"), Some("2"));
    assert_eq!(held.header("x-snapshot-stale"), Some("true"));
    assert_eq!(held.header("x-snapshot-stale-reason"), None);
    for (why, word) in [
        (Stale::Control, "target_unreachable"),
        (Stale::NothingAlive, "nothing_alive"),
    ] {
        let stat = Stat {
            stale: Some((why, published)),
            ..Stat::default()
        };
        server.publish_as(proxies(&MIXED), stat.clone(), published, true);
        let held = server.get("/get-proxy");
        assert_eq!(held.header("x-snapshot-stale-reason"), Some(word));
        assert_eq!(
            server.get("/ready").status,
            200,
            "a held snapshot is served"
        );
        server.publish_as(Vec::new(), stat, published, true);
        let empty = server.get("/get-proxy");
        empty.is_refusal(503, "No alive proxies available");
        assert_eq!(empty.header("x-snapshot-stale-reason"), Some(word));
    }
}

#[test]
fn nonsense_in_the_query_changes_nothing() {
    let server = Server::with(&MIXED);
    for query in [
        "&&==&",
        "%",
        "%zz=%",
        "a;b;c",
        "%00=%00",
        "limit%3D5",
        "%ff%fe",
        "key=%20",
    ] {
        let reply = server.get(&format!("/get-proxy?{query}"));
        assert_eq!(reply.lines().len(), 1, "{query}");
    }
}
