use super::*;
use crate::api::testing::{Server, proxies};
use crate::lanes::LaneStat;
use crate::snapshot::{Stale, Stat};
use serde_json::{Value, json};
use std::time::Duration;

#[test]
fn the_alive_percent_has_two_decimals_and_is_zero_when_nothing_was_checked() {
    assert_eq!(percent(0, 0), "0.00%");
    assert_eq!(percent(3046, 6954), "30.46%");
    assert_eq!(percent(1, 2), "33.33%");
    assert_eq!(percent(7, 0), "100.00%");
}

fn at(secs: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000 + secs)
}

fn stat() -> Stat {
    let mut stat = Stat {
        total_scraped: 2500,
        total_alive: 2,
        total_dead: 6,
        last_check: Some(at(1)),
        sources: vec![
            SourceStat {
                url: "https://lists.example/a?x=\"1\"".into(),
                found: 2500,
                skipped: 3,
                alive: 2,
                error: "".into(),
                failures: 0,
                fetched_at: Some(at(0)),
            },
            SourceStat {
                url: "/var/lists/b.txt".into(),
                error: "timed out".into(),
                ..SourceStat::default()
            },
        ],
        sweep: Sweep {
            id: 4,
            total: 2500,
            done: 8,
            unjudged: 2,
            started: Some(at(0)),
            finished: None,
        },
        lanes: LaneStat {
            per_shard: 9,
            ..LaneStat::default()
        },
        shards: vec![ShardStat {
            in_flight: 5,
            queued: 6,
            lag_us: 12_345,
            restarts: 7,
        }],
        latency_ms_p50: 120,
        latency_ms_p95: 900,
        latency_spread: [120, 900].into_iter().collect(),
        ..Stat::default()
    };
    stat.verdicts[Verdict::Alive as usize] = 2;
    stat.verdicts[Verdict::OwnPage as usize] = 6;
    stat
}

#[test]
fn the_old_keys_keep_their_names_types_and_meaning() {
    let server = Server::start();
    let alive = proxies(&["http://1.1.1.1:80", "socks5://2.2.2.2:1080"]);
    server.publish_as(alive, stat(), at(2), false);
    let Value::Object(mut figures) = server.get("/stat").json() else {
        panic!("not an object");
    };
    let source = &mut figures["sources"]["https://lists.example/a?x=\"1\""];
    let expected = json!({
        "URL": "https://lists.example/a?x=\"1\"",
        "ProxiesFound": 2500,
        "Error": "",
        "skipped": 3,
        "alive": 2,
        "fetched_at": "2023-11-14T22:13:20.000Z",
    });
    assert_eq!(*source, expected);
    assert_eq!(figures["sources"]["/var/lists/b.txt"]["Error"], "timed out");
    assert_eq!(
        figures["sources"]["/var/lists/b.txt"]["fetched_at"],
        Value::Null
    );
    for (key, expected) in [
        ("alive_percent", json!("25.00%")),
        ("last_check", json!("2023-11-14T22:13:21.000Z")),
        ("total_alive", json!(2)),
        ("total_dead", json!(6)),
        ("total_scraped", json!(2500)),
        ("updated", json!("2023-11-14T22:13:22.000Z")),
    ] {
        assert_eq!(figures[key], expected, "{key}");
    }
}

#[test]
fn our_keys_stand_beside_the_old_ones() {
    let server = Server::start();
    let alive = proxies(&["http://1.1.1.1:80", "socks5://2.2.2.2:1080"]);
    server.publish_as(alive, stat(), at(2), true);
    let figures = server.get("/stat").json();
    let histogram = json!([
        { "up_to": 50, "count": 0 }, { "up_to": 100, "count": 0 }, { "up_to": 200, "count": 1 },
        { "up_to": 300, "count": 0 }, { "up_to": 500, "count": 0 }, { "up_to": 750, "count": 0 },
        { "up_to": 1000, "count": 1 }, { "up_to": 1500, "count": 0 }, { "up_to": 2000, "count": 0 },
        { "up_to": 3000, "count": 0 }, { "up_to": 5000, "count": 0 }, { "up_to": 10000, "count": 0 },
        { "up_to": null, "count": 0 },
    ]);
    let sweep = json!({
        "id": 4, "total": 2500, "done": 8, "unjudged": 2,
        "started": "2023-11-14T22:13:20.000Z", "finished": null,
    });
    for (key, expected) in [
        ("generation", json!(1)),
        ("stale", json!(true)),
        (
            "latency_ms",
            json!({ "p50": 120, "p95": 900, "histogram": histogram }),
        ),
        (
            "protocols",
            json!({ "http": 1, "https": 0, "socks4": 0, "socks5": 1 }),
        ),
        ("sweep", sweep),
        (
            "shards",
            json!([{ "lanes": 9, "in_flight": 5, "queued": 6, "lag_ms": 12, "restarts": 7 }]),
        ),
    ] {
        assert_eq!(figures[key], expected, "{key}");
    }
    let verdicts = figures["verdicts"].as_object().unwrap();
    assert_eq!(verdicts.len(), Verdict::COUNT);
    assert_eq!(
        (&verdicts["alive"], &verdicts["own_page"]),
        (&json!(2), &json!(6))
    );
}

#[test]
fn before_the_first_check_the_times_are_the_first_second_of_year_1() {
    let server = Server::start();
    let figures = server.get("/stat").json();
    assert_eq!(figures["last_check"], "0001-01-01T00:00:00Z");
    assert_eq!(figures["updated"], "0001-01-01T00:00:00Z");
    assert_eq!(figures["alive_percent"], "0.00%");
    assert_eq!(figures["sources"], json!({}));
    assert_eq!(figures["generation"], 0);
}

#[test]
fn it_is_told_since_when_saves_fail_and_what_was_saved_last() {
    let server = Server::start();
    let storage = || server.get("/stat").json()["storage"].take();
    let never = json!({ "failing_since": null, "saved_at": null });
    assert_eq!(storage(), never, "nothing was to be saved yet");
    server.metrics.saved(at(1));
    let saved = json!({ "failing_since": null, "saved_at": "2023-11-14T22:13:21.000Z" });
    assert_eq!(storage(), saved);
    server.metrics.storage_failed();
    let first = storage();
    assert_eq!(first["saved_at"], saved["saved_at"]);
    let since = first["failing_since"].as_str().unwrap();
    assert!(since.starts_with("20") && since.ends_with('Z'), "{since}");
    server.metrics.storage_failed();
    assert_eq!(storage(), first, "since the first that failed");
    server.metrics.saved(at(2));
    assert_eq!(storage()["failing_since"], Value::Null);
}

#[test]
fn a_held_snapshot_says_why_and_since_when_and_how_the_targets_fare() {
    let server = Server::start();
    let target = |name: &str, control, reached| TargetStat {
        name: name.into(),
        control,
        latency_ms: 42,
        reached,
    };
    let stale = Stat {
        stale: Some((Stale::Control, at(5))),
        held: 17,
        targets: vec![
            target("up", Some(Verdict::Alive), 9),
            target("\"down\"", Some(Verdict::ConnectTimeout), 3),
            target("unasked", None, 0),
        ],
        ..stat()
    };
    server.publish_as(Vec::new(), stale, at(6), true);
    let figures = server.get("/stat").json();
    let targets = json!({
        "up": {"up": true, "verdict": "alive", "latency_ms": 42, "reached": 9},
        "\"down\"": {
            "up": false, "verdict": "connect_timeout", "latency_ms": 42, "reached": 3,
        },
        "unasked": {"up": null, "verdict": null, "latency_ms": null, "reached": 0},
    });
    for (key, expected) in [
        ("stale", json!(true)),
        ("stale_reason", json!("target_unreachable")),
        ("stale_since", json!("2023-11-14T22:13:25.000Z")),
        ("held", json!(17)),
        ("targets", targets),
    ] {
        assert_eq!(figures[key], expected, "{key}");
    }
}

#[test]
fn a_fresh_snapshot_has_no_reason_to_be_stale() {
    let server = Server::start();
    server.publish(Vec::new(), stat());
    let figures = server.get("/stat").json();
    assert_eq!(
        (&figures["stale"], &figures["held"]),
        (&json!(false), &json!(0))
    );
    let nothing = (&Value::Null, &Value::Null);
    assert_eq!((&figures["stale_reason"], &figures["stale_since"]), nothing);
    assert_eq!(figures["targets"], json!({}));
}

#[test]
fn the_nodes_are_told_of_only_where_there_are_several() {
    let server = Server::with(&["http://1.1.1.1:80"]);
    assert!(server.get("/stat").json().get("cluster").is_none());
    server.join(&["one", "two"]);
    let cluster = server.get("/stat").json()["cluster"].clone();
    assert_eq!(
        (&cluster["node"], &cluster["leader"], &cluster["leads"]),
        (&json!("one"), &json!("two"), &json!(false))
    );
    assert_eq!(
        (&cluster["link"], &cluster["lag"]),
        (&json!("up"), &json!(3))
    );
    assert_eq!(cluster["as_of"], Value::Null, "as of now");
    let idle = "its targets do not answer";
    assert_eq!(cluster["nodes"][0]["idle_because"], json!(idle));
    assert_eq!(cluster["nodes"][1]["leads"], json!(true));
    assert_eq!(cluster["nodes"][1]["lanes"], json!(100));
}
