//! The filters of `/get-proxy`, which come before the number of proxies.

use super::MIXED;
use crate::api::testing::{Server, proxies};
use crate::snapshot::{SourceStat, Stat};
use std::time::Duration;

#[test]
fn a_protocol_in_any_case_filters_before_the_limit() {
    let server = Server::with(&MIXED);
    let ask = |query: &str| server.get(&format!("/get-proxy?{query}"));
    assert_eq!(ask("protocol=SOCKS5&limit=3").lines(), ["2.2.2.2:1080"]);
    assert_eq!(ask("protocol=Http&all=1").lines().len(), 4);
    let json = ask("protocol=socks5&format=json").json();
    assert_eq!((&json["alive"], &json["total"]), (&5.into(), &5.into()));
}

#[test]
fn a_protocol_that_is_none_is_400_before_a_bad_limit_is() {
    let server = Server::with(&MIXED);
    for protocol in ["ftp", "https", "socks", "socks5h", "%20http", "http,socks5"] {
        let reply = server.get(&format!("/get-proxy?limit=bad&protocol={protocol}"));
        let words = "Invalid protocol. Must be one of: http, socks4, socks5";
        reply.is_refusal(400, words);
    }
}

#[test]
fn a_protocol_that_nothing_alive_speaks_is_503_even_if_the_limit_is_bad() {
    let server = Server::with(&MIXED);
    for query in ["protocol=SOCKS4", "protocol=socks4&limit=bad"] {
        let reply = server.get(&format!("/get-proxy?{query}"));
        reply.is_refusal(503, "No socks4 proxies available");
    }
}

#[test]
fn the_latency_filter_includes_its_bound() {
    let server = Server::with(&MIXED);
    let ask = |query: &str| server.get(&format!("/get-proxy?all=1&{query}"));
    assert_eq!(
        ask("max_latency_ms=200").lines(),
        ["1.1.1.1:80", "2.2.2.2:1080"]
    );
    assert_eq!(ask("max_latency_ms=300&protocol=http").lines().len(), 2);
    ask("max_latency_ms=99").is_refusal(503, "No alive proxies match the filters");
}

#[test]
fn the_age_filter_is_in_seconds_and_a_check_in_the_future_is_new() {
    let server = Server::start();
    let mut listed = proxies(&MIXED[..3]);
    listed[0].last_check -= Duration::from_secs(100);
    listed[1].last_check += Duration::from_secs(100);
    server.publish(listed, Stat::default());
    let ask = |query: &str| server.get(&format!("/get-proxy?all=1&{query}"));
    assert_eq!(ask("max_age=50").lines(), ["2.2.2.2:1080", "3.3.3.3:3128"]);
    assert_eq!(ask("max_age=99999999999999999999").lines().len(), 3);
}

#[test]
fn a_filter_that_is_no_number_is_400_and_says_which() {
    let server = Server::with(&MIXED);
    for name in ["max_latency_ms", "max_age"] {
        for value in ["0", "-5", "1.5", "fast"] {
            let reply = server.get(&format!("/get-proxy?{name}={value}&limit=bad"));
            let words = format!("Invalid {name} parameter. Must be an integer of at least 1");
            reply.is_refusal(400, &words);
        }
    }
}

#[test]
fn the_source_filter_takes_the_url_of_a_source_as_it_is_configured() {
    let server = Server::start();
    let source = |url: &str| SourceStat {
        url: url.into(),
        ..SourceStat::default()
    };
    let stat = Stat {
        sources: vec![
            source("https://a.example/?x=1&y=2"),
            source("https://b.example/"),
        ],
        ..Stat::default()
    };
    let mut listed = proxies(&MIXED[..3]);
    listed[0].source = Some(0);
    listed[1].source = Some(9);
    server.publish(listed, stat);
    let ask = |source: &str| server.get(&format!("/get-proxy?all=1&source={source}"));
    assert_eq!(ask("https://a.example/?x=1%26y=2").lines(), ["1.1.1.1:80"]);
    ask("https://b.example/").is_refusal(503, "No alive proxies match the filters");
    let words = "Unknown source. Must be the URL of a source as /stat lists it";
    ask("https://a.example/?x=1&y=2").is_refusal(400, words);
}
