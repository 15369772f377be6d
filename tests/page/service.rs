//! The real service over a farm of mock proxies, for a browser to look at.

use crate::support::{PATIENCE, Running, eventually, start_with};
use proxy_bench::farm::{Behaviour, Farm, FarmOptions};
use serde_json::{Value, json};
use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use tempfile::TempDir;

/// The key of a service that asks for one.
pub(crate) const KEY: &str = "correct-horse-battery-staple";
/// Candidates that the farm lists.
pub(crate) const COUNT: usize = 240;

/// A service, and the farm that its candidates are in.
pub(crate) struct Service {
    pub(crate) farm: Farm,
    pub(crate) address: String,
    folder: TempDir,
    config: Value,
    running: Option<Running>,
    key: Option<&'static str>,
}

impl Service {
    /// With what `change` makes of the configuration; everything is checked when it returns.
    pub(crate) fn start(change: impl FnOnce(&mut Value, &Farm)) -> Service {
        let farm = Farm::start(FarmOptions::default()).unwrap();
        let behaviours = [
            Behaviour::Forwards,
            Behaviour::Socks5,
            Behaviour::Forwards,
            Behaviour::Refuses,
            Behaviour::OwnPage,
            Behaviour::ClosesAtOnce,
        ];
        let mix = farm.mix(COUNT, &behaviours);
        let list: String = mix.iter().map(|(proxy, _)| format!("{proxy}\n")).collect();
        let url = farm.serve_list(&list);
        let mut config = json!({
            "aggregator": {
                "interval_seconds": 600,
                "allow_private": true,
                "sources": [{"url": url, "type": "http", "enabled": true}],
            },
            "checker": {
                // A name that only the farm's proxies know.
                "test_url": "http://target.test/generate_204",
                "control_probe": false,
                "timeout_ms": 5_000,
                "concurrency_total": 200,
                "shards": 1,
            },
            "api": {"addr": format!("127.0.0.1:{}", free_port())},
            "storage": {"type": "sled", "path": "ledger"},
            "logging": {"level": "info", "format": "text"},
        });
        change(&mut config, &farm);
        let is_closed = config["api"]["enable_api_key_auth"] == json!(true);
        let mut service = Service {
            farm,
            address: config["api"]["addr"].as_str().unwrap().to_owned(),
            folder: tempfile::tempdir().unwrap(),
            config,
            running: None,
            key: is_closed.then_some(KEY),
        };
        service.begin();
        eventually(PATIENCE, "every candidate has a verdict", || {
            let stat = service.stat();
            let complete = stat["sweep"]["finished"].is_string();
            (complete && stat["total_scraped"] == json!(COUNT)).then_some(())
        });
        service
    }

    /// Starts it where it was.
    pub(crate) fn begin(&mut self) {
        let config = self.folder.path().join("config.json");
        fs::write(&config, self.config.to_string()).unwrap();
        let arguments = ["serve", "--config", config.to_str().unwrap()];
        let keys = [("PAGE_TEST_KEYS", KEY)];
        let mut running = start_with(&keys, &arguments, "", Some(self.folder.path()));
        running.after("the API listens address=");
        self.running = Some(running);
    }

    pub(crate) fn stop(&mut self) {
        let running = self.running.take().unwrap();
        running.signal("TERM");
        running.end(PATIENCE);
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// What it says at this path, which is JSON.
    pub(crate) fn get(&self, path: &str) -> Value {
        let key = self
            .key
            .map_or(String::new(), |key| format!("X-Api-Key: {key}\r\n"));
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let address = &self.address;
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n{key}Connection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (_, body) = answer.split_once("\r\n\r\n").expect("a head");
        serde_json::from_str(body).unwrap_or_else(|e| panic!("{e}: {answer}"))
    }

    pub(crate) fn stat(&self) -> Value {
        self.get("/stat")
    }
}

/// A port for a service that is to come back where it was.
fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}
