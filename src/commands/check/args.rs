//! The arguments of `check`.

use crate::commands::ListArgs;
use crate::commands::probe::{Env, ProbeArgs, Probing};
use crate::commands::status::Failure;
use clap::{Args, ValueEnum, value_parser};
use proxy_shards::policy::Mode;

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
    /// [default: full-http]
    #[arg(long, value_enum, value_name = "MODE")]
    mode: Option<ModeArg>,
    #[command(flatten)]
    probe: ProbeArgs,
    /// Further attempts on a proxy that stayed silent or was lost; one that refused is not asked again
    /// [default: 0]
    #[arg(long, value_name = "N", value_parser = value_parser!(u8).range(..=10))]
    retries: Option<u8>,
    /// Probes at once [default: 1000]
    #[arg(long, short, value_name = "N", value_parser = value_parser!(u32).range(1..=100_000))]
    pub(super) concurrency: Option<u32>,
    /// Use fewer lanes than that while this host has no ports or memory for more, its CPUs are busy, or
    /// the threads that probe come late
    #[arg(long)]
    pub(super) adaptive: bool,
    /// Connections begun in a second, at most: for networks whose NAT table is small
    /// [default: no limit]
    #[arg(long, value_name = "N", value_parser = value_parser!(u32).range(1..=1_000_000))]
    pub(super) max_connects_per_second: Option<u32>,
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
  proxy-checker check --judge https://judge.my.test/ proxies.txt
      Your own judge (`proxy-checker judge`), with its secret in PROXY_CHECKER_JUDGE_SECRET.
  proxy-checker check --mode connect-only --concurrency 10000 --timeout 3s big.txt
      A quick first sieve: does anything listen there at all?";

/// Each paragraph is one line: the terminal decides where it wraps.
const STATUS: &str = "\
Protocols: a line that names none is tried under each (--protocol auto): the usual one of its \
port first, then http, socks5, socks4, https. That tells the truth about unknown lists and \
costs up to four connections for a proxy that accepts them and fails; --protocol http, or what \
the list is made of, makes it one.

Rows: jsonl and csv have proxy (as listed), address, protocol (the first that works, else as \
listed), verdict, latency_ms, connect_ms, attempts, url (how to use it), protocols (all that \
work), targets (those that `protocol` reached), exit and anonymity (as a judge saw them), \
handshake_ms, tls_ms, first_byte_ms. What is not known is null, or empty in csv; lists are \
arrays, or joined by ; in csv. txt has one URL a line, as it is used; with --all also the \
verdict and the milliseconds, separated by tabs, the alive first. A proxy that several inputs \
list is checked once.

Targets: before the first proxy each target is reached without one, and every few seconds \
after that. What fails is held until the target has answered once more. While it does not, \
nothing is probed, and what failed is probed again; if it stays away for a minute, the rest is \
local_target.

Exit status: 0 the check ran, whatever it found (also if the reader of standard output went \
away); 1 it could not run, no input held a proxy (an input that cannot be read is a warning as \
long as another one can), or the target could not be reached without a proxy; 2 wrong usage; \
130 interrupted by Ctrl-C or SIGTERM: what is known has been printed, and with --all the rest \
is local_cancelled, with what still waited for the target's answer. Lists are read to their \
end before the first proxy is checked; an interrupt before that prints nothing.";

impl CheckArgs {
    /// How these arguments want the proxies probed.
    pub(super) fn probing(&self, env: Env<'_>) -> Result<Probing, Failure> {
        let mode = self.mode.map(|mode| match mode {
            ModeArg::FullHttp => Mode::FullHttp,
            ModeArg::ConnectOnly => Mode::ConnectOnly,
        });
        self.probe.probing(mode, self.retries, env)
    }
}
