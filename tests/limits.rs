//! Hosts that grant little: a plain user with 8 MiB of locked memory, and few descriptors. The real
//! binary runs under these limits over a small farm.

use proxy_bench::farm::{Behaviour, Farm, FarmOptions};
use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// Where a plain user can run the binary from.
struct Elsewhere {
    folder: tempfile::TempDir,
}

impl Elsewhere {
    fn new() -> Elsewhere {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        fs::copy(
            env!("CARGO_BIN_EXE_proxy-checker"),
            folder.path().join("proxy-checker"),
        )
        .unwrap();
        Elsewhere { folder }
    }

    fn binary(&self) -> PathBuf {
        self.folder.path().join("proxy-checker")
    }
}

/// Checks `proxies` under the shell's `limits`, as a user without privileges if `plain`.
fn check(binary: &Path, limits: &str, plain: bool, more: &str, proxies: &str) -> Output {
    let root = is_root();
    let user = if plain && root {
        "setpriv --reuid=65534 --regid=65534 --clear-groups"
    } else {
        ""
    };
    let options = "--allow-private --no-control-probe --test-url http://target.test/generate_204 --all --format jsonl --timeout 10s";
    let line = format!(
        "{limits}; exec {user} {} check {options} {more} -",
        binary.display()
    );
    let mut child = Command::new("sh")
        .args(["-c", &line])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A process that refuses to start does not read its input.
    let _ = child.stdin.take().unwrap().write_all(proxies.as_bytes());
    child.wait_with_output().unwrap()
}

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|me| std::os::unix::fs::MetadataExt::uid(&me) == 0)
}

fn farm(count: usize) -> (Farm, String) {
    let farm = Farm::start(FarmOptions::default()).expect("a farm");
    let mix = farm.mix(count, &[Behaviour::Forwards, Behaviour::Refuses]);
    let list = mix.iter().map(|(proxy, _)| format!("{proxy}\n")).collect();
    (farm, list)
}

fn alive(output: &Output) -> usize {
    let rows = String::from_utf8_lossy(&output.stdout);
    rows.lines()
        .filter(|row| row.contains(r#""verdict":"alive""#))
        .count()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_plain_user_with_8_mib_of_locked_memory_can_check_again_and_again() {
    let (elsewhere, (_farm, list)) = (Elsewhere::new(), farm(400));
    // What a process locked comes back late: each start after the first may have to wait for it.
    for _ in 0..4 {
        let output = check(
            &elsewhere.binary(),
            "ulimit -l 8192",
            true,
            "--shards 8 --concurrency 19000",
            &list,
        );
        assert_eq!(alive(&output), 200, "{}", said(&output));
    }
}

#[test]
fn few_descriptors_mean_fewer_lanes_and_no_wrong_verdict() {
    let (elsewhere, (_farm, list)) = (Elsewhere::new(), farm(2_000));
    let output = check(
        &elsewhere.binary(),
        "ulimit -n 256",
        false,
        "--shards 2 --concurrency 2000",
        &list,
    );
    assert_eq!(alive(&output), 1_000, "{}", said(&output));
    assert!(said(&output).contains("ulimit -n"), "{}", said(&output));
}

#[test]
fn a_host_that_grants_too_little_is_told_what_to_raise() {
    let elsewhere = Elsewhere::new();
    for (limits, remedy) in [
        ("ulimit -n 40", "LimitNOFILE"),
        ("ulimit -l 64", "LimitMEMLOCK"),
    ] {
        let output = check(
            &elsewhere.binary(),
            limits,
            true,
            "",
            "http://127.0.0.1:9\n",
        );
        assert_eq!(output.status.code(), Some(1), "{}", said(&output));
        assert!(
            said(&output).contains(remedy),
            "{limits}: {}",
            said(&output)
        );
    }
}
