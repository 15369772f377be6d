//! The real server on a free port with a hand-made snapshot, and a client that writes bytes.

use super::limits::Limits;
use super::{ApiState, ReloadRequest, Settings, spawn_within};
use crate::cluster::{ClusterStat, NodeStat};
use crate::config;
use crate::coordinator::Event;
use crate::metrics::Metrics;
use crate::snapshot::{Pool, Proxy, Published, Stat};
use crossbeam_channel::{Receiver, unbounded};
use proxy_shards::{Candidate, Protocol, Targets};
use sha2::{Digest, Sha256};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};
use tokio::sync::{mpsc, oneshot, watch};

/// Longer than anything that a test waits for.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

/// A running server; dropped, it is shut down and must end.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) address: SocketAddr,
    pub(super) snapshots: Arc<Published>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) settings: watch::Sender<Arc<Settings>>,
    pub(super) reloads: mpsc::Receiver<ReloadRequest>,
    pub(super) questions: Receiver<Event>,
    shutdown: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// No keys, no rate limits, metrics at `/metrics`.
pub(super) fn settings() -> Settings {
    Settings {
        keys: None,
        metrics: config::Metrics {
            enabled: true,
            endpoint: "/metrics".into(),
            namespace: "proxychecker".into(),
            require_key: false,
        },
        descriptors_percent: 80,
        rate_limit_per_minute: None,
        rate_limit_per_ip: None,
        trusted_proxies: Arc::new([]),
        connections_per_ip_max: 256,
        cors_origins: config::Origins::None,
    }
}

/// The settings with these keys.
pub(super) fn settings_with_keys(keys: &[&str]) -> Settings {
    Settings {
        keys: Some(keys.iter().map(|key| Sha256::digest(key).into()).collect()),
        ..settings()
    }
}

/// A state of its own, and what its other ends hold.
pub(super) fn state() -> (
    ApiState,
    watch::Sender<Arc<Settings>>,
    mpsc::Receiver<ReloadRequest>,
    Receiver<Event>,
) {
    let (settings, settings_seen) = watch::channel(Arc::new(settings()));
    let (reload, reloads) = mpsc::channel(1);
    let (questions, asked) = unbounded();
    let state = ApiState {
        snapshots: Arc::new(Published::empty(SystemTime::now())),
        settings: settings_seen,
        metrics: Arc::new(Metrics::new().unwrap()),
        reload,
        questions,
        cursor: Arc::default(),
        voices: super::Voices::random(),
    };
    (state, settings, reloads, asked)
}

impl Server {
    pub(super) fn start() -> Server {
        Server::within(Limits::default())
    }

    /// With proxies in the form of URLs.
    pub(super) fn with(urls: &[&str]) -> Server {
        let server = Server::start();
        server.publish(proxies(urls), Stat::default());
        server
    }

    pub(super) fn within(limits: Limits) -> Server {
        let (state, settings, reloads, questions) = state();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (shutdown, ends) = oneshot::channel::<()>();
        let snapshots = Arc::clone(&state.snapshots);
        let metrics = Arc::clone(&state.metrics);
        let ends = async {
            let _ = ends.await;
        };
        let (thread, _) = spawn_within(listener, state, limits, ends).unwrap();
        Server {
            address,
            snapshots,
            metrics,
            settings,
            reloads,
            questions,
            shutdown: Some(shutdown),
            thread: Some(thread),
        }
    }

    pub(super) fn publish(&self, proxies: Vec<Proxy>, stat: Stat) {
        self.publish_as(proxies, stat, SystemTime::now(), false);
    }

    pub(super) fn publish_as(&self, proxies: Vec<Proxy>, stat: Stat, at: SystemTime, stale: bool) {
        let pool = Arc::new(Pool::new(proxies));
        self.snapshots.publish(pool, Arc::new(stat), at, stale);
    }

    /// It is the first of these nodes, and follows the second.
    pub(super) fn join(&self, names: &[&str]) {
        let node = |(place, name): (usize, &&str)| NodeStat {
            name: (*name).into(),
            leads: place == 1,
            lanes: 100,
            lag: 3,
            idle_because: (place == 0).then(|| "its targets do not answer".into()),
            ..NodeStat::default()
        };
        let cluster = ClusterStat {
            node: names[0].into(),
            leads: false,
            leader: names.get(1).map(|name| Box::from(*name)),
            nodes: names.iter().enumerate().map(node).collect(),
            ..ClusterStat::default()
        };
        let cluster = Some(Arc::new(cluster));
        self.snapshots.amend(|snapshot| snapshot.cluster = cluster);
    }

    pub(super) fn configure(&self, settings: Settings) {
        self.settings.send(Arc::new(settings)).unwrap();
    }

    pub(super) fn connect(&self) -> TcpStream {
        connect(self.address)
    }

    pub(super) fn send(&self, request: &[u8]) -> Reply {
        send(self.address, request)
    }

    pub(super) fn ask(&self, method: &str, target: &str, headers: &str) -> Reply {
        let request = format!(
            "{method} {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}\r\n"
        );
        self.send(request.as_bytes())
    }

    pub(super) fn get(&self, target: &str) -> Reply {
        self.ask("GET", target, "")
    }

    /// Asks for the shutdown without waiting for it.
    pub(super) fn shut_down(&mut self) -> JoinHandle<()> {
        drop(self.shutdown.take());
        self.thread.take().unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.shutdown.take());
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            assert!(ended.is_ok() || std::thread::panicking());
        }
    }
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

/// Sends these bytes and reads the one answer to its end.
pub(super) fn send(address: SocketAddr, request: &[u8]) -> Reply {
    let mut stream = connect(address);
    stream.write_all(request).unwrap();
    Reply::read(stream)
}

/// An answer, taken apart.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    head: String,
    /// As text; empty if it is none.
    pub(super) body: String,
    pub(super) bytes: Vec<u8>,
}

impl Reply {
    /// Reads until the server closes.
    pub(super) fn read(mut stream: TcpStream) -> Reply {
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).unwrap();
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
        let body = bytes.split_off(end.expect("a head") + 4);
        let head = String::from_utf8(bytes).unwrap();
        let head = head.trim_end();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Reply {
            status,
            head: head.to_owned(),
            body: String::from_utf8(body.clone()).unwrap_or_default(),
            bytes: body,
        }
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.head
            .lines()
            .filter_map(|line| line.split_once(": "))
            .find_map(|(key, value)| key.eq_ignore_ascii_case(name).then_some(value))
    }

    pub(super) fn json(&self) -> serde_json::Value {
        assert_eq!(self.header("content-type"), Some("application/json"));
        serde_json::from_str(&self.body).expect(&self.body)
    }

    /// Panics unless this is a refusal with exactly this status and these words.
    pub(super) fn is_refusal(&self, status: u16, words: &str) {
        let expected = serde_json::json!({ "error": words });
        assert_eq!((self.status, self.json()), (status, expected));
    }

    /// The lines of a text answer, each of which ended with a newline.
    pub(super) fn lines(&self) -> Vec<&str> {
        assert_eq!(self.status, 200, "{}", self.body);
        assert_eq!(
            self.header("content-type"),
            Some("text/plain; charset=utf-8")
        );
        assert!(self.body.ends_with('\n'), "{:?}", self.body);
        self.body.lines().collect()
    }
}

/// What was compressed.
pub(super) fn ungzip(coded: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    let mut decoder = flate2::read::GzDecoder::new(coded);
    decoder.read_to_end(&mut plain).unwrap();
    plain
}

/// Alive proxies from URLs, checked now; the first has latency 100 ms, the next 200 and so on.
pub(super) fn proxies(urls: &[&str]) -> Vec<Proxy> {
    (1..)
        .zip(urls)
        .map(|(nth, url)| Proxy {
            protocol: protocol_of(url),
            candidate: url.parse().unwrap(),
            targets: Targets::first(1),
            banned_at: Targets::NONE,
            exit: None,
            latency_ms: nth * 100,
            last_check: SystemTime::now(),
            source: None,
        })
        .collect()
}

/// The first protocol that its scheme names.
fn protocol_of(url: &str) -> Protocol {
    let candidate: Candidate = url.parse().unwrap();
    let mut protocols = candidate.scheme.protocols().in_order(candidate.port);
    protocols.next().unwrap()
}

/// This many HTTP proxies, all different.
pub(super) fn many(count: u32) -> Vec<Proxy> {
    let template = proxies(&["http://1.1.1.1:8080"]).remove(0);
    (0..count)
        .map(|nth| {
            let mut proxy = template.clone();
            let ip = std::net::Ipv4Addr::from_bits(0x0100_0000 + nth);
            proxy.candidate.host = proxy_shards::Host::V4(ip);
            proxy
        })
        .collect()
}
