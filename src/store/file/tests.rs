//! The old service's form, read and written, and damage that is still JSON.

use super::*;
use crate::store::contract::random_image;
use proxy_shards::{Scheme, Timing};
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
    let [first, second, third] = &image.entries[..] else {
        panic!("{image:?}");
    };
    assert_eq!(first.candidate, "http://1.2.3.4:8080".parse().unwrap());
    assert_eq!(first.verdict, Some(Verdict::Alive));
    assert_eq!((first.timing.total_us, first.failures), (234_000, 0));
    assert_eq!(first.checked_at_ms, 1_735_776_245_678);
    assert_eq!(first.alive_at_ms, first.checked_at_ms);
    assert_eq!(second.candidate.scheme, Scheme::Socks5);
    assert_eq!((second.verdict, second.checked_at_ms), (None, 0));
    assert_eq!(third.candidate.scheme, Scheme::Http);
}

#[test]
fn an_old_file_without_proxies_is_an_empty_ledger() {
    let (image, notice) = load(r#"{"proxies":null,"stats":{},"updated":""}"#);
    assert_eq!((image, notice), (Image::default(), None));
}

#[test]
fn the_clients_of_the_old_service_find_what_they_knew() {
    let mut image = Image {
        saved_at_ms: 1_735_776_246_000,
        ..Image::default()
    };
    for (url, verdict) in [
        ("socks5://user:secret@1.2.3.4:1080", Some(Verdict::Alive)),
        ("http://1.2.3.5:80", Some(Verdict::Refused)),
        ("http://1.2.3.6:80", Some(Verdict::Denied)),
        ("http://1.2.3.7:80", None),
    ] {
        image.entries.push(Entry {
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
    let file = serde_json::to_value(written(&image)).unwrap();
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
    let good = serde_json::to_string(&written(&image)).unwrap();
    assert_eq!(load(&good), (image.clone(), None));
    let failures = image.entries[7].failures;
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
    assert!(changed("ledger_format\":1", "ledger_format\":2").contains("format 2"));
}

#[test]
fn spaces_do_not_matter() {
    let image = random_image(&mut fastrand::Rng::with_seed(2), 50);
    let pretty = serde_json::to_string_pretty(&written(&image)).unwrap();
    assert_eq!(load(&pretty), (image, None));
}
