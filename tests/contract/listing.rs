//! `/get-proxy`: its order of checks, its forms, its filters.

use crate::stage::{NEVER_MS, Place, Service, farm, list};
use crate::support::{PATIENCE, eventually};
use proxy_bench::farm::{Behaviour, Farm};
use serde_json::{Value, json};
use std::collections::HashSet;
use std::fs;

const TEXT: Option<&str> = Some("text/plain; charset=utf-8");
const JSON: Option<&str> = Some("application/json");

/// 16 HTTP proxies and 4 SOCKS5 ones that work, and 5 that do not; all checked.
fn stage() -> (Farm, Service) {
    let farm = farm();
    let mix = [
        (16, Behaviour::Forwards),
        (4, Behaviour::Socks5),
        (5, Behaviour::Refuses),
    ];
    let url = farm.serve_list(&list(&farm, &mix));
    let service = Place::new(&[&url]).serve();
    service.wait_until_checked(25);
    (farm, service)
}

#[test]
fn nothing_alive_is_503_whatever_is_asked() {
    let service = Place::new(&[]).serve();
    for query in ["", "?limit=bad", "?protocol=gopher", "?all=1&format=json"] {
        let reply = service.get(&format!("/get-proxy{query}"));
        reply.is_refusal(503, "No alive proxies available");
    }
}

#[test]
fn all_wins_over_limit_and_is_exactly_1() {
    let (_farm, service) = stage();
    for query in ["all=1", "all=1&limit=3", "limit=bad&all=1"] {
        let reply = service.get(&format!("/get-proxy?{query}"));
        assert_eq!(reply.lines().len(), 20, "{query}");
    }
    for query in ["all=0", "all=", "all=0&_=1700000000123"] {
        let reply = service.get(&format!("/get-proxy?{query}"));
        assert_eq!(reply.lines().len(), 1, "{query}");
    }
    // One proxy where all were meant: better said than done.
    for query in ["all=true", "all=01"] {
        let reply = service.get(&format!("/get-proxy?{query}"));
        reply.is_refusal(400, "Invalid all parameter. Must be one of: 0, 1");
    }
    let reply = service.get("/get-proxy?ALL=1");
    reply.is_refusal(400, "Unknown parameter ALL. Did you mean all?");
}

#[test]
fn a_limit_is_a_whole_number_of_at_least_1_and_clamped() {
    let (_farm, service) = stage();
    for limit in ["0", "-1", "five", "1.5", "1e3", "%20"] {
        let reply = service.get(&format!("/get-proxy?limit={limit}"));
        reply.is_refusal(400, "Invalid limit parameter");
    }
    for (limit, count) in [("7", 7), ("15", 15), ("20", 20), ("99999", 20)] {
        let reply = service.get(&format!("/get-proxy?limit={limit}"));
        assert_eq!(reply.lines().len(), count, "{limit}");
    }
}

#[test]
fn up_to_ten_are_in_turn_over_a_shared_cursor_and_one_is_the_default() {
    let (_farm, service) = stage();
    let all = service.get("/get-proxy?all=1");
    let order = all.lines();
    let mut turn = Vec::new();
    for query in ["?limit=10", "", "?limit=3", "", "?limit=5"] {
        let reply = service.get(&format!("/get-proxy{query}"));
        turn.extend(reply.lines().into_iter().map(String::from));
    }
    assert_eq!(turn.len(), 20);
    let start = order.iter().position(|line| *line == turn[0]).unwrap();
    let expected: Vec<_> = (0..20).map(|i| order[(start + i) % 20]).collect();
    assert_eq!(turn, expected);
}

#[test]
fn more_than_ten_are_a_sample_without_repeats() {
    let (_farm, service) = stage();
    let mut draws = HashSet::new();
    for _ in 0..8 {
        let reply = service.get("/get-proxy?limit=11");
        let lines = reply.lines();
        assert_eq!(lines.iter().collect::<HashSet<_>>().len(), 11);
        draws.insert(reply.body.clone());
    }
    assert!(
        draws.len() > 1,
        "eight draws of 11 from 20 are all the same"
    );
}

#[test]
fn text_and_json_are_chosen_by_format_or_accept() {
    let (farm, service) = stage();
    let one = service.get("/get-proxy?protocol=socks5");
    assert_eq!(one.header("content-type"), TEXT);
    let [line] = one.lines()[..] else {
        panic!("{one:?}")
    };
    assert!((0..4).any(|n| farm.proxy(Behaviour::Socks5, n).ends_with(line)));
    assert!(!line.contains("://"), "{line}");

    let ask = |target: &str, accept: &str| {
        let reply = service.ask("GET", target, &format!("Accept: {accept}\r\n"));
        assert_eq!(reply.status, 200, "{reply:?}");
        reply.header("content-type").map(str::to_owned)
    };
    assert_eq!(ask("/get-proxy?format=json", "*/*").as_deref(), JSON);
    let mixed = "text/html, application/json;q=0.5";
    assert_eq!(ask("/get-proxy", mixed).as_deref(), JSON);
    assert_eq!(ask("/get-proxy", "text/html").as_deref(), TEXT);
    assert_eq!(ask("/get-proxy?format=txt", "*/*").as_deref(), TEXT);
    assert_eq!(ask("/get-proxy?format=JSON", "*/*").as_deref(), JSON);
    let unknown = service.get("/get-proxy?format=csv");
    unknown.is_refusal(
        400,
        "Invalid format parameter. Must be one of: json, txt, url",
    );
}

#[test]
fn json_has_the_old_keys_with_the_old_types_and_counts_the_whole_snapshot() {
    let (_farm, service) = stage();
    let reply = service.get("/get-proxy?limit=3&format=json");
    let page = reply.json();
    assert_eq!((&page["alive"], &page["total"]), (&json!(20), &json!(20)));
    let rows = page["proxies"].as_array().unwrap();
    assert_eq!(rows.len(), 3);
    for row in rows {
        assert!(
            row["address"].is_string() && row["latency_ms"].is_u64(),
            "{row}"
        );
        assert!(
            ["http", "socks5"]
                .map(Value::from)
                .contains(&row["protocol"])
        );
        assert_eq!(row["alive"], json!(true));
        let at = row["last_check"].as_str().unwrap();
        let at: jiff::Timestamp = at.parse().unwrap();
        assert!(at > jiff::Timestamp::UNIX_EPOCH, "{row}");
    }
}

/// What the old service left is served in the old form, to the letter.
#[test]
fn a_row_is_the_one_that_was_stored() {
    let farm = farm();
    // It never answers the check that follows the start, so what was known stays.
    let proxy = farm.proxy(Behaviour::Silent, 0);
    let (_, address) = proxy.split_once("://").unwrap();
    let url = farm.serve_list(&format!("{proxy}\n"));
    let mut place = Place::new(&[&url]);
    place.config["checker"]["timeout_ms"] = json!(NEVER_MS);
    place.config["checker"]["connect_timeout_ms"] = json!(NEVER_MS);
    let stored = json!({
        "proxies": [{"address": address, "protocol": "http", "alive": true, "latency_ms": 234,
                     "last_check": "2025-11-14T22:13:20.25Z"}],
        "stats": {"total_scraped": 1, "total_alive": 1, "total_dead": 0, "alive_percent": 100.0,
                  "last_check_time": "2025-11-14T22:13:20.25Z"},
        "updated": "2025-11-14T22:13:21Z",
    });
    fs::write(place.path("proxies.json"), stored.to_string()).unwrap();
    let service = place.serve();
    let reply = eventually(PATIENCE, "what was stored is served", || {
        let reply = service.get("/get-proxy?format=json");
        (reply.status == 200).then_some(reply)
    });
    for old in [
        r#""alive":1,"#.to_owned(),
        r#""total":1"#.to_owned(),
        format!(r#""address":"{address}""#),
        r#""protocol":"http""#.to_owned(),
        r#""alive":true"#.to_owned(),
        r#""latency_ms":234"#.to_owned(),
        r#""last_check":"2025-11-14T22:13:20.250Z""#.to_owned(),
    ] {
        assert!(reply.body.contains(&old), "{old}: {}", reply.body);
    }
    // It was checked long ago, and a century is longer.
    let old = service.get("/get-proxy?max_age=600");
    old.is_refusal(503, "No alive proxies match the filters");
    assert_eq!(service.get("/get-proxy?max_age=3155760000").status, 200);
}

#[test]
fn the_protocol_filters_before_the_limit() {
    let (_farm, service) = stage();
    for word in ["socks5", "SOCKS5", "Socks5"] {
        let reply = service.get(&format!("/get-proxy?protocol={word}&limit=100&format=url"));
        let lines = reply.lines();
        assert_eq!(lines.len(), 4, "{word}");
        assert!(lines.iter().all(|line| line.starts_with("socks5://")));
    }
    service.get("/get-proxy?protocol=gopher").is_refusal(
        400,
        "Invalid protocol. Must be one of: http, socks4, socks5",
    );
    let none = service.get("/get-proxy?protocol=socks4&limit=bad");
    none.is_refusal(503, "No socks4 proxies available");
}

/// The rows of the whole list that a query leaves, in their order.
fn rows(service: &Service, query: &str) -> Vec<Value> {
    let reply = service.get(&format!("/get-proxy?all=1&format=json&{query}"));
    assert_eq!(reply.status, 200, "{reply:?}");
    reply.json()["proxies"].as_array().unwrap().clone()
}

#[test]
fn the_further_filters_keep_what_they_say() {
    let farm = farm();
    // The four of the second think longer than a second.
    let quick = farm.serve_list(&list(&farm, &[(16, Behaviour::Forwards)]));
    let late = farm.serve_list(&list(&farm, &[(4, Behaviour::Late)]));
    let service = Place::new(&[&quick, &late]).serve();
    service.wait_until_checked(20);
    let addresses = |behaviour, count| -> HashSet<String> {
        let address = |number| {
            let proxy = farm.proxy(behaviour, number);
            proxy.rsplit('/').next().unwrap().to_owned()
        };
        (0..count).map(address).collect()
    };
    let of = |rows: &[Value]| -> HashSet<String> {
        let address = |row: &Value| row["address"].as_str().unwrap().to_owned();
        rows.iter().map(address).collect()
    };
    assert_eq!(
        of(&rows(&service, &format!("source={quick}"))),
        addresses(Behaviour::Forwards, 16)
    );
    assert_eq!(
        of(&rows(&service, &format!("source={late}"))),
        addresses(Behaviour::Late, 4)
    );

    let all = rows(&service, "max_latency_ms=60000&max_age=600");
    assert_eq!(all.len(), 20);
    let latency_ms = |row: &Value| row["latency_ms"].as_u64().unwrap();
    // On a busy machine others may be as slow: their rows say so.
    let kept: Vec<Value> = all
        .iter()
        .filter(|row| latency_ms(row) <= 1_400)
        .cloned()
        .collect();
    assert!((1..=16).contains(&kept.len()), "{kept:?}");
    assert!(of(&kept).is_disjoint(&addresses(Behaviour::Late, 4)));
    assert_eq!(of(&rows(&service, "max_latency_ms=1400")), of(&kept));
    let both = format!("/get-proxy?source={late}&max_latency_ms=1400");
    service
        .get(&both)
        .is_refusal(503, "No alive proxies match the filters");

    let unknown = service.get("/get-proxy?source=http://lists.example/");
    assert_eq!(unknown.status, 400, "{unknown:?}");
    for name in ["max_latency_ms", "max_age"] {
        let error = format!("Invalid {name} parameter. Must be an integer of at least 1");
        let reply = service.get(&format!("/get-proxy?{name}=0"));
        reply.is_refusal(400, &error);
    }
}

#[test]
fn format_url_has_scheme_and_credentials() {
    let farm = farm();
    let proxy = farm.proxy(Behaviour::ForwardsAuth, 0);
    assert!(proxy.contains('@'), "{proxy}");
    let service = Place::new(&[&farm.serve_list(&format!("{proxy}\n"))]).serve();
    service.wait_until_checked(1);
    assert_eq!(service.get("/get-proxy?format=url").lines(), [&*proxy]);
    let (_, address) = proxy.split_once('@').unwrap();
    assert_eq!(service.get("/get-proxy").lines(), [address]);
}

#[test]
fn headers_tell_the_generation_and_the_age() {
    let (_farm, service) = stage();
    let reply = service.get("/get-proxy");
    let number = |name: &str| reply.header(name).unwrap().parse::<u64>().unwrap();
    assert!(number("x-snapshot-generation") >= 1);
    assert!(number("x-snapshot-age") < PATIENCE.as_secs());
    assert_eq!(reply.header("x-snapshot-stale"), None);
    assert_eq!(service.ask("HEAD", "/get-proxy", "").body, "");
}
