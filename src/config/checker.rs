//! Checks `checker`: how candidates are probed.

use super::Checker;
use super::problem::{Report, quoted};
use super::raw::{RawChecker, RawExpect};
use super::source::PAUSE_SECONDS_MAX;
use proxy_shards::ProbePolicy;
use proxy_shards::policy::{Mode, PolicyOptions};
use proxy_shards::target::TargetOptions;
use std::fs::File;
use std::io::Read;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use url::Url;

/// Longest file of certificates that is read, in bytes.
const CA_BYTES_MAX: u64 = 4 << 20;

/// The block, checked; relative paths start at `folder`. There is none without a policy, and then
/// the reason is in the report.
pub(super) fn checker(
    raw: &RawChecker,
    user_agent: &str,
    folder: &Path,
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
    Some(Checker {
        policy: policy(raw, user_agent, folder, report)?,
        control: None,
        concurrency: at_least_one(concurrency),
        shards: usize::try_from(shards).ok().and_then(NonZeroUsize::new),
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
    report: &mut Report,
) -> Option<Arc<ProbePolicy>> {
    let problems_before = report.problems.len();
    let mode = report.take("checker.mode", mode(&raw.mode), Mode::FullHttp);
    if mode == Mode::ConnectOnly && raw.expect != RawExpect::default() {
        let text = "is not used in connect-only mode; choose full-http to verify answers";
        report.warning("checker.expect", text);
    }
    if raw.enable_adaptive_concurrency {
        let text = "lanes do not adapt yet; turn it off, and set concurrency_total to what this host bears";
        report.warning("checker.enable_adaptive_concurrency", text);
    }
    let (timeout, connect_timeout) = timeouts(raw, report);
    let retries = report.number("checker.retries", raw.retries, 0, 1..=10);
    let options = PolicyOptions {
        mode,
        targets: vec![TargetOptions {
            url: report.take("checker.test_url", test_url(&raw.test_url), String::new()),
            expect_status: expect_status(&raw.expect, report),
            expect_body: Some(raw.expect.body_contains.as_bytes().to_vec())
                .filter(|b| !b.is_empty()),
            expect_sha256: report.take(
                "checker.expect.body_sha256",
                sha256(&raw.expect.body_sha256),
                None,
            ),
            ..TargetOptions::default()
        }],
        timeout,
        connect_timeout,
        retries: u8::try_from(retries).unwrap_or(0),
        user_agent: user_agent.to_owned(),
        ca_pem: report.take("checker.ca_file", ca_pem(&raw.ca_file, folder), None),
        ..PolicyOptions::default()
    };
    if report.problems.len() > problems_before {
        return None;
    }
    match ProbePolicy::new(options) {
        Ok(policy) => Some(Arc::new(policy)),
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

fn test_url(text: &str) -> Result<String, String> {
    const FORM: &str = "give http://HOST/PATH or https://HOST/PATH";
    if text.is_empty() {
        return Ok(RawChecker::default().test_url);
    }
    let url = Url::parse(text).map_err(|error| format!("is not a URL ({error}); {FORM}"))?;
    match url.scheme() {
        "http" | "https" => Ok(text.to_owned()),
        scheme => Err(format!("{scheme}:// cannot be probed; {FORM}")),
    }
}

fn expect_status(raw: &RawExpect, report: &mut Report) -> Option<u16> {
    let status = report.number("checker.expect.status", raw.status, 0, 100..=599);
    u16::try_from(status).ok().filter(|&status| status != 0)
}

/// Reads 64 hexadecimal digits.
fn sha256(text: &str) -> Result<Option<[u8; 32]>, String> {
    let digits = text.as_bytes();
    if digits.is_empty() {
        return Ok(None);
    }
    let wrong = || "is no SHA-256; give 64 hexadecimal digits, as sha256sum prints them".to_owned();
    if digits.len() != 64 {
        return Err(wrong());
    }
    let nibble = |digit: u8| char::from(digit).to_digit(16);
    let mut sum = [0; 32];
    for (byte, pair) in sum.iter_mut().zip(digits.chunks_exact(2)) {
        let value = nibble(pair[0]).zip(nibble(pair[1]));
        let value = value.map(|(high, low)| high << 4 | low);
        *byte = value.and_then(|v| u8::try_from(v).ok()).ok_or_else(wrong)?;
    }
    Ok(Some(sum))
}

fn ca_pem(file: &str, folder: &Path) -> Result<Option<Vec<u8>>, String> {
    if file.is_empty() {
        return Ok(None);
    }
    let path = folder.join(file);
    let mut pem = Vec::new();
    let read = File::open(&path).and_then(|f| f.take(CA_BYTES_MAX + 1).read_to_end(&mut pem));
    match read {
        Err(error) => Err(format!(
            "cannot read {} ({error}); name a readable file of PEM certificates",
            path.display()
        )),
        Ok(_) if pem.len() as u64 > CA_BYTES_MAX => Err(format!(
            "{} is longer than {CA_BYTES_MAX} bytes; name a file of PEM certificates",
            path.display()
        )),
        Ok(_) => Ok(Some(pem)),
    }
}
