//! The command line as its user sees it: the real binary over a small farm.

mod support;

use proxy_bench::farm::{Behaviour, Expect, Farm, FarmOptions, TARGET_BODY, TARGET_BODY_SHA256};
use std::collections::BTreeMap;
use std::fs;
use std::process::Command;
use support::{PATIENCE, run, start};

/// How a check of the farm starts: silence is told from slowness (`late` takes 1.5 s) at 4 s. Only its
/// proxies can reach the target.
const CHECK: [&str; 9] = [
    "check",
    "--allow-private",
    "--no-control-probe",
    "--test-url",
    "http://target.test/generate_204",
    "--timeout",
    "4s",
    "--connect-timeout",
    "2s",
];

fn with<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&CHECK[..], more].concat()
}

fn farm() -> Farm {
    Farm::start(FarmOptions::default()).expect("a farm")
}

fn text<'a>(proxies: impl IntoIterator<Item = &'a (String, Behaviour)>) -> String {
    proxies
        .into_iter()
        .map(|(proxy, _)| format!("{proxy}\n"))
        .collect()
}

/// The verdict of each proxy in JSON lines; a second row for one is a failure.
fn verdicts<'a>(rows: impl IntoIterator<Item = &'a str>) -> BTreeMap<String, String> {
    let mut verdicts = BTreeMap::new();
    for line in rows {
        let row: serde_json::Value = serde_json::from_str(line).expect(line);
        let word = |key: &str| row[key].as_str().expect(line).to_owned();
        let alive = word("verdict") == "alive";
        assert_eq!(row["latency_ms"].is_number(), alive, "{line}");
        let before = verdicts.insert(word("proxy"), word("verdict"));
        assert_eq!(before, None, "a second row: {line}");
    }
    verdicts
}

fn truth(mix: &[(String, Behaviour)], expect: Expect) -> BTreeMap<String, String> {
    let verdict = |(proxy, behaviour): &(String, Behaviour)| {
        (proxy.clone(), behaviour.verdict(expect).to_owned())
    };
    mix.iter().map(verdict).collect()
}

#[test]
fn each_proxy_has_one_row_with_the_verdict_that_is_true() {
    let farm = farm();
    let mix = farm.mix(Behaviour::COUNT * 3, &Behaviour::ALL);
    let ran = run(&with(&["--all", "--format", "jsonl", "-"]), &text(&mix));
    assert_eq!(ran.status, Some(0), "{}", ran.err);
    assert_eq!(verdicts(ran.lines()), truth(&mix, Expect::NoContent));
    let summary = format!("proxy-checker: {} checked in ", mix.len());
    assert!(ran.err.contains(&summary), "{}", ran.err);
}

#[test]
fn a_page_of_ones_own_is_known_by_its_text_or_by_its_digest() {
    let farm = farm();
    let mix = farm.mix(Behaviour::COUNT, &Behaviour::ALL);
    let page = [
        "--test-url",
        "http://target.test/page",
        "--expect-status",
        "200",
    ];
    let base = [
        "check",
        "--allow-private",
        "--no-control-probe",
        "--timeout",
        "4s",
        "--all",
        "--format",
        "jsonl",
    ];
    for known_by in [
        ["--expect-body", TARGET_BODY.trim()],
        ["--expect-sha256", TARGET_BODY_SHA256],
    ] {
        let arguments = [&base[..], &page, &known_by].concat();
        let ran = run(&arguments, &text(&mix));
        assert_eq!(ran.status, Some(0), "{}", ran.err);
        let truth = truth(&mix, Expect::KnownBody);
        assert_eq!(verdicts(ran.lines()), truth, "{known_by:?}");
    }
}

#[test]
fn a_status_alone_is_called_weak() {
    let farm = farm();
    let list = farm.proxy(Behaviour::Forwards, 0);
    let page = [
        "--test-url",
        "http://target.test/page",
        "--expect-status",
        "200",
    ];
    let ran = run(&[&CHECK[..3], &page[..]].concat(), &list);
    assert_eq!(ran.status, Some(0), "{}", ran.err);
    assert_eq!(ran.err.matches("warning: ").count(), 1, "{}", ran.err);
    assert!(ran.err.contains("--expect-body"), "{}", ran.err);
}

#[test]
fn connect_only_asks_for_a_connection_and_no_more() {
    let farm = farm();
    let mix = farm.mix(
        3,
        &[Behaviour::OwnPage, Behaviour::Mute, Behaviour::Refuses],
    );
    let arguments = [
        "check",
        "--allow-private",
        "--mode",
        "connect-only",
        "--all",
    ];
    let ran = run(
        &[&arguments[..], &["--format", "jsonl"]].concat(),
        &text(&mix),
    );
    assert_eq!(ran.status, Some(0), "{}", ran.err);
    let verdicts = verdicts(ran.lines());
    assert_eq!(verdicts[&mix[0].0], "alive");
    assert_eq!(verdicts[&mix[1].0], "alive");
    assert_eq!(verdicts[&mix[2].0], "refused");
}

#[test]
fn text_lists_the_alive_only_and_the_slow_ones_last() {
    let farm = farm();
    let mix = farm.mix(
        40,
        &[
            Behaviour::Late,
            Behaviour::Forwards,
            Behaviour::OwnPage,
            Behaviour::Socks5,
        ],
    );
    let ran = run(&with(&["-"]), &text(&mix));
    let is = |line: &str, behaviour| mix.contains(&(line.to_owned(), behaviour));
    let lines = ran.lines();
    assert_eq!(lines.len(), 30, "{}", ran.out);
    let (fast, slow) = lines.split_at(20);
    assert!(
        slow.iter().all(|line| is(line, Behaviour::Late)),
        "{}",
        ran.out
    );
    let forwards = |line: &&str| is(line, Behaviour::Forwards) || is(line, Behaviour::Socks5);
    assert!(fast.iter().all(forwards), "{}", ran.out);
}

#[test]
fn csv_has_a_header_and_a_row_for_each() {
    let farm = farm();
    let mix = farm.mix(6, &[Behaviour::Socks5Auth, Behaviour::Refuses]);
    let ran = run(&with(&["--all", "--format", "csv"]), &text(&mix));
    let lines = ran.lines();
    assert_eq!(
        lines[0],
        "proxy,address,protocol,verdict,latency_ms,connect_ms,attempts,url,protocols,targets,exit,anonymity,handshake_ms,tls_ms,first_byte_ms"
    );
    assert_eq!(lines.len(), 7, "{}", ran.out);
    let refused = lines.iter().filter(|l| l.contains(",http,refused,,,1,"));
    assert_eq!(refused.count(), 3, "{}", ran.out);
}

#[test]
fn files_and_a_url_are_read_together_and_what_they_share_is_checked_once() {
    let farm = farm();
    let mix = farm.mix(6, &[Behaviour::Forwards]);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("list.txt");
    fs::write(&file, text(&mix[..4])).unwrap();
    let url = farm.serve_list(&text(&mix[2..]));
    let gone = folder.path().join("gone.txt");
    let [file, gone] = [file, gone].map(|p| p.to_str().unwrap().to_owned());
    let ran = run(&with(&[&file, &gone, &url, "--format", "jsonl"]), "");
    assert_eq!(ran.status, Some(0), "{}", ran.err);
    assert_eq!(verdicts(ran.lines()), truth(&mix, Expect::NoContent));
    assert!(
        ran.err.contains("warning: ") && ran.err.contains("gone.txt"),
        "{}",
        ran.err
    );
}

#[test]
fn addresses_that_are_not_public_are_not_dialled_unless_allowed() {
    let farm = farm();
    let ran = run(&["check", "-"], &text(&farm.mix(5, &[Behaviour::Forwards])));
    assert_eq!((ran.status, ran.out.as_str()), (Some(1), ""), "{}", ran.err);
    assert!(ran.err.contains("--allow-private"), "{}", ran.err);
    assert_eq!(farm.counts(Behaviour::Forwards).accepted, 0);
}

#[test]
fn a_name_that_does_not_resolve_is_a_row() {
    let arguments = with(&["--all", "--format", "jsonl"]);
    let ran = run(&arguments, "http://no-such-host.invalid:8080\n");
    assert_eq!(ran.status, Some(0), "{}", ran.err);
    let verdicts = verdicts(ran.lines());
    assert_eq!(verdicts["http://no-such-host.invalid:8080"], "local_names");
}

#[test]
fn a_reader_that_has_enough_ends_the_check_quietly() {
    let farm = farm();
    let mix = farm.mix(5_000, &[Behaviour::Forwards]);
    let arguments = with(&["--concurrency", "20", "--format", "jsonl"]);
    let mut check = start(&arguments, &text(&mix), None);
    check.line();
    check.close_output();
    let ran = check.end(PATIENCE);
    assert_eq!((ran.status, ran.err.as_str()), (Some(0), ""));
    let asked = farm.counts(Behaviour::Forwards).accepted;
    assert!(asked < 5_000, "it went on for nobody");
}

#[test]
fn ctrl_c_prints_what_is_known_and_ends_with_130() {
    let farm = farm();
    let alive = farm.mix(3, &[Behaviour::Forwards]);
    let silent = farm.mix(40, &[Behaviour::Silent]);
    let list = text(alive.iter().chain(&silent));
    let patient = [
        "--timeout",
        "10m",
        "--connect-timeout",
        "10m",
        "--concurrency",
        "20",
    ];
    let base = [
        "check",
        "--allow-private",
        "--no-control-probe",
        "--test-url",
        CHECK[4],
        "--format",
        "jsonl",
    ];
    for (signal, all) in [("INT", &["--all"][..]), ("TERM", &[])] {
        let mut check = start(&[&base[..], &patient, all].concat(), &list, None);
        let mut rows: Vec<String> = (0..3).map(|_| check.line()).collect();
        check.signal(signal);
        let ran = check.end(PATIENCE);
        assert_eq!(ran.status, Some(130), "{}", ran.err);
        assert!(ran.err.contains("interrupted"), "{}", ran.err);
        rows.extend(ran.out.lines().map(String::from));
        let mut expected = truth(&alive, Expect::NoContent);
        if !all.is_empty() {
            let cancelled = |(proxy, _): &(String, _)| (proxy.clone(), "local_cancelled".into());
            expected.extend(silent.iter().map(cancelled));
        }
        assert_eq!(
            verdicts(rows.iter().map(String::as_str)),
            expected,
            "SIG{signal}"
        );
        assert!(ran.err.contains("; 3 of 43 checked in "), "{}", ran.err);
    }
}

#[test]
fn an_interrupt_while_a_list_is_being_read_ends_with_130_too() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe");
    let made = Command::new("mkfifo").arg(&pipe).status();
    assert!(made.unwrap().success());
    let endless = pipe.to_str().unwrap();
    for signal in ["INT", "TERM"] {
        let check = start(&with(&["--all", endless]), "", None);
        // It opens once the check reads, and is never written to.
        let _writer = fs::OpenOptions::new().write(true).open(&pipe).unwrap();
        check.signal(signal);
        let ran = check.end(PATIENCE);
        assert_eq!(
            (ran.status, ran.out.as_str()),
            (Some(130), ""),
            "SIG{signal}"
        );
        assert!(ran.err.contains("interrupted"), "{}", ran.err);
    }
}

#[test]
fn a_target_that_cannot_be_reached_without_a_proxy_is_an_error_with_its_remedies() {
    let unreached = [
        "check",
        "--allow-private",
        "--test-url",
        "http://no-such-host.invalid/generate_204",
        "--all",
        "-",
    ];
    let words = ["no-such-host.invalid", "local_names", "--no-control-probe"];
    refuses(&unreached, "http://127.0.0.1:9\n", 1, &words);
}

#[test]
fn explain_tells_of_a_proxy_that_works_and_of_one_that_does_not() {
    let farm = farm();
    let explain = |behaviour, more: &[&str]| {
        let proxy = farm.proxy(behaviour, 0);
        let options = &[&["explain"], &CHECK[1..], more, &[&*proxy]].concat();
        run(options, "")
    };
    let ran = explain(Behaviour::Socks5Auth, &[]);
    assert_eq!(ran.status, Some(0), "{}", ran.err);
    assert!(ran.out.contains("verdict: alive, as socks5"), "{}", ran.out);
    let ran = explain(Behaviour::OwnPage, &["--json"]);
    assert_eq!(ran.status, Some(3), "{}", ran.err);
    let story: serde_json::Value = serde_json::from_str(&ran.out).expect("one object");
    assert_eq!(story["verdict"], "own_page");
    assert!(story["attempts"][0]["events"].is_array(), "{story}");
    refuses(&["explain", "no proxy"], "", 2, &["ip:port"]);
    let private = farm.proxy(Behaviour::Forwards, 0);
    refuses(&["explain", &private], "", 2, &["--allow-private"]);
}

/// Runs what cannot work, and holds its status and its message.
#[track_caller]
fn refuses(arguments: &[&str], stdin: &str, status: i32, words: &[&str]) {
    let ran = run(arguments, stdin);
    assert_eq!(ran.status, Some(status), "{arguments:?}: {}", ran.err);
    assert_eq!(ran.out, "", "{arguments:?}");
    assert!(
        ran.err.starts_with("proxy-checker: error: "),
        "{arguments:?}: {}",
        ran.err
    );
    for word in words {
        assert!(ran.err.contains(word), "{word}: {}", ran.err);
    }
}

#[test]
fn wrong_usage_has_status_2_and_names_the_option() {
    for (arguments, word) in [
        (&["check", "--test-url", "nonsense", "-"][..], "--test-url"),
        (&["check", "--test-url", "ftp://a.test/", "-"], "--test-url"),
        (&["check", "--concurrency", "0", "-"], "--concurrency"),
        (&["check", "--concurrency", "many", "-"], "--concurrency"),
        (&["check", "--shards", "0", "-"], "--shards"),
        (&["check", "--timeout", "0", "-"], "--timeout"),
        (&["check", "--timeout", "61m", "-"], "1ms to 1h"),
        (&["check", "--connect-timeout=-1", "-"], "--connect-timeout"),
        (&["check", "--retries", "11", "-"], "--retries"),
        (&["check", "--expect-status", "99", "-"], "--expect-status"),
        (&["check", "--expect-sha256", "12", "-"], "--expect-sha256"),
        (&["check", "--format", "xml", "-"], "--format"),
        (&["check", "--protocol", "ftp", "-"], "--protocol"),
        (
            &[
                "check",
                "--mode",
                "connect-only",
                "--expect-status",
                "204",
                "-",
            ],
            "--expect",
        ),
        (&["check", "--no-such-option"], "--no-such-option"),
        (&["no-such-command"], "no-such-command"),
        (&["check", "socks5://192.0.2.1:1080"], "this is a proxy"),
    ] {
        refuses(arguments, "http://192.0.2.1:80\n", 2, &[word]);
    }
    let nonsense = ["check", "--test-url", "nonsense", "-"];
    refuses(&nonsense, "", 2, &["Try 'proxy-checker check --help'."]);
}

#[test]
fn what_cannot_be_read_has_status_1_and_names_the_place() {
    refuses(
        &["check", "/nonexistent/list.txt"],
        "",
        1,
        &["/nonexistent/list.txt"],
    );
    refuses(&["check", "/"], "", 1, &["/"]);
    refuses(
        &["check", "http://127.0.0.1:9/list"],
        "",
        1,
        &["http://127.0.0.1:9/list"],
    );
    refuses(&["check", "-"], "", 1, &["standard input", "no proxy"]);
    refuses(
        &["check", "-"],
        "hello\n# nothing here\n",
        1,
        &["standard input", "no proxy"],
    );
    let proxy = "192.0.2.1:8080";
    refuses(&["check", proxy], "", 1, &[proxy, "this is a proxy"]);
    let ca = ["check", "--ca-file", "/nonexistent/ca.pem", "-"];
    refuses(&ca, "http://192.0.2.1:80\n", 1, &["/nonexistent/ca.pem"]);
}

#[test]
fn each_command_ends_with_the_status_that_its_help_says() {
    let farm = farm();
    let alive = farm.proxy(Behaviour::Forwards, 0);
    let (mute, gone) = (farm.proxy(Behaviour::Mute, 0), "http://127.0.0.1:9");
    let probing = ["--allow-private", "--no-control-probe", "--timeout", "2s"];
    let target = ["--test-url", "http://target.test/generate_204"];
    let nowhere = ["--test-url", "http://127.0.0.1:9/generate_204"];
    let bad = tempfile::NamedTempFile::new().expect("a file");
    fs::write(bad.path(), "{").expect("half a configuration");
    let bad = bad.path().to_str().expect("its name");
    for (arguments, stdin, expected) in [
        (
            [&["check", "-"][..], &probing, &target].concat(),
            &*alive,
            0,
        ),
        ([&["check", "-"][..], &probing, &target].concat(), gone, 0),
        ([&["check", "-"][..], &probing, &target].concat(), "", 1),
        (
            [&["check", "-", "--allow-private"][..], &nowhere].concat(),
            &alive,
            1,
        ),
        (vec!["check", "--config", bad, "-"], &alive, 1),
        (vec!["check", "--timeout", "never", "-"], &alive, 2),
        (vec!["parse", "-"], "8.8.8.8:80", 0),
        (vec!["parse", "-"], "nothing", 1),
        (vec!["parse", "--protocol", "ftp"], "", 2),
        (
            [&["explain", "-"][..], &probing, &target].concat(),
            &alive,
            0,
        ),
        (
            [&["explain", "-"][..], &probing, &target].concat(),
            &mute,
            3,
        ),
        (
            [&["explain", "-"][..], &probing, &target].concat(),
            "http://no.invalid:80",
            1,
        ),
        (vec!["explain"], "", 2),
        (vec!["serve", "--config", bad], "", 1),
        (vec!["serve", "--port"], "", 2),
        (vec!["judge", "--secret-env", "NO_SUCH_VARIABLE"], "", 1),
        (vec!["judge", "--rate", "many"], "", 2),
        (vec!["doctor", "--offline", "--config", bad], "", 1),
        (vec!["doctor", "--nonsense"], "", 2),
        (vec!["health", "--addr", "127.0.0.1:9"], "", 1),
        (vec!["health", "--addr", "nonsense"], "", 2),
        (vec!["config", "schema"], "", 0),
        (
            vec![
                "config",
                "check",
                "config.example.json",
                "--without-secrets",
            ],
            "",
            0,
        ),
        (vec!["config", "check", bad], "", 2),
        (vec!["config", "check", "/nonexistent/config.json"], "", 2),
        (vec!["config"], "", 2),
        (vec!["completions", "bash"], "", 0),
        (vec!["completions", "sh"], "", 2),
        (vec!["man"], "", 0),
        (vec!["man", "no-such-command"], "", 2),
    ] {
        let ran = run(&arguments, stdin);
        assert_eq!(ran.status, Some(expected), "{arguments:?}: {}", ran.err);
    }
}

#[test]
fn a_configuration_file_says_which_addresses_a_check_dials() {
    let farm = farm();
    let list = farm.proxy(Behaviour::Forwards, 0);
    let file = tempfile::NamedTempFile::new().expect("a file");
    let config = file.path().to_str().expect("its name");
    let check = |aggregator: &str, more: &[&str]| {
        let checker = r#"{"control_probe": false, "test_url": "http://target.test/generate_204"}"#;
        let text = format!(r#"{{"checker": {checker}, "aggregator": {aggregator}}}"#);
        fs::write(file.path(), text).expect("the configuration");
        run(&[&["check", "--config", config, "-"], more].concat(), &list)
    };
    let ran = check(r#"{"allow_private": true}"#, &[]);
    assert_eq!((ran.status, ran.lines().len()), (Some(0), 1), "{}", ran.err);
    let ran = check("{}", &[]);
    assert_eq!(ran.status, Some(1), "{}", ran.err);
    let denied = r#"{"allow_private": true, "deny_networks": ["127.0.0.0/8"]}"#;
    let ran = check(denied, &[]);
    assert_eq!(ran.status, Some(1), "{}", ran.err);
    let ran = check(denied, &["--deny-network", "10.0.0.0/8"]);
    assert_eq!((ran.status, ran.lines().len()), (Some(0), 1), "{}", ran.err);
}

#[test]
fn help_shows_a_newcomer_how_to_begin() {
    let ran = run(&["--help"], "");
    assert_eq!((ran.status, ran.err.as_str()), (Some(0), ""));
    for word in [
        "serve",
        "check",
        "parse",
        "explain",
        "--config",
        "Examples:",
    ] {
        assert!(ran.out.contains(word), "{word}: {}", ran.out);
    }
    let ran = run(&["check", "--help"], "");
    assert_eq!((ran.status, ran.err.as_str()), (Some(0), ""));
    for word in [
        "--test-url",
        "--all",
        "Examples:",
        "Exit status:",
        "local_cancelled",
    ] {
        assert!(ran.out.contains(word), "{word}: {}", ran.out);
    }
    let ran = run(&["--version"], "");
    let version = concat!("proxy-checker ", env!("CARGO_PKG_VERSION"), " (");
    let commit = ran.out.strip_prefix(version).expect(&ran.out);
    let commit = commit.strip_suffix(")\n").expect(commit);
    // Of a checkout; the sources alone know no commit.
    let git = Command::new("git").args(["rev-parse", "HEAD"]).output();
    let head = git.ok().filter(|git| git.status.success());
    let head = head.map(|git| String::from_utf8(git.stdout).expect("a hash"));
    let is_head = head.is_some_and(|head| head.starts_with(commit));
    assert!(is_head || commit == "unknown", "{}", ran.out);
}

#[test]
fn shells_and_man_get_what_the_help_says() {
    for (shell, word) in [
        ("bash", "complete -F _proxy__checker"),
        ("zsh", "#compdef proxy-checker"),
        ("fish", "complete -c proxy-checker"),
        ("powershell", "Register-ArgumentCompleter"),
        ("elvish", "edit:completion"),
    ] {
        let ran = run(&["completions", shell], "");
        assert_eq!((ran.status, &*ran.err), (Some(0), ""), "{shell}");
        for word in [word, "expect-body", "explain"] {
            assert!(ran.out.contains(word), "{shell}: {word}");
        }
    }
    let ran = run(&["man", "check"], "");
    assert_eq!((ran.status, &*ran.err), (Some(0), ""));
    for word in [".TH proxy-checker-check 1", "expect\\-body", "Exit status:"] {
        assert!(ran.out.contains(word), "{word}: {}", ran.out);
    }
    let ran = run(&["man"], "");
    assert!(
        ran.out.contains("proxy\\-checker\\-explain(1)"),
        "{}",
        ran.out
    );
}

#[test]
fn a_configuration_is_checked_with_all_its_problems_and_without_its_secrets_if_asked() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    let name = file.path().to_str().expect("its name");
    let check = |text: &str, more: &[&str]| {
        fs::write(file.path(), text).expect("the configuration");
        run(&[&["config", "check", name][..], more].concat(), "")
    };
    let keys = r#""enable_api_key_auth": true, "api_key_env": "NO_SUCH_VARIABLE""#;
    let wrong = format!(r#"{{"api": {{{keys}}}, "checker": {{"retrys": 1}}, "zmap": {{}}}}"#);
    let ran = check(&wrong, &[]);
    assert_eq!((ran.status, &*ran.err), (Some(2), ""));
    for word in [
        "api.api_key_env: ",
        "checker.retrys: ",
        "warning: zmap: ",
        "problems: 2",
    ] {
        assert!(ran.out.contains(word), "{word}: {}", ran.out);
    }
    let ran = check(&wrong, &["--without-secrets"]);
    assert_eq!(ran.status, Some(2), "{}", ran.out);
    assert!(ran.out.contains("problems: 1"), "{}", ran.out);
    let ran = check(&format!(r#"{{"api": {{{keys}}}}}"#), &["--without-secrets"]);
    // It names no source, which is odd and no more.
    let valid = format!("{name}: valid, with warnings: 1\n");
    assert!(
        ran.status == Some(0) && ran.out.ends_with(&valid),
        "{}",
        ran.out
    );
}
