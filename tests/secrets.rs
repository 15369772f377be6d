//! Keys, query strings and the secrets of sources are in no log, metric or answer, whatever the log level.

mod support;

use proxy_bench::farm::{Behaviour, Farm, FarmOptions};
use serde_json::json;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;
use support::{PATIENCE, eventually, run, start, start_with};

const RIGHT: &str = "RightKey0123456789";
const WRONG: &str = "WrongKey9876543210";
/// A value of the query that is no key.
const VALUE: &str = "QueryValue55555";

/// The whole answer, head and body.
fn ask(address: &str, method: &str, target: &str, header: Option<&str>) -> String {
    let mut stream = TcpStream::connect(address).expect("the API accepts");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    let key = header.map_or(String::new(), |key| format!("X-Api-Key: {key}\r\n"));
    let request =
        format!("{method} {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{key}\r\n");
    stream.write_all(request.as_bytes()).expect("a request");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("an answer");
    String::from_utf8_lossy(&answer).into_owned()
}

/// The method and a path of every route; docs/api.md has a heading for each, which another test holds.
fn routes() -> Vec<(String, String)> {
    let page = include_str!("../docs/api.md");
    let headings = page.lines().filter_map(|line| line.strip_prefix("## "));
    let routes = headings.filter_map(|heading| heading.split_once(' '));
    let routes = routes.filter(|(_, path)| path.starts_with('/'));
    routes
        .map(|(method, path)| {
            let path = path.replace("{address}", "1.2.3.4:80");
            (method.to_owned(), path.replace(['{', '}'], ""))
        })
        .collect()
}

fn is_silent(what: &str, text: &str) {
    let text = text.to_lowercase();
    for secret in [RIGHT, WRONG, VALUE] {
        assert!(
            !text.contains(&secret.to_lowercase()),
            "{secret} in {what}:\n{text}"
        );
    }
    // Nor what they are compared by.
    for key in [RIGHT, WRONG] {
        let hash = <sha2::Sha256 as sha2::Digest>::digest(key);
        let hash: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
        assert!(
            !text.contains(&hash),
            "the hash of {key} in {what}:\n{text}"
        );
    }
}

#[test]
fn keys_and_query_strings_are_in_no_log_metric_or_answer() {
    let folder = tempfile::tempdir().unwrap();
    let config = json!({
        "api": {"addr": "127.0.0.1:0", "enable_api_key_auth": true, "api_key_env": "THE_KEYS",
            "enable_ip_rate_limit": true, "rate_limit_per_ip": 100_000, "rate_limit_per_minute": 100_000},
        "checker": {"control_probe": false, "concurrency_total": 64, "shards": 1},
        "storage": {"type": "file", "path": folder.path().join("ledger.json")},
        "metrics": {"enabled": true},
        "logging": {"level": "trace", "format": "text"},
    });
    let path = folder.path().join("config.json");
    fs::write(&path, config.to_string()).unwrap();
    let arguments = ["serve", "--config", path.to_str().unwrap()];
    let keys = [("THE_KEYS", RIGHT)];
    let mut running = start_with(&keys, &arguments, "", Some(folder.path()));
    let after = running.after("the API listens address=");
    let address = after.split(' ').next().unwrap().to_owned();

    let mut routes = routes();
    assert!(routes.len() >= 7, "{routes:?}");
    routes.extend(["/nowhere", "//", "/get-proxy/", "/proxy/x"].map(|p| ("GET".into(), p.into())));
    let mut answered = 0;
    for (method, path) in &routes {
        for method in [method.as_str(), "PUT", "HEAD"] {
            for key in [RIGHT, WRONG] {
                let ways = [
                    (format!("{path}?limit={VALUE}"), Some(key)),
                    (format!("{path}?key={key}&limit={VALUE}"), None),
                    (
                        format!("{path}?protocol={VALUE}&source={VALUE}&key={key}"),
                        None,
                    ),
                ];
                for (target, header) in ways {
                    let answer = ask(&address, method, &target, header);
                    assert!(
                        answer.starts_with("HTTP/1.1 "),
                        "{method} {target}: {answer}"
                    );
                    is_silent(&format!("the answer to {method} {target}"), &answer);
                    answered += 1;
                }
            }
        }
    }
    let nonsense = [
        format!("GET /stat?key={RIGHT} HTTP/9.9\r\n\r\n"),
        format!("GET /stat HTTP/1.1\r\nX-Api-Key: {RIGHT}\r\nbroken {WRONG}\r\n\r\n"),
        format!("{RIGHT}\r\n\r\n"),
        format!(
            "GET /stat?key={RIGHT}&{} HTTP/1.1\r\n\r\n",
            VALUE.repeat(2_000)
        ),
    ];
    for request in nonsense {
        let mut stream = TcpStream::connect(&address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = Vec::new();
        // What is not HTTP may be answered with a reset.
        let _ = stream.read_to_end(&mut answer);
        is_silent("an answer to nonsense", &String::from_utf8_lossy(&answer));
    }
    let metrics = ask(&address, "GET", "/metrics", None);
    assert!(
        metrics.contains("proxychecker_api_requests_total{"),
        "{metrics}"
    );
    is_silent("the metrics", &metrics);
    running.signal("TERM");
    let ran = running.end(Duration::from_secs(10));
    let logged = ran.err.matches("answered").count();
    assert!(
        logged >= answered,
        "{logged} of {answered}: the log tells of each"
    );
    is_silent("the log", &ran.err);
    is_silent("standard output", &ran.out);
}

#[test]
fn a_source_is_called_the_same_wherever_it_is_shown_and_its_secrets_are_nowhere() {
    const SECRETS: [&str; 3] = ["User66666", "Pass77777", "Tok88888en"];
    let [user, password, token] = SECRETS;
    let farm = Farm::start(FarmOptions::default()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let list = folder.path().join("list.txt");
    fs::write(&list, farm.proxy(Behaviour::Forwards, 0)).unwrap();
    let place = farm.serve_list("");
    let place = place.strip_prefix("http://").unwrap();
    let url = format!("http://{user}:{password}@{place}?type=http&token={token}");
    let name = format!("http://***@{place}?type=http&token=***");
    let config = json!({
        "aggregator": {"allow_private": true, "sources": [
            {"url": list, "type": "http", "enabled": true},
            {"url": url, "type": "http", "enabled": true},
        ]},
        "api": {"addr": "127.0.0.1:0"},
        "checker": {"test_url": "http://target.test/generate_204", "control_probe": false,
            "concurrency_total": 64, "shards": 1},
        "storage": {"type": "file", "path": folder.path().join("ledger.json")},
        "metrics": {"enabled": true},
        "logging": {"level": "trace", "format": "text"},
    });
    let path = folder.path().join("config.json");
    fs::write(&path, config.to_string()).unwrap();
    let path = path.to_str().unwrap();
    let mut running = start(&["serve", "--config", path], "", Some(folder.path()));
    let after = running.after("the API listens address=");
    let address = after.split(' ').next().unwrap().to_owned();
    running.after("a source gave no list");
    let ask = |target: &str| ask(&address, "GET", target, None);
    eventually(PATIENCE, "one is alive", || {
        ask("/get-proxy").starts_with("HTTP/1.1 200 ").then_some(())
    });

    let doctor = run(&["doctor", "--config", path], "").out;
    let (stat, metrics) = (ask("/stat"), ask("/metrics"));
    let filter = |source: &str| {
        let source: String = url::form_urlencoded::byte_serialize(source.as_bytes()).collect();
        ask(&format!("/get-proxy?source={source}"))
    };
    let list = list.to_str().unwrap();
    assert!(
        filter(list).starts_with("HTTP/1.1 200 "),
        "nothing is masked"
    );
    let masked = filter(&name);
    assert!(
        masked.contains("No alive proxies match the filters"),
        "{masked}"
    );
    let exact = filter(&url);
    assert!(exact.contains("Unknown source"), "{exact}");
    running.signal("TERM");
    let log = running.end(Duration::from_secs(10)).err;
    for (what, text) in [
        ("doctor", doctor),
        ("/stat", stat),
        ("the metrics", metrics),
        ("the log", log),
        ("refusals", masked + &exact),
    ] {
        assert!(what == "refusals" || text.contains(&name), "{what}: {text}");
        for secret in SECRETS {
            assert!(!text.contains(secret), "{secret} in {what}: {text}");
        }
    }
}
