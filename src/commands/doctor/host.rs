//! This host: the kernel, its limits and its tables. All is read through [`Host`], so that tests
//! show other hosts.

use super::finding::Finding;
use crate::config::Config;
use proxy_shards::preflight::{self, Nofile, PreflightError};
use std::fs;
use std::process::Command;
use std::thread;

/// Ports that probes at once towards one gateway can want.
const PORTS_MIN: u64 = 16_384;
/// Clients of the API that may wait to be accepted.
const SOMAXCONN_MIN: u64 = 1_024;
/// Packets that may wait for a CPU.
const BACKLOG_MIN: u64 = 4_096;
/// Probes at once from which on bursts fill that queue.
const BURST: u64 = 5_000;
/// Entries of the connection table that a probe at once takes: its own, and those of the last
/// seconds, which linger.
const TRACKED_EACH: u64 = 4;
const SYSCTL: &str = "deploy/sysctl.conf has the line";

/// Where the facts come from.
pub(super) struct Host {
    /// The number, or numbers, in a file below `/proc/sys`.
    pub(super) sysctl: fn(&str) -> Option<String>,
    pub(super) nofile: Nofile,
    /// Whether shards can run.
    pub(super) shards: Result<(), PreflightError>,
    /// Whether the clock is synchronised, if anybody knows.
    pub(super) clock: Option<bool>,
    pub(super) cpus: usize,
}

impl Host {
    /// The one that this runs on.
    pub(super) fn this() -> Host {
        let nofile = preflight::raise_nofile();
        Host {
            sysctl: |name| fs::read_to_string(format!("/proc/sys/{name}")).ok(),
            nofile,
            shards: preflight::check(nofile),
            clock: synchronised(),
            cpus: thread::available_parallelism().map_or(1, usize::from),
        }
    }

    fn number(&self, name: &str) -> Option<u64> {
        (self.sysctl)(name)?.trim().parse().ok()
    }
}

/// What systemd says of the clock; without it nobody is asked.
fn synchronised() -> Option<bool> {
    let asked = Command::new("timedatectl")
        .args(["show", "--property=NTPSynchronized", "--value"])
        .output();
    match asked.ok()?.stdout.trim_ascii() {
        b"yes" => Some(true),
        b"no" => Some(false),
        _ => None,
    }
}

/// Everything about the host.
pub(super) fn look(host: &Host, config: &Config) -> Vec<Finding> {
    let asked = config.checker.concurrency.get() as u64;
    vec![
        engine(&host.shards),
        descriptors(host, config),
        ports(host),
        tracking(host, asked),
        waiting(host),
        backlog(host, asked),
        clock(host.clock),
    ]
}

fn engine(shards: &Result<(), PreflightError>) -> Finding {
    match shards {
        Ok(()) => Finding::ok("engine", "kernel, io_uring and locked memory suffice"),
        // Its text has the remedy.
        Err(error) => Finding::bad("engine", error.to_string(), "see above"),
    }
}

fn descriptors(host: &Host, config: &Config) -> Finding {
    let shards = config.checker.shards.map_or(host.cpus, usize::from) as u64;
    let wanted = (config.checker.concurrency.get() as u64).div_ceil(shards.max(1));
    let Nofile { soft, hard } = host.nofile;
    let shown = |limit: u64| match limit {
        u64::MAX => "unlimited".to_owned(),
        limit => limit.to_string(),
    };
    let found = format!(
        "RLIMIT_NOFILE {} (hard {}); {wanted} probes at once for each of {shards} shards",
        shown(soft),
        shown(hard)
    );
    // Beside the lanes: probes without a proxy, and the API's share, are small beside this.
    match soft >= wanted.saturating_add(64) {
        true => Finding::ok("descriptors", found),
        false => Finding::warning(
            "descriptors",
            found,
            "raise LimitNOFILE (deploy/proxy-checker.service, deploy/limits.conf), or lower checker.concurrency_total",
        ),
    }
}

fn ports(host: &Host) -> Finding {
    const NAME: &str = "net/ipv4/ip_local_port_range";
    let range = (host.sysctl)(NAME).and_then(|text| {
        let mut numbers = text.split_whitespace().map(str::parse::<u64>);
        Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
    });
    let Some((first, last)) = range else {
        return Finding::unknown("ports", format!("/proc/sys/{NAME} cannot be read"));
    };
    let count = (last + 1).saturating_sub(first);
    let found = format!("{count} local ports ({first}-{last}) towards each proxy");
    match count >= PORTS_MIN {
        true => Finding::ok("ports", found),
        false => Finding::warning(
            "ports",
            found,
            format!("widen ip_local_port_range: {SYSCTL}"),
        ),
    }
}

fn tracking(host: &Host, asked: u64) -> Finding {
    let most = host.number("net/netfilter/nf_conntrack_max");
    let used = host.number("net/netfilter/nf_conntrack_count");
    let (Some(most), Some(used)) = (most, used) else {
        return Finding::ok("conntrack", "connections are not tracked here");
    };
    let found = format!("{used} of {most} entries of the connection table are taken");
    match most.saturating_sub(used) >= asked.saturating_mul(TRACKED_EACH) {
        true => Finding::ok("conntrack", found),
        false => Finding::warning(
            "conntrack",
            format!("{found}; {asked} probes at once want {TRACKED_EACH} each"),
            format!(
                "raise nf_conntrack_max ({SYSCTL}), do not track outgoing probes, or set checker.max_connects_per_second"
            ),
        ),
    }
}

fn waiting(host: &Host) -> Finding {
    let Some(most) = host.number("net/core/somaxconn") else {
        return Finding::unknown("somaxconn", "/proc/sys/net/core/somaxconn cannot be read");
    };
    let found = format!("{most} clients of the API may wait to be accepted");
    match most >= SOMAXCONN_MIN {
        true => Finding::ok("somaxconn", found),
        false => Finding::warning("somaxconn", found, format!("raise somaxconn: {SYSCTL}")),
    }
}

fn backlog(host: &Host, asked: u64) -> Finding {
    let Some(most) = host.number("net/core/netdev_max_backlog") else {
        let text = "/proc/sys/net/core/netdev_max_backlog cannot be read";
        return Finding::unknown("backlog", text);
    };
    let found = format!("{most} packets may wait for a CPU");
    match most >= BACKLOG_MIN || asked < BURST {
        true => Finding::ok("backlog", found),
        false => Finding::warning(
            "backlog",
            format!("{found}: a burst of answers to {asked} probes overflows that"),
            format!("raise netdev_max_backlog: {SYSCTL}"),
        ),
    }
}

fn clock(synchronised: Option<bool>) -> Finding {
    match synchronised {
        Some(true) => Finding::ok("clock", "synchronised"),
        Some(false) => Finding::warning(
            "clock",
            "not synchronised: certificates and a judge's seal depend on it",
            "run systemd-timesyncd or chrony",
        ),
        None => Finding::unknown(
            "clock",
            "timedatectl does not say whether it is synchronised",
        ),
    }
}
