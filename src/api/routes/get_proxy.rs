//! `/get-proxy`: alive proxies from the snapshot.

use crate::api::ApiState;
use crate::api::answer::Answer;
use crate::api::desk::Call;
use crate::api::listing::Form;
use crate::api::refusal::Refusal;
use crate::api::select::{Amount, Filter};
use crate::snapshot::Snapshot;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use std::sync::atomic::AtomicUsize;
use std::time::SystemTime;

/// The proxies that the query asks for, or why there are none; with the snapshot's headers.
pub(super) fn answer(call: &Call<'_>, state: &ApiState) -> Answer {
    let snapshot = state.snapshots.load();
    let listed = listing(&snapshot, call.head, &state.cursor, call.now);
    let mut answer = listed.unwrap_or_else(Answer::from);
    describe(&snapshot, call.now, &mut answer.headers);
    answer
}

/// Proxies that are asked for at once by those who take their turn.
const MUCH: u64 = 1_000;

/// Whether the query may ask for [`MUCH`]: making that answer takes a while.
pub(super) fn asks_for_much(query: Option<&str>) -> bool {
    match Amount::read(query) {
        Ok(Amount::All) => true,
        Ok(Amount::AtMost(most)) => most.get() >= MUCH,
        Err(_) => false,
    }
}

/// The order of these lines is the contract: what is checked first hides what comes later.
fn listing(
    snapshot: &Snapshot,
    head: &Parts,
    cursor: &AtomicUsize,
    now: SystemTime,
) -> Result<Answer, Refusal> {
    let query = head.uri.query();
    if snapshot.pool.proxies().is_empty() {
        return Err(Refusal::NothingAlive);
    }
    let matches = Filter::read(query)?.apply(snapshot, now)?;
    let amount = Amount::read(query)?;
    let proxies = amount.pick(&matches, cursor, &mut fastrand::Rng::new());
    let form = Form::read(query, &head.headers);
    Ok(Answer::ok(
        form.content_type(),
        form.write(&proxies, snapshot),
    ))
}

/// Says which snapshot it was, how old, and whether and why it is one that is held.
fn describe(snapshot: &Snapshot, now: SystemTime, headers: &mut HeaderMap) {
    let age = now.duration_since(snapshot.published).unwrap_or_default();
    headers.insert(
        HeaderName::from_static("x-snapshot-generation"),
        snapshot.generation.into(),
    );
    headers.insert(
        HeaderName::from_static("x-snapshot-age"),
        age.as_secs().into(),
    );
    if snapshot.stale {
        headers.insert(
            HeaderName::from_static("x-snapshot-stale"),
            HeaderValue::from_static("true"),
        );
        if let Some((why, _since)) = snapshot.stat.stale {
            headers.insert(
                HeaderName::from_static("x-snapshot-stale-reason"),
                HeaderValue::from_static(why.label()),
            );
        }
    }
}

#[cfg(test)]
mod tests;
