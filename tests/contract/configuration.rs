//! Configuration files of the old service.

use crate::stage::{Place, farm};
use crate::support::PATIENCE;
use proxy_bench::farm::Behaviour;
use serde_json::{Value, json};

/// Every key that the old service had, with a value of its own.
fn old() -> Value {
    json!({
        "aggregator": {
            "interval_seconds": 60,
            "sources": [
                {"url": "https://lists.example/http.txt", "type": "http", "enabled": false},
                {"url": "https://lists.example/4.txt", "type": "socks4", "enabled": false},
                {"url": "https://lists.example/5.txt", "type": "socks5"},
            ],
            "user_agent": "ProxyChecker/1.0",
        },
        "checker": {
            "timeout_ms": 15_000,
            "concurrency_total": 500,
            "batch_size": 2_000,
            "retries": 1,
            "test_url": "http://target.test/generate_204",
            "mode": "full-http",
            "enable_adaptive_concurrency": true,
            "max_fd_usage_percent": 80,
            "max_cpu_usage_percent": 95,
        },
        "api": {
            "addr": "127.0.0.1:0",
            "api_key_env": "CONTRACT_API_KEY",
            "rate_limit_per_minute": 1_200,
            "rate_limit_per_ip": 100,
            "enable_api_key_auth": true,
            "enable_ip_rate_limit": true,
        },
        "storage": {"type": "file", "path": "proxies.json", "persist_interval_seconds": 300},
        "metrics": {"enabled": true, "endpoint": "/metrics", "namespace": "proxychecker"},
        "logging": {"level": "info", "format": "text"},
        "zmap": {"enabled": true, "ports": [8080, 3128], "rate_limit": 10_000},
    })
}

#[test]
fn a_complete_old_file_is_accepted_with_one_warning_about_the_scan() {
    let mut place = Place::new(&[]);
    place.config = old();
    let mut service = place.serve();
    assert_eq!(service.get("/health").status, 200);
    assert_eq!(service.get("/stat?key=first-key").status, 200);
    let log = service.running.log();
    let scans = log.lines().filter(|line| line.contains("does not scan"));
    assert_eq!(scans.count(), 1, "{log}");
}

#[test]
fn zero_is_the_default_of_every_number_that_has_one() {
    let mut place = Place::new(&[]);
    place.config = old();
    for (block, key) in [
        ("aggregator", "interval_seconds"),
        ("checker", "timeout_ms"),
        ("checker", "batch_size"),
        ("checker", "max_fd_usage_percent"),
        ("checker", "max_cpu_usage_percent"),
        ("api", "rate_limit_per_minute"),
        ("api", "rate_limit_per_ip"),
        ("storage", "persist_interval_seconds"),
    ] {
        place.config[block][key] = json!(0);
    }
    assert_eq!(place.serve().get("/health").status, 200);
}

#[test]
fn an_unknown_key_is_an_error_that_names_it_and_the_nearest() {
    for (block, wrong, near) in [
        ("checker", "timeout_mss", "timeout_ms"),
        ("api", "rate_limit_per_minut", "rate_limit_per_minute"),
        ("metrics", "end_point", "endpoint"),
        (
            "storage",
            "persist_interval_second",
            "persist_interval_seconds",
        ),
    ] {
        let mut place = Place::new(&[]);
        place.config[block][wrong] = json!(1);
        let ran = place.start("").end(PATIENCE);
        assert_ne!(ran.status, Some(0));
        let told = format!("{block}.{wrong}: unknown key; did you mean {near}?");
        assert!(ran.err.contains(&told), "{told}\n{}", ran.err);
    }
}

#[test]
fn what_is_out_of_range_is_named_with_its_range() {
    for (block, key, value, bound) in [
        ("checker", "timeout_ms", 99, "100"),
        ("checker", "timeout_ms", 300_001, "300000"),
        ("checker", "concurrency_total", 100_001, "100000"),
    ] {
        let mut place = Place::new(&[]);
        place.config[block][key] = json!(value);
        let ran = place.start("").end(PATIENCE);
        assert_ne!(ran.status, Some(0));
        let told = ran.err.contains(&format!("{block}.{key}")) && ran.err.contains(bound);
        assert!(told, "{}", ran.err);
    }
}

#[test]
fn the_type_of_a_source_is_the_protocol_of_lines_without_a_scheme() {
    let farm = farm();
    for (kind, behaviour, protocol) in [
        ("http", Behaviour::Forwards, "http"),
        ("socks4", Behaviour::Socks4, "socks4"),
        ("socks5", Behaviour::Socks5, "socks5"),
        ("auto", Behaviour::Socks5, "socks5"),
    ] {
        let proxy = farm.proxy(behaviour, 0);
        let (_, line) = proxy.split_once("://").unwrap();
        let url = farm.serve_list(&format!("{line}\n"));
        let mut place = Place::new(&[&url]);
        place.config["aggregator"]["sources"][0]["type"] = json!(kind);
        let service = place.serve();
        service.wait_until_checked(1);
        let served = service.get("/get-proxy?format=url");
        assert_eq!(served.lines(), [format!("{protocol}://{line}")], "{kind}");
    }
}
