//! A real Redis of a test's own, and a way to it that can be slow, cut or closed.

use crate::config::{Cluster, RedisPlace};
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Longest time that a test waits for anything.
pub(in crate::cluster) const PATIENCE: Duration = Duration::from_secs(30);

/// A server that keeps nothing on disk.
pub(in crate::cluster) struct Redis {
    child: Child,
    port: u16,
    password: Option<&'static str>,
    folder: Option<TempDir>,
}

impl Redis {
    pub(in crate::cluster) fn start() -> Redis {
        Redis::on(free_port(), None, None)
    }

    pub(in crate::cluster) fn with_password(password: &'static str) -> Redis {
        Redis::on(free_port(), Some(password), None)
    }

    fn on(port: u16, password: Option<&'static str>, folder: Option<TempDir>) -> Redis {
        let folder = folder.unwrap_or_else(|| tempfile::tempdir().unwrap());
        let mut command = Command::new("redis-server");
        command.args(["--port", &port.to_string(), "--bind", "127.0.0.1"]);
        command.args(["--save", "", "--appendonly", "no"]);
        if let Some(password) = password {
            command.args(["--requirepass", password]);
        }
        command.current_dir(folder.path()).stdout(Stdio::null());
        let child = command.spawn().unwrap_or_else(|why| {
            panic!("cannot start redis-server ({why}): apt-get install redis-server")
        });
        let redis = Redis {
            child,
            port,
            password,
            folder: Some(folder),
        };
        wait_for("the server answers", || redis.try_connect().is_some());
        redis
    }

    pub(in crate::cluster) fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.port))
    }

    fn try_connect(&self) -> Option<redis::Connection> {
        let login = self
            .password
            .map_or(String::new(), |word| format!(":{word}@"));
        let url = format!("redis://{login}{}/", self.address());
        let mut connection = redis::Client::open(url).ok()?.get_connection().ok()?;
        let pong: Result<String, _> = redis::cmd("PING").query(&mut connection);
        pong.is_ok().then_some(connection)
    }

    /// Asks the server itself, past any way to it.
    pub(in crate::cluster) fn ask<T: redis::FromRedisValue>(&self, words: &[&str]) -> T {
        let mut connection = self.try_connect().expect("the server runs");
        let mut command = redis::cmd(words[0]);
        words[1..].iter().for_each(|word| {
            command.arg(*word);
        });
        command.query(&mut connection).unwrap()
    }

    /// Ends the server at once, and starts another one in its place, which knows nothing.
    pub(in crate::cluster) fn restart(&mut self) {
        self.end();
        *self = Redis::on(self.port, self.password, None);
    }

    /// The same, but the other one knows what was saved with `SAVE`.
    pub(in crate::cluster) fn restart_as_saved(&mut self) {
        self.end();
        *self = Redis::on(self.port, self.password, self.folder.take());
    }

    fn end(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.end();
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

pub(in crate::cluster) fn wait_for(what: &str, mut is_so: impl FnMut() -> bool) {
    let until = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < until, "in vain: {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// A node of a cluster of that Redis.
pub(in crate::cluster) fn cluster(address: SocketAddr, node: &str, lease_ms: u64) -> Cluster {
    Cluster {
        redis: RedisPlace::new(&address.to_string(), None, None).unwrap(),
        node: node.into(),
        prefix: "test".into(),
        lease: Duration::from_millis(lease_ms),
    }
}

/// How a way to the server is.
#[derive(Debug, Default)]
struct Mood {
    /// Each piece takes so long, in milliseconds.
    delay_ms: AtomicU64,
    /// Nothing passes, and nothing ends.
    frozen: AtomicBool,
    /// Connections end, and new ones too.
    cut: AtomicBool,
    closed: AtomicBool,
}

/// A way to a server.
pub(in crate::cluster) struct Way {
    address: SocketAddr,
    mood: Arc<Mood>,
}

impl Way {
    pub(in crate::cluster) fn to(server: SocketAddr) -> Way {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let mood = Arc::<Mood>::default();
        let shared = mood.clone();
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                if shared.closed.load(Ordering::Acquire) {
                    return;
                }
                let Ok(upstream) = TcpStream::connect(server) else {
                    continue;
                };
                let (a, b) = (client.try_clone().unwrap(), upstream.try_clone().unwrap());
                let (there, back) = (shared.clone(), shared.clone());
                thread::spawn(move || carry(client, upstream, &there));
                thread::spawn(move || carry(b, a, &back));
            }
        });
        Way { address, mood }
    }

    pub(in crate::cluster) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(in crate::cluster) fn delay(&self, ms: u64) {
        self.mood.delay_ms.store(ms, Ordering::Release);
    }

    pub(in crate::cluster) fn freeze(&self, frozen: bool) {
        self.mood.frozen.store(frozen, Ordering::Release);
    }

    pub(in crate::cluster) fn cut(&self, cut: bool) {
        self.mood.cut.store(cut, Ordering::Release);
    }
}

impl Drop for Way {
    fn drop(&mut self) {
        self.mood.closed.store(true, Ordering::Release);
        self.cut(true);
        // The listener sees it when somebody comes.
        let _ = TcpStream::connect(self.address);
    }
}

/// Carries bytes one way, as the mood has it.
fn carry(mut from: TcpStream, mut to: TcpStream, mood: &Mood) {
    from.set_read_timeout(Some(Duration::from_millis(5)))
        .unwrap();
    let mut bytes = vec![0; 64 * 1024];
    while !mood.cut.load(Ordering::Acquire) {
        let count = match from.read(&mut bytes) {
            Ok(0) => break,
            Ok(count) => count,
            Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => continue,
            Err(_) => break,
        };
        let at = Instant::now() + Duration::from_millis(mood.delay_ms.load(Ordering::Acquire));
        while !mood.cut.load(Ordering::Acquire)
            && (mood.frozen.load(Ordering::Acquire) || Instant::now() < at)
        {
            thread::sleep(Duration::from_millis(1));
        }
        if mood.cut.load(Ordering::Acquire) || to.write_all(&bytes[..count]).is_err() {
            break;
        }
    }
    let _ = from.shutdown(std::net::Shutdown::Both);
    let _ = to.shutdown(std::net::Shutdown::Both);
}
