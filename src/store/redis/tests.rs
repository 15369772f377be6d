//! What others do with the server meanwhile, and with the keys.

use super::*;
use crate::ledger::Entry;
use crate::store::changes::FEW_CHUNKS;
use crate::store::contract::{Kind, Place, RedisServer, change, random_image};
use crate::store::open;
use ::redis::cmd;
use fastrand::Rng;
use rustix::process::{Pid, Signal, kill_process};
use std::thread;

mod doors;

const LEDGER: &str = "proxychecker:ledger";
const LOCK: &str = "proxychecker:ledger:lock";

/// Answers that do not come are not waited for.
const SHORT: Terms = Terms {
    answer: Duration::from_millis(500),
    work: Duration::from_secs(60),
    lease: Duration::from_secs(2),
};

fn place_of(server: &RedisServer) -> RedisPlace {
    RedisPlace::new(&server.place(), None, None).unwrap()
}

fn store_at(server: &RedisServer) -> RedisStore {
    let store = RedisStore::open_with(&place_of(server), "proxychecker", SHORT);
    store.unwrap_or_else(|error| panic!("{error}"))
}

fn link(server: &RedisServer) -> Connection {
    redis_link::connect(&place_of(server), Duration::from_secs(30)).unwrap()
}

fn ask<T: ::redis::FromRedisValue>(server: &RedisServer, words: &[&str]) -> T {
    let mut asked = cmd(words[0]);
    words[1..].iter().for_each(|word| {
        asked.arg(*word);
    });
    asked.query(&mut link(server)).unwrap()
}

/// So much that it is written beside.
fn much(random: &mut Rng) -> Image {
    let image = random_image(random, 20_000);
    assert!(image.entries.chunks().count() > FEW_CHUNKS);
    image
}

#[test]
fn what_the_old_service_left_is_read_and_stays() {
    let server = RedisServer::start();
    let old = r#"{"proxies":[{"address":"1.2.3.4:1080","protocol":"socks5","alive":true,
        "latency_ms":50,"last_check":"2025-01-02T00:04:05Z"}],"updated":"2025-01-02T00:04:06Z"}"#;
    let () = ask(&server, &["SET", "proxychecker:snapshot", old]);
    let mut store = store_at(&server);
    let image = store.load().unwrap();
    assert_eq!(image.saved_at_ms, 1_735_776_246_000);
    let entries: Vec<Entry> = image.entries.iter().collect();
    assert_eq!(entries.len(), 1);
    assert_eq!(
        entries[0].candidate,
        "socks5://1.2.3.4:1080".parse().unwrap()
    );
    let newer = random_image(&mut Rng::with_seed(1), 10);
    store.save(&newer).unwrap();
    drop(store);
    assert!(store_at(&server).load().unwrap() == newer);
    assert_eq!(
        ask::<String>(&server, &["GET", "proxychecker:snapshot"]),
        old
    );
}

#[test]
fn an_old_snapshot_that_is_noise_is_renamed_and_said() {
    let server = RedisServer::start();
    let () = ask(&server, &["SET", "proxychecker:snapshot", "{\"proxies\":"]);
    let mut store = store_at(&server);
    assert_eq!(store.load().unwrap(), Image::default());
    let notice = store.recovered().expect("noise");
    let kept: String = ask(&server, &["GET", notice.moved_to.to_str().unwrap()]);
    assert_eq!(kept, "{\"proxies\":");
    assert!(
        notice.why.contains("the old service's snapshot"),
        "{notice}"
    );
}

#[test]
fn a_ledger_of_a_newer_version_is_renamed_and_said() {
    let server = RedisServer::start();
    let mut meta = vec![200, 1, 2, 3];
    meta.extend(crc32fast::hash(&meta).to_le_bytes());
    let mut put = cmd("HSET");
    put.arg(LEDGER)
        .arg("meta")
        .arg(meta)
        .exec(&mut link(&server))
        .unwrap();
    let mut store = store_at(&server);
    assert_eq!(store.load().unwrap(), Image::default());
    let notice = store.recovered().expect("unknown");
    assert!(notice.why.contains("format 200"), "{notice}");
    assert!(ask::<bool>(
        &server,
        &["EXISTS", notice.moved_to.to_str().unwrap()]
    ));
}

#[test]
fn a_save_of_little_writes_what_changed_and_no_more() {
    let server = RedisServer::start();
    let mut image = random_image(&mut Rng::with_seed(2), 3_000);
    let mut store = store_at(&server);
    store.save(&image).unwrap();
    store.load().unwrap();
    let () = ask(&server, &["HSET", LEDGER, "5", "somebody's"]);
    change(&mut image, |entries| {
        entries[0].failures ^= 1;
        entries.truncate(2_500);
    });
    store.save(&image).unwrap();
    assert_eq!(ask::<String>(&server, &["HGET", LEDGER, "5"]), "somebody's");
    let fields: usize = ask(&server, &["HLEN", LEDGER]);
    assert_eq!(fields, image.entries.chunks().count() + 1);
}

#[test]
fn a_save_of_much_takes_the_place_of_the_other_and_leaves_nothing_beside() {
    let server = RedisServer::start();
    let mut random = Rng::with_seed(3);
    let mut store = store_at(&server);
    for _ in 0..3 {
        let image = much(&mut random);
        store.save(&image).unwrap();
        assert!(store.load().unwrap() == image);
        assert_eq!(ask::<i64>(&server, &["PTTL", LEDGER]), -1, "it has no end");
        let mut keys: Vec<String> = ask(&server, &["KEYS", "*"]);
        keys.sort();
        assert_eq!(keys, [LEDGER, LOCK]);
    }
}

#[test]
fn a_save_of_much_that_does_not_end_leaves_the_image_before_and_goes_by_itself() {
    let server = RedisServer::start();
    let mut random = Rng::with_seed(4);
    let (before, after) = (much(&mut random), much(&mut random));
    let mut store = store_at(&server);
    store.save(&before).unwrap();
    let beside = store.keys.beside(store.lease.token());
    let until = Instant::now() + Duration::from_secs(60);
    let keep = Duration::from_secs(60);
    let cut = |link: &mut Connection, _: &Keys, _: &Lease| {
        write_beside(link, &beside, &after, b"meta", keep, until)
    };
    store.linked(cut).unwrap();
    let left_ms: i64 = ask(&server, &["PTTL", &beside]);
    assert!((1..=60_000).contains(&left_ms), "{left_ms}");
    drop(store);
    let mut store = store_at(&server);
    assert!(store.load().unwrap() == before);
    assert_eq!(store.recovered(), None);
}

#[test]
fn a_server_that_forgot_everything_gets_all_of_the_next_image() {
    let mut server = RedisServer::start();
    let mut image = random_image(&mut Rng::with_seed(5), 3_000);
    let mut store = store_at(&server);
    store.save(&image).unwrap();
    let () = ask(&server, &["FLUSHALL"]);
    change(&mut image, |entries| entries[7].failures ^= 1);
    store.save(&image).unwrap();
    assert!(store.load().unwrap() == image);

    server.restart();
    change(&mut image, |entries| entries[8].failures ^= 1);
    // The connection was to the one before.
    store.save(&image).unwrap_err();
    store.save(&image).unwrap();
    drop(store);
    assert!(store_at(&server).load().unwrap() == image);
}

#[test]
fn an_image_is_read_as_a_whole_while_others_take_its_place() {
    let server = RedisServer::start();
    let mut random = Rng::with_seed(6);
    let images: Vec<Image> = (0..4).map(|_| much(&mut random)).collect();
    let mut store = store_at(&server);
    store.save(&images[0]).unwrap();
    let mut reader = link(&server);
    let keys = Keys::new("proxychecker");
    let until = Instant::now() + Duration::from_secs(120);
    let reads = thread::scope(|scope| {
        let saving = scope.spawn(|| {
            for round in 0..12 {
                store.save(&images[round % 4]).unwrap();
            }
        });
        let mut reads = 0;
        while !saving.is_finished() {
            match read(&mut reader, &keys, until) {
                Ok((image, _)) => assert!(images.contains(&image)),
                // It changed under every one of the reads: that is said, and no mixture is given.
                Err(trouble) => assert!(matches!(trouble, Trouble::Late), "{trouble:?}"),
            }
            reads += 1;
        }
        reads
    });
    assert!(reads > 0);
}

#[test]
fn a_lock_is_renewed_while_the_store_is_open_and_given_back_when_it_is_closed() {
    let server = RedisServer::start();
    let store = store_at(&server);
    let mut least = i64::MAX;
    let start = Instant::now();
    // It falls until it is renewed.
    loop {
        let left_ms: i64 = ask(&server, &["PTTL", LOCK]);
        assert!(left_ms > 0, "{left_ms}");
        if left_ms > least {
            break;
        }
        least = left_ms;
        assert!(start.elapsed() < Duration::from_secs(30));
    }
    drop(store);
    assert!(!ask::<bool>(&server, &["EXISTS", LOCK]));
}

#[test]
fn the_lock_of_one_that_died_is_waited_for_and_the_one_of_a_living_names_it() {
    let server = RedisServer::start();
    let () = ask(
        &server,
        &["SET", LOCK, "process 1 on elsewhere", "PX", "700"],
    );
    let start = Instant::now();
    let _store = store_at(&server);
    assert!(start.elapsed() < SHORT.lease);

    let error = RedisStore::open_with(&place_of(&server), "proxychecker", SHORT)
        .err()
        .expect("it is in use")
        .to_string();
    let me = format!("process {} on ", std::process::id());
    assert!(
        error.contains(&me) && error.contains("storage.prefix"),
        "{error}"
    );
    // Another prefix is another store.
    let other = RedisStore::open_with(&place_of(&server), "other", SHORT);
    assert!(other.is_ok());
}

#[test]
fn one_that_lost_its_lock_saves_nothing_until_it_has_it_again() {
    let server = RedisServer::start();
    let (first, second) = (
        random_image(&mut Rng::with_seed(7), 100),
        random_image(&mut Rng::with_seed(8), 100),
    );
    let mut store = store_at(&server);
    store.save(&first).unwrap();
    for image in [second.clone(), much(&mut Rng::with_seed(9))] {
        let () = ask(&server, &["SET", LOCK, "process 2 on elsewhere"]);
        let meta: Vec<u8> = ask(&server, &["HGET", LEDGER, "meta"]);
        let error = store.save(&image).unwrap_err();
        assert!(matches!(error, StoreError::Busy { .. }), "{error}");
        assert!(
            error.to_string().contains("process 2 on elsewhere"),
            "{error}"
        );
        assert_eq!(ask::<Vec<u8>>(&server, &["HGET", LEDGER, "meta"]), meta);
        let () = ask(&server, &["DEL", LOCK]);
        store.save(&image).unwrap();
        assert!(store.load().unwrap() == image);
    }
}

#[test]
fn a_server_that_is_silent_fails_a_save_in_time_and_gets_the_next_one() {
    let server = RedisServer::start();
    let process = Pid::from_raw(server.process() as i32).unwrap();
    let image = random_image(&mut Rng::with_seed(10), 100);
    let mut store = store_at(&server);
    store.save(&Image::default()).unwrap();
    kill_process(process, Signal::STOP).unwrap();
    for _ in 0..2 {
        // First over the connection that there is, then over a new one.
        let start = Instant::now();
        let error = store.save(&image).unwrap_err().to_string();
        assert!(start.elapsed() < 4 * SHORT.answer, "{:?}", start.elapsed());
        assert!(error.contains("no answer within 0.5 s"), "{error}");
    }
    kill_process(process, Signal::CONT).unwrap();
    store.save(&image).unwrap();
    assert!(store.load().unwrap() == image);
}

#[test]
fn a_save_that_takes_too_long_as_a_whole_is_given_up() {
    let server = RedisServer::start();
    let terms = Terms {
        work: Duration::ZERO,
        ..SHORT
    };
    let mut store = RedisStore::open_with(&place_of(&server), "proxychecker", terms).unwrap();
    let error = store.save(&much(&mut Rng::with_seed(11))).unwrap_err();
    assert!(
        error.to_string().contains("it took longer than 0 s"),
        "{error}"
    );
    assert!(!ask::<bool>(&server, &["EXISTS", LEDGER]));
}

#[test]
fn a_server_without_memory_keeps_the_image_before() {
    let server = RedisServer::start();
    let mut random = Rng::with_seed(12);
    let before = random_image(&mut random, 100);
    let mut store = store_at(&server);
    store.save(&before).unwrap();
    let () = ask(&server, &["CONFIG", "SET", "maxmemory", "1mb"]);
    let after = much(&mut random);
    let error = store.save(&after).unwrap_err().to_string();
    assert!(error.contains("give the server more memory"), "{error}");
    let () = ask(&server, &["CONFIG", "SET", "maxmemory", "0"]);
    assert!(store.load().unwrap() == before);
    store.save(&after).unwrap();
    assert!(store.load().unwrap() == after);
}

#[test]
fn the_store_that_the_configuration_names_is_this_one() {
    let place = Place::new(Kind::Redis);
    let mut store = open(&place.backend).unwrap();
    store.save(&Image::default()).unwrap();
    let found: bool = cmd("EXISTS").arg(LEDGER).query(&mut place.link()).unwrap();
    assert!(found);
}
