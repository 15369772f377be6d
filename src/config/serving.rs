//! Checks `api` and `metrics`: what is served where, and to whom.

use super::cors;
use super::problem::{Report, quoted};
use super::raw::{RawApi, RawMetrics};
use super::secret::is_variable_name;
use super::{Api, Metrics};
use crate::ledger::CLIENTS_MAX;
use crate::network::Network;
use sha2::{Digest, Sha256};
use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroU32;
use std::sync::Arc;

/// Paths that the API has for itself; `metrics.endpoint` can be none of them.
pub const API_PATHS: [&str; 9] = [
    "/",
    "/health",
    "/ready",
    "/get-proxy",
    "/stat",
    "/reload",
    "/openapi.json",
    "/report",
    "/history",
];

/// Gives the value of an environment variable.
pub(super) type Env<'a> = &'a dyn Fn(&str) -> Option<String>;

/// The block, checked; keys come from `env`.
pub(super) fn api(raw: &RawApi, env: Env<'_>, report: &mut Report) -> Api {
    let default = RawApi::default();
    let addr = addr(raw, report);
    let keys = match raw.enable_api_key_auth {
        true => report.take(
            "api.api_key_env",
            keys(&raw.api_key_env, env).map(Some),
            None,
        ),
        false => None,
    };
    let mut limit = |key: &str, value, default| {
        let limit = report.number(&format!("api.{key}"), value, default, 1..=1_000_000_000);
        let limit = u32::try_from(limit).unwrap_or(u32::MAX);
        NonZeroU32::new(limit).filter(|_| raw.enable_ip_rate_limit)
    };
    let known = keys.as_deref().map(<[_]>::len);
    let rate_limit_per_minute = limit(
        "rate_limit_per_minute",
        raw.rate_limit_per_minute,
        default.rate_limit_per_minute,
    );
    let rate_limit_per_ip = limit(
        "rate_limit_per_ip",
        raw.rate_limit_per_ip,
        default.rate_limit_per_ip,
    );
    let connections_per_ip_max = report.number(
        "api.max_connections_per_ip",
        raw.max_connections_per_ip,
        default.max_connections_per_ip,
        1..=1_000_000,
    );
    let api = Api {
        addr,
        keys,
        allow_anonymous: raw.allow_anonymous,
        rate_limit_per_minute,
        rate_limit_per_ip,
        trusted_proxies: trusted_proxies(&raw.trusted_proxies, report),
        cors_origins: cors::origins(&raw.cors_origins, report),
        report_quorum: report_quorum(raw.report_quorum, known, report),
        connections_per_ip_max: usize::try_from(connections_per_ip_max).unwrap_or(usize::MAX),
    };
    // Keys that are asked for and missing have been named already.
    if !raw.enable_api_key_auth
        && let Err(text) = api.may_listen_on(addr)
    {
        report.problem("api.enable_api_key_auth", text);
    }
    api
}

/// `api.addr` alone, checked.
pub(super) fn addr(raw: &RawApi, report: &mut Report) -> SocketAddr {
    let here = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let addr = match raw.addr.trim() {
        "" => &RawApi::default().addr,
        addr => addr,
    };
    report.take("api.addr", listen_address(addr), here)
}

impl Api {
    /// Whether a service that goes by this may listen on `addr`: where strangers can reach it, it
    /// asks for a key, unless the operator says that it need not.
    ///
    /// # Errors
    /// It may not; the words follow `api.enable_api_key_auth: ` and name the remedies.
    pub fn may_listen_on(&self, addr: SocketAddr) -> Result<(), String> {
        let is_private = addr.ip().to_canonical().is_loopback();
        if is_private || self.keys.is_some() || self.allow_anonymous {
            return Ok(());
        }
        Err(format!(
            "is off, so whoever reaches {addr} would get the proxies; turn it on with keys in the variable that api.api_key_env names, listen on 127.0.0.1, or set api.allow_anonymous to true"
        ))
    }
}

/// Clients that must say the same of a proxy. With one key there is one client; without keys, clients
/// are told apart by their address, and behind a reverse proxy or on one host all have the same: a
/// larger quorum would never be reached there. Where one is enough, one client brings about few checks
/// and its bans count for few proxies of a target: more than half of them are never passed over.
fn report_quorum(raw: u64, keys: Option<usize>, report: &mut Report) -> u8 {
    const SEVERAL: u64 = 2;
    let default = match keys {
        None | Some(0 | 1) => 1,
        Some(_) => SEVERAL,
    };
    let place = "api.report_quorum";
    let quorum = report.number(place, raw, default, 1..=CLIENTS_MAX as u64);
    if let Some(keys) = keys
        && raw > 0
        && quorum > keys as u64
    {
        let text = format!(
            "is {quorum}, and there are fewer keys, so no proxy will be checked because of reports; name at most {keys}"
        );
        report.warning(place, text);
    }
    u8::try_from(quorum).unwrap_or(u8::MAX)
}

/// Reads `:PORT`, `IP:PORT` or `localhost:PORT`. Port 0 lets the kernel choose.
///
/// # Errors
/// The text is none of them; the message says so.
pub fn listen_address(text: &str) -> Result<SocketAddr, String> {
    let wrong = || {
        format!(
            "{} is no address to listen on; give :PORT, IP:PORT or [IPv6]:PORT",
            quoted(text)
        )
    };
    let (host, port) = text.rsplit_once(':').ok_or_else(wrong)?;
    match host {
        "" | "localhost" => {
            let digits = port.bytes().all(|b| b.is_ascii_digit());
            let port: u16 = port.parse().ok().filter(|_| digits).ok_or_else(wrong)?;
            let ip = match host {
                "" => Ipv4Addr::UNSPECIFIED,
                _ => Ipv4Addr::LOCALHOST,
            };
            Ok((ip, port).into())
        }
        _ => text.parse().map_err(|_| wrong()),
    }
}

/// The keys that the variable `name` holds, each as its SHA-256.
fn keys(name: &str, env: Env<'_>) -> Result<Arc<[[u8; 32]]>, String> {
    const OR_OFF: &str = "or set api.enable_api_key_auth to false";
    if name.is_empty() {
        return Err(format!(
            "names no environment variable, and api.enable_api_key_auth is on; name the one that holds the keys, {OR_OFF}"
        ));
    }
    // Someone may have put a key where its variable's name belongs: then it is not repeated here.
    if !is_variable_name(name) {
        return Err(
            "is not the name of an environment variable; put the key into a variable and its name here"
                .to_owned(),
        );
    }
    let value = env(name).ok_or_else(|| {
        format!("the environment variable {name} is not set; set it to one or more keys separated by commas, {OR_OFF}")
    })?;
    let keys: Arc<[[u8; 32]]> = value
        .split(',')
        .map(str::trim)
        .filter(|key| !key.is_empty())
        .map(|key| Sha256::digest(key).into())
        .collect();
    if keys.is_empty() {
        return Err(format!(
            "the environment variable {name} is empty; set it to one or more keys separated by commas, {OR_OFF}"
        ));
    }
    Ok(keys)
}

fn trusted_proxies(raw: &[String], report: &mut Report) -> Arc<[Network]> {
    let mut networks = Vec::new();
    for (index, text) in raw.iter().enumerate() {
        match text.trim().parse() {
            Ok(network) => networks.push(network),
            Err(error) => {
                let place = format!("api.trusted_proxies[{index}]");
                report.problem(&place, format!("{} {error}", quoted(text)));
            }
        }
    }
    networks.into()
}

/// The block, checked.
pub(super) fn metrics(raw: &RawMetrics, api: &RawApi, report: &mut Report) -> Metrics {
    let default = RawMetrics::default();
    if raw.require_key && !api.enable_api_key_auth {
        let text = "needs keys, and api.enable_api_key_auth is off; turn both on or both off";
        report.problem("metrics.require_key", text);
    }
    let or_default = |text: &str, default: &str| -> Box<str> {
        if text.is_empty() { default } else { text }.into()
    };
    let endpoint = or_default(&raw.endpoint, &default.endpoint);
    let namespace = or_default(&raw.namespace, &default.namespace);
    if let Err(text) = endpoint_is_free(&endpoint) {
        report.problem("metrics.endpoint", text);
    }
    if !is_metric_name(&namespace) {
        let text = format!(
            "{} is no Prometheus name; use letters, digits and _, and no digit first",
            quoted(&namespace)
        );
        report.problem("metrics.namespace", text);
    }
    Metrics {
        enabled: raw.enabled,
        endpoint,
        namespace,
        require_key: raw.require_key,
    }
}

fn endpoint_is_free(path: &str) -> Result<(), String> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"/-._~".contains(&b);
    if !path.starts_with('/') || !path.bytes().all(plain) {
        return Err(format!(
            "{} is no path; begin with / and use letters, digits, - . _ ~ and /",
            quoted(path)
        ));
    }
    if API_PATHS.contains(&path) {
        return Err(format!("{path} belongs to the API; choose another path"));
    }
    Ok(())
}

/// The form of a metric name in the Prometheus data model.
fn is_metric_name(name: &str) -> bool {
    let letter = |b: u8| b.is_ascii_alphabetic() || b == b'_' || b == b':';
    name.bytes().next().is_some_and(letter) && name.bytes().all(|b| letter(b) || b.is_ascii_digit())
}
