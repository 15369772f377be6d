//! Few descriptors from the start, and descriptors that are taken away and given back.

use super::RECOVERED_WITHIN;
use super::client::{Client, Habit, Kept};
use super::harm::{asks_for_a_sweep, is_swept, metric, sample};
use crate::stage::Stage;
use crate::support::{PATIENCE, eventually, start_under};
use proxy_bench::farm::{Behaviour, Farm, FarmOptions};
use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

const LIMIT: &str = "ulimit -n 256";
const LANES: usize = 5_000;
const GRANTED: &str = "fewer lanes than asked";

/// The proxies of a farm, as lines of a list, and those of them that work.
fn mixed(farm: &Farm, count: usize) -> (String, BTreeSet<String>) {
    let kinds = [Behaviour::Forwards, Behaviour::Socks5, Behaviour::Refuses];
    let mix = farm.mix(count, &kinds);
    let good = mix.iter().filter(|(_, kind)| *kind != Behaviour::Refuses);
    let good = good.map(|(url, _)| url.clone()).collect();
    (
        mix.iter().map(|(url, _)| format!("{url}\n")).collect(),
        good,
    )
}

#[test]
fn a_service_that_may_have_256_descriptors_judges_and_serves_with_5000_lanes_asked() {
    let _turn = crate::turn();
    let farm = Farm::start(FarmOptions::default()).unwrap();
    let count = crate::times(3_000, 9_000);
    let (list, good) = mixed(&farm, count);
    let mut stage = Stage::new(&list);
    stage.before = LIMIT.to_owned();
    stage.config["checker"]["concurrency_total"] = json!(LANES);
    stage.config["metrics"] = json!({"enabled": true});
    let service = stage.start();
    eventually(PATIENCE, "the first is served", || {
        (service.get("/get-proxy").0 == 200).then_some(())
    });
    let client = Client::start(&service.address, Habit::Both);
    service.serves(&good, PATIENCE);
    service.has_checked(count as u64);
    assert_eq!(service.stat()["total_dead"], count - good.len());
    client.was_served();
    let lanes = metric(&service, r#"lanes{shard="0"}"#);
    assert!((100.0..256.0).contains(&lanes), "{lanes} lanes in a shard");
    let log = service.end().err;
    assert!(log.contains(GRANTED), "{log}");
}

#[test]
fn a_check_that_may_have_256_descriptors_tells_the_truth_with_5000_lanes_asked() {
    let _turn = crate::turn();
    let farm = Farm::start(FarmOptions::default()).unwrap();
    let (list, good) = mixed(&farm, crate::times(2_000, 6_000));
    let stage = Stage::new(&list);
    let lanes = LANES.to_string();
    let target = stage.config["checker"]["test_url"].as_str().unwrap();
    let arguments = [
        "check",
        "--allow-private",
        "--no-control-probe",
        "--all",
        "--format",
        "jsonl",
    ];
    let more = [
        "--test-url",
        target,
        "--shards",
        "2",
        "--concurrency",
        &lanes,
        "list.txt",
    ];
    let arguments = [&arguments[..], &more[..]].concat();
    let ran = start_under(LIMIT, &[], &arguments, stage.folder()).end(PATIENCE);
    assert_eq!(ran.status, Some(0), "{}", ran.err);
    assert!(ran.err.contains("probes at once instead of"), "{}", ran.err);
    let row = |line: &str| {
        let row: Value = serde_json::from_str(line).unwrap();
        let [proxy, verdict] =
            ["proxy", "verdict"].map(|key| row[key].as_str().unwrap().to_owned());
        (proxy, verdict)
    };
    let verdicts: BTreeMap<String, String> = ran.lines().into_iter().map(row).collect();
    assert_eq!(verdicts.len(), list.lines().count());
    let mut late = 0;
    for proxy in list.lines() {
        match (good.contains(proxy), &*verdicts[proxy]) {
            (true, "alive") | (false, "refused") => {}
            (_, "local_late") => late += 1,
            (_, other) => panic!("{proxy}: {other}"),
        }
    }
    assert!(late * 100 <= verdicts.len(), "{late} were late");
}

/// What the service says of itself over a connection that is open already.
fn page(kept: &mut Kept) -> String {
    let (status, page) = kept.ask("GET", "/metrics");
    assert_eq!(status, 200, "{page}");
    page
}

/// Whether the source gave a list when it was last asked.
fn is_read(page: &str) -> bool {
    let up = page
        .lines()
        .find(|line| line.starts_with("proxychecker_source_up"));
    up.expect("a source").ends_with(" 1")
}

#[test]
fn descriptors_that_are_taken_away_are_missed_by_no_proxy_and_used_when_they_are_back() {
    let _turn = crate::turn();
    let farm = Farm::start(FarmOptions::default()).unwrap();
    let (list, good) = mixed(&farm, 900);
    let mut stage = Stage::new("");
    // Fetching it takes a descriptor.
    stage.config["aggregator"]["sources"][0]["url"] = json!(farm.serve_list(&list));
    stage.config["metrics"] = json!({"enabled": true});
    stage.config["storage"]["persist_interval_seconds"] = json!(1);
    // The list is read and proxies are checked again meanwhile.
    stage.config["aggregator"]["interval_seconds"] = json!(3);
    let mut service = stage.start();
    service.serves(&good, PATIENCE);
    service.has_checked(900);
    let pid = Pid::from_raw(service.running.pid().cast_signed());
    let most = getrlimit(Resource::Nofile);
    let grant = |current| {
        let limit = Rlimit { current, ..most };
        prlimit(pid, Resource::Nofile, limit).unwrap();
    };
    let mut kept = Kept::open(&service.address);
    for _ in 0..crate::times(1, 2) {
        let before = page(&mut kept);
        let client = Client::start(&service.address, Habit::Stays);
        // It is connected before there is no descriptor for it.
        assert_eq!(service.get("/health").0, 200);
        grant(Some(3));
        // The configuration cannot be read, so it stays what it is.
        let (status, refusal) = kept.ask("POST", "/reload");
        assert_eq!(status, 422, "{refusal}");
        let mut waiting: Vec<Kept> = (0..5).map(|_| Kept::open(&service.address)).collect();
        waiting
            .iter_mut()
            .for_each(|client| client.send("GET", "/health"));
        eventually(
            PATIENCE,
            "the source cannot be read and proxies are probed all the same",
            || {
                let (_, served) = kept.ask("GET", "/get-proxy?all=1&format=url");
                assert_eq!(
                    served.lines().map(String::from).collect::<BTreeSet<_>>(),
                    good
                );
                let page = page(&mut kept);
                let missed = !is_read(&page);
                let more = |name| sample(&page, name) - sample(&before, name);
                let probed = more(r#"probes_total{verdict="alive"}"#) >= (2 * good.len()) as f64;
                (missed && probed).then_some(())
            },
        );
        let dead = sample(&page(&mut kept), "dead_proxies");
        assert_eq!(dead, (900 - good.len()) as f64);
        grant(most.maximum);
        for client in &mut waiting {
            assert_eq!(client.answer().0, 200);
        }
        client.was_served();
        let swept = asks_for_a_sweep(&service);
        let took = is_swept(&service, swept, RECOVERED_WITHIN);
        eprintln!("all descriptors are back: recovered in {took:?}");
        assert_eq!(service.served(), good);
        assert!(is_read(&page(&mut kept)), "the source is read again");
    }
    let complaints = service
        .running
        .log()
        .matches("connections cannot be accepted")
        .count();
    assert!(complaints > 0, "it says what it lacks");
    drop(kept);
    service.end();
}
