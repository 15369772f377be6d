//! Checks `cluster`: which Redis the nodes share, and which of them this one is.

use super::checker::ca_pem;
use super::problem::{Report, quoted};
use super::raw::RawCluster;
use super::redis::{password, prefix};
use super::serving::Env;
use super::{Cluster, RedisPlace};
use std::path::Path;
use std::time::Duration;

/// Longest name of a node, in bytes.
const NAME_BYTES_MAX: usize = 64;

/// What names a host that is one of several, if its configuration does not.
const HOST_NAME: &str = "/proc/sys/kernel/hostname";

/// The block, checked; the password comes from `env`, a relative `ca_file` starts at `folder`. `None`:
/// a machine alone.
pub(super) fn cluster(
    raw: &RawCluster,
    folder: &Path,
    env: Env<'_>,
    report: &mut Report,
) -> Option<Cluster> {
    let lease_ms = report.number(
        "cluster.lease_ms",
        raw.lease_ms,
        RawCluster::default().lease_ms,
        1_000..=60_000,
    );
    if raw.redis_url.is_empty() {
        warn_of_unused(raw, report);
        return None;
    }
    let password = report.take(
        "cluster.password_env",
        password(&raw.password_env, env),
        None,
    );
    let ca = report.take("cluster.ca_file", ca_pem(&raw.ca_file, folder), None);
    let has_ca = ca.is_some();
    let node = report.take("cluster.node", node(&raw.node), Box::default());
    let prefix = report.take(
        "cluster.prefix",
        prefix(&raw.prefix, &RawCluster::default().prefix),
        Box::default(),
    );
    let redis = match RedisPlace::new(&raw.redis_url, password, ca.map(Into::into)) {
        Ok(redis) => redis,
        Err(why) => {
            report.problem("cluster.redis_url", why);
            return None;
        }
    };
    if has_ca && redis.url.scheme() != "rediss" {
        let text =
            "is given, but cluster.redis_url asks for no TLS; write rediss://host:port/0 there";
        report.problem("cluster.ca_file", text);
    }
    Some(Cluster {
        redis,
        node,
        prefix,
        lease: Duration::from_millis(lease_ms),
    })
}

/// Who writes a part of the block means to have a cluster.
fn warn_of_unused(raw: &RawCluster, report: &mut Report) {
    let default = RawCluster::default();
    for (place, differs) in [
        (
            "cluster.password_env",
            raw.password_env != default.password_env,
        ),
        ("cluster.ca_file", raw.ca_file != default.ca_file),
        ("cluster.node", raw.node != default.node),
    ] {
        if differs {
            report.warning(
                place,
                "does nothing while cluster.redis_url is empty: this machine works alone",
            );
        }
    }
}

/// The name of this node; the host's own if none is given.
fn node(text: &str) -> Result<Box<str>, String> {
    const FORM: &str = "use up to 64 letters, digits and . _ -";
    let good = |name: &str| {
        let byte = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
        (1..=NAME_BYTES_MAX).contains(&name.len()) && name.bytes().all(byte)
    };
    if !text.is_empty() {
        return match good(text) {
            true => Ok(text.into()),
            false => Err(format!("{} names no node; {FORM}", quoted(text))),
        };
    }
    let host = std::fs::read_to_string(HOST_NAME).unwrap_or_default();
    match host.trim() {
        host if good(host) => Ok(host.into()),
        host => Err(format!(
            "is empty, and the name of this host, {}, names no node; {FORM}",
            quoted(host)
        )),
    }
}
