//! `doctor` and `health`: the real binary beside a small farm.

use proxy_bench::farm::{Behaviour, Expect, Farm, FarmOptions};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A configuration whose source and target are the farm's.
fn configure(folder: &Path, source: &str, target: &str) -> PathBuf {
    let text = json!({
        "aggregator": {
            "sources": [{ "url": source, "type": "http", "enabled": true }],
            "allow_private": true,
        },
        "checker": { "test_url": target, "concurrency_total": 100, "timeout_ms": 3000 },
        "api": { "addr": "127.0.0.1:9" },
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

#[test]
fn health_of_a_service_that_is_not_there_says_where_it_looked() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = configure(folder.path(), "list.txt", "http://127.0.0.1:9/generate_204");
    let output = run(&["health"], &config);
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("127.0.0.1:9: no answer"), "{text}");
}
