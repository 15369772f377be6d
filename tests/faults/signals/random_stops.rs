//! SIGTERM at random moments of a service that does everything at once: it is over in time, with status
//! 0, all that was said to be saved is there at the next start, and nothing else is left.

use super::crowd::Crowd;
use super::{send, stop_within};
use crate::stage::{Service, Stage};
use crate::support::{PATIENCE, Running, eventually, run, start_under};
use crate::{seed, times};
use fastrand::Rng;
use proxy_bench::farm::{Behaviour, Farm, FarmOptions};
use rustix::process::Signal;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::thread;
use std::time::{Duration, Instant};

/// Services that are stopped side by side, each over a store of its kind.
const KINDS: [&str; 4] = ["sled", "file", "sqlite", "sled"];
/// Longest time from the start of the API to the signal.
const MOMENT_MS_MAX: u64 = 1_500;
/// Longest time from the start of the process to a signal that comes while it starts.
const START_MS_MAX: u64 = 300;

/// When each candidate was checked and what came of it, by its URL.
type Known = BTreeMap<String, (u64, Value)>;

/// What is in an export.
fn known(lines: &str) -> Known {
    let entries = lines.lines().skip(1).map(|line| {
        let entry: Value = serde_json::from_str(line).unwrap_or_else(|e| panic!("{line}: {e}"));
        let url = entry["url"].as_str().unwrap().to_owned();
        let checked_at_ms = entry["checked_at_ms"].as_u64().unwrap_or(0);
        (url, (checked_at_ms, entry["verdict"].clone()))
    });
    entries.collect()
}

/// Nothing of `before` was lost since.
fn assert_kept(before: &Known, after: &Known, when: &str) {
    for (url, (checked_at_ms, verdict)) in before {
        let (now, of_now) = after
            .get(url)
            .unwrap_or_else(|| panic!("{when}: {url} is lost"));
        assert!(
            now >= checked_at_ms,
            "{when}: {url} was checked at {checked_at_ms}, and {now} is known"
        );
        assert!(
            now > checked_at_ms || of_now == verdict,
            "{when}: {url} was {verdict} at {checked_at_ms}, and {of_now} is known"
        );
    }
}

/// A stage that has much to do: candidates that answer, think, say nothing or refuse, two lists, checks
/// and fetches every second, saves and backups as often.
fn stage(farm: &Farm, kind: &str) -> Stage {
    let behaviours = [
        Behaviour::Forwards,
        Behaviour::Socks5,
        Behaviour::Late,
        Behaviour::Mute,
        Behaviour::Refuses,
    ];
    let mix = farm.mix(250, &behaviours);
    let text: Vec<&str> = mix.iter().map(|(proxy, _)| proxy.as_str()).collect();
    let (first, second) = text.split_at(100);
    let mut stage = Stage::new(&first.join("\n"));
    let file = stage.config["aggregator"]["sources"][0].clone();
    let web = json!({"url": farm.serve_list(&second.join("\n")), "type": "http", "enabled": true});
    stage.config["aggregator"]["sources"] = json!([file, web]);
    stage.config["aggregator"]["interval_seconds"] = json!(1);
    stage.config["checker"]["concurrency_total"] = json!(100);
    stage.config["storage"] = json!({
        "type": kind, "path": "ledger", "persist_interval_seconds": 1,
        "backup": {"every_seconds": 1, "keep": 2},
    });
    stage.write();
    stage
}

fn launch(stage: &Stage) -> Running {
    start_under(
        "",
        &[],
        &["serve", "--config", "config.json"],
        stage.folder(),
    )
}

/// Sends SIGTERM and waits for the end, which is in good order and in time; how long that took. A process
/// that has not opened its store yet may not have begun to listen to signals.
fn stop(running: Running, when: &str) -> Duration {
    let asked = Instant::now();
    send(&running, Signal::TERM);
    let ran = running.end(PATIENCE);
    let took = asked.elapsed();
    assert!(took <= stop_within(), "{when}: {took:?}: {}", ran.err);
    let is_early = ran.status.is_none() && !ran.err.contains("the store is open");
    assert!(
        ran.status == Some(0) || is_early,
        "{when}: {:?}: {}",
        ran.status,
        ran.err
    );
    let fell = ran.err.contains("panic")
        || ran.err.contains("ERROR")
        || ran.err.contains("did not end in time");
    assert!(!fell, "{when}: {}", ran.err);
    took
}

/// Nothing is in the folder but what belongs there.
fn assert_tidy(stage: &Stage, when: &str) {
    let names = fs::read_dir(stage.folder()).unwrap().flatten();
    let mut names: Vec<String> = names
        .map(|file| file.file_name().into_string().unwrap())
        .collect();
    names.retain(|name| {
        ![
            "config.json",
            "list.txt",
            "ledger",
            "ledger.lock",
            "ledger.backups",
        ]
        .contains(&name.as_str())
    });
    assert!(names.is_empty(), "{when}: {names:?} is left over");
    let copies = fs::read_dir(stage.path("ledger.backups"))
        .into_iter()
        .flatten()
        .flatten();
    for copy in copies.map(|file| file.file_name().into_string().unwrap()) {
        assert!(
            copy.starts_with("ledger-") && copy.ends_with(".jsonl.gz"),
            "{when}: {copy}"
        );
    }
}

/// All that the store of a stopped service has.
fn stored(stage: &Stage) -> Known {
    let config = stage.path("config.json");
    // Where a relative `storage.path` begins is where the command is run.
    let arguments = ["export", "--config", config.to_str().unwrap()];
    let ran = start_under("", &[], &arguments, stage.folder()).end(PATIENCE);
    // It was stopped before it had learnt anything; what was known before must not be lost so.
    if ran.err.contains("the store holds no candidate") {
        return Known::new();
    }
    assert_eq!(ran.status, Some(0), "{}", ran.err);
    known(&ran.out)
}

/// Has the service save what it knows; what it knew before.
fn saved(stage: &Stage) -> Known {
    let socket = stage.path("ledger.sock");
    let command = |name| run(&[name, "--socket", socket.to_str().unwrap()], "");
    let export = command("export");
    assert_eq!(export.status, Some(0), "{}", export.err);
    let save = command("save");
    assert_eq!(save.status, Some(0), "{}", save.err);
    known(&export.out)
}

/// Starts the service over what is stored and stops it at a random moment; how long that took, and
/// what is stored then.
fn round(stage: &Stage, before: &Known, random: &mut Rng, when: &str) -> (Duration, Known) {
    let mut running = launch(stage);
    let mut sure = before.clone();
    let took = if random.u8(..8) == 0 {
        thread::park_timeout(Duration::from_millis(random.u64(..START_MS_MAX)));
        stop(running, when)
    } else {
        let opened = running.after("the store is open candidates=");
        let count: usize = opened.split(' ').next().unwrap().parse().unwrap();
        assert_eq!(count, before.len(), "{when}: all that was stored was read");
        let service = Service::listening(running);
        let crowd = Crowd::at(&service.address, 3);
        thread::park_timeout(Duration::from_millis(random.u64(..MOMENT_MS_MAX)));
        if random.bool() {
            sure = saved(stage);
            thread::park_timeout(Duration::from_millis(random.u64(..200)));
        }
        eventually(PATIENCE, "somebody is served", || {
            (crowd.answers() > 0).then_some(())
        });
        stop(service.running, when)
    };
    assert_tidy(stage, when);
    let after = stored(stage);
    assert_kept(&sure, &after, when);
    (took, after)
}

#[test]
fn a_stop_at_any_moment_is_over_in_time_and_loses_nothing() {
    let _turn = crate::turn();
    let seed = seed("a_stop_at_any_moment_is_over_in_time_and_loses_nothing");
    let farm = Farm::start(FarmOptions::default()).unwrap();
    let (kinds, rounds) = times((&KINDS[..3], 4), (&KINDS[..], 25));
    let mut took: Vec<Duration> = thread::scope(|scope| {
        let worker = |(number, kind): (usize, &'static str)| {
            let farm = &farm;
            scope.spawn(move || {
                let mut random = Rng::with_seed(seed.wrapping_add(number as u64));
                let (stage, mut known) = (stage(farm, kind), Known::new());
                let round = |nth| {
                    let when = format!("{kind} of worker {number}, stop {nth}");
                    let (took, after) = round(&stage, &known, &mut random, &when);
                    known = after;
                    took
                };
                let took: Vec<Duration> = (0..rounds).map(round).collect();
                assert!(known.len() > 100, "{kind}: there was nothing to be lost");
                took
            })
        };
        let workers: Vec<_> = kinds.iter().copied().enumerate().map(worker).collect();
        let ended = workers.into_iter().map(|worker| worker.join());
        ended
            .flat_map(|took| took.unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect()
    });
    took.sort_unstable();
    assert_eq!(took.len(), kinds.len() * rounds);
    let (median, most) = (took[took.len() / 2], took[took.len() - 1]);
    eprintln!(
        "{} stops: {median:?} in the median, {most:?} at most",
        took.len()
    );
}
