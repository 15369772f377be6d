//! `checker.targets`, its short form, and the keys around them.

use super::{checked, env, targets_sample};
use crate::config::{Config, Warning};
use proxy_shards::Require;
use proxy_shards::target::{Demand, Expectation, Secret};
use std::time::Duration;

/// The block `checker` of a file whose other blocks warn of nothing.
fn with_checker(checker: &str) -> (Config, Vec<Warning>) {
    checked(&format!(
        r#"{{"checker": {checker}, "api": {{"addr": "127.0.0.1:0"}},
            "aggregator": {{"sources": [{{"url": "a.txt", "enabled": true}}]}}}}"#
    ))
}

fn warnings(checker: &str) -> Vec<String> {
    let warnings = with_checker(checker).1.into_iter();
    warnings.map(|w| w.to_string()).collect()
}

#[test]
fn the_sample_of_the_documentation_is_valid() {
    let secret = |name: &str| match name {
        "PROXY_CHECKER_JUDGE_SECRET" => Some("0123456789abcdef".to_owned()),
        _ => None,
    };
    let (config, warnings) = Config::from_json(targets_sample(), "config.json", &secret).unwrap();
    assert!(warnings.iter().all(|w| !w.place.starts_with("checker")));
    let policy = &config.checker.policy;
    let names: Vec<&str> = policy.targets.iter().map(|t| &*t.name).collect();
    assert_eq!(names, ["google", "judge"]);
    let secret = Secret::new(b"0123456789abcdef").unwrap();
    assert_eq!(policy.targets[1].demand, Demand::Judge(secret));
    assert!(policy.targets[1].tunnel && !policy.targets[0].tunnel);
    assert_eq!(policy.require, Require::Any);
}

#[test]
fn the_sample_of_the_judges_page_is_a_judge() {
    let page = include_str!("../../../docs/judge.md");
    let (_, sample) = page.split_once("```json\n").unwrap();
    let sample = sample.split_once("```").unwrap().0;
    let secret = |_: &str| Some("0123456789abcdef".to_owned());
    let (config, _) = Config::from_json(sample, "config.json", &secret).unwrap();
    let [target] = &*config.checker.policy.targets else {
        panic!("{sample}");
    };
    assert!(matches!(target.demand, Demand::Judge(_)));
}

#[test]
fn the_short_form_is_one_target_called_default() {
    let (config, warnings) = with_checker(
        r#"{"test_url": "http://a.example/hello", "expect":
            {"status": 203, "body_contains": "hi", "header": "Server: mine ", "max_bytes": 100}}"#,
    );
    assert_eq!(warnings, []);
    let [target] = &*config.checker.policy.targets else {
        panic!("{:?}", config.checker.policy);
    };
    assert_eq!((&*target.name, &*target.path), ("default", "/hello"));
    assert_eq!(target.body_bytes_max, 100);
    let Demand::Answer(Expectation {
        status,
        body_contains,
        header: Some(header),
        ..
    }) = &target.demand
    else {
        panic!("{target:?}");
    };
    assert_eq!((*status, body_contains.as_deref()), (203, Some(&b"hi"[..])));
    assert_eq!(
        (&*header.name, header.value.as_deref()),
        ("Server", Some("mine"))
    );
    assert_eq!(config.checker.policy.require, Require::All);
}

#[test]
fn a_test_url_at_its_default_beside_targets_is_no_mistake() {
    let (config, warnings) = with_checker(
        r#"{"test_url": "https://www.google.com/generate_204", "expect": {"max_bytes": 65536},
            "targets": [{"name": "a", "url": "https://a.example/", "expect": {"header": "X-Mine"}}]}"#,
    );
    assert_eq!(warnings, []);
    assert_eq!(&*config.checker.policy.targets[0].host, "a.example");
}

#[test]
fn the_targets_are_tried_without_a_proxy_unless_that_is_off_or_nothing_is_fetched() {
    let control = |checker: &str| with_checker(checker).0.checker.control;
    assert_eq!(control("{}"), Some(Duration::from_secs(5)));
    let every_minute = r#"{"control_interval_seconds": 60}"#;
    assert_eq!(control(every_minute), Some(Duration::from_secs(60)));
    let zero = r#"{"control_interval_seconds": 0}"#;
    assert_eq!(control(zero), Some(Duration::from_secs(5)));
    assert_eq!(control(r#"{"control_probe": false}"#), None);
    assert_eq!(control(r#"{"mode": "connect-only"}"#), None);
}

#[test]
fn a_stale_snapshot_lasts_ten_minutes_unless_told_otherwise() {
    let stale_max = |snapshot: &str| {
        let text = format!(r#"{{"snapshot": {{{snapshot}}}}}"#);
        checked(&text).0.snapshot.stale_max.as_secs()
    };
    assert_eq!(stale_max(""), 600);
    assert_eq!(stale_max(r#""max_stale_seconds": 0"#), 600);
    assert_eq!(stale_max(r#""max_stale_seconds": 30"#), 30);
}

#[test]
fn a_weak_expectation_is_one_warning_with_better_ones() {
    assert_eq!(
        warnings(r#"{"test_url": "http://a.example/"}"#),
        [
            "checker.expect: so little is expected that a login page or a parking page can pass for the target; \
          use a URL that answers 204, expect body_contains, or set a judge up (docs/judge.md)"
        ]
    );
    let two = r#"{"targets": [
        {"name": "a", "url": "https://a.example/"},
        {"name": "b", "url": "http://b.example/"},
        {"name": "c", "url": "http://c.example/", "expect": {"status": 200}},
        {"name": "d", "url": "http://d.example/generate_204"},
        {"name": "e", "url": "http://e.example/", "judge": true, "secret_env": "JUDGE"}]}"#;
    let [warning] = &warnings(two)[..] else {
        panic!("{:?}", warnings(two));
    };
    let place = "checker.targets[1].expect: so little is expected here and of 1 more that ";
    assert!(warning.starts_with(place), "{warning}");
}

#[test]
fn what_nothing_is_expected_of_and_nothing_is_learnt_of_is_weak_over_tls_too() {
    let url = r#""test_url": "https://a.example/""#;
    assert_eq!(warnings(&format!("{{{url}}}")), [] as [&str; 0]);
    let [warning] = &warnings(&format!(r#"{{{url}, "control_probe": false}}"#))[..] else {
        panic!();
    };
    assert!(warning.contains("turn control_probe on"), "{warning}");
}

#[test]
fn what_connect_only_does_not_use_is_said_and_nothing_else() {
    let text = r#"{"mode": "connect-only", "targets": [{"url": "http://a.example/"}]}"#;
    assert_eq!(
        warnings(text),
        ["checker.targets: is not used in connect-only mode; choose full-http to verify answers"]
    );
}

#[test]
fn a_secret_that_no_judge_needs_is_warned_of() {
    let text = r#"{"targets": [{"url": "https://a.example/generate_204", "secret_env": "JUDGE"}]}"#;
    assert_eq!(
        warnings(text),
        [
            "checker.targets[0].secret_env: is not used, for judge is false; set judge to true, or remove it"
        ]
    );
}

#[test]
fn a_secret_shows_in_no_debug_output_and_in_no_error() {
    let text = r#"{"checker": {"require": "x", "targets":
        [{"url": "http://a.example/", "judge": true, "secret_env": "JUDGE"}]}}"#;
    let error = Config::from_json(text, "config.json", &env).unwrap_err();
    assert!(!format!("{error} {error:?}").contains("0123456789"));
    let (config, _) = checked(&text.replace("\"x\"", "\"all\""));
    assert!(!format!("{config:?}").contains("0123456789"));
}
