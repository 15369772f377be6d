//! Bytes of a client on a connection: whatever they are, what comes back is HTTP, no fault of ours, and
//! tells nothing to who has no key. And figures of whatever size: the pages that show them are there.
//!
//! Input: which of two servers, without and with keys (0 or 1), and what the client sends: `hyper` reads
//! it first, and then what is ours –
//! `Host`, `X-Forwarded-For`, `Origin`, `Accept`, `Accept-Encoding`, `If-None-Match`, `traceparent`,
//! paths, queries, and the body of `POST /report`.

use super::Server;
use crate::api::limits::Limits;
use crate::api::{ApiState, Settings, Voices};
use crate::cluster::Publication;
use crate::config::{self, Origins};
use crate::coordinator::{Event, Known};
use crate::ledger::{Check, Entry, Facts};
use crate::metrics::Metrics;
use crate::snapshot::{Pool, Proxy, Published, SourceStat, Stat, TargetStat};
use crossbeam_channel::{Receiver, unbounded};
use proxy_shards::{Candidate, Host, Protocol, Scheme, Targets, Verdict};
use sha2::{Digest, Sha256};
use std::cell::RefCell;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::thread;
use std::time::SystemTime;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::runtime::Runtime;
use tokio::sync::{mpsc, watch};

/// What who has no key must never read.
const SECRET: &str = "p4ssw0rd-that-nobody-may-see";
/// Shown by nobody: no input can hold it.
const KEY: &str = "a key that stands in no corpus and that no fuzzer finds by its SHA-256";
/// Bytes in between on the way in and out.
const PIPE_BYTES: usize = 64 * 1024;
/// A server answers so many inputs, then there is a new one: leases and limits do not pile up.
const INPUTS_MAX: usize = 512;

const PEER: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

struct Stage {
    runtime: Runtime,
    open: Arc<Server>,
    locked: Arc<Server>,
    inputs: usize,
    // What settings come from goes on as long as the stage does.
    _settings: [watch::Sender<Arc<Settings>>; 2],
}

thread_local! {
    static STAGE: RefCell<Stage> = RefCell::new(Stage::new());
}

impl Stage {
    fn new() -> Stage {
        let (open, kept) = server(settings(None));
        let (locked, kept_too) = server(settings(Some(KEY)));
        let stat = Stat {
            sources: vec![SourceStat {
                url: "https://lists.example/a.txt".into(),
                ..SourceStat::default()
            }],
            targets: vec![TargetStat {
                name: "default".into(),
                ..TargetStat::default()
            }],
            ..Stat::default()
        };
        let stat = Arc::new(stat);
        for server in [&open, &locked] {
            let pool = Arc::new(Pool::new(proxies()));
            let snapshots = &server.desk.state.snapshots;
            snapshots.publish(pool, Arc::clone(&stat), SystemTime::now(), false);
        }
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build();
        Stage {
            runtime: runtime.expect("a runtime"),
            open,
            locked,
            inputs: 0,
            _settings: [kept, kept_too],
        }
    }

    /// What comes back to these bytes.
    fn answer(&self, server: &Arc<Server>, bytes: &[u8]) -> Vec<u8> {
        self.runtime.block_on(async {
            let (client, served) = tokio::io::duplex(PIPE_BYTES);
            let connection = Arc::clone(server).connection(served, PEER);
            // A connection that ends early is no error of ours.
            let (_ended, heard) = tokio::join!(connection, exchange(client, bytes));
            heard
        })
    }
}

async fn exchange(client: DuplexStream, bytes: &[u8]) -> Vec<u8> {
    let (mut from, mut to) = tokio::io::split(client);
    let send = async {
        // The server may have heard enough before the end.
        let _ = to.write_all(bytes).await;
        let _ = to.shutdown().await;
    };
    let mut heard = Vec::new();
    let receive = async { from.read_to_end(&mut heard).await };
    let ((), read) = tokio::join!(send, receive);
    read.expect("a pipe in memory");
    heard
}

fn settings(key: Option<&str>) -> Settings {
    Settings {
        keys: key.map(|key| [Sha256::digest(key).into()].into()),
        metrics: config::Metrics {
            enabled: true,
            endpoint: "/metrics".into(),
            namespace: "proxychecker".into(),
            require_key: key.is_some(),
        },
        descriptors_percent: 80,
        rate_limit_per_minute: None,
        rate_limit_per_ip: None,
        trusted_proxies: match key {
            None => Arc::new(["127.0.0.0/8".parse().expect("a network")]),
            Some(_) => Arc::new([]),
        },
        connections_per_ip_max: 256,
        cors_origins: match key {
            None => Origins::Only(["https://app.example".into()].into()),
            Some(_) => Origins::Every,
        },
    }
}

fn server(settings: Settings) -> (Arc<Server>, watch::Sender<Arc<Settings>>) {
    let (settings, seen) = watch::channel(Arc::new(settings));
    // Nobody reloads: who asks for it is told so.
    let (reload, _) = mpsc::channel(1);
    let (questions, asked) = unbounded();
    thread::spawn(move || know(&asked));
    let state = ApiState {
        snapshots: Arc::new(Published::empty(SystemTime::now())),
        settings: seen,
        metrics: Arc::new(Metrics::new().expect("a table without mistakes")),
        reload,
        questions,
        cursor: Arc::default(),
        voices: Voices::random(),
    };
    (Server::new(state, Limits::default()), settings)
}

/// Knows every proxy that is asked about, until nobody asks any more.
fn know(asked: &Receiver<Event>) {
    for event in asked {
        match event {
            Event::Asked(question) => {
                let facts = facts(question.host, question.port);
                let known = Known {
                    total: 1,
                    facts: vec![facts],
                };
                // Whoever asked may have gone away.
                let _ = question.reply.send(known);
            }
            Event::Heard(said) => drop(said.reply.send(said.port % 2 == 0)),
            _ => {}
        }
    }
}

fn facts(host: Host, port: u16) -> Facts {
    let mut entry = Entry::new(Candidate {
        scheme: Scheme::Auto,
        host,
        port,
        credentials: None,
    });
    entry.verdict = Some(Verdict::Alive);
    entry.alive_at_ms = u64::MAX;
    entry.checked_at_ms = u64::from(port);
    entry.works.set(Protocol::Http, Targets::from_bits(u8::MAX));
    entry.history = [Check {
        at_s: u32::MAX,
        total_us: u32::MAX,
        verdict: Verdict::Alive,
    }]
    .into();
    Facts {
        entry,
        next_check_ms: Some(u64::MAX),
        voices: crate::ledger::Voices::default(),
        held: true,
        sources: Vec::new(),
    }
}

fn proxies() -> Vec<Proxy> {
    let urls = [
        "http://203.0.113.77:8080".to_owned(),
        format!("socks5://user:{SECRET}@proxy.example:1080"),
        "socks4://[2001:db8::77]:4145".to_owned(),
        "https://203.0.113.78:443".to_owned(),
    ];
    let one = |(url, protocol): (&String, Protocol)| Proxy {
        protocol,
        candidate: url.parse().expect("a proxy"),
        targets: Targets::first(1),
        banned_at: Targets::NONE,
        exit: None,
        latency_ms: 100,
        last_check: SystemTime::now(),
        source: Some(0),
    };
    let protocols = [
        Protocol::Http,
        Protocol::Socks5,
        Protocol::Socks4,
        Protocol::Https,
    ];
    urls.iter().zip(protocols).map(one).collect()
}

pub(crate) fn request(bytes: &[u8]) {
    let Some((which, sent)) = bytes.split_first() else {
        return;
    };
    STAGE.with_borrow_mut(|stage| {
        stage.inputs += 1;
        if stage.inputs > INPUTS_MAX {
            *stage = Stage::new();
        }
        match which % 2 {
            0 => check(&stage.answer(&stage.open, sent)),
            _ => {
                let heard = stage.answer(&stage.locked, sent);
                check(&heard);
                let text = String::from_utf8_lossy(&heard);
                for hidden in [SECRET, "203.0.113.77", "lists.example"] {
                    assert!(!text.contains(hidden) || sent_it(sent, hidden), "{text}");
                }
            }
        }
    });
}

/// An answer may repeat the name of a request, or a parameter that it does not know.
fn sent_it(sent: &[u8], hidden: &str) -> bool {
    let sent = percent_encoding::percent_decode(sent).decode_utf8_lossy();
    sent.contains(hidden)
}

/// What came back begins with a whole head of HTTP/1, and is no fault of the server.
fn check(mut heard: &[u8]) {
    while let Some(behind) = heard.strip_prefix(b"HTTP/1.1 100 Continue\r\n\r\n") {
        heard = behind;
    }
    if heard.is_empty() {
        return;
    }
    let end = heard.windows(4).position(|four| four == b"\r\n\r\n");
    let (head, body) = heard.split_at(end.expect("a whole head") + 4);
    let head = std::str::from_utf8(head).expect("a head in ASCII");
    let mut lines = head.trim_end_matches("\r\n").split("\r\n");
    let status = lines.next().and_then(|line| {
        let (version, rest) = line.split_once(' ')?;
        let status: u16 = rest.get(..3)?.parse().ok()?;
        version.starts_with("HTTP/1.").then_some(status)
    });
    let status = status.expect(head);
    assert!((200..600).contains(&status) && status != 500, "{head}");
    let fields: Vec<(&str, &str)> = lines
        .map(|line| line.split_once(": ").expect(head))
        .collect();
    let plain = |text: &str| text.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    assert!(fields.iter().all(|(n, v)| plain(n) && plain(v)), "{head}");
    let field = |name: &str| {
        let mut found = fields.iter().filter(|(n, _)| n.eq_ignore_ascii_case(name));
        found.next().map(|(_, value)| *value)
    };
    let length = field("content-length").map(|text| text.parse::<usize>().expect(head));
    // Behind it there may be other answers; to HEAD there is no body.
    let whole = length.and_then(|length| body.get(..length));
    if let Some(body) = whole.filter(|_| field("content-encoding").is_none())
        && field("content-type") == Some("application/json")
        && !body.starts_with(b"HTTP/1.")
    {
        let json: Result<serde_json::Value, _> = serde_json::from_slice(body);
        assert!(json.is_ok(), "{}", body.escape_ascii());
    }
}

/// The pages that show figures are there, whatever those are.
pub(crate) fn show(publication: &Publication) {
    STAGE.with_borrow(|stage| {
        let (server, _settings) = server(settings(None));
        for generation in [publication.generation, 1, publication.generation] {
            let snapshots = &server.desk.state.snapshots;
            let before = snapshots.load().generation;
            let (pool, stat) = (Arc::default(), Arc::clone(&publication.stat));
            let at = moment(publication.at_ms);
            snapshots.publish_as(generation, pool, stat, at, publication.stale);
            let after = snapshots.load().generation;
            assert!(after > before || before == u64::MAX, "{before} {after}");
        }
        for path in ["/stat", "/metrics", "/history"] {
            let asked = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
            let heard = stage.answer(&server, asked.as_bytes());
            check(&heard);
            assert!(heard.starts_with(b"HTTP/1.1 200 "), "{path}");
        }
    });
}

fn moment(ms: u64) -> SystemTime {
    let at = SystemTime::UNIX_EPOCH.checked_add(std::time::Duration::from_millis(ms));
    at.unwrap_or(SystemTime::UNIX_EPOCH)
}
