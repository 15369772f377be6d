//! The tuning bench on a tiny farm. Its figures mean nothing here; its table, its report and what it
//! takes for a mistake do.

use proxy_bench::harness::cpus::Cpus;
use serde_json::Value as Json;
use std::path::Path;
use std::process::{Command, Output};

/// Runs a scenario with its report in `out`; nothing on a host with one CPU, where none can run.
fn scenario(name: &str, out: &Path, arguments: &[&str]) -> Option<(Output, Json)> {
    Cpus::of_this_host(None).ok()?;
    let mut command = Command::new(env!("CARGO_BIN_EXE_proxy-bench"));
    command
        .args([name, "--count", "60", "--steered", "no", "--out"])
        .arg(out);
    let output = command.args(arguments).output().expect("the binary");
    let json = std::fs::read_to_string(out.join(format!("{name}.json")));
    let json = json.unwrap_or_else(|e| panic!("no report: {e}: {}", told(&output)));
    Some((output, serde_json::from_str(&json).expect("JSON")))
}

fn told(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    text(&output.stdout) + &text(&output.stderr)
}

fn column(json: &Json, column: usize) -> Vec<String> {
    let rows = json["rows"].as_array().expect("rows").iter();
    let text = |row: &Json| {
        row["values"][column]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    };
    rows.map(text).collect()
}

#[test]
fn knobs_are_tried_one_at_a_time_and_what_the_kernel_declines_is_a_row() {
    let out = tempfile::tempdir().expect("a folder");
    let arguments = [
        "--runs",
        "3",
        "--behaviour",
        "forwards,refuses,own_page",
        "--base",
        "lanes=40",
        "--grid",
        "nap=0,200",
        "--grid",
        "buffers=3,64",
        "--grid",
        "task_run=interrupting,cooperative",
    ];
    let Some((output, json)) = scenario("tune", out.path(), &arguments) else {
        return;
    };
    assert!(output.status.success(), "{}", told(&output));
    // What was better, be it by chance, is tried once more behind these.
    assert_eq!(
        column(&json, 1)[..7],
        ["", "again", "0", "3", "64", "interrupting", "cooperative"],
        "{}",
        told(&output)
    );
    let verdicts = &column(&json, 8)[..7];
    assert!(verdicts[3].starts_with("refused: "), "{verdicts:?}");
    let good = verdicts.iter().filter(|word| *word == "all true");
    assert_eq!(good.count(), 6, "{verdicts:?}");
    let runs = |row: usize| {
        json["rows"][row]["values"][2]["runs"]
            .as_array()
            .map(Vec::len)
    };
    assert_eq!((runs(0), runs(3), runs(6)), (Some(3), Some(0), Some(3)));
    for knob in ["nap", "buffers", "task_run"] {
        let advised = |note: &Json| {
            let note = note.as_str().unwrap_or_default();
            note.starts_with(&format!("{knob}: keep"))
                || note.starts_with(&format!("{knob}: change"))
        };
        let notes = json["notes"].as_array().expect("notes");
        assert!(notes.iter().any(advised), "{knob}: {notes:?}");
        assert!(out.path().join(format!("tune-{knob}.svg")).is_file());
    }
}

#[test]
fn every_combination_is_tried_if_that_is_wanted() {
    let out = tempfile::tempdir().expect("a folder");
    let arguments = [
        "--runs",
        "1",
        "--full",
        "--grid",
        "nap=0,200",
        "--grid",
        "linger=16,2000",
    ];
    let Some((output, json)) = scenario("tune", out.path(), &arguments) else {
        return;
    };
    assert!(output.status.success(), "{}", told(&output));
    let values = column(&json, 1);
    assert_eq!(values, ["", "again", "nap=0 linger=16", "0", "16"]);
    assert!(out.path().join("tune-product.svg").is_file());
}

#[test]
fn a_default_that_gives_wrong_verdicts_ends_it() {
    if Cpus::of_this_host(None).is_err() {
        return;
    }
    let out = tempfile::tempdir().expect("a folder");
    let mut command = Command::new(env!("CARGO_BIN_EXE_proxy-bench"));
    // These think for longer than the deadline.
    command.args(["tune", "--count", "5", "--runs", "1", "--behaviour", "late"]);
    command
        .args(["--timeout", "0.05", "--steered", "no", "--out"])
        .arg(out.path());
    let output = command.output().expect("the binary");
    assert_eq!(output.status.code(), Some(2), "{}", told(&output));
    assert!(told(&output).contains("false dead: 5"), "{}", told(&output));
    assert!(
        !out.path().join("tune.json").exists(),
        "nothing was found out"
    );
}

#[test]
fn every_shard_is_seen_at_work() {
    let out = tempfile::tempdir().expect("a folder");
    let coordinator = r#"{"rows":[{"values":["12",{"median":0.5}]}]}"#;
    std::fs::write(out.path().join("coordinator.json"), coordinator).expect("written");
    let arguments = [
        "--runs",
        "1",
        "--shards",
        "1,3",
        "--lanes-per-shard",
        "10",
        "--behaviour",
        "forwards",
    ];
    let Some((output, json)) = scenario("shards", out.path(), &arguments) else {
        return;
    };
    assert!(output.status.success(), "{}", told(&output));
    assert_eq!(column(&json, 0)[..2], ["1", "3"], "{}", told(&output));
    assert!(column(&json, 8).iter().all(|word| word == "all true"));
    let of_three = json["rows"][1]["runs"][0]["threads"]["shards"].as_array();
    let of_three = of_three.expect("what each thread used");
    let cpu_us = |shard: &Json| shard["cpu_us"].as_f64().unwrap_or(0.0);
    assert_eq!(of_three.len(), 3);
    assert!(
        of_three.iter().all(|shard| cpu_us(shard) > 0.0),
        "{of_three:?}"
    );
    let probes: u64 = of_three
        .iter()
        .filter_map(|shard| shard["probes"].as_u64())
        .sum();
    assert_eq!(probes, 60);
    let notes = json["notes"].as_array().expect("notes").iter();
    let is_model = |note: &Json| {
        note.as_str()
            .unwrap_or_default()
            .contains("with 12 shards (0.50 µs")
    };
    assert!(notes.into_iter().any(is_model), "{}", told(&output));
}
