//! A Redis of one's own: on a free port, with nothing on disk, gone when the test is.

#![allow(dead_code, reason = "each test binary uses its own part of this")]
#![allow(unreachable_pub, reason = "the test binaries are the public")]

use std::io::{BufRead, BufReader, ErrorKind};
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;
use tempfile::TempDir;

/// Longest time until it says that it is ready.
const START_WITHIN: Duration = Duration::from_secs(30);

/// Ports that are tried: another process may take one between its choice and the start.
const STARTS_MAX: usize = 5;

/// A redis-server; killed when this is dropped.
pub struct RedisServer {
    child: Child,
    /// The argument that its port stands behind.
    door: &'static str,
    port: u16,
    folder: TempDir,
    arguments: Vec<String>,
}

/// What a start came to.
enum Start {
    Ready(Child),
    Ended(String),
}

impl RedisServer {
    /// One that lets everybody in.
    pub fn start() -> RedisServer {
        RedisServer::start_with(|_| Vec::new())
    }

    /// One that is started with these further arguments; they may name files that are put into its
    /// folder first.
    pub fn start_with(arguments: impl Fn(&Path) -> Vec<String>) -> RedisServer {
        RedisServer::start_as("--port", arguments)
    }

    /// The same, but it speaks TLS only; the arguments name the certificate.
    pub fn start_tls(arguments: impl Fn(&Path) -> Vec<String>) -> RedisServer {
        RedisServer::start_as("--tls-port", arguments)
    }

    fn start_as(door: &'static str, arguments: impl Fn(&Path) -> Vec<String>) -> RedisServer {
        let folder = tempfile::tempdir().expect("a folder for Redis");
        let arguments = arguments(folder.path());
        for _ in 0..STARTS_MAX {
            let port = free_port();
            match launch(door, port, folder.path(), &arguments) {
                Start::Ready(child) => {
                    return RedisServer {
                        child,
                        door,
                        port,
                        folder,
                        arguments,
                    };
                }
                Start::Ended(log) if log.contains("Address already in use") => {}
                Start::Ended(log) => panic!("redis-server did not start:\n{log}"),
            }
        }
        panic!("no free port for redis-server in {STARTS_MAX} tries");
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// `127.0.0.1:PORT`.
    pub fn place(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Its folder.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The id of its process, for signals.
    pub fn process(&self) -> u32 {
        self.child.id()
    }

    /// Kills it.
    pub fn kill(&mut self) {
        // It is gone already if this fails.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Starts it again on the same port, with nothing in it.
    pub fn restart(&mut self) {
        self.kill();
        match launch(self.door, self.port, self.folder.path(), &self.arguments) {
            Start::Ready(child) => self.child = child,
            Start::Ended(log) => panic!("redis-server did not start again:\n{log}"),
        }
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        self.kill();
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    listener.local_addr().expect("bound").port()
}

/// Starts it and waits until it says that it is ready.
fn launch(door: &str, port: u16, folder: &Path, arguments: &[String]) -> Start {
    let mut command = Command::new("redis-server");
    // What stands later wins; port 0 is none.
    command.args([
        "--port",
        "0",
        door,
        &port.to_string(),
        "--bind",
        "127.0.0.1",
    ]);
    command
        .args(["--save", "", "--appendonly", "no", "--dir"])
        .arg(folder);
    command
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            panic!("this test needs a redis-server: run scripts/redis.sh, which installs Debian's")
        }
        Err(error) => panic!("redis-server cannot be run: {error}"),
    };
    let (tell, lines) = mpsc::channel();
    let out = child.stdout.take().expect("piped");
    thread::spawn(move || {
        // Read to the end, so that it never waits for us.
        for line in BufReader::new(out).lines().map_while(Result::ok) {
            let _ = tell.send(line);
        }
    });
    let mut log = String::new();
    loop {
        match lines.recv_timeout(START_WITHIN) {
            Ok(line) if line.contains("Ready to accept connections") => return Start::Ready(child),
            Ok(line) => log.extend([&line, "\n"]),
            Err(RecvTimeoutError::Disconnected) => {
                let _ = child.wait();
                return Start::Ended(log);
            }
            Err(RecvTimeoutError::Timeout) => {
                let _ = child.kill();
                let _ = child.wait();
                panic!("redis-server says nothing:\n{log}");
            }
        }
    }
}
