//! `DELETE /lease/{id}`, and what `lease` of a query means.

use crate::api::answer::{Answer, TEXT};
use crate::api::desk::{Call, Desk};
use crate::api::holder::Holder;
use crate::api::leases::{Full, LeaseId, Open};
use crate::api::query;
use crate::api::refusal::Refusal;
use crate::api::select::Amount;
use crate::api::time::Rfc3339;
use crate::snapshot::Proxy;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use serde::{Serialize, Serializer};
use std::time::{Duration, Instant};

/// What comes before the id.
const PREFIX: &str = "/lease/";

/// Most proxies of one lease.
const PROXIES_MAX: u64 = 100;
/// Longest time of one, in seconds.
const SECONDS_MAX: u64 = 3_600;

/// Whether `path` is one of this route, be its id one or not.
pub(super) fn is_path(path: &str) -> bool {
    path.strip_prefix(PREFIX)
        .is_some_and(|rest| !rest.is_empty())
}

/// Ends a lease of the client that asks. Others are not told whether there is one.
pub(super) fn end(call: &Call<'_>, desk: &Desk) -> Result<Answer, Refusal> {
    let id = call.head.uri.path().strip_prefix(PREFIX);
    let id = id.and_then(LeaseId::read).ok_or(Refusal::NoLease)?;
    let mut leases = desk.leases.open(Instant::now());
    if !leases.end(id, Holder::from(call.client)) {
        return Err(Refusal::NoLease);
    }
    let mut answer = Answer::new(StatusCode::NO_CONTENT, TEXT, "");
    answer.headers.remove(header::CONTENT_TYPE);
    Ok(answer)
}

/// How long the query wants what it gets for itself, if it does.
pub(super) fn read(query: Option<&str>, amount: Amount) -> Result<Option<Duration>, Refusal> {
    let Some(text) = query::value(query, "lease") else {
        return Ok(None);
    };
    let time = time(&text).ok_or(Refusal::Lease)?;
    match amount {
        Amount::AtMost(most) if most.get() <= PROXIES_MAX => Ok(Some(time)),
        Amount::AtMost(_) | Amount::All => Err(Refusal::LeaseAmount),
    }
}

/// `30` and `30s` are seconds, `5m` minutes, `1h` an hour.
fn time(text: &str) -> Option<Duration> {
    let (number, unit) = match text.as_bytes().last()? {
        b's' => (&text[..text.len() - 1], 1),
        b'm' => (&text[..text.len() - 1], 60),
        b'h' => (&text[..text.len() - 1], 3_600),
        _ => (text, 1),
    };
    let seconds = query::at_least_one(number)?.saturating_mul(unit);
    (seconds <= SECONDS_MAX).then(|| Duration::from_secs(seconds))
}

/// A lease, as its client is told of it.
#[derive(Clone, Copy, Debug, Serialize)]
pub(in crate::api) struct Granted {
    #[serde(serialize_with = "as_text")]
    id: LeaseId,
    expires: Rfc3339,
}

fn as_text<S: Serializer>(id: &LeaseId, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(id)
}

/// Leases what was picked, all or nothing.
pub(super) fn take(
    leases: &mut Open<'_>,
    call: &Call<'_>,
    picked: &[&Proxy],
    time: Duration,
    now: Instant,
) -> Result<Granted, Refusal> {
    let id = LeaseId::random().ok_or(Refusal::NoRandomness)?;
    let holder = Holder::from(call.client);
    let taken = leases.take(id, holder, picked, now + time);
    taken.map_err(|full| match full {
        // The leases of others may end before: that gives this client nothing.
        Full::Holder => Refusal::LeasesOfClient(seconds_until(leases.first_end_of(holder), now)),
        Full::Total => Refusal::LeasesOfAll(seconds_until(leases.first_end(), now)),
    })?;
    Ok(Granted {
        id,
        expires: Rfc3339(Some(call.now + time)),
    })
}

/// Why nothing is left of what matches.
pub(super) fn all_leased(leases: &Open<'_>, now: Instant) -> Refusal {
    Refusal::AllLeased(seconds_until(leases.first_end(), now))
}

/// Whole seconds, at least one.
fn seconds_until(end: Option<Instant>, now: Instant) -> u64 {
    let left = end.map_or(Duration::ZERO, |end| end.saturating_duration_since(now));
    left.as_millis().div_ceil(1_000).max(1) as u64
}

/// The headers that tell of a lease in every form of an answer.
pub(super) fn describe(granted: &Granted, headers: &mut HeaderMap) {
    let texts = [
        ("x-lease-id", granted.id.to_string()),
        ("x-lease-expires", granted.expires.to_string()),
    ];
    for (name, text) in texts {
        if let Ok(value) = HeaderValue::from_str(&text) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
}

/// Leases in force, for the metrics.
pub(super) fn count(desk: &Desk) -> usize {
    match desk.leases.any() {
        true => desk.leases.open(Instant::now()).len(),
        false => 0,
    }
}

#[cfg(test)]
mod tests;
