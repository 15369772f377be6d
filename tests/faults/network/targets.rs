//! Targets and judges that are down, slow, or lie to everybody: no proxy loses its place for it.

use super::world::{Mood, SECRET, World};
use super::{Standing, holds, is_alone, is_stale, recovers, seconds};
use crate::stage::{Service, Stage};
use crate::times;
use serde_json::json;
use std::collections::BTreeSet;
use std::thread;
use std::time::{Duration, Instant};

/// Proxies, all of them good as long as the target is.
const COUNT: u8 = 60;
/// The deadline of a probe, in milliseconds: a thread of the world answers within a third of that on a
/// busy machine.
const TIMEOUT_MS: u64 = 2_500;
/// So slow that nobody waits for it.
const TOO_SLOW: Duration = Duration::from_millis(TIMEOUT_MS + 1_500);
/// Slow, and still in time.
const JUST_IN_TIME: Duration = Duration::from_millis(TIMEOUT_MS - 1_000);
const NAME: &str = "main";

/// A service that serves every proxy of the world.
fn served(world: &World, mut target: serde_json::Value) -> (Service, BTreeSet<String>) {
    let proxies = world.proxies(COUNT);
    let list: String = proxies.iter().map(|proxy| format!("{proxy}\n")).collect();
    let mut stage = Stage::new(&list);
    target["name"] = json!(NAME);
    let checker = &mut stage.config["checker"];
    checker.as_object_mut().unwrap().remove("test_url");
    checker["targets"] = json!([target]);
    checker["control_probe"] = json!(true);
    checker["control_interval_seconds"] = json!(1);
    checker["timeout_ms"] = json!(TIMEOUT_MS);
    stage.config["aggregator"]["interval_seconds"] = json!(1);
    stage.config["metrics"] = json!({ "enabled": true });
    stage.variables.push(("THE_SECRET".into(), SECRET.into()));
    let service = stage.start();
    service.serves(&proxies, super::PATIENCE);
    (service, proxies)
}

/// The target goes wrong in this way, and is well again.
fn goes_wrong(service: &Service, world: &World, mood: Mood, expected: &[&str]) {
    let before = Standing::of(service);
    assert_eq!(before.served.len(), usize::from(COUNT), "{mood:?}");
    let since = Instant::now();
    world.set(mood);
    let verdict = is_stale(service, NAME);
    let told = since.elapsed();
    let verdict = verdict.as_str().unwrap();
    assert!(expected.contains(&verdict), "{mood:?}: {verdict}");
    // Longer than the interval: all fall due meanwhile.
    holds(service, &before, NAME, Duration::from_secs(2));
    world.set(Mood::Honest);
    let (fresh, checked) = recovers(service, &before);
    eprintln!(
        "target {mood:?}: stale was said after {} ({verdict}), fresh again after {}, every proxy confirmed after {}",
        seconds(told),
        seconds(fresh),
        seconds(checked)
    );
}

/// Ends the service; its log must name each of these verdicts and the return.
fn end(service: Service, verdicts: &[&str]) {
    let ran = service.end();
    for verdict in verdicts {
        let named = format!("targets={NAME}: {verdict}");
        assert!(ran.err.contains(&named), "{named}: {}", ran.err);
    }
    let back = "every target answers without a proxy again";
    assert!(ran.err.contains(back), "{}", ran.err);
}

#[test]
fn a_target_that_is_down_slow_or_a_captive_portal_costs_no_proxy_its_place() {
    let _turn = crate::turn();
    if !is_alone(
        "network::targets::a_target_that_is_down_slow_or_a_captive_portal_costs_no_proxy_its_place",
    ) {
        return;
    }
    let world = World::start();
    let (service, proxies) = served(&world, json!({ "url": world.target() }));
    // In time, if only just: nothing happens.
    let before = Standing::of(&service);
    world.set(Mood::Slow(JUST_IN_TIME));
    let until = Instant::now() + JUST_IN_TIME * 2;
    while Instant::now() < until {
        assert_eq!(service.stat()["stale"], false);
        assert_eq!(service.served(), proxies);
        thread::park_timeout(Duration::from_millis(100));
    }
    world.set(Mood::Honest);
    recovers(&service, &before);
    let wrong: [(Mood, &[&str]); 5] = [
        (Mood::Slow(TOO_SLOW), &["response_timeout"]),
        (Mood::Login, &["redirected"]),
        (Mood::Closes, &["closed", "reset"]),
        (Mood::Captive, &["own_page"]),
        (Mood::Silent, &["response_timeout"]),
    ];
    for (mood, expected) in wrong.into_iter().take(times(2, wrong.len())) {
        goes_wrong(&service, &world, mood, expected);
    }
    end(service, &["response_timeout", "redirected"]);
}

#[test]
fn a_judge_that_lies_is_down_or_slow_costs_no_proxy_its_place() {
    let _turn = crate::turn();
    if !is_alone("network::targets::a_judge_that_lies_is_down_or_slow_costs_no_proxy_its_place") {
        return;
    }
    let world = World::start();
    let judge = json!({ "url": world.target(), "judge": true, "secret_env": "THE_SECRET" });
    let (service, _) = served(&world, judge);
    let wrong: [(Mood, &[&str]); 5] = [
        (Mood::WrongSeal, &["own_page", "tampered"]),
        (Mood::Captive, &["own_page"]),
        (Mood::Closes, &["closed", "reset"]),
        (Mood::Silent, &["response_timeout"]),
        (Mood::Slow(TOO_SLOW), &["response_timeout"]),
    ];
    for (mood, expected) in wrong.into_iter().take(times(1, wrong.len())) {
        goes_wrong(&service, &world, mood, expected);
    }
    end(service, &[]);
}
