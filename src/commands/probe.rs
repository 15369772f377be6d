//! What `check` and `explain` are told about probing: the targets, what they must answer, and for
//! how long one waits. The same options mean the same in both.

mod file;
pub(super) mod values;

use super::status::Failure;
use crate::config::{JUDGE_SECRET_ENV, judge_secret};
use crate::sources::address::AddressPolicy;
use clap::{Args, value_parser};
use file::{Checking, checking};
use proxy_shards::ProbePolicy;
use proxy_shards::policy::{Mode, PolicyError, PolicyOptions};
use proxy_shards::target::{Field, Secret, TargetOptions};
use std::path::{Path, PathBuf};
use std::time::Duration;
use values::{duration, header, sha256};

/// Time between two rounds of probes without a proxy.
const CONTROL_EVERY: Duration = Duration::from_secs(5);

/// How a proxy is probed.
#[derive(Args, Clone, Debug)]
pub(super) struct ProbeArgs {
    /// Take targets, expectations, timeouts and retries from the `checker` block of this
    /// configuration file, and which addresses are dialled from its `aggregator` block; options given
    /// beside it win
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
    #[arg(long, value_name = "NAME", default_value = JUDGE_SECRET_ENV)]
    judge_secret_env: String,
    /// PEM file with the certificates to trust for an https page, instead of the built-in ones
    #[arg(long, value_name = "PEM")]
    ca_file: Option<PathBuf>,
    /// Do not reach the targets without a proxy first, and every few seconds: for targets that only
    /// proxies can reach. A target that is down then looks like dead proxies
    #[arg(long)]
    no_control_probe: bool,
    /// Time for one attempt on one proxy, all in all: 15s, 500ms, 1m, up to 1h; a bare number is
    /// seconds [default: 15s]
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
    /// Which addresses a configuration file lets be dialled, where no option says otherwise.
    pub(super) addresses: AddressPolicy,
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
                addresses: AddressPolicy::default(),
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
        judge_secret(&self.judge_secret_env, env)
            .map_err(|error| Failure::Usage(format!("--judge-secret-env: {error}")))
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
        let Checking {
            checker,
            addresses,
            warnings,
        } = checking(path, env)?;
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
            addresses,
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

#[cfg(test)]
#[path = "probe/tests.rs"]
mod tests;
