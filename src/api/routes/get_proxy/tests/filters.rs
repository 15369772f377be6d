//! The filters of `/get-proxy`, which come before the number of proxies.

use super::MIXED;
use crate::api::testing::{Server, proxies};
use crate::snapshot::{SourceStat, Stat, TargetStat};
use proxy_shards::{Anonymity, Exit, Targets};
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
    for protocol in ["ftp", "auto", "socks", "socks5h", "%20http", "http,socks5"] {
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

#[test]
fn https_is_tls_to_the_proxy_itself_and_is_no_word_of_the_old_service() {
    let server = Server::with(&["http://1.1.1.1:80", "https://2.2.2.2:443"]);
    let ask = |query: &str| server.get(&format!("/get-proxy?{query}"));
    assert_eq!(ask("protocol=HTTPS&all=1").lines(), ["2.2.2.2:443"]);
    assert_eq!(ask("protocol=http&all=1").lines(), ["1.1.1.1:80"]);
    let server = Server::with(&["http://1.1.1.1:80"]);
    let reply = server.get("/get-proxy?protocol=https");
    reply.is_refusal(503, "No https proxies available");
}

/// Two targets and one that nobody reaches.
pub(super) fn with_targets() -> Server {
    let server = Server::start();
    let target = |name: &str| TargetStat {
        name: name.into(),
        ..TargetStat::default()
    };
    let mut listed = proxies(&MIXED[..3]);
    listed[1].targets = Targets::first(2);
    listed[2].targets = Targets::NONE.with(1);
    let stat = Stat {
        targets: ["shop", "a b", "down"].map(target).into(),
        ..Stat::default()
    };
    server.publish(listed, stat);
    server
}

#[test]
fn the_target_filter_takes_the_name_of_a_target_as_it_is_configured() {
    let server = with_targets();
    let ask = |query: &str| server.get(&format!("/get-proxy?all=1&{query}"));
    assert_eq!(ask("target=shop").lines(), ["1.1.1.1:80", "2.2.2.2:1080"]);
    assert_eq!(ask("target=a+b").lines(), ["2.2.2.2:1080", "3.3.3.3:3128"]);
    assert_eq!(ask("target=a%20b&protocol=http").lines(), ["3.3.3.3:3128"]);
    assert_eq!(ask("target=").lines().len(), 3);
    for name in ["nothing", "Shop", "shop,down", "%00"] {
        let reply = server.get(&format!("/get-proxy?limit=bad&target={name}"));
        reply.is_refusal(400, "Invalid target. Must be one of: shop, a b, down");
    }
}

#[test]
fn a_target_that_nothing_alive_reaches_is_named() {
    let server = with_targets();
    let ask = |query: &str| server.get(&format!("/get-proxy?limit=bad&{query}"));
    ask("target=down").is_refusal(503, "No proxies that reach down available");
    ask("target=down&max_latency_ms=1").is_refusal(503, "No proxies that reach down available");
    ask("target=shop&max_latency_ms=1").is_refusal(503, "No alive proxies match the filters");
    ask("target=down&protocol=socks4").is_refusal(503, "No socks4 proxies available");
}

#[test]
fn the_anonymity_filter_takes_one_level_exactly() {
    let server = Server::start();
    let mut listed = proxies(&MIXED[..4]);
    for (proxy, anonymity) in listed.iter_mut().zip(Anonymity::ALL) {
        let ip = "9.9.9.9".parse().unwrap();
        proxy.exit = Some(Exit { ip, anonymity });
    }
    server.publish(listed, Stat::default());
    let ask = |query: &str| server.get(&format!("/get-proxy?all=1&{query}"));
    assert_eq!(ask("anonymity=transparent").lines(), ["1.1.1.1:80"]);
    assert_eq!(ask("anonymity=Anonymous").lines(), ["2.2.2.2:1080"]);
    assert_eq!(ask("anonymity=elite").lines(), ["3.3.3.3:3128"]);
    let none = "No alive proxies match the filters";
    ask("anonymity=elite&protocol=socks5").is_refusal(503, none);
    for level in ["high", "elite,anonymous", "%20elite"] {
        let reply = server.get(&format!("/get-proxy?limit=bad&anonymity={level}"));
        let words = "Invalid anonymity. Must be one of: transparent, anonymous, elite";
        reply.is_refusal(400, words);
    }
    let unjudged = Server::with(&MIXED);
    unjudged
        .get("/get-proxy?anonymity=elite")
        .is_refusal(503, none);
}
