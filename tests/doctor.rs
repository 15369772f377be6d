//! `doctor` and `health`: the real binary beside a small farm.

#[path = "support/redis.rs"]
mod redis_server;

use proxy_bench::farm::{Behaviour, Expect, Farm, FarmOptions};
use redis_server::RedisServer;
use serde_json::{Value, json};
use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::thread;

/// A configuration whose source and target are the farm's.
fn configure(folder: &Path, source: &str, target: &str) -> PathBuf {
    let text = json!({
        "aggregator": {
            "sources": [{ "url": source, "type": "http", "enabled": true }],
            "allow_private": true,
        },
        "checker": { "test_url": target, "concurrency_total": 100, "timeout_ms": 3000 },
        "api": { "addr": "127.0.0.1:0" },
        "storage": { "type": "file", "path": folder.join("below/store.json") },
    });
    let path = folder.join("config.json");
    fs::write(&path, text.to_string()).expect("the configuration");
    path
}

fn run(arguments: &[&str], config: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_proxy-checker"))
        .args(arguments)
        .arg("--config")
        .arg(config)
        .output()
        .expect("the binary runs")
}

/// State and text of each finding of that name.
fn findings(report: &Value, name: &str) -> Vec<(String, String)> {
    let all = report["findings"].as_array().expect("findings").iter();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    all.filter(|finding| finding["name"] == name)
        .map(|finding| (text(&finding["state"]), text(&finding["found"])))
        .collect()
}

#[test]
fn a_world_that_answers_is_fine_and_one_that_does_not_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let farm = Farm::start(FarmOptions::default()).expect("a farm");
    let list = farm.serve_list(&farm.proxy(Behaviour::Forwards, 0));
    let config = configure(folder.path(), &list, &farm.target(Expect::NoContent));
    let output = run(&["doctor", "--json"], &config);
    let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(output.status.code(), Some(0), "{report:#}");
    assert_eq!(report["fine"], true);
    let sources = findings(&report, "source");
    assert_eq!(sources[0].0, "ok");
    assert!(sources[0].1.ends_with(": 1 proxies"), "{sources:?}");
    assert_eq!(findings(&report, "target")[0].0, "ok");
    let (state, store) = &findings(&report, "store")[0];
    assert!(state != "bad" && store.contains(&*folder.path().to_string_lossy()));
    assert!(!folder.path().join("below").exists(), "nothing is changed");

    // Nothing listens on the port of a farm that is gone.
    drop(farm);
    let output = run(&["doctor", "--json"], &config);
    let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(output.status.code(), Some(1), "{report:#}");
    assert_eq!(findings(&report, "source")[0].0, "bad");
    assert_eq!(findings(&report, "target")[0].0, "bad");
    let output = run(&["doctor", "--offline"], &config);
    assert_eq!(output.status.code(), Some(0), "nobody was asked");
}

#[test]
fn a_configuration_that_does_not_validate_is_the_finding() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = folder.path().join("config.json");
    fs::write(&config, r#"{"checker":{"retrys":1}}"#).expect("the configuration");
    let output = run(&["doctor"], &config);
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("BAD") && text.contains("retries"), "{text}");
}

/// Writes a configuration for the API at `addr`, with keys in a variable that is not set.
fn with_keys(folder: &Path, addr: &str) -> PathBuf {
    let text = json!({
        "api": { "addr": addr, "enable_api_key_auth": true, "api_key_env": "NO_SUCH_VARIABLE" },
        "storage": { "type": "file", "path": folder.join("store.json") },
        "checker": { "targets": [{ "name": "judge", "url": "http://127.0.0.1:9/", "judge": true,
            "secret_env": "NO_SUCH_SECRET" }] },
    });
    let path = folder.join("config.json");
    fs::write(&path, text.to_string()).expect("the configuration");
    path
}

#[test]
fn health_of_a_service_that_is_not_there_says_where_it_looked_and_needs_no_key() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = with_keys(folder.path(), "127.0.0.1:9");
    let output = run(&["health"], &config);
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("127.0.0.1:9: no answer"), "{text}");
    fs::write(&config, r#"{"api": {"addr": "nonsense"}}"#).expect("the configuration");
    let output = run(&["health"], &config);
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(text.contains("api.addr"), "{text}");
}

#[test]
fn secrets_that_are_not_set_are_findings_beside_all_others() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = with_keys(folder.path(), "127.0.0.1:0");
    let output = run(&["doctor", "--json"], &config);
    let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(output.status.code(), Some(1), "{report:#}");
    let secrets = findings(&report, "secret");
    assert_eq!(secrets.len(), 2, "{report:#}");
    for (variable, place) in [
        ("NO_SUCH_VARIABLE", "api.api_key_env"),
        ("NO_SUCH_SECRET", "checker.targets[0].secret_env"),
    ] {
        let named = |(state, found): &(String, String)| {
            state == "bad" && found.contains(variable) && found.starts_with(place)
        };
        assert!(secrets.iter().any(named), "{variable}: {secrets:?}");
    }
    assert_eq!(findings(&report, "address")[0].0, "ok", "{report:#}");
    assert_eq!(findings(&report, "store").len(), 1, "{report:#}");
    assert_eq!(findings(&report, "target")[0].0, "unknown", "{report:#}");
}

#[test]
fn an_address_that_is_taken_and_a_store_that_is_in_use_are_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let at = listener.local_addr().expect("an address").to_string();
    let config = with_keys(folder.path(), &at);
    let lock = fs::File::create(folder.path().join("store.json.lock")).expect("a lock file");
    lock.try_lock().expect("nobody has it");
    let doctor = || {
        let output = run(&["doctor", "--json", "--offline"], &config);
        let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        let one = |name| findings(&report, name).remove(0);
        (one("address"), one("store"))
    };
    // Whoever connects is turned away: that is no service.
    let turn_away = thread::spawn(move || {
        drop(listener.accept());
        listener
    });
    let (address, store) = doctor();
    assert_eq!(address.0, "bad", "{address:?}");
    assert!(address.1.contains(&at), "{address:?}");
    assert_eq!(store.0, "bad", "{store:?}");
    assert!(store.1.contains("store.json is in use by "), "{store:?}");

    let listener = turn_away.join().expect("the peer");
    let answer = thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("doctor");
        assert!(stream.read(&mut [0; 1024]).expect("its question") > 0);
        let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
        stream.write_all(answer).expect("an answer");
    });
    let (address, store) = doctor();
    answer.join().expect("the peer");
    assert_eq!(
        (&*address.0, &*store.0),
        ("ok", "ok"),
        "{address:?} {store:?}"
    );
    assert!(address.1.contains("a service runs there"), "{address:?}");
    drop(lock);
    let _listener = UnixListener::bind(folder.path().join("store.json")).expect("a socket");
    let (_, store) = doctor();
    assert_eq!(store.0, "bad", "{store:?}");
    assert!(store.1.contains("store.json: is a socket"), "{store:?}");
}

#[test]
fn what_would_keep_a_store_from_being_opened_is_named_as_the_service_does() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name);
    symlink("nowhere", path("link")).expect("a link");
    fs::write(path("file"), "x").expect("a file");
    fs::create_dir_all(path("locked.lock")).expect("a folder");
    for (kind, name, what) in [
        (
            "sled",
            "link/store",
            "link: is a symbolic link that leads nowhere",
        ),
        (
            "sqlite",
            "link",
            "link: is a symbolic link that leads nowhere",
        ),
        (
            "file",
            "file/store",
            "file: is a file, where a folder belongs",
        ),
        ("sled", "file", "file: is a file, where a folder belongs"),
        (
            "sqlite",
            "locked.lock",
            "locked.lock: is a folder, where a file belongs",
        ),
        (
            "file",
            "locked",
            "locked.lock: is a folder, where the lock of the store belongs",
        ),
    ] {
        let config = json!({
            "aggregator": {"sources": []},
            "api": {"addr": "127.0.0.1:0"},
            "storage": {"type": kind, "path": path(name)},
        });
        fs::write(path("config.json"), config.to_string()).expect("a configuration");
        let output = run(&["doctor", "--json", "--offline"], &path("config.json"));
        let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        let (state, found) = findings(&report, "store").remove(0);
        assert_eq!(state, "bad", "{kind} {name}: {found}");
        assert!(found.contains(what), "{found}");
        let output = run(&["serve"], &path("config.json"));
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains(what), "{said}");
    }
}

#[test]
fn the_redis_of_a_cluster_tells_its_version_or_what_is_wrong_with_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let farm = Farm::start(FarmOptions::default()).expect("a farm");
    let list = farm.serve_list(&farm.proxy(Behaviour::Forwards, 0));
    let path = configure(folder.path(), &list, &farm.target(Expect::NoContent));
    let text = fs::read_to_string(&path).expect("the configuration");
    let config: Value = serde_json::from_str(&text).expect("JSON");
    let doctor = |at: &str, offline: bool| {
        let mut config = config.clone();
        config["cluster"] = json!({ "redis_url": at, "node": "one" });
        config["storage"] = json!({ "type": "redis", "path": at });
        fs::write(&path, config.to_string()).expect("the configuration");
        let arguments: &[&str] = if offline { &["--offline"] } else { &[] };
        let output = run(&[&["doctor", "--json"], arguments].concat(), &path);
        let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        ["cluster", "store"].map(|name| findings(&report, name))
    };
    let server = RedisServer::start();
    for found in doctor(&server.place(), false) {
        let [(state, text)] = &found[..] else {
            panic!("{found:?}");
        };
        assert!(state == "ok" && text.contains(": Redis "), "{found:?}");
    }
    assert!(
        doctor(&server.place(), true)[0].is_empty(),
        "nobody was asked"
    );
    let guarded = RedisServer::start_with(|_| vec!["--requirepass".into(), "secret".into()]);
    let [found, _] = doctor(&guarded.place(), false);
    assert!(
        found[0].0 == "bad" && found[0].1.contains("NOAUTH"),
        "{found:?}"
    );
    let gone = server.place();
    drop(server);
    for found in doctor(&gone, false) {
        assert_eq!(found[0].0, "bad", "{found:?}");
    }
}
