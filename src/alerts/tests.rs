//! The watch with receivers on this host: what arrives, in which order, and what does not matter.

use super::*;
use crate::config::WebhookSecret;
use crate::snapshot::Stat;
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc;
use std::thread;
use tokio::sync::{oneshot, watch as slot};

const PATIENCE: Duration = Duration::from_secs(20);
const SECRET: &str = "a secret of the receiver";
const TAKEN: &str = "HTTP/1.1 204 No Content\r\n\r\n";
const BROKEN: &str = "HTTP/1.1 500 Broken\r\nContent-Length: 0\r\n\r\n";

/// What a receiver got.
struct Got {
    headers: BTreeMap<String, String>,
    body: String,
}

impl Got {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    /// Checks the signature as the documentation tells receivers to.
    fn is_signed(&self) -> bool {
        let timestamp: u64 = self.headers["x-signature-timestamp"].parse().unwrap();
        let secret = WebhookSecret::new(SECRET).unwrap();
        self.headers["x-signature-256"] == notice::signature(&secret, timestamp, &self.body)
    }
}

/// Answers each request with the next of `answers`, and at last always with the last.
fn receiver(listener: TcpListener, answers: &'static [&'static str]) -> mpsc::Receiver<Got> {
    let (tell, got) = mpsc::channel();
    thread::spawn(move || {
        for (nth, stream) in listener.incoming().enumerate() {
            let mut stream = stream.unwrap();
            if tell.send(read(&stream)).is_err() {
                return;
            }
            let answer = answers[nth.min(answers.len() - 1)];
            // A client that has heard enough goes away.
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    got
}

fn read(stream: &TcpStream) -> Got {
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    assert!(line.starts_with("POST /hook?token=1 "), "{line}");
    let mut headers = BTreeMap::new();
    loop {
        line.clear();
        reader.read_line(&mut line).unwrap();
        let Some((name, value)) = line.trim_end().split_once(": ") else {
            break;
        };
        headers.insert(name.to_ascii_lowercase(), value.to_owned());
    }
    let mut body = vec![0; headers["content-length"].parse().unwrap()];
    reader.read_exact(&mut body).unwrap();
    let body = String::from_utf8(body).unwrap();
    Got { headers, body }
}

fn webhook(address: SocketAddr) -> Webhook {
    Webhook {
        url: format!("http://{address}/hook?token=1").parse().unwrap(),
        wanted: Wanted::of(&[]).unwrap(),
        secret: WebhookSecret::new(SECRET),
    }
}

fn rules(places: &[SocketAddr]) -> Alerts {
    Alerts {
        webhooks: places.iter().copied().map(webhook).collect(),
        ..Alerts::default()
    }
}

/// A watch that looks very often, and what it looks at.
struct Stage {
    metrics: Arc<Metrics>,
    rules: slot::Sender<Arc<Alerts>>,
    thread: Option<thread::JoinHandle<()>>,
    stop: Option<oneshot::Sender<()>>,
}

impl Stage {
    fn of(places: &[SocketAddr]) -> Stage {
        let published = Arc::new(Published::empty(SystemTime::now()));
        let stat = Arc::new(Stat::default());
        published.publish(Arc::default(), stat, SystemTime::now(), false);
        let metrics = Arc::new(Metrics::new().unwrap());
        let (rules, rules_from) = slot::channel(Arc::new(rules(places)));
        let start = Start {
            rules: rules_from,
            published,
            metrics: Arc::clone(&metrics),
            node: "node-7".into(),
        };
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                tokio::select! {
                    () = watch_every(start, Duration::from_millis(5)) => {}
                    _ = stopped => {}
                }
            });
        });
        Stage {
            metrics,
            rules,
            thread: Some(thread),
            stop: Some(stop),
        }
    }

    /// The figures of this name on the page of the metrics, added up.
    fn count(&self, name: &str) -> f64 {
        let empty = Published::empty(SystemTime::now()).load();
        let page = self.metrics.render(&empty, "p", SystemTime::now()).unwrap();
        let page = String::from_utf8(page).unwrap();
        let lines = page
            .lines()
            .filter(|line| line.starts_with(&format!("p_{name}")));
        lines
            .map(|line| line.rsplit_once(' ').unwrap().1.parse::<f64>().unwrap())
            .sum()
    }

    fn waits_for(&self, name: &str, count: f64) {
        let since = Instant::now();
        while self.count(name) < count {
            assert!(since.elapsed() < PATIENCE, "{name}");
            thread::yield_now();
        }
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            thread.join().expect("the watch does not panic");
        }
    }
}

fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

#[test]
fn a_notice_is_signed_tried_again_after_an_error_and_followed_by_its_end() {
    let (listener, address) = listener();
    let got = receiver(listener, &[BROKEN, TAKEN]);
    let stage = Stage::of(&[address]);
    stage.metrics.storage_failed();
    let first = got.recv_timeout(PATIENCE).unwrap();
    assert!(first.is_signed());
    assert_eq!(first.headers["content-type"], "application/json");
    let notice = first.json();
    assert_eq!(
        (&notice["event"], &notice["state"]),
        (&"store_failing".into(), &"firing".into())
    );
    assert_eq!(notice["node"], "node-7");
    // It is over before the first was taken, and still comes after it.
    stage.metrics.saved(SystemTime::now());
    let again = got.recv_timeout(PATIENCE).unwrap();
    assert!(again.is_signed());
    assert_eq!(again.body, first.body, "the same notice, with the same id");
    let end = got.recv_timeout(PATIENCE).unwrap();
    assert!(end.is_signed());
    assert_eq!(end.json()["state"], "resolved");
    assert_ne!(end.json()["id"], notice["id"]);
    stage.waits_for("webhooks_sent_total", 2.0);
    assert_eq!(stage.count("webhooks_failed_total"), 0.0);
}

#[test]
fn a_receiver_that_comes_late_gets_what_was_missed_and_holds_up_no_other() {
    let (late, late_address) = listener();
    drop(late);
    let (mute, mute_address) = listener();
    let (good, good_address) = listener();
    let good = receiver(good, &[TAKEN]);
    let stage = Stage::of(&[late_address, mute_address, good_address]);
    stage.metrics.storage_failed();
    assert_eq!(
        good.recv_timeout(PATIENCE).unwrap().json()["state"],
        "firing"
    );
    stage.metrics.saved(SystemTime::now());
    assert_eq!(
        good.recv_timeout(PATIENCE).unwrap().json()["state"],
        "resolved"
    );
    let late = receiver(TcpListener::bind(late_address).unwrap(), &[TAKEN]);
    let states = [(); 2].map(|()| late.recv_timeout(PATIENCE).unwrap().json()["state"].clone());
    assert_eq!(states, ["firing", "resolved"]);
    drop(mute);
}

#[test]
fn a_redirection_is_not_followed_and_a_long_answer_is_not_read() {
    let (elsewhere, elsewhere_address) = listener();
    elsewhere.set_nonblocking(true).unwrap();
    let (moved, moved_address) = listener();
    let answer = format!(
        "HTTP/1.1 307 Moved\r\nLocation: http://{elsewhere_address}/\r\nContent-Length: 0\r\n\r\n"
    );
    let moved = receiver(moved, Box::leak(Box::new([&*answer.leak()])));
    let (long, long_address) = listener();
    // Of so many bytes none comes: who waits for them waits until the time is over.
    let long = receiver(
        long,
        &["HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n"],
    );
    let stage = Stage::of(&[moved_address, long_address]);
    stage.metrics.storage_failed();
    moved.recv_timeout(PATIENCE).unwrap();
    long.recv_timeout(PATIENCE).unwrap();
    stage.waits_for("webhooks_failed_total", 1.0);
    stage.waits_for("webhooks_sent_total", 1.0);
    let nobody = elsewhere.accept().unwrap_err().kind();
    assert_eq!(nobody, std::io::ErrorKind::WouldBlock);
}

#[test]
fn a_reload_changes_who_is_told() {
    let (good, good_address) = listener();
    let good = receiver(good, &[TAKEN]);
    let (dead, dead_address) = listener();
    drop(dead);
    let stage = Stage::of(&[dead_address]);
    stage.rules.send_replace(Arc::new(rules(&[good_address])));
    stage.metrics.storage_failed();
    assert_eq!(
        good.recv_timeout(PATIENCE).unwrap().json()["state"],
        "firing"
    );
}

#[test]
fn neither_the_token_in_a_url_nor_a_secret_is_in_what_is_shown() {
    let webhook = Webhook {
        url: "https://user:pass@hooks.example/T0KEN?key=K3Y"
            .parse()
            .unwrap(),
        wanted: Wanted::of(&[]).unwrap(),
        secret: WebhookSecret::new(SECRET),
    };
    assert_eq!(webhook.shown(), "https://hooks.example");
    let debug = format!("{webhook:?} {:?}", webhook.secret);
    for part in ["T0KEN", "K3Y", "pass", SECRET] {
        assert!(!debug.contains(part), "{debug}");
    }
}
