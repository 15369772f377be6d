//! The arguments of `check`, and the policy that they make.

use crate::commands::ListArgs;
use crate::commands::status::Failure;
use clap::{Args, ValueEnum, value_parser};
use proxy_shards::ProbePolicy;
use proxy_shards::policy::{Mode, PolicyOptions};
use proxy_shards::target::TargetOptions;
use std::path::PathBuf;
use std::time::Duration;

/// Lanes unless `--concurrency` says otherwise: what a laptop behind a home router bears. One
/// shard's ring takes that many within the usual 1 024 descriptors, too.
pub(super) const CONCURRENCY_DEFAULT: u32 = 1_000;

/// Check lists once and print the proxies that are alive.
///
/// Each proxy is asked, in its own protocol, for a page that is known (`--test-url`); it is alive if
/// that page comes back unchanged within the time. Results go to standard output, everything else
/// to standard error.
#[derive(Args, Clone, Debug)]
#[command(after_help = EXAMPLES, after_long_help = format!("{EXAMPLES}\n\n{STATUS}"))]
pub struct CheckArgs {
    #[command(flatten)]
    pub(super) lists: ListArgs,

    /// How deep a probe goes: fetch the test URL through the proxy, or only connect to the proxy
    #[arg(long, value_enum, default_value_t = ModeArg::FullHttp, value_name = "MODE")]
    mode: ModeArg,
    /// The page that is fetched through each proxy; https also proves that it can tunnel
    #[arg(long, default_value_t = TargetOptions::default().url, value_name = "URL")]
    test_url: String,
    /// Status of the page [default: what is usual for the test URL]
    #[arg(long, value_name = "N", value_parser = value_parser!(u16).range(200..=599))]
    expect_status: Option<u16>,
    /// Text that the page contains
    #[arg(long, value_name = "TEXT")]
    expect_body: Option<String>,
    /// SHA-256 of the whole page, 64 hexadecimal digits
    #[arg(long, value_name = "HEX", value_parser = sha256)]
    expect_sha256: Option<[u8; 32]>,
    /// PEM file with the certificates to trust for an https test URL, instead of the built-in ones
    #[arg(long, value_name = "PEM")]
    ca_file: Option<PathBuf>,

    /// Time for one attempt on one proxy, all in all: 15s, 500ms, 1m; a bare number is seconds
    #[arg(long, default_value = "15s", value_name = "TIME", value_parser = duration)]
    timeout: Duration,
    /// The part of it that connecting to the proxy may take [default: 5s, or the timeout if shorter]
    #[arg(long, value_name = "TIME", value_parser = duration)]
    connect_timeout: Option<Duration>,
    /// Further attempts on a proxy that stayed silent or was lost; one that refused is not asked again
    #[arg(long, default_value_t = 0, value_name = "N", value_parser = value_parser!(u8).range(..=10))]
    retries: u8,
    /// Probes at once [default: 1000]
    #[arg(long, short, value_name = "N", value_parser = value_parser!(u32).range(1..=100_000))]
    pub(super) concurrency: Option<u32>,
    /// Threads that probe, each pinned to a CPU [default: one per CPU]
    #[arg(long, value_name = "N", value_parser = value_parser!(u32).range(1..=1_024))]
    pub(super) shards: Option<u32>,

    /// txt: URLs, fastest first, at the end; jsonl and csv: rows as they come
    #[arg(long, short, value_enum, default_value_t = Format::Txt, value_name = "FORMAT")]
    pub(super) format: Format,
    /// Print the dead too, with their verdict: one row for each proxy
    #[arg(long, short)]
    pub(super) all: bool,
}

/// How results are printed.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Txt,
    Jsonl,
    Csv,
}

#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
enum ModeArg {
    FullHttp,
    ConnectOnly,
}

const EXAMPLES: &str = "\
Examples:
  proxy-checker check proxies.txt
      The alive of a file, fastest first, as URLs. A line may be 1.2.3.4:8080,
      socks5://user:password@1.2.3.4:1080, CSV, JSON: proxies are found wherever they stand.
  proxy-checker check --protocol socks5 https://lists.example/socks5.txt > alive.txt
      A list from the web whose lines name no protocol.
  cat *.txt | proxy-checker check --all --format jsonl - | jq .verdict
      What became of each proxy: alive, refused, connect_timeout, own_page …
  proxy-checker check --test-url http://my.test/hello --expect-status 200 --expect-body 'hello 7d3f'
      Your own page, and how to know it: a status alone proves little.
  proxy-checker check --mode connect-only --concurrency 10000 --timeout 3s big.txt
      A quick first sieve: does anything listen there at all?";

const STATUS: &str = "\
Rows: jsonl and csv have proxy, address, protocol, verdict, latency_ms (null or empty unless alive),
connect_ms, attempts. txt has one URL a line; with --all also the verdict and the milliseconds,
separated by tabs, the alive first. A proxy that several inputs list is checked once.

Exit status: 0 the check ran, whatever it found (also if the reader of standard output went away);
1 it could not run, or no input held a proxy (an input that cannot be read is a warning as long as
another one can); 2 wrong usage; 130 interrupted by Ctrl-C or SIGTERM: what is known has been
printed, and with --all the unchecked are local_cancelled. Lists are read to their end before the
first proxy is checked; an interrupt before that prints nothing.";

impl CheckArgs {
    /// The policy that these arguments make.
    pub(super) fn policy(&self) -> Result<ProbePolicy, Failure> {
        let fetched = self.mode == ModeArg::FullHttp;
        let expects = self.expect_status.is_some()
            || self.expect_body.is_some()
            || self.expect_sha256.is_some();
        if expects && !fetched {
            let message = "--mode connect-only fetches nothing that --expect-* could be compared with: leave one out";
            return Err(Failure::Usage(message.into()));
        }
        let defaults = PolicyOptions::default();
        let options = PolicyOptions {
            mode: match self.mode {
                ModeArg::FullHttp => Mode::FullHttp,
                ModeArg::ConnectOnly => Mode::ConnectOnly,
            },
            targets: vec![TargetOptions {
                url: self.test_url.clone(),
                expect_status: self.expect_status,
                expect_body: self.expect_body.clone().map(String::into_bytes),
                expect_sha256: self.expect_sha256,
                ..TargetOptions::default()
            }],
            timeout: self.timeout,
            connect_timeout: self
                .connect_timeout
                .unwrap_or(defaults.connect_timeout.min(self.timeout)),
            retries: self.retries,
            ca_pem: self.ca_pem()?,
            ..defaults
        };
        ProbePolicy::new(options).map_err(|e| Failure::Usage(in_options(&e.to_string())))
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

/// The policy names its fields; a person wrote options.
fn in_options(text: &str) -> String {
    const FIELDS: [(&str, &str); 7] = [
        ("url:", "--test-url:"),
        ("expect_status", "--expect-status"),
        ("expect_body", "--expect-body"),
        ("expect_sha256", "--expect-sha256"),
        ("connect_timeout", "--connect-timeout"),
        ("retries", "--retries"),
        ("ca_pem", "--ca-file"),
    ];
    let option = |text: String, (field, option): &(&str, &str)| text.replace(field, option);
    FIELDS.iter().fold(text.to_string(), option)
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

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;
    use proxy_shards::target::Demand;

    #[derive(Parser, Debug)]
    struct Line {
        #[command(flatten)]
        check: CheckArgs,
    }

    fn args(line: &str) -> CheckArgs {
        let words = std::iter::once("check").chain(line.split_whitespace());
        Line::try_parse_from(words).unwrap().check
    }

    #[test]
    fn durations_have_units_and_a_bare_number_is_seconds() {
        let check = |text: &str, ms: u64| {
            assert_eq!(duration(text), Ok(Duration::from_millis(ms)), "{text}");
        };
        check("15s", 15_000);
        check("500ms", 500);
        check("1m", 60_000);
        check("7", 7_000);
        check("1.5", 1_500);
        check("60m", 3_600_000);
    }

    #[test]
    fn what_is_no_duration_is_refused() {
        for text in [
            "", "s", "-1", "+1", "1h", "0", "0ms", "1e9", "inf", "NaN", "1 s", "61m", "ms5",
            "1.2.3s",
        ] {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_time_out_of_bounds_names_them() {
        for text in ["0", "61m", "99999999999999999999"] {
            assert_eq!(
                duration(text),
                Err("allowed is 1ms to 60m".into()),
                "{text}"
            );
        }
    }

    #[test]
    fn a_digest_is_64_hexadecimal_digits() {
        let digest = sha256(&"0aF1".repeat(16)).unwrap();
        assert_eq!(digest[..4], [0x0a, 0xf1, 0x0a, 0xf1]);
        for text in [
            "",
            "0a",
            &"0g".repeat(32),
            &"é".repeat(32),
            &"+1".repeat(32),
        ] {
            assert!(sha256(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_short_timeout_shortens_the_connect_timeout_that_was_not_given() {
        let policy = args("--timeout 2s a.txt").policy().unwrap();
        assert_eq!(policy.connect_timeout, Duration::from_secs(2));
        let policy = args("--timeout 20s a.txt").policy().unwrap();
        assert_eq!(policy.connect_timeout, Duration::from_secs(5));
    }

    #[test]
    fn what_the_arguments_say_reaches_the_policy() {
        let line =
            "--test-url http://a.test/x --expect-status 200 --expect-body hello --retries 2 a.txt";
        let policy = args(line).policy().unwrap();
        assert_eq!(
            (&*policy.targets[0].host, &*policy.targets[0].path),
            ("a.test", "/x")
        );
        let Demand::Answer(expectation) = &policy.targets[0].demand else {
            panic!("{:?}", policy.targets);
        };
        assert_eq!(expectation.status, 200);
        assert_eq!(expectation.body_contains.as_deref(), Some(&b"hello"[..]));
        assert_eq!((policy.retries, policy.mode), (2, Mode::FullHttp));
    }

    #[test]
    fn a_test_url_that_is_none_is_wrong_usage() {
        let failure = args("--test-url nonsense a.txt").policy().unwrap_err();
        assert!(matches!(failure, Failure::Usage(_)), "{failure}");
        assert!(failure.to_string().starts_with("--test-url: "), "{failure}");
    }

    #[test]
    fn nothing_can_be_expected_of_a_page_that_is_not_fetched() {
        let failure = args("--mode connect-only --expect-status 200 a.txt").policy();
        assert!(matches!(failure, Err(Failure::Usage(_))));
    }

    #[test]
    fn a_ca_file_that_cannot_be_read_names_it() {
        let failure = args("--ca-file /nonexistent/ca.pem a.txt")
            .policy()
            .unwrap_err();
        assert!(matches!(&failure, Failure::Failed(text) if text.contains("/nonexistent/ca.pem")));
    }
}
