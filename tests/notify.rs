//! What the service manager hears from the real binary, over a socket as systemd has one.

use std::fs;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(30);

/// A service manager with one service.
struct Manager {
    socket: UnixDatagram,
    child: Child,
    folder: tempfile::TempDir,
}

impl Manager {
    fn start(variables: &[(&str, &str)]) -> Manager {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("notify");
        let socket = UnixDatagram::bind(&path).expect("a socket");
        socket.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        configure(folder.path(), "info");
        let child = Command::new(env!("CARGO_BIN_EXE_proxy-checker"))
            .args(["serve", "--config"])
            .arg(folder.path().join("config.json"))
            .env("NOTIFY_SOCKET", &path)
            .envs(variables.iter().copied())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the binary starts");
        Manager {
            socket,
            child,
            folder,
        }
    }

    /// The next message.
    fn hears(&self) -> String {
        let mut buffer = [0; 4096];
        let length = self.socket.recv(&mut buffer).expect("a message in time");
        String::from_utf8_lossy(&buffer[..length]).into_owned()
    }

    /// Waits for a message that begins with `word`.
    fn waits_for(&self, word: &str) -> String {
        let until = Instant::now() + PATIENCE;
        loop {
            let message = self.hears();
            if message.starts_with(word) {
                return message;
            }
            assert!(Instant::now() < until, "never {word}, last {message:?}");
        }
    }

    fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, signal).expect("it lives");
    }
}

impl Drop for Manager {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn configure(folder: &Path, level: &str) {
    let text = serde_json::json!({
        "aggregator": { "sources": [] },
        "checker": { "concurrency_total": 8, "shards": 2, "control_probe": false },
        "api": { "addr": "127.0.0.1:0" },
        "storage": { "type": "file", "path": folder.join("store.json") },
        "logging": { "level": level },
    });
    fs::write(folder.join("config.json"), text.to_string()).expect("the configuration");
}

#[test]
fn ready_status_watchdog_and_stopping_are_told() {
    let manager = Manager::start(&[("WATCHDOG_USEC", "2000000")]);
    assert_eq!(manager.waits_for("READY").trim(), "READY=1");
    let status = manager.waits_for("STATUS");
    assert!(status.contains("0 alive of 0 candidates"), "{status}");
    for _ in 0..2 {
        manager.waits_for("WATCHDOG=1");
    }
    manager.signal(rustix::process::Signal::TERM);
    manager.waits_for("STOPPING=1");
}

#[test]
fn without_a_watchdog_it_is_not_fed() {
    let manager = Manager::start(&[]);
    manager.waits_for("READY");
    manager.waits_for("STATUS");
    assert!(manager.hears().starts_with("STATUS"));
}

#[test]
fn a_reload_is_told_from_its_beginning_to_its_end_whatever_comes_of_it() {
    let manager = Manager::start(&[]);
    manager.waits_for("READY");
    configure(manager.folder.path(), "warn");
    manager.signal(rustix::process::Signal::HUP);
    let began = manager.waits_for("RELOADING=1");
    assert!(began.contains("MONOTONIC_USEC="), "{began}");
    manager.waits_for("READY=1");
    configure(manager.folder.path(), "no such level");
    manager.signal(rustix::process::Signal::HUP);
    manager.waits_for("RELOADING=1");
    manager.waits_for("READY=1");
}
