//! A test in a network of its own, whose ports, routes and names it may take away.

use std::env;
use std::process::{Command, Stdio};

/// Set in the process that is in there.
const ALONE: &str = "PROXY_CHECKER_TEST_ALONE";

/// Whether this process is alone in a network, with mounts of its own. If not, runs the test of this
/// name again in one, after `prelude` (a line of a shell), where this host allows that; where it does
/// not, what is simulated elsewhere is all there is, and the long form fails.
pub(crate) fn alone(test: &str, prelude: &str) -> bool {
    if env::var_os(ALONE).is_some() {
        return true;
    }
    // A plain user is root in a namespace of its own; root stays what it is.
    let allowed = |with: &&str| {
        let mut unshare = Command::new("unshare");
        unshare.args([with, "sh", "-c", "ip link set lo up"]);
        unshare.status().is_ok_and(|status| status.success())
    };
    let Some(with) = ["-nm", "-rnm"].into_iter().find(allowed) else {
        let is_long = env::var_os("PROXY_CHECKER_FAULTS").is_some_and(|form| form == "long");
        assert!(
            !is_long,
            "{test}: no network can be made here (unshare -rnm, ip)"
        );
        eprintln!("{test}: not run, because no network can be made here (unshare -rnm, ip)");
        return false;
    };
    let script =
        format!("ip link set lo up && {prelude} && exec \"$0\" {test} --exact --nocapture");
    let ran = Command::new("unshare")
        .args([with, "sh", "-c", &script])
        .arg(env::current_exe().unwrap())
        .env(ALONE, "1")
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&ran.stdout);
    eprintln!("{said}");
    // A name that is no test's runs none, and succeeds.
    let is_done = ran.status.success() && said.contains("test result: ok. 1 passed");
    assert!(is_done, "{test} in a network of its own: {}", ran.status);
    false
}
