//! Names that cannot be resolved, of lists, targets and proxies: nothing hangs, and what is known stays.

use super::resolver::{Mood, NameServer, name_of};
use super::{Standing, is_alone, kept, metric, seconds};
use crate::stage::{Service, Stage};
use crate::support::eventually;
use crate::times;
use proxy_bench::farm::{Behaviour, Expect, Farm, FarmOptions};
use serde_json::json;
use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::thread;
use std::time::{Duration, Instant};

/// Good proxies, every other one by its name.
const COUNT: u32 = 60;
/// The API listens this soon, whatever becomes of names: twice what a lookup may take would show that it
/// waited for one.
const LISTENS: Duration = Duration::from_secs(8);
/// Nobody who asks the API waits for a name.
const ANSWERS: Duration = Duration::from_secs(2);
/// A lookup is given up after five seconds. So soon after that the target is probed at the address that it had.
fn keeps_address() -> Duration {
    Duration::from_secs(times(30, 15))
}
/// A lookup is given up after five seconds, and then comes the next.
const PATIENCE: Duration = Duration::from_secs(45);

/// The list, with every other proxy by name.
fn list(farm: &Farm) -> BTreeSet<String> {
    let proxy = |number| {
        let proxy = farm.proxy(Behaviour::Forwards, number);
        let ip = farm.address(Behaviour::Forwards, number);
        match number % 2 {
            0 => proxy,
            _ => proxy.replace(&ip.to_string(), &name_of(ip)),
        }
    };
    (0..COUNT).map(proxy).collect()
}

/// The same URL with a name for its host.
fn named(url: &str) -> String {
    url.replace("127.0.0.1", &name_of(Ipv4Addr::LOCALHOST))
}

/// The text of the failure of the only source; empty if it gives its list.
fn failure(service: &Service, source: &str) -> String {
    let since = Instant::now();
    let stat = service.stat();
    assert!(since.elapsed() < ANSWERS, "{:?}", since.elapsed());
    stat["sources"][source]["Error"]
        .as_str()
        .unwrap_or_default()
        .to_owned()
}

#[test]
fn a_name_service_that_is_gone_holds_nothing_up_and_takes_nothing_away() {
    let _turn = crate::turn();
    if !is_alone(
        "network::names::a_name_service_that_is_gone_holds_nothing_up_and_takes_nothing_away",
    ) {
        return;
    }
    let farm = Farm::start(FarmOptions::default()).unwrap();
    let proxies = list(&farm);
    let lines: Vec<&str> = proxies.iter().map(String::as_str).collect();
    let source = named(&farm.serve_list(&lines.join("\n")));
    let mut stage = Stage::new("");
    stage.config["aggregator"]["sources"][0]["url"] = json!(source);
    stage.config["aggregator"]["interval_seconds"] = json!(2);
    stage.config["aggregator"]["source_timeout_ms"] = json!(3_000);
    stage.config["checker"]["test_url"] = json!(named(&farm.target(Expect::NoContent)));
    stage.config["checker"]["control_probe"] = json!(true);
    stage.config["checker"]["control_interval_seconds"] = json!(1);
    stage.config["metrics"] = json!({ "enabled": true });

    let names = NameServer::start(Mood::Silent);
    let since = Instant::now();
    let service = stage.start();
    let listens = since.elapsed();
    assert!(listens < LISTENS, "{listens:?}");
    assert_eq!(service.get("/health").0, 200);
    let told = eventually(PATIENCE, "the source and the target are told", || {
        let stat = service.stat();
        let is_told =
            stat["targets"]["default"]["verdict"] == "local_names" && stat["stale"] == true;
        (is_told && !failure(&service, &source).is_empty()).then(|| since.elapsed())
    });
    names.set(Mood::Answers);
    let since = Instant::now();
    service.serves(&proxies, PATIENCE);
    eprintln!(
        "no name service at the start: the API listened after {}, the outage was said after {}, all {COUNT} were served {} after its end",
        seconds(listens),
        seconds(told),
        seconds(since.elapsed())
    );
    for mood in [Mood::Silent, Mood::Fails] {
        lose(&service, &names, mood, &source);
    }
    service.end();
}

/// The name service goes while all is known, a reload comes in the middle of that, and it comes back.
fn lose(service: &Service, names: &NameServer, mood: Mood, source: &str) {
    let before = Standing::of(service);
    let known = service.stat()["total_scraped"].clone();
    names.set(mood);
    let since = Instant::now();
    eventually(PATIENCE, "the source is told", || {
        (!failure(service, source).is_empty()).then_some(())
    });
    let told = since.elapsed();
    assert_eq!(service.post("/reload").0, 200);
    // Longer than a lookup may take.
    let until = Instant::now() + Duration::from_secs(6);
    while Instant::now() < until {
        assert_eq!(Standing::of(service), before, "{mood:?}");
        assert_eq!(service.stat()["total_scraped"], known, "{mood:?}");
        assert_eq!(service.get("/health").0, 200);
        thread::park_timeout(Duration::from_millis(100));
    }
    // The target is where it was: its name could not be found, and its address still does.
    eventually(keeps_address(), "the target is reached", || {
        (metric(service, "control_up{target=\"default\"}") == 1.0).then_some(())
    });
    assert_eq!(service.stat()["stale"], false, "{mood:?}");
    names.set(Mood::Answers);
    let (since, kept_before) = (Instant::now(), kept(service));
    eventually(PATIENCE, "the source gives its list", || {
        failure(service, source).is_empty().then_some(())
    });
    let listed = since.elapsed();
    eventually(PATIENCE, "every proxy was confirmed", || {
        (kept(service) >= kept_before + f64::from(COUNT)).then_some(())
    });
    assert_eq!(Standing::of(service), before);
    eprintln!(
        "name service gone ({mood:?}): the source was said to fail after {}; back: its list after {}, every proxy confirmed after {}",
        seconds(told),
        seconds(listed),
        seconds(since.elapsed())
    );
}
