//! What `check` and `explain` are told about probing: the targets, what they must answer, and for
//! how long one waits. The same options mean the same in both.

use super::status::Failure;
use crate::config::{Checker, Config};
use clap::{Args, value_parser};
use proxy_shards::ProbePolicy;
use proxy_shards::policy::{Mode, PolicyError, PolicyOptions};
use proxy_shards::target::{Field, Secret, TargetOptions};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Longest configuration file that is read, in bytes.
const CONFIG_BYTES_MAX: u64 = 16 << 20;
/// Time between two rounds of probes without a proxy.
const CONTROL_EVERY: Duration = Duration::from_secs(5);
/// Where the secret of a judge is, unless `--judge-secret-env` names another variable.
const SECRET_ENV: &str = "PROXY_CHECKER_JUDGE_SECRET";

/// How a proxy is probed.
#[derive(Args, Clone, Debug)]
pub(super) struct ProbeArgs {
    /// Take targets, expectations, timeouts and retries from the `checker` block of this
    /// configuration file; options given beside it win
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The page that is fetched through each proxy; https also proves that it can tunnel
    /// [default: https://www.google.com/generate_204, or none if there is a judge]
    #[arg(long, value_name = "URL")]
    test_url: Option<String>,
    /// Status of the page [default: 204 if its path ends in generate_204; 200 if something else is
    /// expected of it; else what it answers without a proxy]
    #[arg(long, value_name = "N", value_parser = value_parser!(u16).range(200..=599))]
    expect_status: Option<u16>,
    /// Text that the page contains
    #[arg(long, value_name = "TEXT")]
    expect_body: Option<String>,
    /// SHA-256 of the whole page, 64 hexadecimal digits
    #[arg(long, value_name = "HEX", value_parser = sha256)]
    expect_sha256: Option<[u8; 32]>,
    /// A header field of the answer: `Name: value`, or `Name` for any value
    #[arg(long, value_name = "FIELD", value_parser = header)]
    expect_header: Option<Field>,
    /// Longest page that is read, in bytes; a longer one is too_large [default: 65536]
    #[arg(long, value_name = "N", value_parser = value_parser!(u32).range(1..=67_108_864))]
    max_bytes: Option<u32>,
    /// Ask HTTP proxies for a tunnel (CONNECT) for http pages too
    #[arg(long)]
    tunnel: bool,
    /// A judge of yours (`proxy-checker judge`), asked through each proxy instead of a page, or
    /// beside it if there is a --test-url too: no proxy can imitate it, and it tells the exit
    /// address and the anonymity
    #[arg(long, value_name = "URL")]
    judge: Option<String>,
    /// The environment variable that holds the judge's secret, at least 16 bytes
    #[arg(long, value_name = "NAME", default_value = SECRET_ENV)]
    judge_secret_env: String,
    /// PEM file with the certificates to trust for an https page, instead of the built-in ones
    #[arg(long, value_name = "PEM")]
    ca_file: Option<PathBuf>,
    /// Do not reach the targets without a proxy first, and every few seconds: for targets that only
    /// proxies can reach. A target that is down then looks like dead proxies
    #[arg(long)]
    no_control_probe: bool,
    /// Time for one attempt on one proxy, all in all: 15s, 500ms, 1m; a bare number is seconds
    /// [default: 15s]
    #[arg(long, value_name = "TIME", value_parser = duration)]
    timeout: Option<Duration>,
    /// The part of it that connecting to the proxy may take [default: 5s, or the timeout if shorter]
    #[arg(long, value_name = "TIME", value_parser = duration)]
    connect_timeout: Option<Duration>,
}

/// What the options make.
#[derive(Clone, Debug)]
pub(super) struct Probing {
    /// What every probe does.
    pub(super) policy: ProbePolicy,
    /// Time between two rounds of probes without a proxy; `None`: there are none.
    pub(super) control: Option<Duration>,
    /// What is odd, for the person who asked.
    pub(super) warnings: Vec<String>,
}

/// How the environment is read.
pub(super) type Env<'a> = &'a dyn Fn(&str) -> Option<String>;

/// The environment of this process.
pub(super) fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

const WEAK: &str = "a status alone proves little, a captive portal has it too: add --expect-body or --expect-sha256, use a test URL that answers 204, or a judge of your own (--judge)";
const LEARNT: &str = "nothing is expected of the page, so whoever answers with its status and content type counts, and a captive portal may: add --expect-body or --expect-sha256, use a test URL that answers 204, or a judge of your own (--judge)";

impl ProbeArgs {
    /// The policy that these options make; `mode` and `retries` are options of `check` alone.
    ///
    /// # Errors
    /// The first thing that is wrong, by the name of its option.
    pub(super) fn probing(
        &self,
        mode: Option<Mode>,
        retries: Option<u8>,
        env: Env<'_>,
    ) -> Result<Probing, Failure> {
        let own = self.own(mode, retries, env)?;
        let mut probing = match &self.config {
            None => Probing {
                policy: own,
                control: Some(CONTROL_EVERY),
                warnings: Vec::new(),
            },
            Some(path) => self.over(path, own, mode, retries, env)?,
        };
        if self.no_control_probe || probing.policy.mode == Mode::ConnectOnly {
            probing.control = None;
        }
        if probing.policy.mode == Mode::ConnectOnly && self.shapes_page() {
            let message = "--mode connect-only fetches nothing that --expect-* could be compared with: leave one out";
            return Err(Failure::Usage(message.into()));
        }
        if probing.policy.mode == Mode::FullHttp && probing.policy.is_weak() {
            let learns = probing.policy.targets.iter().any(|t| t.learns());
            let text = if learns { LEARNT } else { WEAK };
            probing.warnings.push(text.into());
        }
        Ok(probing)
    }

    /// The policy of the options alone.
    fn own(
        &self,
        mode: Option<Mode>,
        retries: Option<u8>,
        env: Env<'_>,
    ) -> Result<ProbePolicy, Failure> {
        let defaults = PolicyOptions::default();
        let timeout = self.timeout.unwrap_or(defaults.timeout);
        let connect_timeout = defaults.connect_timeout.min(timeout);
        let (targets, options) = self.targets(env)?.into_iter().unzip();
        let options: Vec<&str> = options;
        let policy = ProbePolicy::new(PolicyOptions {
            mode: mode.unwrap_or(defaults.mode),
            targets,
            timeout,
            connect_timeout: self.connect_timeout.unwrap_or(connect_timeout),
            retries: retries.unwrap_or(defaults.retries),
            ca_pem: self.ca_pem()?,
            ..defaults
        });
        policy.map_err(|error| {
            let url = match error {
                PolicyError::Target { place, .. } => options.get(place),
                _ => None,
            };
            Failure::Usage(in_options(&error.to_string(), url.unwrap_or(&"--test-url")))
        })
    }

    /// The targets, each with the option that names its URL.
    fn targets(&self, env: Env<'_>) -> Result<Vec<(TargetOptions, &'static str)>, Failure> {
        let defaults = TargetOptions::default();
        let max_bytes = self
            .max_bytes
            .map(|n| usize::try_from(n).unwrap_or(usize::MAX));
        let mut targets = Vec::new();
        if self.test_url.is_some() || self.judge.is_none() {
            let page = TargetOptions {
                url: self.test_url.clone().unwrap_or(defaults.url),
                tunnel: self.tunnel,
                expect_status: self.expect_status,
                expect_body: self.expect_body.clone().map(String::into_bytes),
                expect_sha256: self.expect_sha256,
                expect_header: self.expect_header.clone(),
                body_bytes_max: max_bytes.unwrap_or(defaults.body_bytes_max),
                ..defaults
            };
            targets.push((page, "--test-url"));
        } else if self.shapes_page() {
            let message = "a judge proves itself: --expect-* and --max-bytes are about a --test-url, which is not given";
            return Err(Failure::Usage(message.into()));
        }
        if let Some(url) = &self.judge {
            let judge = TargetOptions {
                name: "judge".into(),
                url: url.clone(),
                tunnel: self.tunnel,
                judge: Some(self.secret(env)?),
                ..TargetOptions::default()
            };
            targets.push((judge, "--judge"));
        }
        Ok(targets)
    }

    /// Whether something is said about the page itself.
    fn shapes_page(&self) -> bool {
        self.expect_status.is_some()
            || self.expect_body.is_some()
            || self.expect_sha256.is_some()
            || self.expect_header.is_some()
            || self.max_bytes.is_some()
    }

    fn secret(&self, env: Env<'_>) -> Result<Secret, Failure> {
        let name = self.judge_secret_env.escape_debug();
        let Some(value) = env(&self.judge_secret_env) else {
            return Err(Failure::Usage(format!(
                "--judge: the environment variable {name} is not set: put the judge's secret there"
            )));
        };
        Secret::new(value.as_bytes()).ok_or_else(|| {
            let least = Secret::BYTES_MIN;
            Failure::Usage(format!(
                "--judge: the secret in {name} is shorter than {least} bytes: use a longer one, the same as the judge has"
            ))
        })
    }

    /// The file's policy, with what was asked for beside it taken from `own`.
    fn over(
        &self,
        path: &Path,
        own: ProbePolicy,
        mode: Option<Mode>,
        retries: Option<u8>,
        env: Env<'_>,
    ) -> Result<Probing, Failure> {
        let (checker, warnings) = checker_block(path, env)?;
        let mut policy = (*checker.policy).clone();
        let targets = self.test_url.is_some() || self.judge.is_some();
        if targets {
            policy.targets = own.targets;
            policy.require = own.require;
        } else if self.shapes_page() || self.tunnel {
            let message = "--expect-*, --max-bytes and --tunnel are about a --test-url or a --judge: with --config give one of them too, or write them into the file";
            return Err(Failure::Usage(message.into()));
        }
        policy.mode = mode.unwrap_or(policy.mode);
        policy.retries = retries.unwrap_or(policy.retries);
        policy.timeout = self.timeout.unwrap_or(policy.timeout);
        policy.connect_timeout = self
            .connect_timeout
            .unwrap_or(policy.connect_timeout)
            .min(policy.timeout);
        if self.ca_file.is_some() {
            policy.roots = own.roots;
        }
        Ok(Probing {
            policy,
            control: checker.control,
            warnings,
        })
    }

    fn ca_pem(&self) -> Result<Option<Vec<u8>>, Failure> {
        let Some(path) = &self.ca_file else {
            return Ok(None);
        };
        let failed = |e| {
            let path = path.display();
            Failure::Failed(format!("--ca-file {path}: {e}; name a readable PEM file"))
        };
        std::fs::read(path).map(Some).map_err(failed)
    }
}

/// The `checker` block of the file, and what is odd about it. The rest of the file is the service's:
/// a check needs neither its keys nor its store.
fn checker_block(path: &Path, env: Env<'_>) -> Result<(Checker, Vec<String>), Failure> {
    let name = path.display().to_string();
    let failed = |error: &dyn std::fmt::Display| Failure::Failed(format!("--config {error}"));
    let mut text = String::new();
    File::open(path)
        .and_then(|file| file.take(CONFIG_BYTES_MAX).read_to_string(&mut text))
        .map_err(|e| failed(&format!("{name}: {e}; name a readable configuration file")))?;
    let (config, warnings) =
        Config::from_json(&only_checker(text), &name, env).map_err(|e| failed(&e))?;
    let of_checker = warnings.iter().filter(|w| w.place.starts_with("checker"));
    let warnings = of_checker.map(|w| format!("{name}: {w}")).collect();
    Ok((config.checker, warnings))
}

/// The same file without the blocks that a check has no use for; as it is, if it is no JSON object,
/// so that the reader of configurations says why.
fn only_checker(text: String) -> String {
    let Ok(serde_json::Value::Object(mut blocks)) = serde_json::from_str(&text) else {
        return text;
    };
    let user_agent = blocks
        .get("aggregator")
        .and_then(|block| block.get("user_agent").cloned());
    blocks.retain(|key, _| key == "checker");
    if let Some(user_agent) = user_agent {
        let block = serde_json::json!({ "user_agent": user_agent });
        blocks.insert("aggregator".into(), block);
    }
    serde_json::Value::Object(blocks).to_string()
}

/// The policy names its fields; a person wrote options. `url` is the option of the target's URL.
fn in_options(text: &str, url: &str) -> String {
    let fields = [
        ("url:", &*format!("{url}:")),
        ("expect_status", "--expect-status"),
        ("expect_body", "--expect-body"),
        ("expect_sha256", "--expect-sha256"),
        ("expect_header", "--expect-header"),
        ("max_bytes", "--max-bytes"),
        ("connect_timeout", "--connect-timeout"),
        ("retries", "--retries"),
        ("ca_pem", "--ca-file"),
    ];
    let option = |text: String, (field, option): (&str, &str)| text.replace(field, option);
    fields.into_iter().fold(text.to_string(), option)
}

/// Reads `15s`, `500ms`, `1m` or a bare number of seconds; decimals are allowed.
fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit_s = match &text[digits.len()..] {
        "ms" => 0.001,
        "" | "s" => 1.0,
        "m" => 60.0,
        _ => return Err("write 500ms, 15s, 1m, or a number of seconds".into()),
    };
    let plain = digits.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    let number: f64 = digits
        .parse()
        .ok()
        .filter(|_| plain)
        .ok_or("write 500ms, 15s, 1m, or a number of seconds")?;
    let allowed = Duration::from_millis(1)..=Duration::from_secs(3_600);
    Duration::try_from_secs_f64(number * unit_s)
        .ok()
        .filter(|span| allowed.contains(span))
        .ok_or_else(|| "allowed is 1ms to 60m".into())
}

/// Reads 64 hexadecimal digits.
fn sha256(text: &str) -> Result<[u8; 32], String> {
    let wrong = || "a SHA-256 has 64 hexadecimal digits, as `sha256sum` prints it".to_string();
    if text.len() != 64 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Err(wrong());
    }
    let mut digest = [0; 32];
    for (byte, pair) in digest.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        let pair = std::str::from_utf8(pair).map_err(|_| wrong())?;
        *byte = u8::from_str_radix(pair, 16).map_err(|_| wrong())?;
    }
    Ok(digest)
}

/// Reads `Name: value` or `Name` (RFC 9110, sections 5.1 and 5.5).
fn header(text: &str) -> Result<Field, String> {
    let (name, value) = match text.split_once(':') {
        Some((name, value)) => (name, Some(value.trim())),
        None => (text, None),
    };
    let in_name = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    let in_value = |b: u8| (b' '..=b'~').contains(&b);
    let fits = !name.is_empty()
        && name.bytes().all(in_name)
        && value.is_none_or(|value| value.bytes().all(in_value));
    fits.then(|| Field {
        name: name.into(),
        value: value.filter(|v| !v.is_empty()).map(Box::from),
    })
    .ok_or_else(|| "write `Name: value` or `Name` in printable ASCII".into())
}

#[cfg(test)]
#[path = "probe/tests.rs"]
mod tests;
