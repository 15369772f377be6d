use super::*;
use clap::Parser;
use proxy_shards::target::Demand;
use proxy_shards::{Require, Target};

#[derive(Parser, Debug)]
struct Line {
    #[command(flatten)]
    probe: ProbeArgs,
}

fn args(words: &[&str]) -> ProbeArgs {
    Line::try_parse_from([&["probe"], words].concat())
        .unwrap()
        .probe
}

fn env(name: &str) -> Option<String> {
    match name {
        "SHORT" => Some("fifteen bytes..".into()),
        JUDGE_SECRET_ENV => Some("sixteen bytes...\r\n".into()),
        _ => None,
    }
}

fn probing(words: &[&str]) -> Result<Probing, Failure> {
    args(words).probing(None, None, &env)
}

/// Holds that the options are wrong usage, and that the message says so with `word`.
#[track_caller]
fn refuses(words: &[&str], word: &str) {
    let failure = probing(words).unwrap_err();
    assert!(matches!(failure, Failure::Usage(_)), "{failure}");
    assert!(failure.to_string().contains(word), "{failure}");
}

#[test]
fn durations_have_units_and_a_bare_number_is_seconds() {
    let check = |text: &str, ms: u64| {
        assert_eq!(duration(text), Ok(Duration::from_millis(ms)), "{text}");
    };
    check("15s", 15_000);
    check("500ms", 500);
    check("1m", 60_000);
    check("7", 7_000);
    check("1.5", 1_500);
    check("60m", 3_600_000);
    check("1h", 3_600_000);
    check("0.5h", 1_800_000);
}

#[test]
fn what_is_no_duration_is_refused() {
    for text in [
        "", "s", "-1", "+1", "1d", "1.1h", "0", "0ms", "1e9", "inf", "NaN", "1 s", "61m", "ms5",
        "1.2.3s",
    ] {
        assert!(duration(text).is_err(), "{text}");
    }
}

#[test]
fn a_time_out_of_bounds_names_them() {
    for text in ["0", "61m", "99999999999999999999"] {
        let expected = Err("allowed is 1ms to 1h".into());
        assert_eq!(duration(text), expected, "{text}");
    }
}

#[test]
fn a_digest_is_64_hexadecimal_digits() {
    let digest = sha256(&"0aF1".repeat(16)).unwrap();
    assert_eq!(digest[..4], [0x0a, 0xf1, 0x0a, 0xf1]);
    let wrong = ["", "0a"].map(String::from);
    let long = ["0g", "é", "+1"].map(|pair| pair.repeat(32));
    for text in wrong.iter().chain(&long) {
        assert!(sha256(text).is_err(), "{text}");
    }
}

#[test]
fn a_header_field_has_a_name_and_may_have_a_value() {
    let check = |text: &str, name: &str, value: Option<&str>| {
        let field = header(text).unwrap();
        assert_eq!((&*field.name, field.value.as_deref()), (name, value));
    };
    check("X-Mark: 7d 3f ", "X-Mark", Some("7d 3f"));
    check("x-mark", "x-mark", None);
    check("x-mark:", "x-mark", None);
    for text in ["", ": x", "a b: c", "a: b\nc", "a: é"] {
        assert!(header(text).is_err(), "{text}");
    }
}

#[test]
fn a_short_timeout_shortens_the_connect_timeout_that_was_not_given() {
    let policy = probing(&["--timeout", "2s"]).unwrap().policy;
    assert_eq!(policy.connect_timeout, Duration::from_secs(2));
    let policy = probing(&["--timeout", "20s"]).unwrap().policy;
    assert_eq!(policy.connect_timeout, Duration::from_secs(5));
}

#[test]
fn what_is_expected_of_the_page_reaches_the_policy() {
    let line = "--test-url http://a.test/x --expect-body hello --expect-header X-Mark:7 --max-bytes 99 --tunnel";
    let policy = probing(&line.split(' ').collect::<Vec<_>>())
        .unwrap()
        .policy;
    let [target] = &*policy.targets else {
        panic!("{policy:?}");
    };
    assert_eq!((&*target.host, &*target.path), ("a.test", "/x"));
    assert_eq!((target.body_bytes_max, target.tunnel), (99, true));
    let Demand::Answer(expectation) = &target.demand else {
        panic!("{policy:?}");
    };
    assert_eq!(expectation.status, 200);
    assert_eq!(expectation.body_contains.as_deref(), Some(&b"hello"[..]));
    assert_eq!(expectation.header, header("X-Mark: 7").ok());
}

#[test]
fn a_judge_takes_the_place_of_the_page_or_stands_beside_it() {
    let names = |targets: &[Target]| -> Vec<String> {
        targets.iter().map(|t| t.name.to_string()).collect()
    };
    let judge = ["--judge", "http://j.test/"];
    let alone = probing(&judge).unwrap().policy;
    assert_eq!(names(&alone.targets), ["judge"]);
    assert!(matches!(alone.targets[0].demand, Demand::Judge(_)));
    let both = probing(&[&judge[..], &["--test-url", "http://a.test/generate_204"]].concat());
    let both = both.unwrap().policy;
    assert_eq!(names(&both.targets), ["default", "judge"]);
    assert_eq!(both.require, Require::All);
    refuses(
        &[&judge[..], &["--expect-body", "x"]].concat(),
        "--test-url",
    );
    refuses(&["--judge", "nonsense"], "--judge: ");
}

#[test]
fn the_secret_of_a_judge_comes_from_the_environment_and_is_long_enough() {
    let judge = ["--judge", "http://j.test/", "--judge-secret-env"];
    refuses(
        &[&judge[..], &["UNSET"]].concat(),
        "UNSET is empty or not set",
    );
    refuses(&[&judge[..], &["SHORT"]].concat(), "fewer than 16");
    let in_place = probing(&[&judge[..], &["s3cret-s3cret-s3cret"]].concat());
    let message = in_place.unwrap_err().to_string();
    assert!(!message.contains("s3cret"), "{message}");
    let probing = probing(&judge[..2]).unwrap();
    let demand = &probing.policy.targets[0].demand;
    // What the judge makes of the same variable: a line break behind it does not count.
    let secret = Secret::new(b"sixteen bytes...").unwrap();
    assert_eq!(*demand, Demand::Judge(secret));
    let debug = format!("{probing:?}");
    assert!(!debug.contains("sixteen"), "{debug}");
}

#[test]
fn what_is_wrong_is_named_by_its_option() {
    refuses(&["--test-url", "nonsense"], "--test-url: ");
    refuses(
        &["--test-url", "http://a.test/", "--expect-body", ""],
        "--max-bytes",
    );
    let failure = probing(&["--ca-file", "/nonexistent/ca.pem"]).unwrap_err();
    assert!(matches!(&failure, Failure::Failed(text) if text.contains("/nonexistent/ca.pem")));
}

#[test]
fn the_targets_are_reached_without_a_proxy_unless_that_is_declined_or_nothing_is_fetched() {
    assert_eq!(probing(&[]).unwrap().control, Some(CONTROL_EVERY));
    assert_eq!(probing(&["--no-control-probe"]).unwrap().control, None);
    let connect = Some(Mode::ConnectOnly);
    let sieve = args(&[]).probing(connect, None, &env).unwrap();
    assert_eq!(sieve.control, None);
    let failure = args(&["--expect-status", "200"]).probing(connect, None, &env);
    assert!(matches!(failure, Err(Failure::Usage(_))));
}

#[test]
fn a_page_of_which_little_is_known_is_called_weak_once() {
    let warned = |words: &[&str]| {
        let warnings = probing(words).unwrap().warnings;
        assert!(warnings.len() <= 1, "{warnings:?}");
        warnings.into_iter().next().unwrap_or_default()
    };
    let page = ["--test-url", "http://a.test/page"];
    assert!(warned(&page).contains("nothing is expected"));
    assert!(warned(&[&page[..], &["--expect-status", "200"]].concat()).contains("a status alone"));
    assert_eq!(warned(&[&page[..], &["--expect-body", "x"]].concat()), "");
    assert_eq!(warned(&[]), "");
}

const FILE: &str = r#"{
    "aggregator": {"user_agent": "mine", "sources": [{"url": "x:"}]},
    "checker": {"timeout_ms": 9000, "retries": 2, "test_url": "http://a.test/generate_204"},
    "api": {"enable_api_key_auth": true, "api_key_env": "UNSET"}
}"#;

#[test]
fn a_configuration_file_gives_what_no_option_says_and_needs_no_key() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), FILE).unwrap();
    let config = ["--config", file.path().to_str().unwrap()];
    let policy = probing(&config).unwrap().policy;
    assert_eq!(&*policy.targets[0].host, "a.test");
    assert_eq!((policy.retries, &*policy.user_agent), (2, "mine"));
    assert_eq!(policy.timeout, Duration::from_secs(9));
    let options = [
        "--timeout",
        "3s",
        "--test-url",
        "http://b.test/generate_204",
    ];
    let words = [&config[..], &options].concat();
    let policy = args(&words).probing(None, Some(5), &env).unwrap().policy;
    assert_eq!(&*policy.targets[0].host, "b.test");
    assert_eq!((policy.retries, policy.timeout.as_secs()), (5, 3));
    assert_eq!(policy.connect_timeout.as_secs(), 3);
    refuses(&[&config[..], &["--tunnel"]].concat(), "--config");
}

#[test]
fn a_configuration_file_says_which_addresses_are_dialled() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let text = r#"{"aggregator": {"allow_private": true, "deny_networks": ["10.1.0.0/16"],
        "deny_ports": [8080], "allow_networks": ["169.254.169.254"]}}"#;
    std::fs::write(file.path(), text).unwrap();
    let config = ["--config", file.path().to_str().unwrap()];
    let addresses = probing(&config).unwrap().addresses;
    let allows = |ip: &str| addresses.allows(ip.parse().unwrap());
    assert!(allows("10.2.0.1") && allows("169.254.169.254"));
    assert!(!allows("10.1.0.1") && !addresses.allows_port(8080));
    assert_eq!(probing(&[]).unwrap().addresses, AddressPolicy::default());
    std::fs::write(file.path(), r#"{"aggregator": {"deny_networks": ["x"]}}"#).unwrap();
    let failure = probing(&config).unwrap_err().to_string();
    assert!(failure.contains("aggregator.deny_networks[0]"), "{failure}");
}

#[test]
fn a_configuration_file_that_is_wrong_is_named_with_the_place() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let config = ["--config", file.path().to_str().unwrap()];
    for (text, word) in [
        ("{", "line 1"),
        (r#"{"checker": {"timeout_mss": 1}}"#, "checker.timeout_mss"),
    ] {
        std::fs::write(file.path(), text).unwrap();
        let failure = probing(&config).unwrap_err().to_string();
        assert!(
            failure.starts_with("--config ") && failure.contains(word),
            "{failure}"
        );
    }
    let failure = probing(&["--config", "/nonexistent/c.json"]).unwrap_err();
    assert!(
        failure.to_string().contains("/nonexistent/c.json"),
        "{failure}"
    );
}
