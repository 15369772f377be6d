//! CLOCK_REALTIME jumps: no timeouts, no frozen schedule, sane ages.

mod fake;

use super::{seed, times};
use crate::stage::{Service, Stage};
use crate::support::{PATIENCE, eventually, run};
use fake::{FakeClock, ahead_to, seconds};
use proxy_bench::farm::{Behaviour, Expect, Farm, FarmOptions};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

const HOUR: i64 = 3_600;
/// The first of January of these years, in seconds since the Unix epoch.
const YEAR_1970: i64 = 0;
const YEAR_2100: i64 = 4_102_444_800;
/// Moments that were written a moment ago may be so far from what they are compared with, in seconds: a
/// debug build may be on a busy machine.
fn slack_seconds() -> f64 {
    times(10.0, 5.0)
}

/// Proxies that work, and candidates that refuse.
const ALIVE: u32 = 40;
const DEAD: u32 = 10;

/// A jump a test makes: how far ahead the clock is then, and why.
fn jumps() -> Vec<(&'static str, i64)> {
    vec![
        ("an hour ahead", HOUR),
        ("an hour back", 0),
        ("an hour behind", -HOUR),
        // Steps that are longer than the slack and the time between two of them.
        ("half a minute back", -HOUR - 30),
        ("and as much more", -HOUR - 60),
        ("and a minute", -HOUR - 120),
        // The first day is over, so that nothing is of a time before the epoch.
        ("in 1970", ahead_to(YEAR_1970 + 86_400)),
        ("in 2100", ahead_to(YEAR_2100)),
        ("right again", 0),
    ]
}

fn farm() -> Farm {
    Farm::start(FarmOptions::default()).unwrap()
}

/// `ALIVE` proxies that work.
fn alive(farm: &Farm) -> BTreeSet<String> {
    (0..ALIVE)
        .map(|n| farm.proxy(Behaviour::Forwards, n))
        .collect()
}

/// Those and `DEAD` that refuse, one a line.
fn list(farm: &Farm) -> String {
    let dead = (0..DEAD).map(|n| farm.proxy(Behaviour::Refuses, n));
    let all: Vec<String> = alive(farm).into_iter().chain(dead).collect();
    all.join("\n")
}

/// A moment of an answer, in seconds since the Unix epoch.
fn moment(text: &Value) -> f64 {
    let text = text.as_str().unwrap_or_else(|| panic!("{text} is no time"));
    let at: jiff::Timestamp = text.parse().unwrap_or_else(|e| panic!("{text}: {e}"));
    at.as_millisecond() as f64 / 1_000.0
}

/// Head and body of an answer.
fn talk(service: &Service, method: &str, target: &str, body: &str) -> (String, String) {
    let mut stream = TcpStream::connect(&service.address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let length = body.len();
    let request = format!(
        "{method} {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.to_ascii_lowercase(), body.to_owned())
}

fn header<'h>(head: &'h str, name: &str) -> &'h str {
    let found = head
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    found.unwrap_or_else(|| panic!("no {name}: {head}"))
}

/// Takes a lease of one proxy; its name.
fn lease(service: &Service, time: &str) -> String {
    let (head, body) = talk(service, "GET", &format!("/get-proxy?lease={time}"), "");
    assert!(head.starts_with("http/1.1 200 "), "{head} {body}");
    header(&head, "x-lease-id").to_owned()
}

/// Whether the lease is not over; ends it.
fn still_holds(service: &Service, lease: &str) -> bool {
    let (head, _) = talk(service, "DELETE", &format!("/lease/{lease}"), "");
    head.starts_with("http/1.1 204 ")
}

/// Sets the clock, and waits until the service has seen it: what it publishes next is of that time.
fn set(clock: &FakeClock, service: &Service, name: &str, ahead: i64) {
    clock.set(ahead);
    eventually(
        PATIENCE,
        &format!("{name}: the service's own time is set"),
        || {
            let updated = moment(&service.stat()["updated"]);
            ((updated - seconds(ahead)).abs() < slack_seconds()).then_some(())
        },
    );
}

/// Holds all that readers see against the farm's truth and the clock.
fn assert_sane(service: &Service, name: &str, ahead: i64, truth: &BTreeSet<String>) {
    assert_eq!(service.served(), *truth, "{name}");
    let stat = service.stat();
    assert_eq!(stat["stale"], json!(false), "{name}: {stat}");
    for (verdict, count) in stat["verdicts"].as_object().unwrap() {
        let expected = match verdict.as_str() {
            "alive" => ALIVE,
            "refused" => DEAD,
            _ => 0,
        };
        assert_eq!(count, expected, "{name}: {verdict}");
    }
    let (head, body) = talk(
        service,
        "GET",
        "/get-proxy?all=1&format=json&max_age=60",
        "",
    );
    let body: Value = serde_json::from_str(&body).unwrap();
    let rows = body["proxies"].as_array().unwrap();
    assert_eq!(
        rows.len(),
        truth.len(),
        "{name}: all were checked a moment ago"
    );
    let now = seconds(ahead);
    // Set back, what lies behind was checked now at the latest, and may be so old that it is due again.
    let lately = [&stat["updated"], &stat["last_check"]];
    for at in rows
        .iter()
        .map(|row| &row["last_check"])
        .chain(lately)
        .map(moment)
    {
        assert!(
            (-slack_seconds()..60.0).contains(&(now - at)),
            "{name}: {} s old",
            now - at
        );
    }
    let began = [&stat["sweep"]["started"], &stat["sweep"]["finished"]];
    let fetched = stat["sources"].as_object().unwrap().values();
    for at in fetched
        .map(|source| &source["fetched_at"])
        .chain(began)
        .map(moment)
    {
        assert!(now - at > -slack_seconds(), "{name}: {} s ahead", at - now);
    }
    let age: f64 = header(&head, "x-snapshot-age").parse().unwrap();
    assert!(age < slack_seconds(), "{name}: {age} s");
    let date = header(&head, "date");
    let shown = jiff::fmt::rfc2822::parse(date).map(|at| at.timestamp().as_second());
    let off = shown.unwrap_or_else(|e| panic!("{date}: {e}")) as f64 - now;
    assert!(off.abs() < slack_seconds(), "{name}: {off} s");
}

#[test]
fn wherever_the_clock_jumps_checks_leases_and_ages_go_on() {
    let _turn = crate::turn();
    let test = "wherever_the_clock_jumps_checks_leases_and_ages_go_on";
    let farm = farm();
    let mut stage = Stage::new(&list(&farm));
    stage.config["aggregator"]["interval_seconds"] = json!(1);
    stage.config["checker"]["backoff_max_seconds"] = json!(0);
    stage.config["api"]["report_quorum"] = json!(1);
    let Some(clock) = FakeClock::of(&mut stage, test) else {
        return;
    };
    let service = stage.start();
    let truth = alive(&farm);
    service.has_checked((ALIVE + DEAD).into());
    let stat = service.stat();
    let name = stat["targets"].as_object().unwrap().keys().next().unwrap();
    let banned = truth.first().unwrap();
    let address = banned.split_once("://").unwrap().1;
    let report = json!({"address": address, "outcome": "banned", "target": name}).to_string();
    let (head, body) = talk(&service, "POST", "/report", &report);
    assert!(head.starts_with("http/1.1 202 "), "{head} {body}");
    let long = lease(&service, "1h");
    let mut rates = Vec::new();
    for (name_of_jump, ahead) in jumps() {
        let short = lease(&service, "1s");
        let taken = Instant::now();
        set(&clock, &service, name_of_jump, ahead);
        // Each is checked every second: two rounds, whatever the clock says.
        let (before, began) = (farm.counts(Behaviour::Forwards).accepted, Instant::now());
        let rounds = 2 * u64::from(ALIVE);
        eventually(
            PATIENCE,
            &format!("{name_of_jump}: the checks go on"),
            || (farm.counts(Behaviour::Forwards).accepted >= before + rounds).then_some(()),
        );
        let checks = farm.counts(Behaviour::Forwards).accepted - before;
        let took = began.elapsed().as_secs_f64();
        let most = f64::from(ALIVE) * (took + 2.0);
        assert!(
            checks as f64 <= most,
            "{name_of_jump}: {checks} checks in {took} s"
        );
        rates.push(checks as f64 / f64::from(ALIVE) / took);
        assert_sane(&service, name_of_jump, ahead, &truth);
        let welcome = service
            .get(&format!("/get-proxy?all=1&format=url&target={name}"))
            .1;
        let welcome: BTreeSet<&str> = welcome.lines().collect();
        assert!(
            !welcome.contains(banned.as_str()),
            "{name_of_jump}: a ban holds for ten minutes"
        );
        assert_eq!(welcome.len(), truth.len() - 1, "{name_of_jump}");
        while taken.elapsed() < Duration::from_secs(2) {
            thread::park_timeout(Duration::from_millis(50));
        }
        assert!(
            !still_holds(&service, &short),
            "{name_of_jump}: a lease of a second"
        );
    }
    assert!(
        still_holds(&service, &long),
        "a lease of an hour is not over"
    );
    let ran = service.end();
    assert!(
        ran.err.contains("the clock of this host was set back"),
        "{}",
        ran.err
    );
    let least = rates.iter().copied().fold(f64::INFINITY, f64::min);
    let most = rates.iter().copied().fold(0.0, f64::max);
    eprintln!(
        "{} jumps: {least:.2} to {most:.2} checks a second of each proxy, 1 asked for",
        rates.len()
    );
    assert!(least > times(0.1, 0.5), "{rates:?}");
}

#[test]
fn a_clock_that_is_set_without_pause_while_it_sweeps_costs_no_verdict() {
    let _turn = crate::turn();
    let test = "a_clock_that_is_set_without_pause_while_it_sweeps_costs_no_verdict";
    let mut random = fastrand::Rng::with_seed(seed(test));
    let farm = farm();
    // Each thinks for 1.5 s, and there are lanes for a part of them only: a sweep of seconds.
    let count = times(200, 1_000);
    let mix = farm.mix(count, &[Behaviour::Late, Behaviour::Refuses]);
    let text: String = mix.iter().map(|(proxy, _)| format!("{proxy}\n")).collect();
    let mut stage = Stage::new(&text);
    stage.config["checker"]["concurrency_total"] = json!(times(40, 100));
    stage.config["checker"]["timeout_ms"] = json!(15_000);
    stage.config["checker"]["connect_timeout_ms"] = json!(10_000);
    // The target answers without a proxy too: rounds of that go on meanwhile.
    stage.config["checker"]["test_url"] = json!(farm.target(Expect::NoContent));
    stage.config["checker"]["control_probe"] = json!(true);
    stage.config["checker"]["control_interval_seconds"] = json!(1);
    let Some(clock) = FakeClock::of(&mut stage, test) else {
        return;
    };
    let service = stage.start();
    let jumps = jumps();
    let mut set = 0;
    eventually(PATIENCE, "the sweep is complete", || {
        let (_, ahead) = jumps[random.usize(..jumps.len())];
        clock.set(ahead);
        set += 1;
        let stat = service.stat();
        assert_eq!(stat["stale"], json!(false), "{stat}");
        thread::park_timeout(Duration::from_millis(80));
        let sweep = &stat["sweep"];
        (sweep["finished"].is_string() && sweep["total"] == count).then_some(())
    });
    eprintln!("{test}: set {set} times while {count} candidates were swept");
    assert!(set >= 10, "it was over too soon to tell anything: {set}");
    let is_alive = |(_, behaviour): &&(String, Behaviour)| *behaviour == Behaviour::Late;
    let truth = mix
        .iter()
        .filter(is_alive)
        .map(|(proxy, _)| proxy.clone())
        .collect();
    service.serves(&truth, PATIENCE);
    let verdicts = service.stat()["verdicts"].clone();
    let others = verdicts.as_object().unwrap().iter();
    let others = others
        .filter(|(name, count)| !["alive", "refused"].contains(&name.as_str()) && **count != 0);
    assert_eq!(others.count(), 0, "{verdicts}");
    assert_eq!(verdicts["alive"], truth.len(), "{verdicts}");
    let log = service.end().err;
    assert!(log.contains("the clock of this host was set back"), "{log}");
}

#[test]
fn rates_neither_burst_nor_freeze_when_the_clock_is_set() {
    let _turn = crate::turn();
    let test = "rates_neither_burst_nor_freeze_when_the_clock_is_set";
    let farm = farm();
    let mut stage = Stage::new(&list(&farm));
    stage.config["api"]["enable_ip_rate_limit"] = json!(true);
    // Six at once, and then one a second.
    stage.config["api"]["rate_limit_per_ip"] = json!(60);
    let Some(clock) = FakeClock::of(&mut stage, test) else {
        return;
    };
    let service = stage.start();
    for ahead in [0, HOUR, -HOUR, ahead_to(YEAR_2100), 0] {
        clock.set(ahead);
        let began = Instant::now();
        let granted = (0..20).filter(|_| service.get("/stat").0 != 429).count();
        let most = 6.0 + began.elapsed().as_secs_f64() + 1.0;
        assert!(granted as f64 <= most, "{granted} of 20 at {ahead} s");
        eventually(
            Duration::from_secs(times(20, 10)),
            "the next is granted in its time",
            || (service.get("/stat").0 != 429).then_some(()),
        );
    }
    assert_eq!(service.get("/health").0, 200);
    let log = service.end().err;
    assert!(log.contains("the clock of this host was set back"), "{log}");
}

/// Ends the service and starts the next, whose clock is `ahead`; it serves what is alive at once. How many
/// connections the farm had until the next one had a second to itself.
fn next(
    stage: &Stage,
    service: Service,
    clock: &FakeClock,
    ahead: i64,
    farm: &Farm,
) -> (Service, u64) {
    let before = farm.counts(Behaviour::Forwards).accepted;
    service.end();
    clock.set(ahead);
    let service = stage.start();
    assert_eq!(
        service.served(),
        alive(farm),
        "{ahead} s ahead: served at once"
    );
    let stat = service.stat();
    assert_eq!(stat["sweep"]["done"], stat["sweep"]["total"], "{stat}");
    let off = moment(&stat["updated"]) - seconds(ahead);
    assert!(off.abs() < slack_seconds(), "the clock was set: {stat}");
    assert!(
        moment(&stat["last_check"]) < seconds(ahead) + slack_seconds(),
        "{stat}"
    );
    let (_, body) = talk(&service, "GET", "/get-proxy?all=1&format=json", "");
    let body: Value = serde_json::from_str(&body).unwrap();
    for row in body["proxies"].as_array().unwrap() {
        assert!(
            moment(&row["last_check"]) < seconds(ahead) + slack_seconds(),
            "{row}"
        );
    }
    let until = Instant::now() + Duration::from_secs(1);
    while Instant::now() < until {
        thread::park_timeout(Duration::from_millis(50));
    }
    let probes = farm.counts(Behaviour::Forwards).accepted - before;
    (service, probes)
}

fn survives_a_jump_between_two_processes(kind: &str) {
    let farm = farm();
    let mut stage = Stage::new(&list(&farm));
    let backup = json!({"every_seconds": 1, "keep": 3});
    stage.config["storage"] = json!({"type": kind, "path": "ledger", "backup": backup});
    let Some(clock) = FakeClock::of(&mut stage, kind) else {
        return;
    };
    let save = || {
        let socket = stage.path("ledger.sock");
        let ran = run(&["save", "--socket", socket.to_str().unwrap()], "");
        assert_eq!(ran.status, Some(0), "{}", ran.err);
    };
    let service = stage.start();
    service.has_checked((ALIVE + DEAD).into());
    save();
    // Due in five minutes: whatever lies in a time to come was checked now.
    let (service, probes) = next(&stage, service, &clock, -HOUR, &farm);
    assert_eq!(probes, 0, "{kind}: an hour behind nothing is overdue");
    save();
    let (service, probes) = next(&stage, service, &clock, ahead_to(YEAR_1970 + 86_400), &farm);
    assert_eq!(probes, 0, "{kind}: nor in 1970");
    save();
    let (service, _) = next(&stage, service, &clock, ahead_to(YEAR_2100), &farm);
    eventually(
        PATIENCE,
        "in 2100 everything is overdue, and checked once",
        || {
            let last = moment(&service.stat()["last_check"]);
            ((seconds(ahead_to(YEAR_2100)) - last).abs() < 60.0).then_some(())
        },
    );
    eventually(PATIENCE, "each of them", || {
        let (_, body) = talk(&service, "GET", "/get-proxy?all=1&max_age=60", "");
        (body.lines().count() == ALIVE as usize).then_some(())
    });
    save();
    // Once more: what 2100 has left is of today also for the process after the next.
    let (service, probes) = next(&stage, service, &clock, 0, &farm);
    assert_eq!(probes, 0, "{kind}: back from 2100 nothing is overdue");
    save();
    let (service, probes) = next(&stage, service, &clock, 0, &farm);
    assert_eq!(probes, 0, "{kind}: nor for the next one");
    service.end();
    let copies = fs::read_dir(stage.path("ledger.backups"))
        .unwrap()
        .flatten();
    let mut copies: Vec<String> = copies
        .map(|f| f.file_name().into_string().unwrap())
        .collect();
    copies.sort();
    assert!((1..=3).contains(&copies.len()), "{copies:?}");
    assert!(
        copies
            .iter()
            .any(|name| name.starts_with("ledger-20") && !name.contains("-2100")),
        "{copies:?}"
    );
}

#[test]
fn what_is_saved_survives_a_restart_on_the_other_side_of_a_jump() {
    let _turn = crate::turn();
    for kind in times(&["sled"][..], &["sled", "file", "sqlite"]) {
        survives_a_jump_between_two_processes(kind);
    }
}
