//! The API in this process, over a snapshot that is swapped as often as somebody likes. Every figure and
//! every record of a snapshot follows from its generation, so a reader can tell what belongs together.

use crossbeam_channel::{Receiver, unbounded};
use proxy_checker::api::{self, ApiState, ReloadRequest, Settings, Voices};
use proxy_checker::config::Config;
use proxy_checker::coordinator::Event;
use proxy_checker::metrics::Metrics;
use proxy_checker::snapshot::{Pool, Proxy, Published, Stat};
use proxy_shards::{Candidate, Host, Protocol, Targets};
use std::net::{Ipv4Addr, TcpListener};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};
use tokio::sync::{mpsc, oneshot, watch};

/// Ports that proxies of one generation after the other have.
const PORTS: u64 = 60_000;

/// How many proxies a generation has: some are rendered at once, some beside the API's thread.
pub(super) fn size(generation: u64) -> usize {
    200 + (generation.wrapping_mul(7_919) % 1_900) as usize
}

/// The port of all of its proxies.
pub(super) fn port(generation: u64) -> u16 {
    1 + (generation % PORTS) as u16
}

/// The latency of all of its proxies, in milliseconds.
pub(super) fn latency_ms(generation: u64) -> u64 {
    generation & 0x7fff_ffff
}

/// When all of its proxies were checked.
pub(super) fn checked(generation: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(generation)
}

/// The host of its proxy in this place.
pub(super) fn host(place: usize) -> Ipv4Addr {
    Ipv4Addr::from_bits(0x0909_0000 + u32::try_from(place).unwrap())
}

/// By what it is served.
pub(super) fn protocol(place: usize) -> Protocol {
    match place % 2 {
        0 => Protocol::Http,
        _ => Protocol::Socks5,
    }
}

/// What all proxies of a protocol are made of.
fn template(url: &str, protocol: Protocol) -> Proxy {
    let candidate: Candidate = url.parse().unwrap();
    Proxy {
        candidate,
        protocol,
        targets: Targets::first(1),
        banned_at: Targets::NONE,
        exit: None,
        latency_ms: 0,
        last_check: SystemTime::UNIX_EPOCH,
        source: None,
    }
}

/// The API, what it reads, and what it may ask: nobody answers.
pub(super) struct World {
    pub(super) address: String,
    published: Arc<Published>,
    http: Proxy,
    socks5: Proxy,
    /// Pools that were replaced, and are written over when their last reader is gone, as those of the
    /// coordinator are.
    retired: Vec<Arc<Pool>>,
    shutdown: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
    _others: (
        watch::Sender<Arc<Settings>>,
        mpsc::Receiver<ReloadRequest>,
        Receiver<Event>,
    ),
}

impl World {
    pub(super) fn start() -> World {
        let settings = Arc::new(Settings::from(&Config::embedded()));
        let (settings, settings_seen) = watch::channel(settings);
        let (reload, reloads) = mpsc::channel(1);
        let (questions, asked) = unbounded();
        let published = Arc::new(Published::empty(SystemTime::now()));
        let state = ApiState {
            snapshots: Arc::clone(&published),
            settings: settings_seen,
            metrics: Arc::new(Metrics::new().unwrap()),
            reload,
            questions,
            cursor: Arc::default(),
            voices: Voices::random(),
        };
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (shutdown, ends) = oneshot::channel::<()>();
        let ends = async {
            // An error is the end, too.
            let _ = ends.await;
        };
        let (thread, _) = api::spawn(listener, state, ends).unwrap();
        World {
            address,
            published,
            http: template("http://9.9.9.9:1", Protocol::Http),
            socks5: template("socks5://9.9.9.9:1", Protocol::Socks5),
            retired: Vec::new(),
            shutdown: Some(shutdown),
            thread: Some(thread),
            _others: (settings, reloads, asked),
        }
    }

    /// Publishes the next generation, which it tells.
    pub(super) fn publish(&mut self) -> u64 {
        let last = self.published.load();
        let generation = last.generation + 1;
        let mut pool = self.blank();
        for place in 0..size(generation) {
            pool.push(self.proxy(generation, place));
        }
        let stat = Stat {
            total_alive: size(generation) as u64,
            total_dead: generation,
            total_scraped: size(generation) as u64 + generation,
            last_check: Some(checked(generation)),
            ..Stat::default()
        };
        let now = SystemTime::now();
        self.published
            .publish(Arc::new(pool), Arc::new(stat), now, false);
        self.retired.push(Arc::clone(&last.pool));
        generation
    }

    fn proxy(&self, generation: u64, place: usize) -> Proxy {
        let template = match protocol(place) {
            Protocol::Socks5 => &self.socks5,
            _ => &self.http,
        };
        let mut proxy = template.clone();
        proxy.candidate.host = Host::V4(host(place));
        proxy.candidate.port = port(generation);
        proxy.latency_ms = latency_ms(generation) as u32;
        proxy.last_check = checked(generation);
        proxy
    }

    /// An empty pool, in the memory of one that nobody reads any more.
    fn blank(&mut self) -> Pool {
        let mut blank = Pool::default();
        for pool in std::mem::take(&mut self.retired) {
            match Arc::try_unwrap(pool) {
                Ok(pool) => blank = pool.cleared(),
                Err(read) => self.retired.push(read),
            }
        }
        blank
    }
}

impl Drop for World {
    fn drop(&mut self) {
        drop(self.shutdown.take());
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            assert!(ended.is_ok() || std::thread::panicking());
        }
    }
}
