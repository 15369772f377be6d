//! What simulations are made of: configurations, candidates, lists.

use crate::config::{
    Aggregator, Api, Backend, Checker, Config, Location, Logging, Metrics, SnapshotLife, Source,
    Storage,
};
use crate::sources::address::AddressPolicy;
use crate::sources::parse::{Format, Parsed};
use proxy_shards::policy::PolicyOptions;
use proxy_shards::target::TargetOptions;
use proxy_shards::{Candidate, ProbePolicy, Require, Scheme};
use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

/// A configuration with one file source for each of `names`.
pub(crate) fn config(names: &[&str]) -> Config {
    Config {
        aggregator: Aggregator {
            interval: Duration::from_secs(60),
            sources: names.iter().map(|name| source(name)).collect(),
            user_agent: "test".into(),
            addresses: AddressPolicy::default(),
            source_timeout: Duration::from_secs(5),
            source_bytes_max: 1 << 20,
        },
        checker: Checker {
            policy: Arc::new(policy()),
            concurrency: NonZeroUsize::new(1_000).unwrap(),
            connects_per_second: None,
            shards: None,
            batch_size: NonZeroUsize::new(100).unwrap(),
            control: None,
            backoff_max: Duration::from_secs(600),
            adaptive: false,
            max_fd_usage_percent: 80,
            max_cpu_usage_percent: 95,
        },
        snapshot: SnapshotLife::default(),
        api: Api {
            addr: "127.0.0.1:0".parse().unwrap(),
            keys: None,
            allow_anonymous: false,
            rate_limit_per_minute: None,
            rate_limit_per_ip: None,
            trusted_proxies: Arc::new([]),
            connections_per_ip_max: 256,
            report_quorum: 1,
            cors_origins: crate::config::Origins::default(),
        },
        storage: Storage {
            backup: None,
            backend: Backend::File("unused".into()),
            persist_interval: Duration::from_secs(300),
        },
        cluster: None,
        metrics: Metrics {
            enabled: true,
            endpoint: "/metrics".into(),
            namespace: "test".into(),
            require_key: false,
        },
        logging: Logging {
            level: "info".into(),
            json: false,
            file: None,
            otlp: None,
        },
        alerts: Arc::default(),
    }
}

/// A file source of that name.
pub(crate) fn source(name: &str) -> Source {
    Source {
        url: name.into(),
        location: Location::File(name.into()),
        hint: Scheme::Http,
        format: Format::Auto,
    }
}

fn policy() -> ProbePolicy {
    ProbePolicy::new(PolicyOptions::default()).unwrap()
}

/// From this number on candidates are of IPv6.
pub(crate) const SIX: u32 = 1 << 23;

/// The `n`th candidate, a public address.
pub(crate) fn candidate(n: u32) -> Candidate {
    let [_, b, c, d] = n.to_be_bytes();
    let text = match n < SIX {
        true => format!("http://9.{b}.{c}.{d}:8080"),
        false => format!("http://[2a00::{:x}:{:x}]:8080", n >> 16, n & 0xffff),
    };
    text.parse().unwrap()
}

/// Its number, from its address.
pub(crate) fn number(ip: IpAddr) -> u32 {
    let number = match ip {
        IpAddr::V4(ip) => u32::from(ip),
        IpAddr::V6(ip) => ip.to_bits() as u32,
    };
    number & 0x00ff_ffff
}

/// A list that holds those candidates.
pub(crate) fn list(numbers: impl IntoIterator<Item = u32>) -> Parsed {
    Parsed {
        candidates: numbers.into_iter().map(candidate).collect(),
        ..Parsed::default()
    }
}

/// A configuration whose targets, of these names, are tried without a proxy every 5 s.
pub(crate) fn controlled(targets: &[&str], require: Require) -> Config {
    let target = |name: &&str| TargetOptions {
        name: (*name).to_owned(),
        url: format!("http://{name}.example/generate_204"),
        ..TargetOptions::default()
    };
    let policy = ProbePolicy::new(PolicyOptions {
        targets: targets.iter().map(target).collect(),
        require,
        ..PolicyOptions::default()
    });
    let mut config = config(&["a"]);
    config.checker.policy = Arc::new(policy.unwrap());
    config.checker.control = Some(Duration::from_secs(5));
    config
}
