//! The whole service while its shards panic: what it serves, counts and logs.

use crate::kernel::client::{Client, Habit};
use crate::kernel::harm::{Harm, metric, sweeps};
use crate::stage::Stage;
use crate::support::PATIENCE;
use proxy_bench::farm::{Behaviour, Farm, FarmOptions};
use proxy_shards::hooks::{Faults, Place};
use std::collections::BTreeSet;
use std::time::Duration;

/// Candidates of each kind.
const COUNT: usize = 500;

#[test]
fn the_service_serves_counts_and_logs_through_panics() {
    let _turn = crate::turn();
    let farm = Farm::start(FarmOptions::default()).unwrap();
    let list = |kind| farm.mix(COUNT, &[kind]).into_iter().map(|(url, _)| url);
    let good: BTreeSet<String> =
        (list(Behaviour::Forwards).chain(list(Behaviour::Socks5))).collect();
    let all: Vec<String> = good
        .iter()
        .cloned()
        .chain(list(Behaviour::Refuses))
        .collect();
    let mut stage = Stage::new(&all.join("\n"));
    stage.config["metrics"] = serde_json::json!({"enabled": true});
    let harm = Harm::new(&mut stage);
    let service = stage.start();
    service.serves(&good, PATIENCE);
    service.has_checked(all.len() as u64);
    let client = Client::start(&service.address, Habit::Both);
    for (seed, place) in (1..).zip(Place::ALL) {
        harm.begin(&Faults {
            seed,
            errors: Vec::new(),
            panics: vec![(place, 50, 1)],
        });
        sweeps(&service, PATIENCE);
        assert_eq!(service.served(), good, "{place:?}");
    }
    harm.end();
    client.was_served();
    let stat = service.stat();
    assert_eq!(stat["total_dead"].as_u64(), Some(COUNT as u64), "{stat}");
    // In each of two shards one panic at every place: three of them take the executor down.
    assert_eq!(metric(&service, r#"shard_restarts_total{shard="0"}"#), 3.0);
    assert_eq!(metric(&service, r#"shard_restarts_total{shard="1"}"#), 3.0);
    let faults = metric(&service, r#"probes_total{verdict="local_fault"}"#);
    assert_eq!(
        faults, 8.0,
        "one in each shard at each of four places in a probe"
    );
    service.running.signal("TERM");
    let ran = service.running.end(Duration::from_secs(20));
    assert_eq!(ran.status, Some(0), "{}", ran.err);
    tells(&ran.err);
}

/// A line for each panic, with its words in it and nothing of them raw, and one for each restart.
fn tells(log: &str) {
    let count = |text: &str| log.lines().filter(|line| line.contains(text)).count();
    let panics = 2 * Place::ALL.len();
    assert_eq!(count("a thread panicked, which is a bug"), panics, "{log}");
    assert_eq!(
        count("shard restarts; the probes under way are made again"),
        6,
        "{log}"
    );
    for place in Place::ALL {
        let words = format!(r"\u{{1b}}[31m\0 at {}", place.label());
        assert_eq!(count(&words), 2, "{words}: {log}");
    }
    let is_forged = |line: &str| line.trim_start().starts_with("2026-01-01T00:00:00Z");
    assert!(!log.lines().any(is_forged), "{log}");
    assert!(!log.contains(['\u{1b}', '\0', '\r']), "{log}");
}
