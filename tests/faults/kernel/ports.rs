//! Few ports, for real: a network of its own, whose ports are taken away and given back.

use super::RECOVERED_WITHIN;
use super::client::{Client, Habit, Kept};
use super::harm::{asks_for_a_sweep, is_swept, sample};
use crate::alone::alone;
use crate::stage::Stage;
use crate::support::{PATIENCE, eventually};
use proxy_bench::farm::{Behaviour, Farm, FarmOptions};
use serde_json::{Value, json};
use std::fs;

/// Where this network says which ports connections may come from.
const RANGE: &str = "/proc/sys/net/ipv4/ip_local_port_range";
/// Ports towards one proxy: enough for every lane, and for few.
const MANY: &str = "40000 44999";
const FEW: &str = "40000 40149";
/// As many as the configuration says.
const LANES: f64 = 1_000.0;
/// Candidates, all of them one address: the kernel counts ports by where they lead.
const COUNT: usize = 1_500;

/// Ports that connections may come from, in this network.
fn allow(ports: &str) {
    fs::write(RANGE, ports).unwrap();
}

#[test]
fn ports_that_are_taken_away_are_missed_by_no_proxy_and_used_when_they_are_back() {
    let _turn = crate::turn();
    let name = "kernel::ports::ports_that_are_taken_away_are_missed_by_no_proxy_and_used_when_they_are_back";
    if !alone(name, &format!("echo {MANY} > {RANGE}")) {
        return;
    }
    let farm = Farm::start(FarmOptions::default()).unwrap();
    let proxy = farm.proxy(Behaviour::Late, 7);
    let (scheme, at) = proxy.split_once("://").unwrap();
    let candidate = |n| format!("{scheme}://user{n}:word@{at}\n");
    let mut stage = Stage::new(&(0..COUNT).map(candidate).collect::<String>());
    stage.config["checker"]["timeout_ms"] = json!(20_000);
    stage.config["checker"]["enable_adaptive_concurrency"] = json!(true);
    // The address is one, and so is its shard.
    stage.config["checker"]["shards"] = json!(1);
    stage.config["metrics"] = json!({"enabled": true});
    let service = stage.start();
    service.has_checked(COUNT as u64);
    let mut kept = Kept::open(&service.address);
    let mut all_live = move || {
        let (_, stat) = kept.ask("GET", "/stat");
        let stat: Value = serde_json::from_str(&stat).unwrap();
        assert_eq!(
            (&stat["total_alive"], &stat["total_dead"]),
            (&json!(COUNT), &json!(0)),
            "{stat}"
        );
        kept.ask("GET", "/metrics").1
    };
    for _ in 0..crate::times(1, 2) {
        let metric = |page: &str, name: &str| sample(page, name);
        let ports = r#"probes_total{verdict="local_ports"}"#;
        let lanes = r#"lanes{shard="0"}"#;
        let before = all_live();
        let client = Client::start(&service.address, Habit::Stays);
        allow(FEW);
        let swept = asks_for_a_sweep(&service);
        eventually(PATIENCE, "there are too few ports, and fewer lanes", || {
            let page = all_live();
            let more = |name| metric(&page, name) - metric(&before, name);
            (more(ports) >= 100.0 && metric(&page, lanes) < LANES).then_some(())
        });
        allow(MANY);
        let took = is_swept(&service, swept, RECOVERED_WITHIN);
        eprintln!("all ports are back: recovered in {took:?}");
        all_live();
        client.was_served();
    }
    drop(all_live);
    let log = service.end().err;
    assert!(
        log.contains("bears no more probes at once (local_ports)"),
        "{log}"
    );
}
