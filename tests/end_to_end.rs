//! The whole service: sources → shards → API, with the real binary over a farm.

mod support;

#[path = "support/redis.rs"]
mod redis_server;

use proxy_bench::farm::{Behaviour, Expect, Farm, FarmOptions, Listing};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use support::{PATIENCE, Ran, Running, ask, eventually, start};
use tempfile::TempDir;

/// A proxy that is stored or alive is served this soon.
const SOON: Duration = Duration::from_secs(5);
/// What was known is served this soon after a restart: a second, and as much again for a debug build
/// on a busy machine.
const RESTORED: Duration = Duration::from_secs(2);
/// Longer than any of these tests: a probe that waits for it never ends in one.
const NEVER_MS: u64 = 250_000;

/// A folder with a configuration that can be changed.
struct Place {
    folder: TempDir,
    config: Value,
}

impl Place {
    fn new(sources: &[&str], timeout_ms: u64) -> Place {
        let source = |url: &&str| json!({"url": url, "type": "http", "enabled": true});
        let config = json!({
            "aggregator": {
                "interval_seconds": 300,
                "allow_private": true,
                "sources": sources.iter().map(source).collect::<Vec<_>>(),
            },
            "checker": {
                // A name that only the farm's proxies know.
                "test_url": "http://target.test/generate_204",
                "control_probe": false,
                "timeout_ms": timeout_ms,
                "connect_timeout_ms": timeout_ms.min(2_000),
                "concurrency_total": 1_000,
                "shards": 2,
            },
            "api": {"addr": "127.0.0.1:0"},
            "storage": {"type": "sled", "path": "ledger"},
            "logging": {"level": "info", "format": "text"},
        });
        let folder = tempfile::tempdir().unwrap();
        let place = Place { folder, config };
        place.write();
        place
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("config.json")
    }

    fn write(&self) {
        fs::write(self.path(), self.config.to_string()).unwrap();
    }

    fn serve(&self) -> Service {
        let config = self.path();
        let arguments = ["serve", "--config", config.to_str().unwrap()];
        let mut running = start(&arguments, "", Some(self.folder.path()));
        let after = running.after("the API listens address=");
        let address = after.split(' ').next().unwrap().to_owned();
        Service { running, address }
    }
}

/// A running service.
struct Service {
    running: Running,
    address: String,
}

impl Service {
    fn get(&self, target: &str) -> (u16, String) {
        ask(&self.address, "GET", target)
    }

    /// The URLs of all that are served.
    fn served(&self) -> BTreeSet<String> {
        match self.get("/get-proxy?all=1&format=url") {
            (200, body) => body.lines().map(String::from).collect(),
            (503, _) => BTreeSet::new(),
            other => panic!("{other:?}"),
        }
    }

    fn stat(&self) -> Value {
        let (status, body) = self.get("/stat");
        assert_eq!(status, 200, "{body}");
        serde_json::from_str(&body).unwrap()
    }

    /// Waits until every one of `count` candidates has a verdict.
    fn wait_until_checked(&self, count: u64) {
        eventually(PATIENCE, "every candidate has a verdict", || {
            let stat = self.stat();
            let [alive, dead, total] = ["total_alive", "total_dead", "total_scraped"]
                .map(|key| stat[key].as_u64().unwrap());
            (total == count && alive + dead == count).then_some(())
        });
    }

    fn wait_until_served(&self, expected: &BTreeSet<String>, within: Duration) {
        eventually(within, "all of them are served", || {
            expected.is_subset(&self.served()).then_some(())
        });
    }

    fn reload(&self) -> (u16, Value) {
        let (status, body) = ask(&self.address, "POST", "/reload");
        (status, serde_json::from_str(&body).unwrap())
    }

    fn stop(self) -> Ran {
        self.running.signal("TERM");
        let ran = self.running.end(Duration::from_secs(5));
        assert_eq!(ran.status, Some(0), "{}", ran.err);
        ran
    }
}

fn farm() -> Farm {
    Farm::start(FarmOptions::default()).unwrap()
}

type Mix = Vec<(String, Behaviour)>;

fn text(mix: &Mix) -> String {
    mix.iter().map(|(proxy, _)| format!("{proxy}\n")).collect()
}

/// How those that work are served: by the protocol that works, which may not be the listed one.
fn alive(mix: &Mix) -> BTreeSet<String> {
    let url = |(proxy, behaviour): &(String, Behaviour)| {
        let rest = proxy.split_once("://").expect("a scheme").1.to_owned();
        let works = behaviour.protocols(Expect::NoContent, Listing::Schemed);
        works.into_iter().map(move |by| format!("{by}://{rest}"))
    };
    mix.iter().flat_map(url).collect()
}

#[test]
fn the_first_alive_proxy_is_served_while_the_sweep_goes_on() {
    let farm = farm();
    let mut mix = farm.mix(500, &[Behaviour::Silent]);
    mix.extend(farm.mix(1, &[Behaviour::Forwards]));
    let started = Instant::now();
    let place = Place::new(&[&farm.serve_list(&text(&mix))], NEVER_MS);
    let service = place.serve();
    service.wait_until_served(&alive(&mix), SOON);
    assert!(started.elapsed() < Duration::from_millis(NEVER_MS));
    let stat = service.stat();
    assert_eq!(
        (&stat["total_alive"], &stat["total_dead"]),
        (&json!(1), &json!(0))
    );
    assert_eq!(stat["total_scraped"], json!(501));
}

#[test]
fn every_alive_proxy_is_served_and_none_of_the_others() {
    let farm = farm();
    let mix = farm.mix(Behaviour::COUNT * 4, &Behaviour::ALL);
    let place = Place::new(&[&farm.serve_list(&text(&mix))], 4_000);
    let service = place.serve();
    service.wait_until_checked(mix.len() as u64);
    assert_eq!(service.served(), alive(&mix));
    let stat = service.stat();
    assert_eq!(stat["total_alive"], json!(alive(&mix).len()));
}

/// What is alive is kept over a restart, although the source is gone by then, and served at once.
fn kept_over_a_restart(storage: Value) {
    const KNOWN: usize = 20_000;
    let farm = farm();
    let mix = farm.mix(
        KNOWN,
        &[Behaviour::Forwards, Behaviour::Socks5, Behaviour::Refuses],
    );
    let mut place = Place::new(&[&farm.serve_list(&text(&mix))], 4_000);
    place.config["storage"] = storage;
    place.write();
    // Their time is taken, and two of them at once would take it from each other.
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let service = place.serve();
    service.wait_until_checked(KNOWN as u64);
    service.stop();

    let gone = "http://127.0.0.1:9/gone";
    place.config["aggregator"]["sources"][0]["url"] = json!(gone);
    place.write();
    let started = Instant::now();
    let service = place.serve();
    assert_eq!(service.served(), alive(&mix));
    assert!(started.elapsed() < RESTORED, "{:?}", started.elapsed());
    let (_, one) = service.get("/get-proxy?format=json");
    assert!(one.contains("last_check"), "{one}");
    // All of it was checked before, and the same is asked of it.
    let sweep = &service.stat()["sweep"];
    assert_eq!(sweep["done"], sweep["total"], "{sweep}");
}

#[test]
fn what_is_alive_outlives_a_restart_in_sled() {
    kept_over_a_restart(json!({"type": "sled", "path": "ledger"}));
}

#[test]
fn what_is_alive_outlives_a_restart_in_a_file() {
    kept_over_a_restart(json!({"type": "file", "path": "snapshot.json"}));
}

#[test]
fn what_is_alive_outlives_a_restart_in_sqlite() {
    kept_over_a_restart(json!({"type": "sqlite", "path": "ledger.db"}));
}

#[test]
fn what_is_alive_outlives_a_restart_in_redis() {
    let server = redis_server::RedisServer::start();
    kept_over_a_restart(json!({"type": "redis", "path": server.place()}));
}

#[test]
fn a_reload_takes_a_changed_list_and_a_changed_configuration() {
    let farm = farm();
    let [first, second, third] =
        [Behaviour::Forwards, Behaviour::Socks5, Behaviour::Socks4].map(|b| farm.mix(5, &[b]));
    let list = farm.serve_list(&text(&first));
    let mut place = Place::new(&[&list], 4_000);
    let service = place.serve();
    service.wait_until_served(&alive(&first), SOON);

    farm.set_list(&list, &text(&second));
    let (status, answer) = service.reload();
    assert_eq!(
        (status, &answer["message"]),
        (200, &json!("Reload triggered"))
    );
    service.wait_until_served(&alive(&second), SOON);

    let other = farm.serve_list(&text(&third));
    place.config["aggregator"]["sources"][0]["url"] = json!(other);
    place.write();
    assert_eq!(service.reload().0, 200);
    service.wait_until_served(&alive(&third), SOON);
    let stat = service.stat();
    let sources: Vec<_> = stat["sources"].as_object().unwrap().keys().collect();
    assert_eq!(sources, [&other]);
}

#[test]
fn what_a_reload_forbids_is_not_served_any_more() {
    let farm = farm();
    let mix = farm.mix(5, &[Behaviour::Forwards]);
    let mut place = Place::new(&[&farm.serve_list(&text(&mix))], 4_000);
    let mut service = place.serve();
    service.wait_until_checked(5);
    assert_eq!(service.served(), alive(&mix));

    place.config["aggregator"]["allow_private"] = json!(false);
    place.write();
    assert_eq!(service.reload().0, 200);
    let (status, body) = eventually(SOON, "nobody is served", || {
        let answer = service.get("/get-proxy");
        (answer.0 != 200).then_some(answer)
    });
    assert_eq!(
        (status, body.contains("No alive proxies available")),
        (503, true),
        "{body}"
    );
    let stat = service.stat();
    assert_eq!(
        (&stat["stale"], &stat["stale_reason"]),
        (&json!(false), &json!(null))
    );
    assert_eq!(stat["total_scraped"], json!(0));
    service
        .running
        .after("forbids the addresses of proxies that were alive");
    assert!(!service.running.log().contains("marked stale"));
    service.stop();
}

#[test]
fn the_api_says_that_it_listens_only_once_it_is_answered() {
    let first = Place::new(&[], 4_000);
    let service = first.serve();
    let mut second = Place::new(&[], 4_000);
    second.config["storage"]["path"] = json!(first.folder.path().join("ledger"));
    second.write();
    let config = second.path();
    let arguments = ["serve", "--config", config.to_str().unwrap()];
    let ran = start(&arguments, "", Some(second.folder.path())).end(PATIENCE);
    assert_eq!(ran.status, Some(1), "{}", ran.err);
    assert!(ran.err.contains("storage: "), "{}", ran.err);
    assert!(!ran.err.contains("the API listens"), "{}", ran.err);
    service.stop();
}

#[test]
fn a_bad_configuration_is_refused_and_changes_nothing() {
    let farm = farm();
    let mix = farm.mix(5, &[Behaviour::Forwards]);
    let mut place = Place::new(&[&farm.serve_list(&text(&mix))], 4_000);
    let service = place.serve();
    service.wait_until_checked(5);
    let sources = service.stat()["sources"].clone();

    place.config["aggregator"]["sources"] = json!([]);
    place.config["checker"]["timeout_mss"] = json!(1);
    place.write();
    let (status, answer) = service.reload();
    assert_eq!(status, 422, "{answer}");
    let error = answer["error"].as_str().unwrap();
    assert!(
        error.contains("timeout_mss") && error.contains("timeout_ms"),
        "{error}"
    );
    assert_eq!(service.stat()["sources"], sources);
    assert_eq!(service.served(), alive(&mix));
    service.stop();
}

#[test]
fn sigterm_ends_it_in_order_while_probes_are_under_way() {
    let farm = farm();
    let mix = farm.mix(
        200,
        &[Behaviour::Silent, Behaviour::Mute, Behaviour::Forwards],
    );
    let place = Place::new(&[&farm.serve_list(&text(&mix))], NEVER_MS);
    let service = place.serve();
    service.wait_until_served(&alive(&mix), SOON);
    service.stop();
}

#[test]
fn sighup_reloads() {
    let farm = farm();
    let [first, second] = [Behaviour::Forwards, Behaviour::Socks5].map(|b| farm.mix(5, &[b]));
    let list = farm.serve_list(&text(&first));
    let place = Place::new(&[&list], 4_000);
    let service = place.serve();
    service.wait_until_served(&alive(&first), SOON);
    farm.set_list(&list, &text(&second));
    service.running.signal("HUP");
    service.wait_until_served(&alive(&second), SOON);
}

#[test]
fn a_source_that_goes_away_and_comes_back_is_one_line_each_and_keeps_its_list() {
    let farm = farm();
    let mix = farm.mix(5, &[Behaviour::Forwards]);
    let folder = tempfile::tempdir().unwrap();
    let list = folder.path().join("list.txt");
    fs::write(&list, text(&mix)).unwrap();
    let mut place = Place::new(&[list.to_str().unwrap()], 4_000);
    place.config["aggregator"]["interval_seconds"] = json!(1);
    place.write();
    let mut service = place.serve();
    service.wait_until_served(&alive(&mix), SOON);
    let away = folder.path().join("away");
    fs::rename(&list, &away).unwrap();
    service.running.after("a source gave no list");
    fs::rename(&away, &list).unwrap();
    service.running.after("a source gives a list again");
    assert_eq!(service.served(), alive(&mix));
    let log = service.running.log();
    assert_eq!(log.matches("a source gave no list").count(), 1, "{log}");
}

#[test]
fn the_metrics_stay_where_they_are_until_a_restart() {
    let mut place = Place::new(&[], 4_000);
    place.config["metrics"] = json!({"enabled": true});
    place.write();
    let mut service = place.serve();
    place.config["metrics"] = json!({"enabled": true, "endpoint": "/m", "namespace": "other"});
    place.write();
    assert_eq!(service.reload().0, 200);
    let keys = service.running.after("only after a restart");
    assert!(
        keys.contains("metrics.endpoint, metrics.namespace"),
        "{keys}"
    );
    let (status, page) = service.get("/metrics");
    assert_eq!(status, 200, "{page}");
    assert!(page.contains("\nproxychecker_alive_proxies "), "{page}");
    assert_eq!(service.get("/m").0, 404);
}
