//! `check`: an interrupt prints what is known, and a second one ends it at once, also where nobody reads.

use crate::support::{PATIENCE, start};
use crate::times;
use proxy_bench::farm::{Behaviour, Farm, FarmOptions};
use rustix::process::{Pid, Signal, kill_process};
use std::fs;
use std::io::Read;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

const CHECK: [&str; 7] = [
    "check",
    "--allow-private",
    "--no-control-probe",
    "--test-url",
    "http://target.test/generate_204",
    "--all",
    "--format=jsonl",
];

#[test]
fn an_interrupt_prints_what_is_known_and_says_so_in_its_status() {
    let _turn = crate::turn();
    let farm = Farm::start(FarmOptions::default()).unwrap();
    let alive = (0..20).map(|n| farm.proxy(Behaviour::Forwards, n));
    let mute = (0..200).map(|n| farm.proxy(Behaviour::Mute, n));
    let list: Vec<String> = alive.chain(mute).collect();
    for signal in ["INT", "TERM"] {
        let arguments = [
            &CHECK[..],
            &["--timeout", "10m", "--connect-timeout", "10m", "-"],
        ]
        .concat();
        let mut check = start(&arguments, &list.join("\n"), None);
        let mut rows: Vec<String> = (0..20).map(|_| check.line()).collect();
        let asked = Instant::now();
        check.signal(signal);
        let ran = check.end(PATIENCE);
        assert_eq!(ran.status, Some(130), "{}", ran.err);
        assert!(
            asked.elapsed() < times(Duration::from_secs(15), Duration::from_secs(5)),
            "{:?}",
            asked.elapsed()
        );
        rows.extend(ran.out.lines().map(String::from));
        let count = |verdict: &str| {
            rows.iter()
                .filter(|row| row.contains(&format!("\"{verdict}\"")))
                .count()
        };
        assert_eq!(
            (rows.len(), count("alive"), count("local_cancelled")),
            (220, 20, 200),
            "{}",
            ran.err
        );
    }
}

#[test]
fn a_second_interrupt_ends_a_check_at_once_though_nobody_reads_its_rows() {
    let _turn = crate::turn();
    let farm = Farm::start(FarmOptions::default()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let list = folder.path().join("list.txt");
    // More rows than a pipe holds, so that the first interrupt waits for its reader.
    let mute: Vec<String> = (0..5_000).map(|n| farm.proxy(Behaviour::Mute, n)).collect();
    fs::write(&list, mute.join("\n")).unwrap();
    let mut check = Command::new(env!("CARGO_BIN_EXE_proxy-checker"))
        .args(CHECK)
        .args([
            "--timeout",
            "10m",
            "--connect-timeout",
            "10m",
            "--concurrency",
            "200",
        ])
        .arg(&list)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let before = Instant::now();
    while farm.counts(Behaviour::Mute).accepted < 100 {
        assert!(before.elapsed() < PATIENCE, "probes are under way");
        thread::park_timeout(Duration::from_millis(10));
    }
    let pid = Pid::from_raw(i32::try_from(check.id()).unwrap()).unwrap();
    kill_process(pid, Signal::INT).unwrap();
    let mut out = check.stdout.take().unwrap();
    let mut byte = [0];
    out.read_exact(&mut byte).unwrap(); // it prints, and stands still when the pipe is full
    thread::park_timeout(Duration::from_millis(500));
    assert_eq!(check.try_wait().unwrap(), None, "it waits for its reader");
    let asked = Instant::now();
    kill_process(pid, Signal::INT).unwrap();
    let status = loop {
        if let Some(status) = check.try_wait().unwrap() {
            break status;
        }
        assert!(
            asked.elapsed() < times(Duration::from_secs(10), Duration::from_secs(2)),
            "it goes on"
        );
        thread::park_timeout(Duration::from_millis(5));
    };
    assert_eq!(status.code(), Some(130));
}
