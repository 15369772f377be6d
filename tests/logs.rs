//! The log of a whole run: which lines come, once each, and what can be searched for in them.

mod support;

use proxy_bench::farm::{Behaviour, Expect, Farm, FarmOptions};
use serde_json::{Value, json};
use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use support::{PATIENCE, Running, ask, eventually, start_with};

/// How many proxies of each kind the good list has.
const ALIVE: u32 = 3;
const DEAD: u32 = 2;

struct Stage {
    farm: Farm,
    folder: tempfile::TempDir,
    config: Value,
}

impl Stage {
    fn new() -> Stage {
        let farm = Farm::start(FarmOptions::default()).unwrap();
        let alive = (0..ALIVE).map(|n| farm.proxy(Behaviour::Forwards, n));
        let dead = (0..DEAD).map(|n| farm.proxy(Behaviour::Refuses, n));
        let lines: Vec<String> = alive.chain(dead).collect();
        let list = farm.serve_list(&(lines.join("\n") + "\nnoise\n"));
        let gone = "http://user:SourcePassword1@127.0.0.1:1/gone.txt";
        let source = |url: &str| json!({"url": url, "type": "http", "enabled": true});
        let config = json!({
            "aggregator": {"interval_seconds": 300, "allow_private": true,
                "sources": [source(&list), source(gone)]},
            "checker": {"test_url": farm.target(Expect::NoContent), "control_probe": false,
                "concurrency_total": 64, "shards": 1, "timeout_ms": 5_000},
            "api": {"addr": "127.0.0.1:0"},
            "storage": {"type": "file", "path": "ledger.json"},
            "logging": {"level": "info", "format": "json"},
        });
        let stage = Stage {
            farm,
            folder: tempfile::tempdir().unwrap(),
            config,
        };
        stage.write(&stage.config.to_string());
        stage
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("config.json")
    }

    /// Replaces the file at once, so that a half is never read.
    fn write(&self, text: &str) {
        let beside = self.folder.path().join("config.json.new");
        fs::write(&beside, text).unwrap();
        fs::rename(beside, self.path()).unwrap();
    }

    fn serve(&self) -> (Running, String) {
        let path = self.path();
        let arguments = ["serve", "--config", path.to_str().unwrap()];
        let mut running = start_with(&[], &arguments, "", Some(self.folder.path()));
        let line = running.after("\"address\":\"");
        let address = line.split('"').next().unwrap().to_owned();
        (running, address)
    }
}

fn lines(log: &str) -> Vec<Value> {
    let lines = log.lines().map(|line| {
        let line: Value = serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
        for field in ["timestamp", "level", "target", "message"] {
            assert!(line[field].is_string(), "{field}: {line}");
        }
        line
    });
    lines.collect()
}

/// The lines with this message.
fn with<'l>(lines: &'l [Value], message: &str) -> Vec<&'l Value> {
    let with = lines.iter().filter(|line| line["message"] == message);
    with.collect()
}

fn one<'l>(lines: &'l [Value], message: &str) -> &'l Value {
    let found = with(lines, message);
    assert_eq!(found.len(), 1, "{message}: {lines:#?}");
    found[0]
}

#[test]
fn a_run_is_told_in_one_line_for_each_sweep_source_reload_and_kind_of_refusal() {
    let stage = Stage::new();
    let (mut running, address) = stage.serve();
    running.after("the sweep is complete");
    for _ in 0..40 {
        assert_eq!(ask(&address, "GET", "/nowhere?secret=QueryValue1").0, 404);
    }
    stage.write("{}}");
    running.after("the configuration was refused");
    stage.write(&stage.config.to_string());
    running.after("the configuration is in force");
    running.after("the sweep is complete");
    running.signal("TERM");
    let log = running.end(Duration::from_secs(10)).err;
    assert!(
        !log.contains("SourcePassword1") && !log.contains("QueryValue1"),
        "{log}"
    );
    let lines = lines(&log);

    let begun = with(&lines, "a sweep has begun");
    assert_eq!(begun.len(), 2, "{log}");
    assert_eq!(
        (&begun[0]["sweep"], &begun[0]["known"]),
        (&json!(1), &json!(0))
    );
    assert_eq!(
        (&begun[1]["sweep"], &begun[1]["known"]),
        (&json!(2), &json!(5))
    );
    for (line, id) in with(&lines, "the sweep is complete")
        .into_iter()
        .zip([1, 2])
    {
        assert_eq!(line["level"], "INFO");
        assert_eq!(
            (&line["sweep"], &line["candidates"]),
            (&json!(id), &json!(5))
        );
        assert_eq!((&line["alive"], &line["dead"]), (&json!(3), &json!(2)));
        assert_eq!(line["verdicts"], "alive=3 refused=2");
        assert!(line["seconds"].as_f64().is_some_and(|s| s > 0.0), "{line}");
    }
    let read = with(&lines, "a source was read");
    assert_eq!(read.len(), 2, "one for each fetch: {log}");
    for (line, new) in read.into_iter().zip([5, 0]) {
        assert_eq!((&line["found"], &line["new"]), (&json!(5), &json!(new)));
        assert_eq!(line["skipped"], 1);
        assert!(
            line["bytes"].as_u64().is_some_and(|bytes| bytes > 50),
            "{line}"
        );
        assert!(line["ms"].is_u64(), "{line}");
        assert!(
            line["source"]
                .as_str()
                .unwrap()
                .starts_with("http://127.0.0.1:")
        );
    }
    for line in with(&lines, "a source gave no list") {
        assert_eq!(
            (&line["level"], &line["source"]),
            (&json!("WARN"), &json!("http://***@127.0.0.1:1/gone.txt"))
        );
        assert!(
            line["error"]
                .as_str()
                .is_some_and(|error| !error.is_empty())
        );
    }
    let refused = one(&lines, "requests were refused");
    assert_eq!(
        (&refused["kind"], &refused["status"]),
        (&json!("not_found"), &json!(404))
    );
    assert_eq!(
        (&refused["count"], &refused["endpoint"]),
        (&json!(1), &json!("other"))
    );
    assert_eq!(refused["client"], "127.0.0.1");
    assert_eq!(one(&lines, "the configuration is in force")["reload"], 2);
    assert!(
        one(
            &lines,
            "the configuration was refused; the one before stays in force"
        )["why"]
            .is_string()
    );
    for message in [
        "the API listens",
        "the store is open",
        "configuration read",
        "stopping",
        "stopped",
    ] {
        one(&lines, message);
    }
    // Nothing for each probe, and nothing that is not known here.
    assert!(lines.len() <= 20, "{}: {log}", lines.len());
    drop(stage.farm);
}

#[test]
fn a_reload_changes_the_level_of_one_module() {
    let mut stage = Stage::new();
    stage.config["logging"]["level"] = json!("info");
    stage.write(&stage.config.to_string());
    let (mut running, address) = stage.serve();
    assert_eq!(ask(&address, "GET", "/health").0, 200);
    stage.config["logging"]["level"] =
        json!("warn,proxy_checker::api=debug,proxy_checker::commands=info");
    stage.write(&stage.config.to_string());
    running.signal("HUP");
    running.after("the configuration is in force");
    assert_eq!(ask(&address, "GET", "/ready?x=QueryValue1").0 / 100, 2);
    let answered = running.after("\"message\":\"answered\"");
    assert!(answered.contains("\"endpoint\":\"/ready\""), "{answered}");
    running.signal("TERM");
    let log = running.end(Duration::from_secs(10)).err;
    let lines = lines(&log);
    let answered = with(&lines, "answered");
    assert!(
        answered.iter().all(|line| line["endpoint"] == "/ready"),
        "{log}"
    );
    let of = |target: &str| lines.iter().filter(|l| l["target"] == target).count();
    assert!(
        of("proxy_checker::coordinator::sweeps") <= 2,
        "only what came before: {log}"
    );
}

/// Every line that the code can write has words of its own.
#[test]
fn no_line_is_written_for_each_probe() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("shards/src");
    for file in [
        "lane.rs",
        "probe.rs",
        "conversation.rs",
        "shard.rs",
        "tally.rs",
    ] {
        let text = fs::read_to_string(root.join(file)).expect(file);
        assert!(!text.contains("tracing::"), "{file}");
    }
}

#[test]
fn the_log_file_is_opened_anew_at_a_reload_and_no_line_is_lost() {
    let mut stage = Stage::new();
    stage.config["logging"]["file"] = json!("logs/log.jsonl");
    stage.write(&stage.config.to_string());
    let path = stage.path();
    let arguments = ["serve", "--config", path.to_str().unwrap()];
    let running = start_with(&[], &arguments, "", Some(stage.folder.path()));
    let log = stage.folder.path().join("logs/log.jsonl");
    let has = |path: &Path, text: &str| {
        eventually(PATIENCE, text, || {
            let read = fs::read_to_string(path).unwrap_or_default();
            read.contains(text).then_some(())
        });
    };
    has(&log, "the sweep is complete");
    let moved = stage.folder.path().join("logs/moved");
    fs::rename(&log, &moved).unwrap();
    running.signal("HUP");
    has(&log, "the sweep is complete");
    running.signal("TERM");
    let ran = running.end(Duration::from_secs(10));
    assert_eq!(ran.err, "", "all of it is in the file");
    let [first, second] = [moved, log].map(|path| lines(&fs::read_to_string(path).unwrap()));
    for message in ["the API listens", "the store is open"] {
        one(&first, message);
    }
    assert_eq!(one(&second, "the sweep is complete")["sweep"], 2);
    assert_eq!(second.last().unwrap()["message"], "stopped");
}

#[test]
fn the_log_file_is_opened_anew_though_the_configuration_is_refused() {
    let mut stage = Stage::new();
    stage.config["logging"]["file"] = json!("log.jsonl");
    stage.write(&stage.config.to_string());
    let path = stage.path();
    let arguments = ["serve", "--config", path.to_str().unwrap()];
    let running = start_with(&[], &arguments, "", Some(stage.folder.path()));
    let [log, moved] = ["log.jsonl", "moved"].map(|name| stage.folder.path().join(name));
    let has = |path: &Path, text: &str| {
        eventually(PATIENCE, text, || {
            let read = fs::read_to_string(path).unwrap_or_default();
            read.contains(text).then_some(())
        });
    };
    has(&log, "the sweep is complete");
    stage.write("{}}");
    has(&log, "the configuration was refused");
    fs::rename(&log, &moved).unwrap();
    running.signal("HUP");
    has(&log, "the configuration was refused");
    running.signal("TERM");
    assert_eq!(running.end(Duration::from_secs(10)).err, "");
}

#[test]
fn a_log_that_nobody_reads_holds_up_neither_answers_nor_the_end() {
    let mut stage = Stage::new();
    let pipe = stage.folder.path().join("pipe");
    assert!(
        Command::new("mkfifo")
            .arg(&pipe)
            .status()
            .unwrap()
            .success()
    );
    stage.config["logging"]["file"] = json!(pipe);
    stage.config["api"]["addr"] = json!(free_address());
    stage.config["metrics"] = json!({"enabled": true});
    stage.write(&stage.config.to_string());
    let address = stage.config["api"]["addr"].as_str().unwrap().to_owned();
    let path = stage.path();
    let arguments = ["serve", "--config", path.to_str().unwrap()];
    let running = start_with(&[], &arguments, "", Some(stage.folder.path()));
    eventually(PATIENCE, "it answers", || TcpStream::connect(&address).ok());
    eventually(PATIENCE, "all are alive", || {
        let (status, body) = ask(&address, "GET", "/get-proxy?all=1");
        (status == 200 && body.lines().count() == ALIVE as usize).then_some(())
    });
    let (_, metrics) = ask(&address, "GET", "/metrics");
    assert!(
        metrics.contains("proxychecker_log_lines_dropped_total 0"),
        "there is room for thousands"
    );
    running.signal("TERM");
    assert_eq!(running.end(Duration::from_secs(10)).status, Some(0));
}

/// An address that nobody listens on.
fn free_address() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().to_string()
}
