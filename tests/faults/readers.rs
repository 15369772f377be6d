//! Readers of a snapshot that is swapped without pause.

pub(crate) mod line;
mod world;

use crate::{times, turn};
use line::{Answer, Line};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeSet;
use std::net::SocketAddrV4;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use world::{World, checked, host, latency_ms, port, protocol, size};

/// Time between two snapshots.
const EVERY: Duration = Duration::from_millis(10);

/// What a reader asks for, again and again.
#[derive(Clone, Copy, Debug)]
struct Wish {
    name: &'static str,
    target: &'static str,
    headers: &'static str,
    holds: fn(&Answer, u64),
}

const WISHES: [Wish; 8] = [
    wish(
        "everything as JSON",
        "/get-proxy?all=1&format=json",
        "",
        whole_json,
    ),
    wish(
        "everything, compressed",
        "/get-proxy?all=1&format=json",
        GZIP,
        whole_json,
    ),
    wish("every address", "/get-proxy?all=1", "", every_address),
    wish(
        "every URL of a protocol",
        "/get-proxy?all=1&format=url&protocol=socks5",
        "",
        every_url,
    ),
    wish(
        "all that are fast",
        "/get-proxy?all=1&format=json&max_latency_ms=4000000000",
        "",
        whole_json,
    ),
    wish(
        "the next five",
        "/get-proxy?limit=5&format=json",
        "",
        next_five,
    ),
    wish("a sample", "/get-proxy?limit=150&format=json", "", sample),
    wish("the figures", "/stat", "", figures),
];
const GZIP: &str = "Accept-Encoding: gzip\r\n";

const fn wish(
    name: &'static str,
    target: &'static str,
    headers: &'static str,
    holds: fn(&Answer, u64),
) -> Wish {
    Wish {
        name,
        target,
        headers,
        holds,
    }
}

/// A listing. What has a key too few, or another type, is no whole record.
#[derive(Deserialize)]
struct Listing {
    alive: usize,
    total: usize,
    proxies: Vec<Row>,
}

#[derive(Deserialize)]
struct Row {
    address: SocketAddrV4,
    protocol: String,
    alive: bool,
    latency_ms: u64,
    last_check: String,
}

/// The places of these rows, every one of which is whole and of this generation.
fn places(body: &str, generation: u64) -> Vec<usize> {
    let listing: Listing = serde_json::from_str(body).expect("a listing");
    let count = size(generation);
    assert_eq!((listing.alive, listing.total), (count, count));
    let time = jiff::Timestamp::try_from(checked(generation)).unwrap();
    let row = |row: &Row| {
        let place = (row.address.ip().to_bits() - host(0).to_bits()) as usize;
        assert!(place < count && row.alive);
        assert_eq!(row.address.port(), port(generation));
        assert_eq!(row.protocol, protocol(place).label());
        assert_eq!(row.latency_ms, latency_ms(generation));
        let last_check: jiff::Timestamp = row.last_check.parse().expect("a time");
        assert_eq!(last_check, time);
        place
    };
    listing.proxies.iter().map(row).collect()
}

fn whole_json(answer: &Answer, generation: u64) {
    let all: Vec<usize> = (0..size(generation)).collect();
    assert_eq!(places(&answer.body, generation), all);
}

fn every_address(answer: &Answer, generation: u64) {
    let port = port(generation);
    let line = |place| format!("{}:{port}\n", host(place));
    let all: String = (0..size(generation)).map(line).collect();
    assert_eq!(answer.body, all);
}

fn every_url(answer: &Answer, generation: u64) {
    let port = port(generation);
    let line = |place| format!("socks5://{}:{port}\n", host(place));
    let all = (0..size(generation)).filter(|place| protocol(*place).label() == "socks5");
    assert_eq!(answer.body, all.map(line).collect::<String>());
}

/// Consecutive, from anywhere.
fn next_five(answer: &Answer, generation: u64) {
    let places = places(&answer.body, generation);
    assert_eq!(places.len(), 5);
    for two in places.windows(2) {
        assert_eq!(two[1], (two[0] + 1) % size(generation));
    }
}

fn sample(answer: &Answer, generation: u64) {
    let places = places(&answer.body, generation);
    assert_eq!(places.len(), 150);
    let different: BTreeSet<usize> = places.into_iter().collect();
    assert_eq!(different.len(), 150);
}

fn figures(answer: &Answer, generation: u64) {
    let stat: Value = serde_json::from_str(&answer.body).expect("figures");
    let count = size(generation) as u64;
    assert_eq!(stat["total_alive"], count);
    assert_eq!(stat["total_dead"], generation);
    assert_eq!(stat["total_scraped"], count + generation);
    let protocols = &stat["protocols"];
    let listed = protocols["http"].as_u64().unwrap() + protocols["socks5"].as_u64().unwrap();
    assert_eq!(listed, count);
}

/// Which snapshot an answer is from.
fn generation_of(answer: &Answer) -> u64 {
    if answer.header("x-snapshot-generation").is_some() {
        return answer.number("x-snapshot-generation");
    }
    let stat: Value = serde_json::from_str(&answer.body).expect("figures");
    stat["generation"].as_u64().expect("a generation")
}

/// What a reader has seen.
#[derive(Default)]
struct Seen {
    answers: u64,
    unchanged: u64,
    generations: u64,
    microseconds: Vec<u32>,
}

impl Seen {
    fn percentile(&mut self, percent: usize) -> Duration {
        self.microseconds.sort_unstable();
        let place = self.microseconds.len().saturating_sub(1) * percent / 100;
        let microseconds = self.microseconds.get(place).copied();
        Duration::from_micros(microseconds.unwrap_or_default().into())
    }
}

/// Reads without pause until told to end. Every answer is 200, or 304 about a list that is the same.
fn read(wish: Wish, address: &str, ended: &AtomicBool) -> Seen {
    let mut line = Line::to(address);
    let (mut seen, mut last) = (Seen::default(), 0);
    // What was answered last with a tag: the tag, and the generation.
    let mut known: Option<(String, u64)> = None;
    while !ended.load(Ordering::Relaxed) {
        // Every other time without: what was compressed is then sent again.
        let asks_for_change = seen.answers % 2 == 1;
        let tag = known.as_ref().filter(|_| asks_for_change);
        let condition = tag.map_or(String::new(), |(tag, _)| {
            format!("If-None-Match: {tag}\r\n")
        });
        let asked = Instant::now();
        let answer = line.get(wish.target, &format!("{}{condition}", wish.headers));
        let took = u32::try_from(asked.elapsed().as_micros()).unwrap_or(u32::MAX);
        seen.microseconds.push(took);
        seen.answers += 1;
        let generation = generation_of(&answer);
        assert!(
            generation >= last,
            "{}: {generation} after {last}",
            wish.name
        );
        seen.generations += u64::from(generation > last);
        last = generation;
        let tag = answer.header("etag").map(str::to_owned);
        match (answer.status, known) {
            (200, before) => {
                (wish.holds)(&answer, generation);
                // No two generations list the same, so a tag is of one of them.
                let same = before.filter(|(before, _)| Some(before) == tag.as_ref());
                assert!(same.is_none_or(|(_, of)| of == generation), "{}", wish.name);
            }
            (304, Some((before, of))) => {
                assert_eq!(
                    (tag.as_deref(), generation),
                    (Some(&*before), of),
                    "{}",
                    wish.name
                );
                seen.unchanged += 1;
            }
            other => panic!("{}: {other:?}: {}", wish.name, answer.body),
        }
        known = tag.map(|tag| (tag, generation));
    }
    // Nothing is published any more, so nothing changes.
    let answer = line.get(wish.target, wish.headers);
    if let Some(tag) = answer.header("etag") {
        let condition = format!("{}If-None-Match: {tag}\r\n", wish.headers);
        let again = line.get(wish.target, &condition);
        assert_eq!(again.status, 304, "{}", wish.name);
        seen.unchanged += 1;
    }
    seen
}

#[test]
fn eight_readers_of_a_snapshot_that_is_swapped_every_10_ms_see_whole_ones_in_order() {
    let _turn = turn();
    let lasts = Duration::from_secs(times(5, 60));
    // Machines that test are busy; the long form is about the API.
    let p99_max = times(Duration::from_secs(5), Duration::from_millis(250));
    let mut world = World::start();
    world.publish();
    let (address, ended) = (world.address.clone(), AtomicBool::new(false));
    let (published, readers) = thread::scope(|scope| {
        let (address, ended) = (&*address, &ended);
        let readers = WISHES.map(|wish| scope.spawn(move || read(wish, address, ended)));
        let (begun, mut published) = (Instant::now(), 1);
        let mut next = begun;
        while begun.elapsed() < lasts && readers.iter().all(|reader| !reader.is_finished()) {
            published = world.publish();
            // What was missed is not made up for.
            next = (next + EVERY).max(Instant::now());
            while Instant::now() < next {
                thread::park_timeout(next.saturating_duration_since(Instant::now()));
            }
        }
        ended.store(true, Ordering::Relaxed);
        (published, readers.map(|reader| reader.join().unwrap()))
    });
    let unchanged: u64 = readers.iter().map(|seen| seen.unchanged).sum();
    assert!(unchanged > 0, "nobody was told that nothing has changed");
    let rate = published as f64 / lasts.as_secs_f64();
    eprintln!("{published} snapshots, {rate:.0} a second");
    for (wish, mut seen) in WISHES.into_iter().zip(readers) {
        let [p50, p99, most] = [50, 99, 100].map(|percent| seen.percentile(percent));
        eprintln!(
            "{:24} {:7} answers, {:5} of them 304, of {:5} generations; p50 {p50:?}, p99 {p99:?}, longest {most:?}",
            wish.name, seen.answers, seen.unchanged, seen.generations
        );
        assert!(
            seen.generations >= 20,
            "{}: {}",
            wish.name,
            seen.generations
        );
        assert!(p99 <= p99_max, "{}: {p99:?}", wish.name);
    }
    // A busy machine may be late; a twentieth of them would still be a swap in the midst of most answers.
    let wanted = lasts.as_millis() / EVERY.as_millis();
    assert!(
        u128::from(published) >= wanted / times(20, 2),
        "{published} of {wanted}"
    );
}
