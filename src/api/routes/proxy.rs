//! `/proxy/{address}`: all that the ledger has about one proxy.

use crate::api::answer::Answer;
use crate::api::desk::{Call, Desk};
use crate::api::listing::Names;
use crate::api::refusal::Refusal;
use crate::api::time::Rfc3339;
use crate::ledger::{Check, Facts, Voices};
use crate::snapshot::Stat;
use axum::http::StatusCode;
use percent_encoding::percent_decode_str;
use proxy_shards::{Candidate, Protocol, Scheme, Timing, Verdict};
use serde::Serialize;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::{Duration, SystemTime};

/// What comes before the address.
const PREFIX: &str = "/proxy/";

/// Whether `path` is one of this route, be its address one or not.
pub(super) fn is_path(path: &str) -> bool {
    path.strip_prefix(PREFIX)
        .is_some_and(|rest| !rest.is_empty())
}

/// Asks the coordinator, the only one that reads the ledger.
pub(super) async fn answer(call: &Call<'_>, desk: &Desk) -> Result<Answer, Refusal> {
    let snapshot = desk.state.snapshots.load();
    let asked = address(call.head.uri.path()).ok_or(Refusal::Address)?;
    let known = desk.questions.ask(asked.host.clone(), asked.port).await?;
    if known.facts.is_empty() {
        return Err(Refusal::UnknownProxy);
    }
    let told = known.facts.iter();
    let page = Page {
        address: asked.address().to_string(),
        total: known.total,
        candidates: told.map(|facts| Row::of(facts, &snapshot.stat)).collect(),
    };
    Ok(Answer::json(StatusCode::OK, &page))
}

/// The proxy that a path asks about: `host:port`, percent-encoded or not, with or without a scheme.
/// Credentials do not belong into a path.
fn address(path: &str) -> Option<Candidate> {
    let text = percent_decode_str(path.strip_prefix(PREFIX)?);
    read_address(&text.decode_utf8().ok()?)
}

/// The proxy at `host:port`, with or without a scheme.
pub(super) fn read_address(text: &str) -> Option<Candidate> {
    let address = match text.split_once("://") {
        Some((scheme, address)) => Scheme::from_label(scheme).map(|_| address)?,
        None => text,
    };
    if address.contains('@') {
        return None;
    }
    format!("auto://{address}").parse().ok()
}

#[derive(Serialize)]
struct Page<'f> {
    address: String,
    total: usize,
    candidates: Vec<Row<'f>>,
}

#[derive(Serialize)]
struct Row<'f> {
    scheme: &'static str,
    has_credentials: bool,
    alive: bool,
    verdict: Option<&'static str>,
    protocols: Vec<&'static str>,
    targets: BTreeMap<&'static str, Names<'f>>,
    exit: Option<IpAddr>,
    anonymity: Option<&'static str>,
    latency_ms: Latency,
    last_check: Option<Rfc3339>,
    last_alive: Option<Rfc3339>,
    failures_in_a_row: u32,
    next_check: Option<Rfc3339>,
    held: bool,
    reports: Reports<'f>,
    sources: &'f [Box<str>],
    history: Vec<Past>,
}

impl<'f> Row<'f> {
    fn of(facts: &'f Facts, stat: &'f Stat) -> Row<'f> {
        let entry = &facts.entry;
        let candidate = &entry.candidate;
        let order = candidate.scheme.protocols().in_order(candidate.port);
        let protocols: Vec<Protocol> = order
            .filter(|&protocol| !entry.works.by(protocol).is_empty())
            .collect();
        let reached = |&protocol: &Protocol| {
            let targets = entry.works.by(protocol);
            (protocol.label(), Names(targets, stat))
        };
        Row {
            scheme: candidate.scheme.label(),
            has_credentials: candidate.credentials.is_some(),
            alive: entry.verdict == Some(Verdict::Alive),
            verdict: entry.verdict.map(Verdict::label),
            targets: protocols.iter().map(reached).collect(),
            protocols: protocols.into_iter().map(Protocol::label).collect(),
            exit: entry.exit.map(|exit| exit.ip),
            anonymity: entry.exit.map(|exit| exit.anonymity.label()),
            latency_ms: Latency::of(entry.timing, &entry.history),
            last_check: moment(entry.checked_at_ms),
            last_alive: moment(entry.alive_at_ms),
            failures_in_a_row: entry.failures,
            next_check: facts.next_check_ms.and_then(moment),
            held: facts.held,
            reports: Reports::of(facts.voices, stat),
            sources: &facts.sources,
            history: entry.history.iter().rev().map(Past::of).collect(),
        }
    }
}

/// How many clients said what of it lately.
#[derive(Serialize)]
struct Reports<'f> {
    ok: u8,
    fail: u8,
    banned: u8,
    /// By target, those only that turned a client away.
    banned_at: BTreeMap<&'f str, u8>,
}

impl Reports<'_> {
    fn of(voices: Voices, stat: &Stat) -> Reports<'_> {
        let targets = stat.targets.iter().zip(voices.banned_at);
        let banned_at = targets.map(|(target, clients)| (&*target.name, clients));
        Reports {
            ok: voices.ok,
            fail: voices.fail,
            banned: voices.banned,
            banned_at: banned_at.filter(|(_, clients)| *clients > 0).collect(),
        }
    }
}

/// Of the last probe that ended alive; `None` where a part was not reached or there is none.
#[derive(Serialize)]
struct Latency {
    total: Option<f64>,
    connect: Option<f64>,
    handshake: Option<f64>,
    tls: Option<f64>,
    first_byte: Option<f64>,
    /// Of the checks in the history that ended alive.
    p50: Option<f64>,
    p95: Option<f64>,
}

impl Latency {
    fn of(timing: Timing, history: &[Check]) -> Latency {
        let part = |us: u32| (us > 0).then(|| ms(us));
        let alive = history
            .iter()
            .filter(|check| check.verdict == Verdict::Alive);
        let mut alive: Vec<u32> = alive.map(|check| check.total_us).collect();
        alive.sort_unstable();
        Latency {
            total: part(timing.total_us),
            connect: part(timing.connect_us),
            handshake: part(timing.handshake_us),
            tls: part(timing.tls_us),
            first_byte: part(timing.first_byte_us),
            p50: percentile(&alive, 50).map(ms),
            p95: percentile(&alive, 95).map(ms),
        }
    }
}

/// The smallest of `sorted` that `percent` of them do not exceed.
fn percentile(sorted: &[u32], percent: usize) -> Option<u32> {
    let rank = (sorted.len() * percent).div_ceil(100);
    sorted.get(rank.checked_sub(1)?).copied()
}

/// One check.
#[derive(Serialize)]
struct Past {
    at: Rfc3339,
    verdict: &'static str,
    latency_ms: f64,
}

impl Past {
    fn of(check: &Check) -> Past {
        let at = SystemTime::UNIX_EPOCH + Duration::from_secs(check.at_s.into());
        Past {
            at: Rfc3339(Some(at)),
            verdict: check.verdict.label(),
            latency_ms: ms(check.total_us),
        }
    }
}

/// Milliseconds with their decimals.
fn ms(us: u32) -> f64 {
    f64::from(us) / 1_000.0
}

/// `None`: never.
fn moment(at_ms: u64) -> Option<Rfc3339> {
    let at = SystemTime::UNIX_EPOCH.checked_add(Duration::from_millis(at_ms));
    (at_ms > 0).then_some(Rfc3339(at))
}

#[cfg(test)]
mod tests;
