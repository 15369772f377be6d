//! Every behaviour of the farm, in every protocol and for every aim, gets the verdict that is right:
//! what `make truth` holds over 20 000 proxies, over fewer and by the binary of the tests.

use proxy_bench::compare::Comparison;
use proxy_bench::farm::{
    Aim, Behaviour, Farm, FarmOptions, JUDGE_SECRET, Listing, TARGET_BODY_SHA256,
};
use proxy_bench::truth::{self, Truth};
use std::fs;
use std::io::{BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

/// Of each behaviour so many.
const EACH: usize = 3;

const CHECK: [&str; 13] = [
    "check",
    "--allow-private",
    "--all",
    "--format",
    "jsonl",
    "--shards",
    "1",
    "--concurrency",
    "1000",
    "--connect-timeout",
    "4s",
    "--judge-secret-env",
    "FARM_JUDGE_SECRET",
];

fn farm() -> Farm {
    Farm::start(FarmOptions::default()).expect("a farm")
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a path that is text")
}

/// What is asked of `check` for an aim.
fn arguments(farm: &Farm, aim: Aim, ca: &Path) -> Vec<String> {
    let url = farm.target(aim);
    let words: &[&str] = match aim {
        Aim::NoContent => &["--test-url", &url],
        Aim::KnownBody => &["--test-url", &url, "--expect-sha256", TARGET_BODY_SHA256],
        Aim::Tunnel => &["--test-url", &url, "--tunnel"],
        Aim::Https => &["--test-url", &url, "--ca-file", text(ca)],
        Aim::Judge => &["--judge", &url],
        Aim::JudgeTls => &["--judge", &url, "--ca-file", text(ca)],
        Aim::ConnectOnly => &["--mode", "connect-only"],
    };
    words.iter().map(|word| (*word).to_owned()).collect()
}

/// Checks these proxies and holds the results against the truth about them.
fn compare(arguments: &[String], truths: Vec<Truth>) -> Comparison {
    let list: String = truths.iter().map(|t| format!("{}\n", t.proxy)).collect();
    let mut file = Vec::new();
    truth::write(&mut file, truths).expect("written");
    let mut check = Command::new(env!("CARGO_BIN_EXE_proxy-checker"))
        .args(CHECK)
        .args(arguments)
        .arg("-")
        .env("FARM_JUDGE_SECRET", JUDGE_SECRET)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary");
    let mut pipe = check.stdin.take().expect("piped");
    // Whoever ends before reading all of it is found out by its status.
    pipe.write_all(list.as_bytes()).ok();
    drop(pipe);
    let ran = check.wait_with_output().expect("the end");
    let error = String::from_utf8_lossy(&ran.stderr).into_owned();
    assert!(ran.status.success(), "{error}");
    Comparison::of(file.as_slice(), BufReader::new(ran.stdout.as_slice())).expect("JSON lines")
}

/// Checks all behaviours for `aim`.
fn holds(aim: Aim, listing: Listing, more: &[&str]) {
    let farm = farm();
    let folder = tempfile::tempdir().expect("a folder");
    let ca = folder.path().join("ca.pem");
    fs::write(&ca, farm.ca_pem()).expect("written");
    let mut arguments = arguments(&farm, aim, &ca);
    arguments.extend(more.iter().map(|word| (*word).to_owned()));
    let truths = farm.truths(Behaviour::COUNT * EACH, &Behaviour::ALL, aim, listing);
    let alive = truths.iter().filter(|truth| truth.is_alive()).count();
    assert!(alive > 0 && alive < truths.len());
    let found = compare(&arguments, truths);
    assert!(found.is_exact(), "{aim:?}:\n{found}");
}

/// Longer than `late` thinks and than a machine that is busy with other tests takes over TLS.
const TIMEOUT: [&str; 2] = ["--timeout", "10s"];

#[test]
fn a_204_over_http() {
    holds(Aim::NoContent, Listing::Schemed, &TIMEOUT);
}

#[test]
fn a_known_page_over_http() {
    holds(Aim::KnownBody, Listing::Schemed, &TIMEOUT);
}

#[test]
fn a_tunnel_to_http() {
    holds(Aim::Tunnel, Listing::Schemed, &TIMEOUT);
}

#[test]
fn a_204_over_https() {
    holds(Aim::Https, Listing::Schemed, &TIMEOUT);
}

#[test]
fn a_judge_over_http_sees_the_very_proxy_that_was_asked() {
    holds(Aim::Judge, Listing::Schemed, &TIMEOUT);
}

#[test]
fn a_judge_over_https_sees_the_very_proxy_that_was_asked() {
    holds(Aim::JudgeTls, Listing::Schemed, &TIMEOUT);
}

#[test]
fn a_list_without_schemes_is_found_out() {
    // Silence is waited for by every protocol in turn.
    let more = ["--timeout", "7s", "--protocol", "auto"];
    holds(Aim::Judge, Listing::Auto, &more);
}

#[test]
fn a_connection_is_all_that_is_asked_for() {
    holds(Aim::ConnectOnly, Listing::Schemed, &TIMEOUT);
}
