//! The scenarios over a service, each on a tiny farm: that they run, hold the truth and write what
//! they say. Their figures mean nothing here.

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;

/// What another harness on this host has set is not waited for.
const AS_FOUND: [&str; 2] = ["--steered", "as-found"];

/// Quick, and yet patient enough for those that think for 1.5 s.
const PROBING: [&str; 6] = [
    "--lanes",
    "200",
    "--timeout-ms",
    "3000",
    "--control-interval",
    "1",
];

/// The folder of the programs, with a `proxy-checker` that is built from this source: this package
/// does not depend on it, so nobody else sees to that.
fn programs() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let own = Path::new(env!("CARGO_BIN_EXE_proxy-bench"));
        let folder = own.parent().expect("a folder");
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["build", "--workspace", "--locked", "--quiet"]);
        if !cfg!(debug_assertions) {
            cargo.arg("--release");
        }
        // What cargo tells a test of its package would make build scripts run again.
        let told = [
            "CARGO_PKG_",
            "CARGO_MANIFEST_",
            "CARGO_BIN_",
            "CARGO_CRATE_",
        ];
        for (name, _) in std::env::vars() {
            if told.iter().any(|prefix| name.starts_with(prefix)) {
                cargo.env_remove(name);
            }
        }
        let built = cargo.status().expect("cargo runs");
        assert!(built.success(), "proxy-checker is not built");
        assert!(folder.join("proxy-checker").is_file(), "{folder:?}");
        folder.to_owned()
    })
}

/// A machine with one CPU has nothing to say about what runs beside a farm.
fn has_two_cpus() -> bool {
    std::thread::available_parallelism().is_ok_and(|cpus| cpus.get() > 1)
}

fn scenario(name: &str, out: &Path, options: &[&str]) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_proxy-bench"));
    command.arg(name).args(options).args(PROBING);
    command.arg("--bin-dir").arg(programs());
    command.arg("--out").arg(out);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().expect("the binary")
}

fn ended(child: Child) -> Output {
    child.wait_with_output().expect("the end")
}

fn said(output: &Output) -> String {
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    text(&output.stdout) + &text(&output.stderr)
}

fn report(out: &Path, name: &str, output: &Output) -> Value {
    let text = std::fs::read_to_string(out.join(name));
    let text = text.unwrap_or_else(|error| panic!("{name}: {error}: {}", said(output)));
    serde_json::from_str(&text).expect("JSON")
}

fn array(value: &Value) -> &Vec<Value> {
    value.as_array().expect("an array")
}

#[test]
fn first_times_a_start_and_a_restart() {
    if !has_two_cpus() {
        return;
    }
    let out = tempfile::tempdir().expect("a folder");
    let options = ["--count", "56", "--runs", "1"];
    let output = ended(scenario(
        "first",
        out.path(),
        &[&options[..], &AS_FOUND].concat(),
    ));
    assert!(output.status.success(), "{}", said(&output));
    let report = report(out.path(), "first.json", &output);
    let rows = array(&report["rows"]);
    assert_eq!(rows.len(), 2);
    for row in rows {
        let run = &row["runs"][0];
        let times = [
            &run["listens"],
            &run["ready"],
            &run["first"],
            &run["parts"][2],
        ];
        let times: Vec<_> = times.iter().map(|t| t.as_f64().expect("a time")).collect();
        assert!(times[0] > 0.0 && times.is_sorted(), "{run}");
    }
    assert!(rows[0]["runs"][0]["swept"].is_f64() && rows[1]["runs"][0]["swept"].is_null());
    let of_56 = "56 candidates, 12 of them work";
    let note = report["notes"][0].as_str().expect("a note");
    assert!(note.starts_with(of_56), "{note}");
    assert!(out.path().join("first-served.svg").is_file());
}

#[test]
fn the_exit_status_says_whether_the_alive_were_fresh() {
    if !has_two_cpus() {
        return;
    }
    let out = tempfile::tempdir().expect("a folder");
    let options = ["--count", "100", "--interval", "1", "--intervals", "2"];
    let output = ended(scenario(
        "freshness",
        out.path(),
        &[&options[..], &AS_FOUND].concat(),
    ));
    let report = report(out.path(), "freshness.json", &output);
    let row = &report["rows"][0];
    assert_eq!(row["values"][1]["median"], 5.0, "{}", said(&output));
    let p95 = row["values"][5]["median"].as_f64().expect("an age");
    // A proxy that is alive is not checked again before the interval is over.
    assert!(p95 > 0.9, "{row}");
    assert_eq!(
        output.status.code(),
        Some(i32::from(p95 > 1.5)),
        "{}",
        said(&output)
    );
    assert!(out.path().join("freshness-ages.svg").is_file());
}

#[test]
fn api_measures_every_route_with_and_without_a_sweep() {
    if !has_two_cpus() {
        return;
    }
    let out = tempfile::tempdir().expect("a folder");
    let options = [
        "--count",
        "56",
        "--runs",
        "1",
        "--seconds",
        "0.1",
        "--client",
        "built-in",
        "--connections",
        "8",
        "--large",
        "60",
    ];
    let output = ended(scenario(
        "api",
        out.path(),
        &[&options[..], &AS_FOUND].concat(),
    ));
    assert!(output.status.success(), "{}", said(&output));
    let report = report(out.path(), "api.json", &output);
    let rows = array(&report["rows"]);
    assert!(rows.len() >= 14, "{}", said(&output));
    for (number, row) in rows[..12].iter().enumerate() {
        let run = &row["runs"][0];
        assert!(run["outcome"]["answers"].as_u64() >= Some(8), "{row}");
        assert!(
            run["outcome"]["latency"]["max"].as_f64() > Some(0.0),
            "{row}"
        );
        // In the first six nothing is checked.
        assert!(number >= 6 || run["probes"] == 0, "{row}");
    }
    // The last two are of a pool in which all are alive: text, and JSON, which is larger.
    let bytes = rows[rows.len() - 2..].iter().map(|row| {
        let outcome = &row["runs"][0]["outcome"];
        outcome["bytes"].as_u64().unwrap_or(0) / outcome["answers"].as_u64().unwrap_or(1)
    });
    let bytes: Vec<u64> = bytes.collect();
    assert!(
        bytes[0] > 60 * 10 && bytes[1] > bytes[0] + 60 * 60,
        "{bytes:?}"
    );
    assert!(out.path().join("api-per-cpu.svg").is_file());
}

#[test]
fn soak_holds_sweeps_over_a_list_that_changes_until_a_signal_ends_it() {
    if !has_two_cpus() {
        return;
    }
    let out = tempfile::tempdir().expect("a folder");
    let options = [
        "--count",
        "56",
        "--minutes",
        "5",
        "--interval",
        "1",
        "--every",
        "0.1",
    ];
    let mut child = scenario("soak", out.path(), &options);
    let pid = Pid::from_child(&child);
    let mut lines = BufReader::new(child.stderr.take().expect("a pipe")).lines();
    // The first sweep, and one of a list that has changed twice.
    let is_second = |line: std::io::Result<String>| line.is_ok_and(|l| l.contains(": 2 sweeps"));
    let came = lines.any(is_second);
    kill_process(pid, Signal::INT).expect("sent");
    let output = ended(child);
    assert!(came && output.status.success(), "{}", said(&output));
    assert!(
        said(&output).contains("\nended by a signal"),
        "{}",
        said(&output)
    );

    let report = report(out.path(), "soak.json", &output);
    let row = &report["rows"][0];
    assert!(row["values"][2]["median"].as_f64() >= Some(2.0), "{row}");
    let samples = array(&row["runs"][0]["samples"]);
    assert!(samples.len() > 10 && samples[0]["rss_kib"].as_u64() > Some(0));
    for plot in ["soak-memory.svg", "soak-handles.svg"] {
        assert!(out.path().join(plot).is_file());
    }
}

#[test]
fn bound_holds_a_sweep_against_the_time_that_its_candidates_hold_lanes() {
    if !has_two_cpus() {
        return;
    }
    let out = tempfile::tempdir().expect("a folder");
    let mut command = Command::new(env!("CARGO_BIN_EXE_proxy-bench"));
    command.args(["bound", "--count", "44", "--runs", "1", "--lanes", "10"]);
    command.args(["--timeout-ms", "2500", "--connect-timeout-ms", "1000"]);
    command.args(AS_FOUND).arg("--bin-dir").arg(programs());
    let output = command.arg("--out").arg(out.path()).output();
    let output = output.expect("the binary");
    assert!(output.status.success(), "{}", said(&output));
    let report = report(out.path(), "bound.json", &output);
    let row = &array(&report["rows"])[0];
    let value = |place: usize| row["values"][place]["median"].as_f64().expect("a figure");
    let (wall, longest, bound, greedy) = (value(3), value(6), value(7), value(8));
    assert!((longest - 2.5).abs() < 0.01, "{row}");
    assert!(
        longest <= bound && bound <= greedy && greedy <= wall,
        "{row}"
    );
    // All but a few milliseconds of what the program itself counted, which it says in whole seconds.
    let known = value(12);
    assert!((80.0..=120.0).contains(&known), "{row}");
}
