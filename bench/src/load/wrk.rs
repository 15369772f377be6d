//! The client that others use: `wrk`, whose figures are told by a script of ours as one line.

use super::{Latency, Load, Outcome};
use crate::harness::program::Program;
use crate::harness::{Error, Result, at, system};
use serde::Deserialize;
use std::path::Path;

/// What `wrk` itself prints lacks the percentile 99.9, and rounds. Its times are microseconds.
const SCRIPT: &str = r#"
done = function(summary, latency, requests)
  local at = function(percent) return latency:percentile(percent) end
  io.write(string.format('{"answers":%d,"us":%d,"bytes":%d,', summary.requests, summary.duration, summary.bytes))
  io.write(string.format('"p50":%d,"p90":%d,"p99":%d,"p99_9":%d,"max":%d,', at(50), at(90), at(99), at(99.9), latency.max))
  local errors = summary.errors
  io.write(string.format('"connect":%d,"read":%d,"write":%d,"status":%d,"timeout":%d}\n',
    errors.connect, errors.read, errors.write, errors.status, errors.timeout))
end
"#;

/// The line of the script.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
struct Line {
    answers: u64,
    us: u64,
    bytes: u64,
    p50: u64,
    p90: u64,
    p99: u64,
    p99_9: u64,
    max: u64,
    /// Failures of this kind, as are the next.
    connect: u64,
    read: u64,
    write: u64,
    /// Answers with a status above 399.
    status: u64,
    timeout: u64,
}

/// Asks by `wrk` on `cpu`; it counts in whole seconds, at least one.
pub(super) fn run(load: &Load, wrk: &Path, cpu: usize) -> Result<Outcome> {
    let folder = tempfile::tempdir().map_err(system("a scratch folder"))?;
    let (script, said) = (folder.path().join("told.lua"), folder.path().join("said"));
    std::fs::write(&script, SCRIPT).map_err(at(&script))?;
    let seconds = load.length.as_secs_f64().ceil().max(1.0);
    let url = format!("http://{}{}", load.address, load.path);
    let arguments = [
        "--threads=1".to_owned(),
        format!("--connections={}", load.connections),
        format!("--duration={seconds}s"),
        "--timeout=30s".to_owned(),
        format!("--script={}", script.display()),
        url,
    ];
    Program::new(wrk, arguments).on(&[cpu]).to(&said).run()?;
    let said = std::fs::read_to_string(&said).map_err(at(&said))?;
    outcome(load, &said)
}

fn outcome(load: &Load, said: &str) -> Result<Outcome> {
    let line = said.lines().find(|line| line.starts_with('{'));
    let line = line.and_then(|line| serde_json::from_str(line).ok());
    let line: Line = line.ok_or_else(|| load.failed(format!("wrk said:\n{said}")))?;
    let failed = [
        ("connects", line.connect),
        ("reads", line.read),
        ("writes", line.write),
        ("statuses above 399", line.status),
        ("timeouts", line.timeout),
    ];
    let failed: Vec<_> = failed.into_iter().filter(|(_, count)| *count > 0).collect();
    if let Some((what, count)) = failed.first() {
        return Err::<_, Error>(load.failed(format!("{count} {what} failed")));
    }
    let ms = |us: u64| us as f64 / 1e3;
    Ok(Outcome {
        answers: line.answers,
        seconds: line.us as f64 / 1e6,
        bytes: line.bytes,
        latency: Latency {
            p50: ms(line.p50),
            p90: ms(line.p90),
            p99: ms(line.p99),
            p99_9: ms(line.p99_9),
            max: ms(line.max),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    /// What `wrk` 4.1.0 with our script said of a small file server.
    const SAID: &str = r#"Running 1s test @ http://127.0.0.1:18999/t.lua
  1 threads and 4 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     3.70ms    3.26ms  25.30ms   87.87%
    Req/Sec     1.23k   231.78     1.58k    70.00%
  1222 requests in 1.00s, 0.88MB read
Requests/sec:   1217.83
Transfer/sec:      0.88MB
{"answers":1222,"us":1003423,"bytes":927699,"p50":2404,"p90":7571,"p99":17658,"p99_9":24592,"max":25304,"connect":0,"read":0,"write":0,"status":0,"timeout":0}
"#;

    fn load() -> Load {
        Load {
            address: "127.0.0.1:18999".parse().expect("an address"),
            path: "/t.lua".into(),
            connections: 4,
            length: Duration::from_secs(1),
        }
    }

    #[test]
    fn the_line_of_the_script_is_understood() {
        let outcome = outcome(&load(), SAID).expect("a line");
        assert_eq!((outcome.answers, outcome.bytes), (1222, 927_699));
        assert!((outcome.rate() - 1217.83).abs() < 0.01, "{outcome:?}");
        let Latency {
            p50, p99_9, max, ..
        } = outcome.latency;
        assert_eq!((p50, p99_9, max), (2.404, 24.592, 25.304));
    }

    #[test]
    fn a_failure_of_any_kind_fails() {
        for kind in ["connect", "read", "write", "status", "timeout"] {
            let said = SAID.replace(&format!("\"{kind}\":0"), &format!("\"{kind}\":3"));
            let error = outcome(&load(), &said).expect_err(kind).to_string();
            assert!(error.contains("3 ") && error.contains("/t.lua"), "{error}");
        }
    }

    #[test]
    fn what_wrk_said_instead_is_told() {
        let error = outcome(&load(), "unable to connect").expect_err("no line");
        assert!(error.to_string().contains("unable to connect"), "{error}");
    }
}
