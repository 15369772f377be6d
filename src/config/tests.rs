//! The configuration as a whole: one fixture per mistake; example, documentation and known keys
//! agree.

use super::raw::RawConfig;
use super::*;
use crate::config::load::EXAMPLE;
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

mod targets;

fn env(name: &str) -> Option<String> {
    match name {
        "PROXY_CHECKER_API_KEY" => Some("one, two ,".to_owned()),
        "EMPTY" => Some(" , ".to_owned()),
        "JUDGE" => Some("0123456789abcdef".to_owned()),
        "SHORT" => Some("0123456789abcde".to_owned()),
        _ => None,
    }
}

fn checked(text: &str) -> (Config, Vec<Warning>) {
    Config::from_json(text, "config.json", &env).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn every_mistake_is_named_with_its_place_and_remedy() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/config/testdata");
    let mut mistakes = 0;
    for file in fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_none_or(|e| e != "json") {
            continue;
        }
        mistakes += 1;
        let text = fs::read_to_string(&path).unwrap();
        let got = match Config::from_json(&text, "config.json", &env) {
            Ok(_) => "nothing is wrong".to_owned(),
            Err(error) => error.to_string(),
        };
        let expected = fs::read_to_string(path.with_extension("expected")).unwrap();
        assert_eq!(got, expected.trim_end(), "{}", path.display());
    }
    assert!(mistakes > 50, "{mistakes}");
}

/// Keys as paths with their values; elements of lists have `[]`.
fn leaves(value: &Value, place: &str, found: &mut BTreeMap<String, Value>) {
    match value {
        Value::Object(block) => {
            for (key, value) in block {
                leaves(value, &json::key_place(place, key), found);
            }
        }
        Value::Array(list) if list.iter().any(Value::is_object) => {
            let items = list.iter();
            items.for_each(|item| leaves(item, &format!("{place}[]"), found));
        }
        leaf => {
            found.insert(place.to_owned(), leaf.clone());
        }
    }
}

fn known_keys() -> BTreeMap<String, Value> {
    let mut template = serde_json::to_value(RawConfig::template()).unwrap();
    for (block, list) in [
        ("api", "trusted_proxies"),
        ("api", "cors_origins"),
        ("aggregator", "allow_networks"),
        ("aggregator", "deny_networks"),
    ] {
        template[block][list] = Value::Array(Vec::new());
    }
    template["alerts"]["webhooks"][0]["events"] = Value::Array(Vec::new());
    let mut known = BTreeMap::new();
    leaves(&template, "", &mut known);
    assert!(known.len() >= 40, "{}", known.len());
    known
}

/// The rows of docs/configuration.md: key → (default, applies).
fn documented_keys() -> BTreeMap<String, (String, String)> {
    let page = include_str!("../../docs/configuration.md");
    let rows = page.lines().filter(|line| line.starts_with("| `"));
    let cells = rows.map(|row| row.split('|').map(str::trim).collect::<Vec<_>>());
    let code = |cell: &str| cell.trim_matches('`').to_owned();
    cells
        .map(|c| (code(c[1]), (code(c[3]), c[6].to_owned())))
        .collect()
}

/// The list of targets in docs/configuration.md. The example has none, so that a test_url which is
/// written into a copy of it counts.
fn targets_sample() -> &'static str {
    samples()[0]
}

/// The blocks of JSON in docs/configuration.md: targets, and webhooks.
fn samples() -> Vec<&'static str> {
    let page = include_str!("../../docs/configuration.md");
    let blocks = page.split("```json\n").skip(1);
    blocks.map(|b| b.split_once("```").unwrap().0).collect()
}

#[test]
fn the_example_holds_every_key_and_the_documentation_those_of_a_target() {
    let mut given = BTreeMap::new();
    leaves(&serde_json::from_str(EXAMPLE).unwrap(), "", &mut given);
    assert_eq!(given.remove("checker.targets"), Some(Value::from([(); 0])));
    let sample: Value = serde_json::from_str(targets_sample()).unwrap();
    let mut target = BTreeMap::new();
    let targets = &sample["checker"]["targets"];
    leaves(targets, "checker.targets", &mut target);
    given.append(&mut target);
    assert_eq!(given.remove("alerts.webhooks"), Some(Value::from([(); 0])));
    let sample: Value = serde_json::from_str(samples()[1]).unwrap();
    leaves(&sample["alerts"]["webhooks"], "alerts.webhooks", &mut given);
    assert!(given.keys().eq(known_keys().keys()), "{given:?}");
}

#[test]
fn the_documentation_holds_every_key_with_its_default() {
    let documented = documented_keys().into_iter();
    let documented: BTreeMap<String, String> = documented.map(|(k, (d, _))| (k, d)).collect();
    let known = known_keys().into_iter().map(|(k, v)| (k, v.to_string()));
    assert_eq!(documented, known.collect());
}

#[test]
fn the_documentation_says_what_takes_a_restart() {
    let other = r#"{
        "checker": {"shards": 3},
        "api": {"addr": "127.0.0.1:1"},
        "storage": {"type": "redis", "path": "rediss://h:1", "password_env": "JUDGE",
            "ca_file": "config.example.json", "prefix": "p", "persist_interval_seconds": 7,
            "backup": {"every_seconds": 60, "keep": 3, "folder": "y"}},
        "cluster": {"redis_url": "rediss://h:1", "password_env": "JUDGE",
            "ca_file": "config.example.json", "node": "n", "prefix": "p", "lease_ms": 2000},
        "metrics": {"endpoint": "/m", "namespace": "n"},
        "logging": {"format": "text", "otlp_endpoint": "http://c:4318"}
    }"#;
    let mut restart = checked("{}").0.diff_needs_restart(&checked(other).0);
    restart.sort_unstable();
    let documented = documented_keys().into_iter();
    let documented = documented.filter(|(_, (_, applies))| applies == "restart");
    let documented: Vec<String> = documented.map(|(key, _)| key).collect();
    assert_eq!(restart, documented);
}

#[test]
fn the_example_is_valid() {
    let (config, warnings) = checked(EXAMPLE);
    assert_eq!(warnings, []);
    assert!(config.aggregator.sources.len() >= 5);
    assert!(config.metrics.enabled);
    assert_eq!(
        config.checker.policy.targets[0].host.as_ref(),
        "www.google.com"
    );
}

#[test]
fn without_a_file_the_example_runs_for_this_machine_only() {
    let (config, (example, _)) = (Config::embedded(), checked(EXAMPLE));
    assert_eq!(config.api.addr.to_string(), "127.0.0.1:8083");
    assert_eq!(config.api.keys, None);
    assert_eq!(config.storage.backend, Backend::Sled("data/ledger".into()));
    assert_eq!(config.aggregator.sources, example.aggregator.sources);
}

#[test]
fn an_empty_block_is_all_defaults() {
    let (config, _) = checked("\u{feff}{}");
    assert_eq!(config.api.addr.to_string(), "127.0.0.1:8083");
    assert_eq!(config.api.connections_per_ip_max, 256);
    assert_eq!(config.aggregator.interval, Duration::from_secs(60));
    assert_eq!(config.checker.concurrency.get(), 20_000);
    assert_eq!(config.checker.backoff_max, Duration::from_secs(1_800));
    assert_eq!(
        (config.checker.shards, config.checker.adaptive),
        (None, false)
    );
    assert_eq!(config.api.rate_limit_per_ip, None);
    assert!(config.logging.json);
}

#[test]
fn zero_means_the_default_except_where_it_is_a_value() {
    let zeros = r#"{
        "aggregator": {"interval_seconds": 0, "source_timeout_ms": 0, "source_bytes_max": 0},
        "checker": {"timeout_ms": 0, "connect_timeout_ms": 0, "concurrency_total": 0,
            "batch_size": 0, "max_fd_usage_percent": 0, "backoff_max_seconds": 0},
        "storage": {"persist_interval_seconds": 0}
    }"#;
    let (config, _) = checked(zeros);
    let defaults = checked("{}").0;
    assert_eq!(config.checker.backoff_max, Duration::ZERO);
    assert_eq!(config.aggregator.interval, defaults.aggregator.interval);
    assert_eq!(config.checker.batch_size, defaults.checker.batch_size);
    assert_eq!(config.checker.max_fd_usage_percent, 80);
    assert_eq!(config.checker.policy.timeout, Duration::from_secs(15));
    assert_eq!(
        config.checker.policy.connect_timeout,
        Duration::from_secs(5)
    );
    assert_eq!(config.storage, defaults.storage);
}

#[test]
fn a_short_timeout_lowers_the_default_of_the_connect_timeout() {
    let (config, _) = checked(r#"{"checker": {"timeout_ms": 3000}}"#);
    assert_eq!(
        config.checker.policy.connect_timeout,
        Duration::from_secs(3)
    );
    let (config, _) = checked(r#"{"checker": {"timeout_ms": 3000, "connect_timeout_ms": 700}}"#);
    assert_eq!(
        config.checker.policy.connect_timeout,
        Duration::from_millis(700)
    );
}

#[test]
fn two_clients_make_a_quorum_where_there_are_two_and_else_one() {
    let two = r#""enable_api_key_auth": true, "api_key_env": "PROXY_CHECKER_API_KEY""#;
    let one = r#""enable_api_key_auth": true, "api_key_env": "JUDGE""#;
    let none = r#""addr": "127.0.0.1:1""#;
    let quorum = |api: &str| {
        let (config, warnings) = checked(&format!(r#"{{"api": {{{api}}}}}"#));
        let told = warnings
            .iter()
            .any(|w| w.to_string().contains("report_quorum"));
        (config.api.report_quorum, told)
    };
    assert_eq!(quorum(two), (2, false));
    assert_eq!(quorum(one), (1, false));
    assert_eq!(quorum(none), (1, false));
    assert_eq!(quorum(&format!(r#"{two}, "report_quorum": 1"#)), (1, false));
    assert_eq!(
        quorum(&format!(r#"{none}, "report_quorum": 8"#)),
        (8, false)
    );
    let (quorum, told) = quorum(&format!(r#"{two}, "report_quorum": 3"#));
    assert!(quorum == 3 && told, "it is never reached, and that is said");
}

#[test]
fn several_keys_are_trimmed_and_hashed() {
    let keys = checked(EXAMPLE).0.api.keys.unwrap();
    let hash = |key: &str| -> [u8; 32] { Sha256::digest(key).into() };
    assert_eq!(*keys, [hash("one"), hash("two")]);
}

#[test]
fn a_zmap_block_is_one_warning_whatever_it_holds() {
    let (_, warnings) = checked(
        r#"{"zmap": {"enabled": true, "ports": [1, 2]},
            "aggregator": {"sources": [{"url": "a.txt", "enabled": true}]},
            "api": {"addr": "127.0.0.1:0"}}"#,
    );
    let texts: Vec<String> = warnings.iter().map(Problem::to_string).collect();
    assert_eq!(
        texts,
        ["zmap: ignored: this program does not scan; remove the block"]
    );
}

#[test]
fn what_does_nothing_is_warned_of() {
    let places = |text: &str| -> Vec<String> {
        let warnings = checked(text).1.into_iter();
        warnings.map(|warning| warning.place).collect()
    };
    assert_eq!(places("{}"), ["aggregator.sources"]);
    assert_eq!(
        places(
            r#"{"api": {"addr": "localhost:1"}, "checker": {"mode": "connect-only", "expect": {"status": 200}}}"#
        ),
        ["aggregator.sources", "checker.expect"]
    );
}

#[test]
fn strangers_need_a_key_unless_the_operator_says_otherwise() {
    let api = |api: &str| {
        let text = format!(r#"{{"api": {{{api}}}}}"#);
        Config::from_json(&text, "config.json", &env).map(|(config, _)| config.api)
    };
    for addr in [
        "127.0.0.1:1",
        "127.9.9.9:1",
        "localhost:1",
        "[::1]:1",
        "[::ffff:127.0.0.1]:1",
    ] {
        assert!(api(&format!(r#""addr": "{addr}""#)).is_ok(), "{addr}");
    }
    for addr in [
        ":1",
        "0.0.0.0:1",
        "[::]:1",
        "192.168.1.1:1",
        "[::ffff:10.0.0.1]:1",
    ] {
        let open = format!(r#""addr": "{addr}""#);
        let error = api(&open).unwrap_err().to_string();
        for remedy in [
            "api.enable_api_key_auth: ",
            "127.0.0.1",
            "api.allow_anonymous",
        ] {
            assert!(error.contains(remedy), "{error}");
        }
        let keyed = r#""enable_api_key_auth": true, "api_key_env": "PROXY_CHECKER_API_KEY""#;
        assert!(api(&format!("{open}, {keyed}")).is_ok(), "{addr}");
        let allowed = api(&format!(r#"{open}, "allow_anonymous": true"#)).unwrap();
        assert_eq!(allowed.keys, None);
    }
}

#[test]
fn a_machine_is_alone_unless_a_redis_is_named_and_then_called_as_its_host() {
    let cluster = |block: &str| {
        let (config, warnings) = checked(&format!(r#"{{"cluster": {{{block}}}}}"#));
        let odd = warnings.iter().filter(|w| w.place.starts_with("cluster"));
        (config.cluster, odd.count())
    };
    assert_eq!(cluster(""), (None, 0));
    assert_eq!(
        cluster(r#""node": "a", "password_env": "JUDGE""#),
        (None, 2)
    );
    let (given, odd) = cluster(r#""redis_url": "cache:7000", "password_env": "JUDGE""#);
    let given = given.unwrap();
    assert_eq!(given.redis.url.as_str(), "redis://cache:7000");
    assert_eq!(given.redis.password.as_deref(), Some("0123456789abcdef"));
    assert_eq!((&*given.prefix, odd), ("proxychecker", 0));
    assert_eq!(given.lease, Duration::from_secs(5));
    let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    assert_eq!(&*given.node, host.trim());
    let named = cluster(r#""redis_url": "h", "node": "n-1.eu", "prefix": "{a}:b""#).0;
    let named = named.unwrap();
    assert_eq!((&*named.node, &*named.prefix), ("n-1.eu", "{a}:b"));
}

#[test]
fn what_is_asked_for_is_in_force() {
    let text = r#"{"checker": {"enable_adaptive_concurrency": true, "max_connects_per_second": 9},
        "api": {"addr": "127.0.0.1:1", "enable_ip_rate_limit": true},
        "aggregator": {"sources": [{"url": "a.txt", "enabled": true}]}}"#;
    let (config, warnings) = checked(text);
    assert_eq!(warnings, []);
    let limits = [
        config.api.rate_limit_per_minute,
        config.api.rate_limit_per_ip,
    ];
    assert_eq!(limits, [1_200, 100].map(NonZeroU32::new));
    let pace = config.checker.connects_per_second.map(NonZeroU32::get);
    assert_eq!((config.checker.adaptive, pace), (true, Some(9)));
}

#[test]
fn sources_are_found_where_they_are_named() {
    let text = r#"{"aggregator": {"sources": [
        {"url": "lists/a.txt", "enabled": true},
        {"url": "file:///srv/b.txt", "type": "SOCKS5", "format": "JSON", "enabled": true},
        {"url": "https://user:secret@c.example/l?n=1", "type": "https", "enabled": true},
        {"url": "broken://", "type": "what", "enabled": false}
    ]}}"#;
    let (config, _) = Config::from_json(text, "/etc/proxy-checker/config.json", &env).unwrap();
    let [a, b, c] = &config.aggregator.sources[..] else {
        panic!("{:?}", config.aggregator.sources);
    };
    assert_eq!(
        a.location,
        Location::File("/etc/proxy-checker/lists/a.txt".into())
    );
    assert_eq!((a.url.as_ref(), a.hint), ("lists/a.txt", Scheme::Auto));
    assert_eq!(b.location, Location::File("/srv/b.txt".into()));
    assert_eq!(b.hint, Scheme::Socks5);
    assert_eq!(c.url.as_ref(), "https://***@c.example/l?n=1");
    assert_eq!(c.hint, Scheme::Https);
    assert_eq!((a.format, b.format), (Format::Auto, Format::Json));
    let Location::Web(url) = &c.location else {
        panic!("{c:?}");
    };
    assert_eq!(url.password(), Some("secret"));
}

#[test]
fn sources_that_differ_only_in_what_is_masked_have_names_of_their_own() {
    let url = |url: &str| format!(r#"{{"url": "{url}", "enabled": true}}"#);
    let urls = ["a:1@", "b:2@", ""].map(|user| url(&format!("https://{user}h.example/l?key=1")));
    let text = format!(r#"{{"aggregator": {{"sources": [{}]}}}}"#, urls.join(","));
    let names = checked(&text).0.aggregator.sources;
    let names: Vec<&str> = names.iter().map(|source| &*source.url).collect();
    let masked = "https://***@h.example/l?key=***";
    assert_eq!(
        names,
        [
            masked,
            &format!("{masked}#2"),
            "https://h.example/l?key=***"
        ]
    );
}

#[test]
fn what_may_be_dialled_is_for_the_operator_to_say() {
    let ip = |text: &str| text.parse().unwrap();
    let defaults = checked("{}").0.aggregator.addresses;
    assert_eq!(defaults, crate::sources::address::AddressPolicy::default());
    let text = r#"{"aggregator": {"allow_networks": ["10.0.0.0/8", " 192.168.1.1 "],
        "deny_networks": ["10.1.0.0/16", "8.8.8.8"], "deny_ports": []}}"#;
    let policy = checked(text).0.aggregator.addresses;
    assert!(policy.allows(ip("10.2.0.1")) && policy.allows(ip("192.168.1.1")));
    assert!(!policy.allows(ip("10.1.0.1")) && !policy.allows(ip("::ffff:8.8.8.8")));
    assert!(policy.allows_port(25));
}

#[test]
fn old_level_names_are_understood_and_filters_kept() {
    let level = |text: &str| {
        let file = format!(r#"{{"logging": {{"level": "{text}"}}}}"#);
        checked(&file).0.logging.level
    };
    assert_eq!(level("").as_ref(), "info");
    assert_eq!(level("WARNING").as_ref(), "warn");
    assert_eq!(level("fatal").as_ref(), "error");
    let filter = "info,proxy_checker::api=debug";
    assert_eq!(level(filter).as_ref(), filter);
}

#[test]
fn a_file_is_read_from_its_place_and_a_missing_one_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.json");
    let error = Config::load(&path, &env).unwrap_err().to_string();
    assert!(
        error.starts_with(&format!("{}: cannot be read", path.display())),
        "{error}"
    );
    fs::write(&path, EXAMPLE).unwrap();
    assert!(Config::load(&path, &env).is_ok());
    fs::write(&path, b"\xff{}").unwrap();
    let error = Config::load(&path, &env).unwrap_err().to_string();
    assert!(error.ends_with("is not UTF-8; save it as UTF-8"), "{error}");
    fs::write(&path, b"{\n\"api\": \"\xff\"}").unwrap();
    let error = Config::load(&path, &env).unwrap_err().to_string();
    assert!(
        error.contains(": line 2, column 9: is not UTF-8"),
        "{error}"
    );
    let error = Config::load(folder.path(), &env).unwrap_err().to_string();
    assert!(error.contains("is a directory, not a file; put"), "{error}");
}

#[test]
fn of_very_many_problems_the_first_are_told_and_the_others_counted() {
    let texts = vec!["\"a\""; 100_000].join(",");
    let keys = (0..50_000)
        .map(|nth| format!("\"key{nth}\":1"))
        .collect::<Vec<_>>();
    for text in [
        format!(r#"{{"aggregator": {{"deny_ports": [{texts}]}}}}"#),
        format!("{{{}}}", keys.join(",")),
    ] {
        let error = Config::from_json(&text, "config.json", &env).unwrap_err();
        assert_eq!(error.problems.len(), 101);
        let last = &error.problems[100].text;
        assert!(last.ends_with("00 more; mend these first"), "{last}");
    }
}

#[test]
fn a_key_without_end_is_shown_in_part() {
    let text = format!(r#"{{"{}": 1}}"#, "k".repeat(1 << 20));
    let error = Config::from_json(&text, "config.json", &env).unwrap_err();
    let said = error.to_string();
    assert!(
        said.len() < 1_000 && said.contains("k…: unknown key"),
        "{} bytes",
        said.len()
    );
}

#[test]
fn bytes_at_random_give_an_error_and_no_panic() {
    let mut random = fastrand::Rng::with_seed(7);
    for _ in 0..2_000 {
        let mut bytes = EXAMPLE.as_bytes().to_vec();
        for _ in 0..random.usize(1..4) {
            let at = random.usize(..bytes.len());
            bytes[at] = random.u8(..);
        }
        let text = String::from_utf8_lossy(&bytes);
        if let Err(error) = Config::from_json(&text, "config.json", &env) {
            assert!(!error.problems.is_empty());
        }
    }
}

#[test]
fn nesting_without_end_is_an_error() {
    let error = Config::from_json(&"[".repeat(100_000), "config.json", &env).unwrap_err();
    assert!(error.to_string().contains("recursion limit"), "{error}");
}

#[test]
fn where_the_api_listens_is_known_of_a_file_that_is_wrong_elsewhere() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let addr = |text: &str| {
        std::fs::write(file.path(), text).unwrap();
        Config::api_addr(file.path()).map_err(|error| error.to_string())
    };
    let of = |text: &str| addr(text).map(|addr| addr.to_string());
    let keys = r#"{"api": {"addr": ":99", "enable_api_key_auth": true}, "checker": {"x": 1}}"#;
    assert_eq!(of(keys).as_deref(), Ok("0.0.0.0:99"));
    assert_eq!(of("{}").as_deref(), Ok("127.0.0.1:8083"));
    for (text, word) in [
        ("{", "line 1"),
        (r#"{"api": {"addr": 8083}}"#, "api.addr"),
        (r#"{"api": {"addr": "8083"}}"#, "api.addr"),
        (r#"{"api": 8083}"#, "api"),
    ] {
        let error = addr(text).unwrap_err();
        assert!(error.contains(word), "{text}: {error}");
    }
}
