//! The service under attack, and what it uses.

use crate::support::{PATIENCE, Running, ask, eventually, start_under};
use serde_json::{Value, json};
use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;
use tempfile::TempDir;

/// Held while a service runs: one attack at a time.
static TURN: Mutex<()> = Mutex::new(());

/// Environment variables with keys, each the name and its value.
pub(crate) const KEYS: [(&str, &str); 2] = [("KEYS_A", "always,early"), ("KEYS_B", "always,late")];

/// What listens behind the proxies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Peer {
    /// Accepts: alive, as far as `connect-only` goes.
    Accepts,
    /// Accepts, keeps the connection and says nothing.
    SaysNothing,
}

/// A folder with a configuration that can be changed, and the peers of its list.
pub(crate) struct Place {
    folder: Arc<TempDir>,
    pub(crate) config: Value,
    limits: String,
    count: usize,
    accepted: Arc<AtomicUsize>,
}

impl Place {
    /// A list of `count` proxies, every one at an address of its own and all of them `peer`.
    pub(crate) fn new(count: usize, peer: Peer) -> Place {
        let accepted = Arc::new(AtomicUsize::new(0));
        let port = listen(peer, accepted.clone());
        let folder = tempfile::tempdir().unwrap();
        let list = folder.path().join("list.txt");
        let first = Ipv4Addr::new(127, 1, 0, 0).to_bits();
        let lines = (first..).take(count).map(|bits| {
            let ip = Ipv4Addr::from_bits(bits);
            format!("http://{ip}:{port}\n")
        });
        fs::write(&list, lines.collect::<String>()).unwrap();
        let (mode, lanes) = match peer {
            // Fewer than wait in a backlog.
            Peer::Accepts => ("connect-only", 100),
            Peer::SaysNothing => ("full-http", 2_000),
        };
        let config = json!({
            "aggregator": {
                "interval_seconds": 3600,
                "allow_private": true,
                "sources": [{"url": list, "type": "http", "enabled": true}],
            },
            "checker": {
                "mode": mode,
                "test_url": "http://target.test/generate_204",
                "control_probe": false,
                "timeout_ms": 60_000,
                "concurrency_total": lanes,
                "shards": 2,
            },
            "api": {"addr": "127.0.0.1:0"},
            "storage": {"type": "file", "path": "ledger.json"},
            "logging": {"level": "info", "format": "text"},
        });
        Place {
            folder: Arc::new(folder),
            config,
            limits: String::new(),
            count,
            accepted,
        }
    }

    /// Proxies that are alive, of which the API is asked.
    pub(crate) fn alive(count: usize) -> Place {
        Place::new(count, Peer::Accepts)
    }

    /// Starts under these limits of a shell.
    pub(crate) fn under(mut self, limits: &str) -> Place {
        self.limits = limits.to_owned();
        self
    }

    /// Connections that the peers have accepted so far.
    pub(crate) fn accepted(&self) -> usize {
        self.accepted.load(Ordering::Relaxed)
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("config.json")
    }

    /// Writes the configuration, whole or not at all.
    pub(crate) fn write(&self) {
        let beside = self.folder.path().join("config.new");
        fs::write(&beside, self.config.to_string()).unwrap();
        fs::rename(beside, self.path()).unwrap();
    }

    fn run(&self) -> Running {
        let path = self.path();
        let arguments = ["serve", "--config", path.to_str().unwrap()];
        start_under(&self.limits, &KEYS, &arguments, self.folder.path())
    }

    /// Starts the service, and waits until all that are alive are served.
    pub(crate) fn serve(&self) -> Service {
        let service = self.start();
        eventually(PATIENCE, "all are alive", || {
            let (_, body) = ask(&service.text(), "GET", "/get-proxy?all=1&key=always");
            (body.lines().count() == self.count).then_some(())
        });
        service
    }

    /// Starts the service, and waits until it listens.
    pub(crate) fn start(&self) -> Service {
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        self.write();
        let mut running = self.run();
        let after = running.after("the API listens address=");
        let address = after.split(' ').next().unwrap().parse().unwrap();
        Service {
            running,
            address,
            _folder: self.folder.clone(),
            _turn: turn,
        }
    }
}

/// Serves as every proxy at this port, whatever the address, until the tests end.
fn listen(peer: Peer, accepted: Arc<AtomicUsize>) -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        let mut kept = Vec::new();
        for stream in listener.incoming() {
            accepted.fetch_add(1, Ordering::Relaxed);
            if peer == Peer::SaysNothing {
                kept.push(stream);
            }
        }
    });
    port
}

/// A running service.
pub(crate) struct Service {
    pub(crate) running: Running,
    pub(crate) address: SocketAddr,
    /// The last save has a place.
    _folder: Arc<TempDir>,
    _turn: MutexGuard<'static, ()>,
}

impl Service {
    fn text(&self) -> String {
        self.address.to_string()
    }

    fn proc(&self, file: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/{file}", self.running.pid()))
    }

    /// Memory that is resident, in bytes.
    pub(crate) fn memory(&self) -> usize {
        let statm = fs::read_to_string(self.proc("statm")).expect("the process lives");
        let pages = statm.split(' ').nth(1).unwrap();
        pages.parse::<usize>().unwrap() * 4096
    }

    /// Open descriptors.
    pub(crate) fn descriptors(&self) -> usize {
        fs::read_dir(self.proc("fd"))
            .expect("the process lives")
            .count()
    }

    /// The inode of the socket that listens for the API, as the process holds it.
    pub(crate) fn listening_inode(&self) -> u64 {
        let place = format!("0100007F:{:04X}", self.address.port());
        let table = fs::read_to_string(self.proc("net/tcp")).unwrap();
        let rows = table.lines().map(|row| row.split_whitespace());
        let inode = rows
            .map(Iterator::collect::<Vec<_>>)
            .find(|row| row[1] == place && row[3] == "0A")
            .map(|row| row[9].parse().unwrap())
            .expect("it listens");
        let held = fs::read_dir(self.proc("fd")).unwrap().any(|fd| {
            let link = fs::read_link(fd.unwrap().path());
            link.is_ok_and(|link| link.as_os_str() == &*format!("socket:[{inode}]"))
        });
        assert!(held, "nobody has socket {inode}");
        inode
    }

    /// Waits until the descriptors are back where they were, but for a few.
    pub(crate) fn gives_back(&self, descriptors_before: usize, within: Duration) {
        const OTHERS: usize = 8;
        eventually(within, "the descriptors come back", || {
            (self.descriptors() <= descriptors_before + OTHERS).then_some(())
        });
    }

    /// Panics unless memory has grown by at most this many bytes since `before`.
    pub(crate) fn keeps_within(&self, before: usize, growth_max: usize) {
        let grown = self.memory().saturating_sub(before);
        eprintln!("memory has grown by {} KiB", grown >> 10);
        assert!(grown <= growth_max, "grown by {grown} bytes");
    }

    /// Status and body of one request on a connection of its own.
    pub(crate) fn ask(&self, method: &str, target: &str) -> (u16, String) {
        ask(&self.text(), method, target)
    }

    /// Ends it, and panics unless it ended in order and no thread of it ever panicked.
    pub(crate) fn end(self) -> String {
        assert_eq!(self.ask("GET", "/health"), (200, "ok".to_owned()));
        self.running.signal("TERM");
        let ran = self.running.end(Duration::from_secs(20));
        assert_eq!(ran.status, Some(0), "{}", ran.err);
        assert!(
            !ran.err.contains("panic") && !ran.err.contains("is a bug"),
            "{}",
            ran.err
        );
        ran.err
    }
}
