//! The page as a scraper sees it.

use super::*;
use crate::cluster::{ClusterStat, NodeStat};
use crate::lanes::LaneStat;
use crate::snapshot::{Pool, Proxy, ShardStat, SourceStat, Stat, Sweep, TargetStat};
use proxy_shards::{Protocol, Targets, Verdict};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

fn snapshot(stat: Stat) -> Snapshot {
    Snapshot {
        generation: 7,
        listing: 1,
        published: SystemTime::UNIX_EPOCH + Duration::from_secs(1000),
        pool: Arc::new(Pool::default()),
        stat: Arc::new(stat),
        stale: true,
        history: Arc::default(),
        cluster: None,
    }
}

fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_millis(1_002_500)
}

/// A page on which every family has a sample.
fn full() -> (Metrics, Snapshot) {
    let metrics = Metrics::new().unwrap();
    metrics.api_request("GET", "/stat", 200, 0.002);
    metrics.saved(now());
    metrics.backed_up(now());
    let mut stat = Stat {
        total_alive: 2,
        total_dead: 3,
        sources: vec![SourceStat {
            url: "https://lists.example/a".into(),
            found: 5,
            fetched_at: Some(now()),
            ..SourceStat::default()
        }],
        shards: vec![ShardStat {
            in_flight: 11,
            queued: 12,
            lag_us: 2_500,
            restarts: 1,
        }],
        sweep: Sweep {
            id: 1,
            total: 10,
            done: 5,
            ..Sweep::default()
        },
        targets: vec![
            target("judge", Some(Verdict::Alive)),
            target("other", Some(Verdict::Refused)),
            target("untried", None),
        ],
        held: 6,
        lanes: LaneStat {
            wanted: 2000,
            per_shard: 1700,
            decisions: [3, 0, 0, 2, 1],
        },
        ..Stat::default()
    };
    stat.probes.record(Verdict::Alive, 4_000);
    stat.probes.record(Verdict::Refused, 40_000);
    stat.probes.record(Verdict::OwnPage, 60_000_001);
    stat.probes.record(Verdict::LocalPorts, 1);
    let node = |name: &str, idle_because: Option<Box<str>>| NodeStat {
        name: name.into(),
        lanes: 50,
        lag: 4,
        idle_because,
        ..NodeStat::default()
    };
    let cluster = ClusterStat {
        node: "one".into(),
        leads: true,
        nodes: vec![node("one", None), node("two", Some("its targets".into()))],
        ..ClusterStat::default()
    };
    let cluster = Some(Arc::new(cluster));
    let snapshot = Snapshot {
        cluster,
        ..snapshot(stat)
    };
    (metrics, snapshot)
}

#[test]
fn the_nodes_are_on_the_page_only_where_there_are_several() {
    let (metrics, mut full) = full();
    let page = render(&metrics, &full);
    let seen = samples(&page);
    for (name, value) in [
        ("nodes", 2.0),
        ("leader", 1.0),
        ("lag_entries", 4.0),
        ("link_up", 1.0),
        ("figures_age_seconds", 0.0),
        ("node_lanes{node=\"one\"}", 50.0),
        ("node_lanes{node=\"two\"}", 0.0),
    ] {
        assert_eq!(
            seen[&*format!("proxychecker_cluster_{name}")],
            value,
            "{name}"
        );
    }
    full.cluster = None;
    assert!(!render(&metrics, &full).contains("cluster"));
}

fn target(name: &str, control: Option<Verdict>) -> TargetStat {
    TargetStat {
        name: name.into(),
        control,
        latency_ms: 250,
        reached: 9,
    }
}

fn render(metrics: &Metrics, snapshot: &Snapshot) -> String {
    let page = metrics.render(snapshot, "proxychecker", now()).unwrap();
    String::from_utf8(page).unwrap()
}

/// The samples of a page by `name{labels}`; panics where the text breaks a rule of the format or
/// of `promtool check metrics`.
fn samples(page: &str) -> BTreeMap<&str, f64> {
    let mut samples = BTreeMap::new();
    let mut kinds: BTreeMap<&str, &str> = BTreeMap::new();
    let mut helped = BTreeSet::new();
    let mut current = "";
    for line in page.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, help) = rest.split_once(' ').unwrap();
            assert!(helped.insert(name) && !help.is_empty(), "{line}");
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            assert!(kinds.insert(name, kind).is_none(), "family twice: {line}");
            assert!(helped.contains(name), "no help: {line}");
            assert_eq!(kind == "counter", name.ends_with("_total"), "{line}");
            let reserved = ["_sum", "_count", "_bucket"];
            assert!(!reserved.iter().any(|end| name.ends_with(end)), "{line}");
            current = name;
        } else {
            let (key, value) = line.rsplit_once(' ').unwrap();
            let name = key.split('{').next().unwrap();
            assert!(name.starts_with(current), "outside its family: {line}");
            assert!(
                samples.insert(key, value.parse().unwrap()).is_none(),
                "twice: {line}"
            );
        }
    }
    samples
}

#[test]
fn every_family_of_the_table_is_on_a_full_page_and_no_other() {
    let (metrics, snapshot) = full();
    let page = render(&metrics, &snapshot);
    assert!(!samples(&page).is_empty());
    let on_page: BTreeSet<&str> = page
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE proxychecker_"))
        .filter_map(|rest| rest.split(' ').next())
        .collect();
    let in_table: BTreeSet<&str> = families::ALL.iter().map(|family| family.name).collect();
    assert_eq!(on_page, in_table);
}

#[test]
fn the_page_of_the_first_second_is_valid_too() {
    let metrics = Metrics::new().unwrap();
    let page = render(&metrics, &snapshot(Stat::default()));
    let samples = samples(&page);
    assert_eq!(samples["proxychecker_alive_proxies"], 0.0);
    assert_eq!(samples["proxychecker_config_last_reload_successful"], 1.0);
    for result in families::RELOAD_RESULTS {
        let name = format!("proxychecker_config_reloads_total{{result=\"{result}\"}}");
        assert_eq!(samples[&*name], 0.0);
    }
    assert_eq!(samples["proxychecker_storage_errors_total"], 0.0);
    assert_eq!(samples["proxychecker_sweep_progress_ratio"], 0.0);
    assert!(!page.contains("storage_last_save"), "nothing was saved yet");
    assert!(!page.contains("source_up"), "no source was fetched yet");
    assert!(!page.contains("control_up"), "no target was tried yet");
}

#[test]
fn what_is_local_is_neither_a_success_nor_a_failure() {
    let (metrics, snapshot) = full();
    let page = render(&metrics, &snapshot);
    let samples = samples(&page);
    assert_eq!(
        samples[r#"proxychecker_checks_total{result="success"}"#],
        1.0
    );
    assert_eq!(
        samples[r#"proxychecker_checks_total{result="failure"}"#],
        2.0
    );
    assert_eq!(samples["proxychecker_checks_success_total"], 1.0);
    assert_eq!(samples["proxychecker_checks_failure_total"], 2.0);
    assert_eq!(
        samples[r#"proxychecker_probes_total{verdict="local_ports"}"#],
        1.0
    );
}

#[test]
fn the_buckets_of_a_histogram_are_cumulative_and_in_seconds() {
    let (metrics, snapshot) = full();
    let page = render(&metrics, &snapshot);
    let samples = samples(&page);
    let bucket =
        |le: &str| samples[&*format!(r#"proxychecker_check_duration_seconds_bucket{{le="{le}"}}"#)];
    assert_eq!(
        (bucket("0.005"), bucket("0.05"), bucket("60")),
        (2.0, 3.0, 3.0)
    );
    assert_eq!(bucket("+Inf"), 4.0);
    assert_eq!(samples["proxychecker_check_duration_seconds_count"], 4.0);
    let sum = samples["proxychecker_check_duration_seconds_sum"];
    assert!((sum - 60.044_002).abs() < 1e-9, "{sum}");
}

#[test]
fn the_figures_of_a_snapshot_are_read_at_the_scrape() {
    let (metrics, snapshot) = full();
    let page = render(&metrics, &snapshot);
    let samples = samples(&page);
    assert_eq!(samples["proxychecker_alive_proxies"], 2.0);
    assert_eq!(samples["proxychecker_dead_proxies"], 3.0);
    assert_eq!(samples["proxychecker_snapshot_generation"], 7.0);
    assert_eq!(samples["proxychecker_snapshot_age_seconds"], 2.5);
    assert_eq!(samples["proxychecker_snapshot_stale"], 1.0);
    assert_eq!(samples["proxychecker_sweep_progress_ratio"], 0.5);
    assert_eq!(samples[r#"proxychecker_probes_in_flight{shard="0"}"#], 11.0);
    assert_eq!(
        samples[r#"proxychecker_shard_restarts_total{shard="0"}"#],
        1.0
    );
    assert_eq!(samples[r#"proxychecker_lanes{shard="0"}"#], 1700.0);
    assert_eq!(samples["proxychecker_lanes_wanted"], 2000.0);
    let lag = samples[r#"proxychecker_executor_lag_seconds{shard="0"}"#];
    assert_eq!(lag, 0.0025);
    let decisions = ["local_errors", "raised", "recovered", "cpu"]
        .map(|cause| format!(r#"proxychecker_governor_decisions_total{{cause="{cause}"}}"#))
        .map(|name| samples[&*name]);
    assert_eq!(decisions, [3.0, 2.0, 1.0, 0.0]);
}

#[test]
fn a_target_is_up_or_down_once_it_was_tried() {
    let (metrics, snapshot) = full();
    let page = render(&metrics, &snapshot);
    let samples = samples(&page);
    let of = |family: &str, target: &str| {
        let key = format!(r#"proxychecker_{family}{{target="{target}"}}"#);
        samples.get(&*key).copied()
    };
    let up = ["judge", "other", "untried"].map(|name| of("control_up", name));
    assert_eq!(up, [Some(1.0), Some(0.0), None]);
    assert_eq!(of("control_duration_seconds", "judge"), Some(0.25));
    assert_eq!(of("proxies_reached", "untried"), Some(9.0));
    assert_eq!(samples["proxychecker_verdicts_held"], 6.0);
}

#[test]
fn a_proxy_is_counted_under_each_protocol_that_it_is_served_under() {
    let (metrics, mut snapshot) = full();
    let proxy = |protocol| Proxy {
        candidate: "auto://9.9.9.9:1080".parse().unwrap(),
        protocol,
        targets: Targets::first(1),
        banned_at: Targets::NONE,
        exit: None,
        latency_ms: 5,
        last_check: now(),
        source: None,
    };
    let proxies = [Protocol::Http, Protocol::Socks5, Protocol::Http].map(proxy);
    snapshot.pool = Arc::new(Pool::new(proxies.to_vec()));
    let page = render(&metrics, &snapshot);
    let samples = samples(&page);
    let of = |protocol: Protocol| {
        let label = protocol.label();
        samples[&*format!(r#"proxychecker_proxies_by_protocol{{protocol="{label}"}}"#)]
    };
    assert_eq!(Protocol::ALL.map(of), [2.0, 0.0, 0.0, 1.0]);
}

#[test]
fn a_scrape_before_the_publication_by_the_clock_has_age_zero() {
    let (metrics, snapshot) = full();
    let page = metrics
        .render(&snapshot, "p", SystemTime::UNIX_EPOCH)
        .unwrap();
    let page = String::from_utf8(page).unwrap();
    assert_eq!(samples(&page)["p_snapshot_age_seconds"], 0.0);
}

#[test]
fn removed_sources_and_shards_leave_the_page() {
    let (metrics, with) = full();
    assert!(render(&metrics, &with).contains("lists.example"));
    let page = render(&metrics, &snapshot(Stat::default()));
    assert!(!page.contains("source="), "{page}");
    assert!(!page.contains("shard="), "{page}");
}

#[test]
fn a_source_that_failed_is_down_and_its_last_list_still_counts() {
    let (metrics, snapshot_before) = full();
    let mut stat = Stat::clone(&snapshot_before.stat);
    stat.sources[0].error = "timed out".into();
    let page = render(&metrics, &snapshot(stat));
    let samples = samples(&page);
    let of = |name: &str| {
        samples[&*format!(r#"proxychecker_{name}{{source="https://lists.example/a"}}"#)]
    };
    assert_eq!((of("source_up"), of("source_candidates")), (0.0, 5.0));
    assert_eq!(of("proxies_scraped_total"), 5.0);
}

#[test]
fn the_name_of_a_source_is_its_label_as_it_is() {
    let source = |url: &str, error: &str| SourceStat {
        url: url.into(),
        found: 5,
        error: error.into(),
        fetched_at: Some(now()),
        ..SourceStat::default()
    };
    let stat = Stat {
        sources: vec![
            source("https://***@lists.example/\"x\"\n", ""),
            source("https://***@lists.example/\"x\"\n#2", "timed out"),
        ],
        ..Stat::default()
    };
    let page = render(&Metrics::new().unwrap(), &snapshot(stat));
    let samples = samples(&page);
    let of = |name: &str, end: &str| {
        samples
            [&*format!(r#"proxychecker_{name}{{source="https://***@lists.example/\"x\"\n{end}"}}"#)]
    };
    assert_eq!(
        (of("source_candidates", ""), of("source_up", "")),
        (5.0, 1.0)
    );
    assert_eq!(
        (of("source_candidates", "#2"), of("source_up", "#2")),
        (5.0, 0.0)
    );
}

#[test]
fn outcomes_of_reloads_and_saves_are_recorded() {
    let (metrics, snapshot) = full();
    metrics.reload_succeeded();
    metrics.reload_failed();
    metrics.reload_failed();
    metrics.storage_failed();
    let page = render(&metrics, &snapshot);
    let samples = samples(&page);
    assert_eq!(samples["proxychecker_config_last_reload_successful"], 0.0);
    let reloads = |result| {
        let name = format!("proxychecker_config_reloads_total{{result=\"{result}\"}}");
        samples[&*name]
    };
    assert_eq!((reloads("applied"), reloads("refused")), (1.0, 2.0));
    assert!(samples["proxychecker_config_last_reload_success_timestamp_seconds"] > 1e9);
    assert_eq!(samples["proxychecker_storage_errors_total"], 1.0);
    assert_eq!(
        samples["proxychecker_storage_last_save_timestamp_seconds"],
        1002.5
    );
}

#[test]
fn the_process_family_keeps_its_usual_names() {
    let (metrics, snapshot) = full();
    let page = render(&metrics, &snapshot);
    let samples = samples(&page);
    assert!(samples["process_resident_memory_bytes"] > 0.0);
    assert!(samples["process_open_fds"] > 0.0);
}

#[test]
fn an_empty_namespace_puts_nothing_before_the_names() {
    let (metrics, snapshot) = full();
    let page = String::from_utf8(metrics.render(&snapshot, "", now()).unwrap()).unwrap();
    assert_eq!(samples(&page)["alive_proxies"], 2.0);
}

#[test]
fn every_family_is_in_the_documentation() {
    // Keys of other routes have the same names.
    let page = include_str!("../../docs/api.md");
    let (_, page) = page.split_once("## GET /metrics").unwrap();
    assert!(!families::ALL.is_empty());
    for family in families::ALL {
        let name = format!("`{}`", family.name);
        let row = page
            .lines()
            .find(|line| line.starts_with('|') && line.contains(&name));
        let row = row.unwrap_or_else(|| panic!("{name} is missing"));
        let kind = format!("{:?}", family.kind).to_lowercase();
        assert!(row.contains(&kind), "{row}");
        assert!(
            family.labels.iter().all(|label| row.contains(label)),
            "{row}"
        );
    }
}
