//! The harness over a farm in a process of its own.

use clap::Parser;
use proxy_bench::harness::bench::Bench;
use proxy_bench::harness::options::Common;
use proxy_bench::harness::stage::{Cast, Stage};
use proxy_bench::harness::verdicts::{Fineness, hold};
use proxy_bench::harness::{Error, gauge::Gauge};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;

const OWN: &str = env!("CARGO_BIN_EXE_proxy-bench");

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    common: Common,
}

#[test]
fn a_farm_serves_and_goes_with_its_folder() {
    let stage = Stage::set(Path::new(OWN), &Cast::of("forwards,own_page", 4), 0).expect("a farm");
    let list = std::fs::read_to_string(stage.list()).expect("a list");
    assert_eq!(list.lines().count(), 4);
    assert!(stage.ca().is_file() && stage.secret().is_file());
    assert!(stage.list_url().starts_with("http://"));

    let host = stage
        .target()
        .trim_start_matches("http://")
        .split('/')
        .next();
    let mut stream = TcpStream::connect(host.expect("a host")).expect("connected");
    let request = b"GET /generate_204 HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n";
    stream.write_all(request).expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 204"), "{answer}");

    let (folder, pid) = (stage.folder().to_owned(), stage.pid());
    assert!(stage.command().contains("--list $DIR/list.txt"));
    drop(stage);
    assert!(!folder.exists() && !Path::new(&format!("/proc/{pid}")).exists());
}

#[test]
fn a_farm_tells_at_its_end_what_it_saw() {
    let more = ["--tickets", "0"];
    let stage = Stage::set_with(Path::new(OWN), &Cast::of("forwards", 1), &more, 0);
    let stage = stage.expect("a farm");
    assert!(stage.command().ends_with("--until-eof --tickets 0"));
    let said = stage.end().expect("its last words");
    assert!(said.contains("TLS handshakes: 0 full, 0 resumed"), "{said}");
}

#[test]
fn what_is_not_the_truth_of_the_farm_fails() {
    let stage = Stage::set(Path::new(OWN), &Cast::of("forwards,refuses", 2), 0).expect("a farm");
    let list = std::fs::read_to_string(stage.list()).expect("a list");
    let results = |verdicts: [&str; 2]| {
        let row =
            |(proxy, verdict)| format!("{{\"proxy\":\"{proxy}\",\"verdict\":\"{verdict}\"}}\n");
        let rows: String = list.lines().zip(verdicts).map(row).collect();
        let path = stage.path("results.jsonl");
        std::fs::write(&path, rows).expect("written");
        hold(&stage, &path, Fineness::Exact)
    };
    assert!(results(["alive", "refused"]).is_ok());
    let error = results(["refused", "refused"]).expect_err("one works");
    assert!(
        matches!(&error, Error::NotTrue(told) if told.contains("false dead: 1")),
        "{error}"
    );
}

#[test]
fn a_bench_measures_a_program_beside_the_farm() {
    let line = Line::parse_from(["test", "--runs", "1", "--count", "300"]);
    let bench = match Bench::with(&line.common, OWN.into()) {
        // A machine with one CPU has nothing to say about what runs beside a farm.
        Err(Error::TooFewCpus(_)) => return,
        bench => bench.expect("a bench"),
    };
    let cast = Cast::of("forwards,refuses,own_page", line.common.count);
    let stage = bench.stage(&cast).expect("a farm");
    let (list, out) = (stage.list(), stage.path("results.jsonl"));
    let path = |path: &Path| path.to_str().expect("text").to_owned();
    for kind in ["raw", "tokio", "epoll"] {
        let task = [
            "reference",
            kind,
            "--target",
            stage.target(),
            "--lanes",
            "50",
        ];
        let program = bench
            .own(task)
            .with(["--list", &path(&list), "--out", &path(&out)]);
        let running = program.start(vec![Gauge::established_to(stage.ports()[0])]);
        let usage = running.expect("started").finish().expect("a good end");
        assert!(
            usage.wall_s > 0.0 && usage.cpu_s() > 0.0 && usage.threads_peak <= 1,
            "{usage:?}"
        );
        let found = hold(&stage, &out, Fineness::AliveOnly).expect("the alive are true");
        assert_eq!((found.proxies, found.found), (300, 100), "{kind}");
        std::fs::remove_file(&out).expect("results");
        let typed = stage.short(&program.command());
        let cpu = bench.cpus.program[0];
        assert!(typed.starts_with(&format!("taskset -c {cpu} ")), "{typed}");
        assert!(
            typed.contains("--target '$TARGET'") || typed.contains("--target $TARGET"),
            "{typed}"
        );
        stage.settle();
    }
}
