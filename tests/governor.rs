//! Hosts and networks that bear little: few ports, a small NAT table. The real binary over a farm; for
//! few ports both are in a network of their own.

#[path = "support/alone.rs"]
mod alone;
mod support;

use alone::alone;
use proxy_bench::farm::{Behaviour, Farm, FarmOptions};
use serde_json::json;
use std::collections::BTreeMap;
use std::fs;
use std::thread;
use std::time::{Duration, Instant};
use support::{PATIENCE, ask, eventually, start};

/// Ports towards one proxy, and the lanes that are asked for.
const PORTS: &str = "40000 41499";
const WANTED: usize = 5_000;
const TARGET: &str = "http://target.test/generate_204";

/// Whether this is a network with few ports; otherwise `test` was run in one.
fn has_few_ports(test: &str) -> bool {
    let ports = format!("echo {PORTS} > /proc/sys/net/ipv4/ip_local_port_range");
    alone(test, &ports)
}

/// So many candidates that are one address: the kernel counts ports by where they lead.
fn one_address(farm: &Farm) -> String {
    let proxy = farm.proxy(Behaviour::Late, 7);
    let (scheme, at) = proxy.split_once("://").unwrap();
    let candidate = |n| format!("{scheme}://user{n}:word@{at}\n");
    (0..WANTED).map(candidate).collect()
}

/// Lines about local errors, and about other causes: there is one for each change, none for each step.
fn news(said: &str) -> (usize, usize) {
    let count = |text| said.matches(text).count();
    let others = count("come late to their work") + count("more of the CPUs is used");
    (count("bears no more probes"), others)
}

fn farm() -> Farm {
    Farm::start(FarmOptions::default()).unwrap()
}

#[test]
fn a_check_with_more_lanes_than_ports_tells_the_truth_about_every_proxy() {
    if !has_few_ports("a_check_with_more_lanes_than_ports_tells_the_truth_about_every_proxy") {
        return;
    }
    let farm = farm();
    let lanes = WANTED.to_string();
    let mut arguments = vec![
        "check",
        "--allow-private",
        "--no-control-probe",
        "--test-url",
        TARGET,
        "--all",
        "--format",
        "jsonl",
        "--timeout",
        "20s",
        "--shards",
        "2",
        "--concurrency",
        &lanes,
        "-",
    ];
    let verdicts = |arguments: &[&str]| {
        let ran = start(arguments, &one_address(&farm), None).end(PATIENCE);
        assert_eq!(ran.status, Some(0), "{}", ran.err);
        let mut verdicts: BTreeMap<String, usize> = BTreeMap::new();
        for line in ran.lines() {
            let row: serde_json::Value = serde_json::from_str(line).unwrap();
            let verdict = row["verdict"].as_str().unwrap().to_owned();
            *verdicts.entry(verdict).or_default() += 1;
        }
        (verdicts, ran.err)
    };
    let (ungoverned, _) = verdicts(&arguments);
    let local = ungoverned.get("local_ports").copied().unwrap_or_default();
    assert!(local > 0, "there are too many ports here: {ungoverned:?}");
    arguments.insert(1, "--adaptive");
    let (governed, said) = verdicts(&arguments);
    let truth = BTreeMap::from([("alive".to_owned(), WANTED)]);
    assert_eq!(governed, truth, "{said}");
    let (told, others) = news(&said);
    assert!((1..=1 + others).contains(&told), "{said}");
    assert!(said.contains("local_ports"), "{said}");
}

#[test]
fn the_service_has_fewer_lanes_where_there_are_fewer_ports_and_shows_them() {
    if !has_few_ports("the_service_has_fewer_lanes_where_there_are_fewer_ports_and_shows_them") {
        return;
    }
    let farm = farm();
    let folder = tempfile::tempdir().unwrap();
    let list = folder.path().join("list.txt");
    fs::write(&list, one_address(&farm)).unwrap();
    let config = json!({
        "aggregator": {
            "interval_seconds": 600,
            "allow_private": true,
            "sources": [{"url": list, "type": "http", "enabled": true}],
        },
        "checker": {
            "test_url": TARGET,
            "control_probe": false,
            "concurrency_total": WANTED,
            "enable_adaptive_concurrency": true,
            // The address is one, and so is its shard.
            "shards": 1,
        },
        "metrics": {"enabled": true},
        "api": {"addr": "127.0.0.1:0"},
        "storage": {"type": "file", "path": "ledger.json"},
        "logging": {"format": "text"},
    });
    let path = folder.path().join("config.json");
    fs::write(&path, config.to_string()).unwrap();
    let arguments = ["serve", "--config", path.to_str().unwrap()];
    let mut service = start(&arguments, "", Some(folder.path()));
    let address = service.after("the API listens address=");
    let address = address.split(' ').next().unwrap();
    service.after("bears no more probes");
    eventually(PATIENCE, "every proxy is alive", || {
        let (_, stat) = ask(address, "GET", "/stat");
        let stat: serde_json::Value = serde_json::from_str(&stat).unwrap();
        assert_eq!(stat["total_dead"], 0, "{stat}");
        (stat["total_alive"] == WANTED).then_some(())
    });
    let (_, page) = ask(address, "GET", "/metrics");
    let sample = |name: &str| -> f64 {
        let line = page.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap_or_else(|| panic!("no {name}: {page}"))
            .trim()
            .parse()
            .unwrap()
    };
    assert_eq!(sample("proxychecker_lanes_wanted"), WANTED as f64);
    let lanes = sample(r#"proxychecker_lanes{shard="0"}"#);
    assert!((16.0..WANTED as f64).contains(&lanes), "{lanes} lanes");
    let cause = |cause| {
        sample(&format!(
            r#"proxychecker_governor_decisions_total{{cause="{cause}"}}"#
        ))
    };
    assert!(cause("local_errors") >= 1.0);
    assert_eq!(cause("recovered"), 0.0);
    service.signal("TERM");
    let ran = service.end(PATIENCE);
    let (told, others) = news(&ran.err);
    assert!((1..=1 + others).contains(&told), "{}", ran.err);
}

#[test]
fn connections_come_evenly_at_the_pace_that_is_set() {
    const COUNT: usize = 2_000;
    const PER_SECOND: u32 = 1_000;
    let farm = farm();
    let mix = farm.mix(COUNT, &[Behaviour::Forwards]);
    let list: String = mix.iter().map(|(proxy, _)| format!("{proxy}\n")).collect();
    let pace = PER_SECOND.to_string();
    let options = [
        "--allow-private",
        "--no-control-probe",
        "--test-url",
        TARGET,
    ];
    let paced = ["--shards", "2", "--max-connects-per-second", &pace, "-"];
    let arguments = [&["check"], &options[..], &paced[..]].concat();
    let running = start(&arguments, &list, None);
    // When how many had been accepted: one entry for each look.
    let mut looks: Vec<(Instant, u64)> = Vec::new();
    let until = Instant::now() + PATIENCE;
    while looks
        .last()
        .is_none_or(|&(_, accepted)| accepted < COUNT as u64)
    {
        assert!(Instant::now() < until, "{:?}", looks.last());
        looks.push((Instant::now(), farm.counts(Behaviour::Forwards).accepted));
        thread::park_timeout(Duration::from_millis(2));
    }
    assert_eq!(running.end(PATIENCE).lines().len(), COUNT);
    let window = Duration::from_millis(100);
    let most = looks.iter().map(|&(at, before)| {
        let inside = looks.iter().take_while(|&&(later, _)| later <= at + window);
        inside.last().map_or(0, |&(_, accepted)| accepted - before)
    });
    // A tenth of a second's worth; the bursts of two shards; and twice as much for a machine on which
    // the farm may come late to its door.
    let most = most.max().unwrap();
    assert!((1..=300).contains(&most), "{most} in 100 ms");
    let first = looks
        .iter()
        .rfind(|&&(_, accepted)| accepted == 0)
        .unwrap()
        .0;
    let took = looks.last().unwrap().0 - first;
    let least = Duration::from_millis(1_900);
    assert!(took >= least, "{COUNT} in {took:?}");
}
