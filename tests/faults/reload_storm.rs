//! Reloads by POST, signal and edit, all at once.

use crate::configurations::{Mix, alive, farm, list, reloads, stage, tells_the_truth};
use crate::readers::line::Line;
use crate::stage::{Service, Stage};
use crate::support::{PATIENCE, ask, eventually};
use crate::{times, turn};
use proxy_bench::farm::Behaviour;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, ScopedJoinHandle};
use std::time::{Duration, Instant};

/// Clients that ask for reloads.
const POSTERS: usize = 8;
/// Clients that read meanwhile.
const READERS: usize = 4;
/// How long the list of a reload takes: long enough for others to come while it runs.
const LIST_TAKES: Duration = Duration::from_millis(50);
/// Threads that come and go: those that may block, for a reading and for names.
const THREADS_MORE: usize = 4;
/// Descriptors that come and go: connections, the list, the file.
const DESCRIPTORS_MORE: usize = 16;
/// What all the reloads may add to the memory.
fn growth_max() -> usize {
    times(32, 8) << 20
}

/// A source that is slow, and counts how many fetch it at once.
struct SlowList {
    address: SocketAddr,
    now: AtomicUsize,
    most: AtomicUsize,
    fetches: AtomicUsize,
}

impl SlowList {
    /// Serves this list, until the tests end.
    fn of(text: String) -> Arc<SlowList> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let list = Arc::new(SlowList {
            address: listener.local_addr().unwrap(),
            now: AtomicUsize::new(0),
            most: AtomicUsize::new(0),
            fetches: AtomicUsize::new(0),
        });
        let served = Arc::clone(&list);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (list, text) = (Arc::clone(&served), text.clone());
                thread::spawn(move || list.answer(stream.unwrap(), &text));
            }
        });
        list
    }

    fn answer(&self, mut stream: TcpStream, text: &str) {
        let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
        while lines
            .next()
            .is_some_and(|line| line.is_ok_and(|line| !line.is_empty()))
        {}
        self.fetches.fetch_add(1, Ordering::Relaxed);
        let now = self.now.fetch_add(1, Ordering::Relaxed) + 1;
        self.most.fetch_max(now, Ordering::Relaxed);
        let until = Instant::now() + LIST_TAKES;
        while Instant::now() < until {
            thread::park_timeout(until.saturating_duration_since(Instant::now()));
        }
        // Before the answer: who has read it may begin the next fetch.
        self.now.fetch_sub(1, Ordering::Relaxed);
        let length = text.len();
        let head =
            format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
        // A fetch that was given up is no fault of the list.
        let _ = stream.write_all(head.as_bytes());
        let _ = stream.write_all(text.as_bytes());
    }

    /// The configuration's only source, named by an edit.
    fn source(&self, edit: usize) -> Value {
        let url = format!("http://{}/list?edit={edit}", self.address);
        json!([{"url": url, "type": "http", "enabled": true}])
    }
}

/// How many of each come within which time.
#[derive(Clone, Copy)]
struct Storm {
    posts: usize,
    signals: usize,
    edits: usize,
    lasts: Duration,
}

impl Storm {
    /// When the `nth` of `count` is due.
    fn due(self, nth: usize, count: usize) -> Duration {
        self.lasts.mul_f64(nth as f64 / count as f64)
    }
}

fn wait_until(due: Instant) {
    while Instant::now() < due {
        thread::park_timeout(due.saturating_duration_since(Instant::now()));
    }
}

/// A reload that was asked for: its number, and the lists that had been fetched until then, one for each.
#[derive(Clone, Copy, Debug)]
struct Posted {
    id: u64,
    fetched: u64,
}

/// Asks for its share of the reloads. Each is answered, and each with 200: nothing is wrong with any
/// configuration.
fn post(storm: Storm, nth: usize, begun: Instant, address: &str, list: &SlowList) -> Vec<Posted> {
    let mut posted = Vec::new();
    for post in (nth..storm.posts).step_by(POSTERS) {
        wait_until(begun + storm.due(post, storm.posts));
        let fetched = list.fetches.load(Ordering::Relaxed) as u64;
        let (status, answer) = ask(address, "POST", "/reload");
        assert_eq!(status, 200, "{answer}");
        let answer: Value = serde_json::from_str(&answer).expect("JSON");
        assert_eq!(answer["message"], "Reload triggered");
        let id = answer["reload_id"].as_u64().expect("a number");
        posted.push(Posted { id, fetched });
    }
    posted
}

/// Reads until told to end: everybody alive and nobody else, and generations that never go back.
fn read(address: &str, alive: &BTreeSet<String>, ended: &AtomicBool) -> usize {
    let (mut line, mut last, mut answers) = (Line::to(address), 0, 0);
    while !ended.load(Ordering::Relaxed) {
        let answer = line.get("/get-proxy?all=1&format=url", "");
        assert_eq!(answer.status, 200, "{}", answer.body);
        let generation = answer.number("x-snapshot-generation");
        assert!(generation >= last, "{generation} after {last}");
        last = generation;
        let served: BTreeSet<String> = answer.body.lines().map(String::from).collect();
        assert_eq!(&served, alive, "in generation {generation}");
        answers += 1;
    }
    answers
}

/// The most that the service used at any look.
#[derive(Clone, Copy, Debug, Default)]
struct Most {
    memory: usize,
    threads: usize,
}

impl Most {
    fn look(&mut self, service: &Service) {
        self.memory = self.memory.max(service.memory());
        self.threads = self.threads.max(service.threads());
    }
}

/// Edits the file and sends the signals, each at its time; the most that was used meanwhile.
fn edit_and_signal(
    storm: Storm,
    begun: Instant,
    stage: &mut Stage,
    list: &SlowList,
    service: &Service,
) -> Most {
    let mut most = Most::default();
    let (mut edits, mut signals) = (0, 0);
    while edits < storm.edits || signals < storm.signals {
        let edit_due = storm.due(edits, storm.edits);
        let signal_due = storm.due(signals, storm.signals);
        if edits < storm.edits && edit_due <= signal_due {
            wait_until(begun + edit_due);
            edits += 1;
            stage.config["aggregator"]["sources"] = list.source(edits);
            stage.write();
        } else if signals < storm.signals {
            wait_until(begun + signal_due);
            signals += 1;
            service.running.signal("HUP");
        }
        most.look(service);
    }
    most
}

/// The numbers of the reloads that came into force, in their order, as the log has them.
fn in_force(log: &str) -> Vec<u64> {
    let lines = log.lines();
    let of = |line: &str| {
        let (_, fields) = line.split_once("the configuration is in force ")?;
        let (_, number) = fields.split_once("reload=")?;
        number.split(' ').next()?.parse().ok()
    };
    lines.filter_map(of).collect()
}

/// Everything at once; what the posters got, and the most that was used.
fn blow(
    storm: Storm,
    stage: &mut Stage,
    list: &SlowList,
    service: &Service,
    mix: &Mix,
) -> (Vec<Posted>, Most) {
    let (alive, ended, begun) = (alive(mix), AtomicBool::new(false), Instant::now());
    thread::scope(|scope| {
        let (alive, ended, address) = (&alive, &ended, &*service.address);
        let readers: Vec<ScopedJoinHandle<'_, usize>> = (0..READERS)
            .map(|_| scope.spawn(move || read(address, alive, ended)))
            .collect();
        let posters: Vec<_> = (0..POSTERS)
            .map(|nth| scope.spawn(move || post(storm, nth, begun, address, list)))
            .collect();
        let mut most = edit_and_signal(storm, begun, stage, list, service);
        let posted = posters
            .into_iter()
            .flat_map(|poster| poster.join().unwrap());
        let posted: Vec<Posted> = posted.collect();
        let took = begun.elapsed();
        most.look(service);
        ended.store(true, Ordering::Relaxed);
        let answers: usize = readers
            .into_iter()
            .map(|reader| reader.join().unwrap())
            .sum();
        eprintln!(
            "{} POSTs, {} SIGHUPs and {} edits in {took:.1?}; {answers} answers to {READERS} readers",
            posted.len(),
            storm.signals,
            storm.edits
        );
        assert_eq!(posted.len(), storm.posts);
        assert!(answers > READERS, "{answers} answers are no load");
        (posted, most)
    })
}

#[test]
fn in_a_storm_of_reloads_one_runs_one_waits_and_the_last_configuration_holds() {
    let _turn = turn();
    let storm = times(
        Storm {
            posts: 200,
            signals: 20,
            edits: 40,
            lasts: Duration::from_secs(2),
        },
        Storm {
            posts: 1_000,
            signals: 100,
            edits: 200,
            lasts: Duration::from_secs(10),
        },
    );
    let farm = farm();
    let behaviours = [
        Behaviour::Forwards,
        Behaviour::Refuses,
        Behaviour::Socks5,
        Behaviour::OwnPage,
    ];
    let mix = farm.mix(times(200, 2_000), &behaviours);
    let slow = SlowList::of(list(&mix));
    let mut stage = stage(&mix);
    stage.config["aggregator"]["sources"] = slow.source(0);
    let mut service = stage.start();
    tells_the_truth(&service, &mix);
    // Everything is used once.
    blow(
        Storm {
            posts: 40,
            signals: 4,
            edits: 8,
            lasts: Duration::from_secs(1),
        },
        &mut stage,
        &slow,
        &service,
        &mix,
    );
    tells_the_truth(&service, &mix);
    let warm = Most {
        memory: service.memory(),
        threads: service.threads(),
    };
    let descriptors = service.descriptors();

    let (posted, most) = blow(storm, &mut stage, &slow, &service, &mix);
    let fetched = slow.fetches.load(Ordering::Relaxed) as u64;
    let last = &stage.config["aggregator"]["sources"][0]["url"];
    eventually(PATIENCE, "the last configuration is in force", || {
        let stat = service.stat();
        let sources = stat["sources"].as_object().unwrap();
        (sources.len() == 1 && sources.contains_key(last.as_str().unwrap())).then_some(())
    });
    tells_the_truth(&service, &mix);

    let applied = reloads(&service, "applied");
    assert_eq!(reloads(&service, "refused"), 0);
    let numbers = in_force(&service.running.log());
    let expected: Vec<u64> = (2..=applied + 1).collect();
    assert_eq!(
        numbers, expected,
        "one after the other, none twice and none left out"
    );
    assert!(
        posted.iter().all(|posted| posted.id <= applied + 1),
        "every number came into force"
    );
    // Who asks gets the one that waits, or becomes it: at most the second from the one whose list was
    // fetched last. One more may have run while the request was on its way, and many on a busy machine.
    let is_next = |posted: &&Posted| posted.id <= posted.fetched + 3;
    let next = posted.iter().filter(is_next).count();
    let share = times(2, 10);
    assert!(
        next * share >= posted.len() * (share - 1),
        "{next} waited for one: {posted:?}"
    );
    // Everybody was answered; what is left is what the signals and the last edit asked for.
    let left = (applied + 1).saturating_sub(fetched);
    assert!(left <= 5, "{left} more ran when nobody asked any more");
    assert_eq!(slow.most.load(Ordering::Relaxed), 1, "only one runs");
    assert_eq!(slow.fetches.load(Ordering::Relaxed) as u64, applied + 1);
    assert!(
        applied < (storm.posts + storm.signals) as u64,
        "{applied} were not merged"
    );

    let grown = most
        .memory
        .max(service.memory())
        .saturating_sub(warm.memory);
    eprintln!(
        "{applied} reloads ran; memory has grown by {} KiB, threads from {} to {} at most",
        grown >> 10,
        warm.threads,
        most.threads
    );
    assert!(grown < growth_max(), "grown by {grown} bytes");
    assert!(
        most.threads <= warm.threads + THREADS_MORE,
        "{} threads",
        most.threads
    );
    eventually(PATIENCE, "descriptors come back", || {
        (service.descriptors() <= descriptors + DESCRIPTORS_MORE).then_some(())
    });
    service.end();
}
