//! What the old service left in its stores, and a store that fails while the service runs.

use crate::redis_server::RedisServer;
use crate::stage::{Place, farm, list};
use crate::support::{PATIENCE, eventually};
use proxy_bench::farm::Behaviour;
use redis::cmd;
use rusqlite::Connection;
use serde_json::json;
use std::fs;
use std::process::Command;

/// The old service's snapshot of one proxy.
fn snapshot(address: &str) -> String {
    json!({
        "proxies": [{"address": address, "protocol": "http", "alive": true, "latency_ms": 234,
            "last_check": "2025-01-02T00:04:05Z"}],
        "stats": {"total_scraped": 1, "total_alive": 1, "total_dead": 0, "alive_percent": 100,
            "last_check_time": "2025-01-02T00:04:05Z"},
        "updated": "2025-01-02T00:04:06Z",
    })
    .to_string()
}

/// The proxy is served from the start, with its age, checked, and served from then on as fresh.
fn served_and_checked(place: &mut Place, address: &str) {
    let service = place.serve();
    assert_eq!(service.get("/get-proxy").lines(), [address]);
    eventually(PATIENCE, "it is checked", || {
        let answer = service.get("/get-proxy?format=json").json();
        (answer["proxies"][0]["last_check"] != "2025-01-02T00:04:05Z").then_some(())
    });
    service.running.signal("TERM");
    assert_eq!(service.running.end(PATIENCE).status, Some(0));
    // Ours is read now: with the time of our own check.
    let service = place.serve();
    let answer = service.get("/get-proxy?format=json").json();
    assert_eq!(answer["proxies"][0]["address"], address);
    assert_ne!(answer["proxies"][0]["last_check"], "2025-01-02T00:04:05Z");
}

/// A place whose one source is gone, and a proxy that works.
fn scene(storage: serde_json::Value) -> (proxy_bench::farm::Farm, Place, String) {
    let farm = farm();
    let proxy = farm.proxy(Behaviour::Forwards, 0);
    let (_, address) = proxy.split_once("://").unwrap();
    let address = address.to_owned();
    let mut place = Place::new(&["http://127.0.0.1:9/gone"]);
    place.config["storage"] = storage;
    (farm, place, address)
}

#[test]
fn the_file_of_the_old_service_is_taken_over() {
    let (_farm, mut place, address) = scene(json!({"type": "file", "path": "proxies.json"}));
    fs::write(place.path("proxies.json"), snapshot(&address)).unwrap();
    served_and_checked(&mut place, &address);
}

#[test]
fn the_table_of_the_old_service_is_taken_over_and_stays() {
    let (_farm, mut place, address) = scene(json!({"type": "sqlite", "path": "proxies.db"}));
    let db = Connection::open(place.path("proxies.db")).unwrap();
    let make = "CREATE TABLE snapshots
        (id INTEGER PRIMARY KEY, data TEXT NOT NULL, updated_at TIMESTAMP)";
    db.execute_batch(make).unwrap();
    let put = "INSERT INTO snapshots VALUES (1, ?1, '2025-01-02 00:04:06')";
    db.execute(put, [snapshot(&address)]).unwrap();
    db.close().unwrap();
    served_and_checked(&mut place, &address);
    let db = Connection::open(place.path("proxies.db")).unwrap();
    let data = db.query_row("SELECT data FROM snapshots", [], |row| {
        row.get::<_, String>(0)
    });
    assert_eq!(data.unwrap(), snapshot(&address));
}

#[test]
fn the_key_of_the_old_service_is_taken_over_and_stays() {
    let server = RedisServer::start();
    let (_farm, mut place, address) = scene(json!({"type": "redis", "path": server.place()}));
    let client = redis::Client::open(format!("redis://{}", server.place())).unwrap();
    let mut link = client.get_connection().unwrap();
    let mut put = cmd("SET");
    put.arg("proxychecker:snapshot").arg(snapshot(&address));
    put.exec(&mut link).unwrap();
    served_and_checked(&mut place, &address);
    let data: String = cmd("GET")
        .arg("proxychecker:snapshot")
        .query(&mut link)
        .unwrap();
    assert_eq!(data, snapshot(&address));
}

#[test]
fn a_redis_that_goes_away_costs_saves_and_no_answer_and_the_next_save_succeeds() {
    let mut server = RedisServer::start();
    let farm = farm();
    let url = farm.serve_list(&list(&farm, &[(2, Behaviour::Forwards)]));
    let mut place = Place::new(&[&url]);
    // Something changes in every second.
    place.config["aggregator"]["interval_seconds"] = json!(1);
    place.config["storage"] = json!({"type": "redis", "path": server.place(),
        "persist_interval_seconds": 1});
    let service = place.serve();
    service.wait_until_checked(2);
    let figure = |name: &str| -> f64 {
        let page = service.get("/metrics");
        let line = page.lines().into_iter().find_map(|line| {
            line.strip_prefix(&format!("proxychecker_{name} "))
                .map(str::to_owned)
        });
        line.map_or(0.0, |value| value.parse().unwrap())
    };
    let saved = || figure("storage_last_save_timestamp_seconds");
    eventually(PATIENCE, "the first save", || (saved() > 0.0).then_some(()));
    server.kill();
    eventually(PATIENCE, "two saves fail", || {
        assert_eq!(service.get("/get-proxy").status, 200);
        (figure("storage_errors_total") >= 2.0).then_some(())
    });
    let before = saved();
    server.restart();
    eventually(PATIENCE, "it saves again", || {
        (saved() > before).then_some(())
    });
    let client = redis::Client::open(format!("redis://{}", server.place())).unwrap();
    let mut link = client.get_connection().unwrap();
    let kept: bool = cmd("EXISTS")
        .arg("proxychecker:ledger")
        .query(&mut link)
        .unwrap();
    assert!(kept);
}

#[test]
fn a_second_service_on_the_same_store_does_not_start_and_says_why() {
    let server = RedisServer::start();
    for storage in [
        json!({"type": "sled", "path": "ledger"}),
        json!({"type": "file", "path": "proxies.json"}),
        json!({"type": "sqlite", "path": "ledger.db"}),
        json!({"type": "redis", "path": server.place()}),
    ] {
        let mut place = Place::new(&["http://127.0.0.1:9/gone"]);
        place.config["storage"] = storage;
        let first = place.serve();
        let second = place.start("").end(PATIENCE);
        assert_ne!(second.status, Some(0));
        assert!(second.err.contains("uses this store"), "{}", second.err);
        assert_eq!(first.get("/health").status, 200);
    }
}

#[test]
fn the_script_that_installs_the_server_has_nothing_to_do_here() {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/redis.sh");
    let done = Command::new(script).output().unwrap();
    assert!(done.status.success() && done.stdout.is_empty(), "{done:?}");
}
