//! A webhook of the running service, and a receiver that checks its signature as the documentation
//! tells it to.

mod support;

use serde_json::{Value, json};
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::time::Duration;
use support::{PATIENCE, start_with};

const SECRET: &str = "WebhookSecret0123456789";
const TOKEN: &str = "UrlToken55555";

/// The headers of the next request, as JSON, and its body.
fn receive(listener: &TcpListener) -> (Value, String) {
    let (mut stream, _) = listener.accept().unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut headers = serde_json::Map::new();
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    assert_eq!(line, format!("POST /{TOKEN} HTTP/1.1\r\n"));
    loop {
        line.clear();
        reader.read_line(&mut line).unwrap();
        let Some((name, value)) = line.trim_end().split_once(": ") else {
            break;
        };
        let words: Vec<String> = name.split('-').map(capitalised).collect();
        headers.insert(words.join("-"), value.into());
    }
    let length = headers["Content-Length"].as_str().unwrap().parse().unwrap();
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    stream
        .write_all(b"HTTP/1.1 204 No Content\r\n\r\n")
        .unwrap();
    (headers.into(), String::from_utf8(body).unwrap())
}

/// Header names as HTTP libraries of Python show them.
fn capitalised(word: &str) -> String {
    let mut letters = word.chars();
    let first = letters.next().map(|first| first.to_ascii_uppercase());
    first.into_iter().chain(letters).collect()
}

/// What the receiver of docs/operations.md says of this request.
fn says(secret: &str, headers: &Value, body: &str, seconds_later: i64) -> bool {
    let page = include_str!("../docs/operations.md");
    let (_, code) = page.split_once("```python\n").unwrap();
    let code = code.split_once("```").unwrap().0;
    let end = "import json, sys\nsecret, headers, body, later = json.load(sys.stdin)\n\
               print(is_ours(secret, headers, body.encode(), time.time() + later))\n";
    let mut python = Command::new("python3")
        .args(["-c", &format!("{code}\n{end}")])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python3 runs");
    let given = json!([secret, headers, body, seconds_later]).to_string();
    python
        .stdin
        .take()
        .unwrap()
        .write_all(given.as_bytes())
        .unwrap();
    let said = python.wait_with_output().unwrap();
    match String::from_utf8(said.stdout).unwrap().trim() {
        "True" => true,
        "False" => false,
        other => panic!("{other}"),
    }
}

#[test]
fn a_dead_source_is_told_signed_and_neither_secret_nor_token_is_in_the_log() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let receiver = listener.local_addr().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let config = json!({
        "aggregator": {"allow_private": true, "sources": [{"url": "gone.txt", "enabled": true}]},
        "checker": {"control_probe": false, "concurrency_total": 64, "shards": 1},
        "api": {"addr": "127.0.0.1:0"},
        "storage": {"type": "file", "path": "ledger.json"},
        "metrics": {"enabled": true},
        "logging": {"level": "trace", "format": "json"},
        "alerts": {"source_failures": 1, "webhooks": [{
            "url": format!("http://{receiver}/{TOKEN}"), "events": ["source_dead", "recovered"],
            "secret_env": "HOOK_SECRET"}]},
    });
    let path = folder.path().join("config.json");
    fs::write(&path, config.to_string()).unwrap();
    let arguments = ["serve", "--config", path.to_str().unwrap()];
    let secret = [("HOOK_SECRET", SECRET)];
    let mut running = start_with(&secret, &arguments, "", Some(folder.path()));
    let after = running.after("\"the API listens\",\"address\":\"");
    let address = after.split('"').next().unwrap().to_owned();

    let (headers, body) = receive(&listener);
    let notice: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(notice["event"], "source_dead");
    assert_eq!(notice["state"], "firing");
    assert_eq!(notice["details"]["source"], "gone.txt");
    assert_eq!(notice["details"]["failures"], 1);
    assert!(!notice["node"].as_str().unwrap().is_empty());

    assert!(says(SECRET, &headers, &body, 0));
    assert!(!says("another secret", &headers, &body, 0));
    assert!(!says(
        SECRET,
        &headers,
        &body.replace("firing", "resolved"),
        0
    ));
    assert!(
        !says(SECRET, &headers, &body, 600),
        "an old one is not taken"
    );

    fs::write(folder.path().join("gone.txt"), "127.0.0.1:9\n").unwrap();
    running.signal("HUP");
    let (_, body) = receive(&listener);
    assert!(body.contains("\"state\":\"resolved\""), "{body}");
    let sent = "proxychecker_webhooks_sent_total{event=\"source_dead\"} 2";
    support::eventually(PATIENCE, sent, || {
        let (_, metrics) = support::ask(&address, "GET", "/metrics");
        assert!(!metrics.contains(SECRET) && !metrics.contains(TOKEN));
        metrics.contains(sent).then_some(())
    });
    running.signal("TERM");
    let log = running.end(Duration::from_secs(10)).err;
    assert!(
        log.contains("an alert fires") && log.contains("an alert is over"),
        "{log}"
    );
    let ours = log
        .lines()
        .filter(|line| line.contains("\"target\":\"proxy_"));
    for line in ours {
        assert!(!line.contains(SECRET) && !line.contains(TOKEN), "{line}");
    }
    assert!(!log.contains(SECRET), "{log}");
}
