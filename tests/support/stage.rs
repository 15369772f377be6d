//! A service over a list, in a folder of its own: its configuration, what it serves, what it uses and how
//! it ends.

#![allow(dead_code, reason = "each test binary uses its own part of this")]
#![allow(unreachable_pub, reason = "the test binaries are the public")]

use crate::support::{PATIENCE, Ran, Running, ask, eventually, start_under};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;

/// A folder with a list and a configuration that can be changed.
pub struct Stage {
    folder: Arc<TempDir>,
    /// What `start` and `write` write: change it as the case needs.
    pub config: Value,
    /// Lines of a shell before the service starts, such as `ulimit -n 256`.
    pub before: String,
    /// Environment variables of the service.
    pub variables: Vec<(String, String)>,
}

impl Stage {
    /// A list of these proxies, one a line, each probed for a target that only mock proxies know.
    pub fn new(list: &str) -> Stage {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("list.txt");
        fs::write(&path, list).unwrap();
        let config = json!({
            "aggregator": {
                "interval_seconds": 300,
                "allow_private": true,
                "sources": [{"url": path, "type": "http", "enabled": true}],
            },
            "checker": {
                "test_url": "http://target.test/generate_204",
                "control_probe": false,
                "timeout_ms": 3_000,
                "connect_timeout_ms": 2_000,
                "concurrency_total": 1_000,
                "shards": 2,
            },
            "api": {"addr": "127.0.0.1:0"},
            "storage": {"type": "sled", "path": "ledger"},
            "logging": {"level": "info", "format": "text"},
        });
        Stage {
            folder: Arc::new(folder),
            config,
            before: String::new(),
            variables: Vec::new(),
        }
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A file in it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes the configuration, whole or not at all.
    pub fn write(&self) {
        fs::write(self.path("config.new"), self.config.to_string()).unwrap();
        fs::rename(self.path("config.new"), self.path("config.json")).unwrap();
    }

    /// Writes the configuration, starts the service and waits until its API listens.
    pub fn start(&self) -> Service {
        self.write();
        let variables: Vec<(&str, &str)> = (self.variables.iter())
            .map(|(name, value)| (&**name, &**value))
            .collect();
        let arguments = ["serve", "--config", "config.json"];
        let running = start_under(&self.before, &variables, &arguments, self.folder.path());
        let mut service = Service::listening(running);
        service.folder = Some(self.folder.clone());
        service
    }
}

/// A service whose API listens.
pub struct Service {
    /// Its process.
    pub running: Running,
    /// The address of its API.
    pub address: String,
    /// Kept until it ends, for its last save.
    folder: Option<Arc<TempDir>>,
}

impl Service {
    /// Waits until the API of this service listens.
    pub fn listening(mut running: Running) -> Service {
        let after = running.after("the API listens address=");
        let address = after.split(' ').next().unwrap().to_owned();
        Service {
            running,
            address,
            folder: None,
        }
    }

    /// Status and body of a GET on a connection of its own.
    pub fn get(&self, target: &str) -> (u16, String) {
        ask(&self.address, "GET", target)
    }

    /// The same of a POST.
    pub fn post(&self, target: &str) -> (u16, String) {
        ask(&self.address, "POST", target)
    }

    /// `/stat`.
    pub fn stat(&self) -> Value {
        let (status, body) = self.get("/stat");
        assert_eq!(status, 200, "{body}");
        serde_json::from_str(&body).unwrap()
    }

    /// The URLs of all that are served.
    pub fn served(&self) -> BTreeSet<String> {
        match self.get("/get-proxy?all=1&format=url") {
            (200, body) => body.lines().map(String::from).collect(),
            (503, _) => BTreeSet::new(),
            other => panic!("{other:?}"),
        }
    }

    /// Waits until exactly these are served.
    pub fn serves(&self, expected: &BTreeSet<String>, within: Duration) {
        eventually(within, "exactly the expected proxies are served", || {
            (self.served() == *expected).then_some(())
        });
    }

    /// Waits until every one of `count` candidates has a verdict.
    pub fn has_checked(&self, count: u64) {
        eventually(PATIENCE, "every candidate has a verdict", || {
            let stat = self.stat();
            let [alive, dead, total] = ["total_alive", "total_dead", "total_scraped"]
                .map(|key| stat[key].as_u64().unwrap());
            (total == count && alive + dead == count).then_some(())
        });
    }

    fn proc(&self, file: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/{file}", self.running.pid()))
    }

    /// Memory that is resident, in bytes.
    pub fn memory(&self) -> usize {
        let statm = fs::read_to_string(self.proc("statm")).expect("the process lives");
        let pages = statm.split(' ').nth(1).unwrap();
        pages.parse::<usize>().unwrap() * 4096
    }

    /// Open descriptors.
    pub fn descriptors(&self) -> usize {
        let folder = fs::read_dir(self.proc("fd"));
        folder.expect("the process lives").count()
    }

    /// Threads.
    pub fn threads(&self) -> usize {
        let folder = fs::read_dir(self.proc("task"));
        folder.expect("the process lives").count()
    }

    /// Ends it by SIGTERM, and panics unless it ended in order and no thread of it ever panicked.
    pub fn end(self) -> Ran {
        assert_eq!(self.get("/health").0, 200, "the API is alive");
        self.running.signal("TERM");
        let ran = self.running.end(Duration::from_secs(20));
        assert_eq!(ran.status, Some(0), "{}", ran.err);
        let fell = ran.err.contains("panic") || ran.err.contains("is a bug");
        assert!(!fell, "{}", ran.err);
        ran
    }
}
