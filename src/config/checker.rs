//! Checks `checker`: how candidates are probed.

use super::Checker;
use super::problem::{Report, quoted};
use super::raw::{RawChecker, RawExpect};
use super::serving::Env;
use super::source::PAUSE_SECONDS_MAX;
use super::targets;
use crate::regular::{self, ReadError};
use proxy_shards::ProbePolicy;
use proxy_shards::policy::{Mode, PolicyError, PolicyOptions};
use proxy_shards::works::Require;
use std::num::{NonZeroU32, NonZeroUsize};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Longest file of certificates that is read, in bytes.
const CA_BYTES_MAX: u64 = 4 << 20;

/// The block, checked; relative paths start at `folder`. There is none without a policy, and then
/// the reason is in the report.
pub(super) fn checker(
    raw: &RawChecker,
    user_agent: &str,
    folder: &Path,
    env: Env<'_>,
    report: &mut Report,
) -> Option<Checker> {
    let default = RawChecker::default();
    let mut number = |key: &str, value, default, range| {
        report.number(&format!("checker.{key}"), value, default, range)
    };
    let concurrency = number(
        "concurrency_total",
        raw.concurrency_total,
        default.concurrency_total,
        1..=100_000,
    );
    let connects = number(
        "max_connects_per_second",
        raw.max_connects_per_second,
        0,
        1..=1_000_000,
    );
    let batch_size = number(
        "batch_size",
        raw.batch_size,
        default.batch_size,
        1..=100_000,
    );
    let shards = number("shards", raw.shards, 0, 1..=1_024);
    let backoff_max = number(
        "backoff_max_seconds",
        raw.backoff_max_seconds,
        0,
        1..=PAUSE_SECONDS_MAX,
    );
    let max_fd = number(
        "max_fd_usage_percent",
        raw.max_fd_usage_percent,
        default.max_fd_usage_percent,
        1..=100,
    );
    let max_cpu = number(
        "max_cpu_usage_percent",
        raw.max_cpu_usage_percent,
        default.max_cpu_usage_percent,
        1..=100,
    );
    let control_interval = number(
        "control_interval_seconds",
        raw.control_interval_seconds,
        default.control_interval_seconds,
        1..=3_600,
    );
    let policy = policy(raw, user_agent, folder, env, report)?;
    // Where nothing is fetched there is nothing to be held against the targets.
    let control = (raw.control_probe && policy.mode == Mode::FullHttp)
        .then(|| Duration::from_secs(control_interval));
    if policy.mode == Mode::FullHttp {
        targets::warn_of_weak(&policy, control, !raw.targets.is_empty(), report);
    }
    Some(Checker {
        policy,
        control,
        concurrency: at_least_one(concurrency),
        shards: usize::try_from(shards).ok().and_then(NonZeroUsize::new),
        connects_per_second: u32::try_from(connects).ok().and_then(NonZeroU32::new),
        batch_size: at_least_one(batch_size),
        backoff_max: Duration::from_secs(backoff_max),
        adaptive: raw.enable_adaptive_concurrency,
        max_fd_usage_percent: u8::try_from(max_fd).unwrap_or(100),
        max_cpu_usage_percent: u8::try_from(max_cpu).unwrap_or(100),
    })
}

fn at_least_one(number: u64) -> NonZeroUsize {
    let number = usize::try_from(number).unwrap_or(usize::MAX);
    NonZeroUsize::new(number).unwrap_or(NonZeroUsize::MIN)
}

fn policy(
    raw: &RawChecker,
    user_agent: &str,
    folder: &Path,
    env: Env<'_>,
    report: &mut Report,
) -> Option<Arc<ProbePolicy>> {
    let problems_before = report.count();
    let mode = report.take("checker.mode", mode(&raw.mode), Mode::FullHttp);
    if mode == Mode::ConnectOnly {
        warn_of_unused(raw, report);
    }
    let (timeout, connect_timeout) = timeouts(raw, report);
    let retries = report.number("checker.retries", raw.retries, 0, 1..=10);
    let options = PolicyOptions {
        mode,
        targets: targets::targets(raw, env, report),
        require: report.take("checker.require", require(&raw.require), Require::All),
        timeout,
        connect_timeout,
        retries: u8::try_from(retries).unwrap_or(0),
        user_agent: user_agent.to_owned(),
        ca_pem: report.take("checker.ca_file", ca_pem(&raw.ca_file, folder), None),
    };
    if report.count() > problems_before {
        return None;
    }
    match ProbePolicy::new(options) {
        Ok(policy) => Some(Arc::new(policy)),
        Err(PolicyError::CaPem(why)) => {
            let text = format!("{why}; give one or more CERTIFICATE blocks in PEM");
            report.problem("checker.ca_file", text);
            None
        }
        Err(error) => {
            report.problem("checker", error.to_string());
            None
        }
    }
}

fn mode(word: &str) -> Result<Mode, String> {
    match word {
        "" | "full-http" => Ok(Mode::FullHttp),
        "connect-only" => Ok(Mode::ConnectOnly),
        word => Err(format!(
            "{} is no mode; choose full-http or connect-only",
            quoted(word)
        )),
    }
}

fn require(word: &str) -> Result<Require, String> {
    match word {
        "" | "all" => Ok(Require::All),
        "any" => Ok(Require::Any),
        word => Err(format!(
            "{} does not say how many targets; choose all or any",
            quoted(word)
        )),
    }
}

/// Nothing is fetched in connect-only mode, so nothing can be expected.
fn warn_of_unused(raw: &RawChecker, report: &mut Report) {
    let text = "is not used in connect-only mode; choose full-http to verify answers";
    if !raw.targets.is_empty() {
        report.warning("checker.targets", text);
    }
    if raw.expect != RawExpect::default() {
        report.warning("checker.expect", text);
    }
}

/// The deadline of a probe and of its connect. The default of the second gives way to the first.
fn timeouts(raw: &RawChecker, report: &mut Report) -> (Duration, Duration) {
    let default = RawChecker::default();
    let timeout = report.number(
        "checker.timeout_ms",
        raw.timeout_ms,
        default.timeout_ms,
        100..=300_000,
    );
    let place = "checker.connect_timeout_ms";
    // The default is what the key has if it is left out, so it too may exceed a short timeout.
    let connect = match raw.connect_timeout_ms {
        given if given == default.connect_timeout_ms => given.min(timeout),
        given if given > timeout => {
            let text = format!("is {given}, more than timeout_ms ({timeout}); lower it");
            report.problem(place, text);
            timeout
        }
        given => report.number(
            place,
            given,
            default.connect_timeout_ms.min(timeout),
            50..=timeout,
        ),
    };
    (
        Duration::from_millis(timeout),
        Duration::from_millis(connect),
    )
}

/// The certificates in the file, if one is named; a relative path starts at `folder`.
pub(super) fn ca_pem(file: &str, folder: &Path) -> Result<Option<Vec<u8>>, String> {
    if file.is_empty() {
        return Ok(None);
    }
    let path = folder.join(file);
    // It stands in a message, of which each is one line.
    let shown = path.display().to_string();
    let shown = shown.escape_debug();
    match regular::read(&path, CA_BYTES_MAX) {
        Ok(pem) => Ok(Some(pem)),
        Err(ReadError::System(error)) => Err(format!(
            "cannot read {shown} ({error}); name a readable file of PEM certificates"
        )),
        Err(error) => Err(format!("{shown} {error}; name a file of PEM certificates")),
    }
}
