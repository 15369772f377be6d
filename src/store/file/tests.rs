//! The old service's form, read and written, and damage that is still JSON.

use super::*;
use crate::ledger::{Check, Entry};
use crate::store::Asked;
use crate::store::contract::random_image;
use proxy_shards::{Anonymity, Exit, Protocol, Scheme, Targets, Timing, Verdict, Works};
use serde_json::Value;

fn load(content: &str) -> (Image, Option<Recovered>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("proxies.json");
    fs::write(&path, content).unwrap();
    let mut store = FileStore::open(&path).unwrap();
    (store.load().unwrap(), store.recovered())
}

#[test]
fn what_the_old_service_left_is_read() {
    let (image, notice) = load(
        r#"{"proxies":[
            {"address":"1.2.3.4:8080","protocol":"https","alive":true,"latency_ms":234,
             "last_check":"2025-01-02T03:04:05.678901234+03:00"},
            {"address":"1.2.3.5:1080","protocol":"socks5","alive":false,"latency_ms":0,
             "last_check":"0001-01-01T00:00:00Z"},
            {"address":"999.1.1.1:99999","alive":true},
            {"address":"1.2.3.6:3128","alive":true}],
          "stats":{"total_scraped":4,"alive_percent":30.5},
          "updated":"2025-01-02T00:04:06Z"}"#,
    );
    assert_eq!(notice, None);
    assert_eq!(image.saved_at_ms, 1_735_776_246_000);
    let entries: Vec<Entry> = image.entries.iter().collect();
    let [first, second, third] = &entries[..] else {
        panic!("{image:?}");
    };
    assert_eq!(first.candidate, "https://1.2.3.4:8080".parse().unwrap());
    let mut works = Works::default();
    works.set(Protocol::Http, Targets::first(1));
    assert_eq!(first.works, works, "https was a word for HTTP");
    assert_eq!(first.verdict, Some(Verdict::Alive));
    assert_eq!((first.timing.total_us, first.failures), (234_000, 0));
    assert_eq!(first.checked_at_ms, 1_735_776_245_678);
    assert_eq!(first.alive_at_ms, first.checked_at_ms);
    assert_eq!(second.candidate.scheme, Scheme::Socks5);
    assert_eq!((second.verdict, second.checked_at_ms), (None, 0));
    assert_eq!(second.works, Works::default());
    assert_eq!(third.candidate.scheme, Scheme::Http);
}

#[test]
fn an_old_file_without_proxies_is_an_empty_ledger() {
    let (image, notice) = load(r#"{"proxies":null,"stats":{},"updated":""}"#);
    assert_eq!((image, notice), (Image::default(), None));
}

#[test]
fn the_clients_of_the_old_service_find_what_they_knew() {
    let mut entries = Vec::new();
    for (url, verdict) in [
        ("socks5://user:secret@1.2.3.4:1080", Some(Verdict::Alive)),
        ("http://1.2.3.5:80", Some(Verdict::Refused)),
        ("http://1.2.3.6:80", Some(Verdict::Denied)),
        ("http://1.2.3.7:80", None),
    ] {
        entries.push(Entry {
            verdict,
            timing: Timing {
                total_us: 1_500,
                ..Timing::default()
            },
            checked_at_ms: 1_735_776_245_678,
            alive_at_ms: 0,
            failures: 0,
            ..Entry::new(url.parse().unwrap())
        });
    }
    let image = Image {
        saved_at_ms: 1_735_776_246_000,
        entries: entries.into(),
        ..Image::default()
    };
    let file = serde_json::to_value(Written::of(&image)).unwrap();
    let proxies: Value = serde_json::from_str(
        r#"[{"address":"1.2.3.4:1080","protocol":"socks5","alive":true,"latency_ms":2,
             "last_check":"2025-01-02T00:04:05.678Z"}]"#,
    )
    .unwrap();
    let stats: Value = serde_json::from_str(
        r#"{"total_scraped":4,"total_alive":1,"total_dead":2,"alive_percent":33.33,
            "last_check_time":"2025-01-02T00:04:05.678Z"}"#,
    )
    .unwrap();
    assert_eq!(file["proxies"], proxies);
    assert_eq!(file["stats"], stats);
    assert_eq!(file["updated"], "2025-01-02T00:04:06Z");
}

#[test]
fn a_file_that_says_what_nobody_saved_is_moved_aside() {
    let image = random_image(&mut fastrand::Rng::with_seed(1), 50);
    let good = serde_json::to_string(&Written::of(&image)).unwrap();
    assert_eq!(load(&good), (image.clone(), None));
    let failures = image.entries.iter().nth(7).unwrap().failures;
    let changed = |from: &str, to: &str| {
        let bad = good.replacen(from, to, 1);
        assert_ne!(bad, good, "{from}");
        let (loaded, notice) = load(&bad);
        assert_eq!(loaded, Image::default(), "{from}");
        notice.expect(from).why
    };
    let number = format!("\"failures\":{failures}");
    assert_eq!(changed(&number, "\"failures\":1"), "its CRC differs");
    assert_eq!(changed("\"verdict\"", "\"verdikt\""), "its CRC differs");
    assert!(changed("\"ledger\"", "\"ledgex\"").contains("not both there"));
    assert!(changed("ledger_format\":3", "ledger_format\":4").contains("format 4"));
    // The one before: its entries have no latency of that form here.
    assert!(changed("ledger_format\":3", "ledger_format\":1").contains("an entry that is none"));
}

#[test]
fn spaces_do_not_matter() {
    let image = random_image(&mut fastrand::Rng::with_seed(2), 50);
    let pretty = serde_json::to_string_pretty(&Written::of(&image)).unwrap();
    assert_eq!(load(&pretty), (image, None));
}

/// A ledger of one entry as the first format had it, byte by byte.
const FIRST: &str = r#"{"ledger_format":1,"proxies":[{"address":"1.2.3.4:1080","protocol":"socks5",
"alive":true,"latency_ms":2,"last_check":"2025-01-02T00:04:05.678Z"}],"stats":{"total_scraped":1,
"total_alive":1,"total_dead":0,"alive_percent":100.0,"last_check_time":"2025-01-02T00:04:05.678Z"},
"updated":"2025-01-02T00:04:06Z","ledger":{"saved_at_ms":1735776246000,"crc32":CRC,"entries":[
{"url":"socks5://u:p@1.2.3.4:1080","verdict":"alive","latency_us":1500,
"checked_at_ms":1735776245678,"alive_at_ms":1735776245678,"failures":0}]}}"#;

#[test]
fn a_file_of_the_first_format_is_read_and_the_next_save_is_of_this_one() {
    let (image, notice) = load(&FIRST.replace("CRC", "0"));
    assert_eq!(image, Image::default());
    assert_eq!(notice.unwrap().why, "its CRC differs");

    let (image, notice) = load(&FIRST.replace("CRC", "3641248080"));
    assert_eq!(notice, None);
    let mut entry = Entry::new("socks5://u:p@1.2.3.4:1080".parse().unwrap());
    entry.verdict = Some(Verdict::Alive);
    entry.works.set(Protocol::Socks5, Targets::first(1));
    entry.timing.total_us = 1_500;
    entry.checked_at_ms = 1_735_776_245_678;
    entry.alive_at_ms = entry.checked_at_ms;
    assert_eq!(image.saved_at_ms, 1_735_776_246_000);
    assert!(image.entries.iter().eq([entry]));
    let file = serde_json::to_value(Written::of(&image)).unwrap();
    assert_eq!(file["ledger_format"], 3);
    assert_eq!(file["ledger"].get("targets"), None, "not known, not said");
    assert_eq!(load(&file.to_string()), (image, None));
}

/// The same as the second format had it.
const SECOND: &str = r#"{"ledger_format":2,"proxies":[],"stats":{},"updated":"2025-01-02T00:04:06Z",
"ledger":{"saved_at_ms":1735776246000,"crc32":CRC,"targets":["shop"],"entries":[
{"url":"socks5://u:p@1.2.3.4:1080","verdict":"alive","checked_at_ms":1735776245678,
"alive_at_ms":1735776245678,"failures":0,"works":{"socks5":1},"timing_us":{"total":1500}}]}}"#;

#[test]
fn a_file_of_the_second_format_is_read_though_it_does_not_say_what_was_asked() {
    let (image, notice) = load(&SECOND.replace("CRC", "1256257229"));
    assert_eq!(notice, None);
    assert_eq!((image.entries.len(), image.asked), (1, Asked::default()));
    assert_eq!(image.targets, ["shop"].map(Box::from));
    let file = serde_json::to_string(&Written::of(&image)).unwrap();
    assert_eq!(load(&file), (image, None));
}

#[test]
fn a_line_says_what_is_known_and_leaves_out_what_is_not() {
    let mut alive = Entry::new("auto://1.2.3.4:80".parse().unwrap());
    alive.verdict = Some(Verdict::Alive);
    alive.works.set(Protocol::Http, Targets::first(2));
    alive.works.set(Protocol::Socks5, Targets::NONE.with(1));
    alive.timing = Timing {
        total_us: 1,
        connect_us: 2,
        handshake_us: 3,
        tls_us: 4,
        first_byte_us: 5,
    };
    (alive.checked_at_ms, alive.alive_at_ms) = (8, 9);
    alive.exit = Some(Exit {
        ip: "2001:db8::1".parse().unwrap(),
        anonymity: Anonymity::Elite,
    });
    alive.history = Box::new([Check {
        at_s: 6,
        total_us: 7,
        verdict: Verdict::OwnPage,
    }]);
    let image = Image {
        saved_at_ms: 1,
        asked: Asked {
            policy: u64::MAX - 1,
            since_ms: 5,
            over_ms: 6,
        },
        targets: vec!["a".into(), "b".into()],
        entries: vec![alive, Entry::new("http://1.2.3.5:80".parse().unwrap())].into(),
    };
    let file = serde_json::to_value(Written::of(&image)).unwrap();
    let expected = serde_json::json!([
        {
            "url": "auto://1.2.3.4:80", "verdict": "alive",
            "checked_at_ms": 8, "alive_at_ms": 9, "failures": 0,
            "works": {"http": 3, "socks5": 2},
            "timing_us": {"total": 1, "connect": 2, "handshake": 3, "tls": 4, "first_byte": 5},
            "exit": {"ip": "2001:db8::1", "anonymity": "elite"},
            "history": [[6, 7, "own_page"]],
        },
        {
            "url": "http://1.2.3.5:80", "verdict": null,
            "checked_at_ms": 0, "alive_at_ms": 0, "failures": 0,
        },
    ]);
    assert_eq!(file["ledger"]["entries"], expected);
    assert_eq!(file["ledger"]["targets"], serde_json::json!(["a", "b"]));
    assert_eq!(file["ledger"]["policy"], "fffffffffffffffe");
    let times = [&file["ledger"]["since_ms"], &file["ledger"]["over_ms"]];
    assert_eq!(times, [5, 6]);
}

#[test]
fn the_alive_are_listed_with_the_first_protocol_that_works() {
    let check = |url: &str, works: &[(Protocol, usize)], expected: &str| {
        let mut entry = Entry::new(url.parse().unwrap());
        entry.verdict = Some(Verdict::Alive);
        for &(protocol, targets) in works {
            entry.works.set(protocol, Targets::first(targets));
        }
        let image = Image {
            saved_at_ms: 1,
            entries: vec![entry].into(),
            ..Image::default()
        };
        let file = serde_json::to_value(Written::of(&image)).unwrap();
        assert_eq!(file["proxies"][0]["protocol"], expected, "{url} {works:?}");
    };
    use Protocol::{Http, Https, Socks4, Socks5};
    check("auto://1.2.3.4:1080", &[(Http, 1), (Socks5, 1)], "socks5");
    check("auto://1.2.3.4:8080", &[(Http, 1), (Socks5, 1)], "http");
    check("auto://1.2.3.4:8080", &[(Http, 1), (Socks5, 2)], "socks5");
    check("auto://1.2.3.4:8080", &[(Socks4, 1)], "socks4");
    check("https://1.2.3.4:8080", &[(Https, 1)], "https");
    check("https://1.2.3.4:8080", &[(Http, 1)], "http");
    check("socks4://1.2.3.4:8080", &[], "socks4");
}

#[test]
fn why_a_file_cannot_be_read_says_where_and_repeats_nothing_of_it() {
    for content in [
        r#"{"proxies":["http://user:secret@1.2.3.4:80"]}"#,
        r#"{"proxies":[],"ledger_format":"secret"}"#,
        r#"{"proxies":[{"address":"http://user:secret@1.2.3.4:80""#,
    ] {
        let (_, notice) = load(content);
        let why = notice.unwrap().why;
        assert!(why.contains("line 1") && !why.contains("secret"), "{why}");
    }
}

#[test]
fn what_would_be_too_long_to_be_read_again_is_not_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("proxies.json");
    let mut store = FileStore::open(&path).unwrap();
    let small = random_image(&mut fastrand::Rng::with_seed(1), 10);
    store.save(&small).unwrap();
    store.bytes_max = fs::metadata(&path).unwrap().len();
    store.save(&small).unwrap();
    let large = random_image(&mut fastrand::Rng::with_seed(2), 1_000);
    let error = store.save(&large).unwrap_err().to_string();
    assert!(error.contains("sled or sqlite"), "{error}");
    assert!(store.load().unwrap() == small);
    assert_eq!(
        fs::read_dir(folder.path()).unwrap().count(),
        2,
        "and the lock"
    );
}
