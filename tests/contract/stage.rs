//! A folder with a configuration, the service that runs from it, and a client that sees headers.

use crate::support::{PATIENCE, Running, eventually, start_with};
use proxy_bench::farm::{Behaviour, Farm, FarmOptions};
use serde_json::{Value, json};
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::rc::Rc;
use tempfile::TempDir;

/// Longer than any of these tests: a probe that waits for it never ends in one.
pub(crate) const NEVER_MS: u64 = 250_000;
/// Keys of a service that asks for one.
pub(crate) const KEYS: &str = "first-key,second-key";
/// The variable that holds them.
pub(crate) const KEY_VARIABLE: &str = "CONTRACT_API_KEY";

pub(crate) fn farm() -> Farm {
    Farm::start(FarmOptions::default()).unwrap()
}

/// `count` proxies of each behaviour as a list.
pub(crate) fn list(farm: &Farm, mix: &[(u32, Behaviour)]) -> String {
    let of = |&(count, behaviour): &(u32, Behaviour)| {
        (0..count).map(move |number| format!("{}\n", farm.proxy(behaviour, number)))
    };
    mix.iter().flat_map(of).collect()
}

/// A folder with a configuration that can be changed.
pub(crate) struct Place {
    folder: Rc<TempDir>,
    pub(crate) config: Value,
}

impl Place {
    /// On loopback, without a key; a target that only the farm's proxies know.
    pub(crate) fn new(sources: &[&str]) -> Place {
        let source = |url: &&str| json!({"url": url, "type": "http", "enabled": true});
        let config = json!({
            "aggregator": {
                "interval_seconds": 300,
                "allow_private": true,
                "sources": sources.iter().map(source).collect::<Vec<_>>(),
            },
            "checker": {
                "test_url": "http://target.test/generate_204",
                "control_probe": false,
                "timeout_ms": 4_000,
                "concurrency_total": 500,
                "shards": 1,
            },
            "api": {"addr": "127.0.0.1:0"},
            "storage": {"type": "file", "path": "proxies.json"},
            "metrics": {"enabled": true},
            "logging": {"level": "info", "format": "text"},
        });
        let folder = tempfile::tempdir().unwrap();
        Place {
            folder: Rc::new(folder),
            config,
        }
    }

    /// With the keys of [`KEYS`].
    pub(crate) fn closed(sources: &[&str]) -> Place {
        let mut place = Place::new(sources);
        place.config["api"]["enable_api_key_auth"] = json!(true);
        place.config["api"]["api_key_env"] = json!(KEY_VARIABLE);
        place
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self) {
        fs::write(self.path("config.json"), self.config.to_string()).unwrap();
    }

    /// Starts the service, whatever becomes of it.
    pub(crate) fn start(&self, keys: &str) -> Running {
        self.write();
        let config = self.path("config.json");
        let arguments = ["serve", "--config", config.to_str().unwrap()];
        let variables = [(KEY_VARIABLE, keys)];
        start_with(&variables, &arguments, "", Some(self.folder.path()))
    }

    /// Starts the service and waits until it listens.
    pub(crate) fn serve(&self) -> Service {
        let mut running = self.start(KEYS);
        let after = running.after("the API listens address=");
        let address = after.split(' ').next().unwrap().to_owned();
        Service {
            running,
            address,
            _folder: Rc::clone(&self.folder),
        }
    }
}

/// A running service.
pub(crate) struct Service {
    pub(crate) running: Running,
    pub(crate) address: String,
    /// Dropped after the service, which works in it.
    _folder: Rc<TempDir>,
}

impl Service {
    pub(crate) fn ask(&self, method: &str, target: &str, headers: &str) -> Reply {
        Reply::to(&self.address, method, target, headers)
    }

    pub(crate) fn get(&self, target: &str) -> Reply {
        self.ask("GET", target, "")
    }

    pub(crate) fn stat(&self) -> Value {
        self.get("/stat").json()
    }

    /// Waits until every one of `count` candidates has a verdict.
    pub(crate) fn wait_until_checked(&self, count: u64) {
        eventually(PATIENCE, "every candidate has a verdict", || {
            let stat = self.stat();
            let [alive, dead, total] = ["total_alive", "total_dead", "total_scraped"]
                .map(|key| stat[key].as_u64().unwrap());
            (total == count && alive + dead == count).then_some(())
        });
    }
}

/// An answer, taken apart.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: String,
}

impl Reply {
    /// Of one request on a connection of its own.
    pub(crate) fn to(address: &str, method: &str, target: &str, headers: &str) -> Reply {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let head = format!("{method} {target} HTTP/1.1\r\nHost: {}\r\n", address);
        let rest = format!("Connection: close\r\nContent-Length: 0\r\n{headers}\r\n");
        stream.write_all((head + &rest).as_bytes()).unwrap();
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).unwrap();
        Reply::parse(String::from_utf8(bytes).unwrap())
    }

    fn parse(text: String) -> Reply {
        let (head, body) = text.split_once("\r\n\r\n").expect("a head");
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Reply {
            status,
            head: head.to_owned(),
            body: body.to_owned(),
        }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let fields = self.head.lines().filter_map(|line| line.split_once(": "));
        fields
            .filter(|(field, _)| field.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
            .next()
    }

    pub(crate) fn json(&self) -> Value {
        let parsed = serde_json::from_str(&self.body);
        parsed.unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    pub(crate) fn lines(&self) -> Vec<&str> {
        assert_eq!(self.status, 200, "{self:?}");
        assert!(self.body.ends_with('\n'), "{self:?}");
        self.body.lines().collect()
    }

    /// Holds that it is this refusal, in JSON, and says nothing else.
    #[track_caller]
    pub(crate) fn is_refusal(&self, status: u16, error: &str) {
        assert_eq!(self.status, status, "{self:?}");
        assert_eq!(self.header("content-type"), Some("application/json"));
        assert_eq!(self.json(), json!({ "error": error }));
    }
}
