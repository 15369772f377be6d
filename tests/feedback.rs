//! Reports and leases, with the real binary over a farm of mock proxies.

mod support;

use proxy_bench::farm::{Behaviour, Farm, FarmOptions};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use support::{PATIENCE, Running, ask, eventually, start};
use tempfile::TempDir;

/// Proxies of the farm, all of which work.
const COUNT: usize = 6;

struct Service {
    running: Running,
    address: String,
    _folder: TempDir,
    _farm: Farm,
}

/// A service that has found every proxy, and checks them again in five minutes.
fn service() -> Service {
    let farm = Farm::start(FarmOptions::default()).unwrap();
    let mix = farm.mix(COUNT, &[Behaviour::Forwards]);
    let list: String = mix.iter().map(|(proxy, _)| format!("{proxy}\n")).collect();
    let url = farm.serve_list(&list);
    let config = json!({
        "aggregator": {
            "interval_seconds": 300,
            "allow_private": true,
            "sources": [{"url": url, "type": "http", "enabled": true}],
        },
        "checker": {
            "test_url": "http://target.test/generate_204",
            "control_probe": false,
            "timeout_ms": 4_000,
            "concurrency_total": 100,
            "shards": 1,
        },
        "api": {"addr": "127.0.0.1:0"},
        "storage": {"type": "sled", "path": "ledger"},
        "logging": {"level": "info", "format": "text"},
    });
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.json");
    fs::write(&path, config.to_string()).unwrap();
    let arguments = ["serve", "--config", path.to_str().unwrap()];
    let mut running = start(&arguments, "", Some(folder.path()));
    let after = running.after("the API listens address=");
    let address = after.split(' ').next().unwrap().to_owned();
    let service = Service {
        running,
        address,
        _folder: folder,
        _farm: farm,
    };
    eventually(PATIENCE, "all are served", || {
        let (_, body) = ask(&service.address, "GET", "/get-proxy?all=1");
        (body.lines().count() == COUNT).then_some(())
    });
    service
}

impl Service {
    fn lines(&self, query: &str) -> BTreeSet<String> {
        let (status, body) = ask(&self.address, "GET", &format!("/get-proxy?{query}"));
        assert_eq!(status, 200, "{body}");
        body.lines().map(String::from).collect()
    }

    /// What is known of a proxy.
    fn known(&self, proxy: &str) -> Value {
        let (status, body) = ask(&self.address, "GET", &format!("/proxy/{proxy}"));
        assert_eq!(status, 200, "{body}");
        serde_json::from_str::<Value>(&body).unwrap()["candidates"][0].take()
    }

    fn report(&self, body: &Value) -> String {
        let body = body.to_string();
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let length = body.len();
        let head = format!(
            "POST /report HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n"
        );
        stream
            .write_all(format!("{head}{body}").as_bytes())
            .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    fn stop(self) {
        self.running.signal("TERM");
        let ran = self.running.end(PATIENCE);
        assert_eq!(ran.status, Some(0), "{}", ran.err);
    }
}

#[test]
fn a_report_has_a_proxy_checked_long_before_its_time_and_it_stays_if_it_works() {
    let service = service();
    let proxy = service.lines("").pop_first().unwrap();
    let checks = |proxy: &str| service.known(proxy)["history"].as_array().unwrap().len();
    assert_eq!(checks(&proxy), 1);
    let taken = service.report(&json!({"address": proxy, "outcome": "fail"}));
    assert!(taken.starts_with("HTTP/1.1 202 "), "{taken}");
    let known = service.known(&proxy);
    assert_eq!(
        (&known["reports"]["fail"], &known["alive"]),
        (&json!(1), &json!(true))
    );
    eventually(PATIENCE, "it is checked again", || {
        (checks(&proxy) == 2).then_some(())
    });
    let all = service.lines("all=1");
    assert!(all.len() == COUNT && all.contains(&proxy));
    let others = all.iter().filter(|other| **other != proxy);
    assert!(others.map(|other| checks(other)).all(|checks| checks == 1));
    let unknown = service.report(&json!({"address": "192.0.2.1:1", "outcome": "fail"}));
    assert!(unknown.starts_with("HTTP/1.1 404 "), "{unknown}");
    service.stop();
}

#[test]
fn leased_proxies_come_back_when_the_lease_is_ended() {
    let service = service();
    let (status, body) = ask(
        &service.address,
        "GET",
        "/get-proxy?limit=3&lease=1h&format=json",
    );
    assert_eq!(status, 200, "{body}");
    let answer: Value = serde_json::from_str(&body).unwrap();
    let rows = answer["proxies"].as_array().unwrap().iter();
    let leased: BTreeSet<&str> = rows.map(|row| row["address"].as_str().unwrap()).collect();
    assert_eq!(leased.len(), 3);
    let free = service.lines("limit=6");
    assert!(free.len() == 3 && free.iter().all(|proxy| !leased.contains(&**proxy)));
    let path = format!("/lease/{}", answer["lease"]["id"].as_str().unwrap());
    let (status, _) = ask(&service.address, "DELETE", &path);
    assert_eq!(status, 204);
    assert_eq!(service.lines("limit=6").len(), COUNT);
    service.stop();
}
