//! `/get-proxy`: alive proxies from the snapshot.

use super::lease::{self, Granted};
use crate::api::answer::Answer;
use crate::api::desk::{Call, Desk};
use crate::api::leases::Leases;
use crate::api::listing::Form;
use crate::api::refusal::Refusal;
use crate::api::select::{Amount, Filter, Matches};
use crate::api::unique::{Seen, Unique};
use crate::snapshot::{Proxy, Snapshot};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use std::sync::atomic::AtomicUsize;
use std::time::{Duration, Instant, SystemTime};

/// The proxies that the query asks for, or why there are none; with the snapshot's headers.
pub(super) fn answer(call: &Call<'_>, desk: &Desk) -> Answer {
    let snapshot = desk.state.snapshots.load();
    let listed = listing(&snapshot, call, desk);
    let mut answer = listed.unwrap_or_else(Answer::from);
    describe(&snapshot, call.now, &mut answer.headers);
    answer
}

/// The order of these lines is the contract: what is checked first hides what comes later.
fn listing(snapshot: &Snapshot, call: &Call<'_>, desk: &Desk) -> Result<Answer, Refusal> {
    let query = call.head.uri.query();
    if snapshot.pool.proxies().is_empty() {
        return Err(Refusal::NothingAlive);
    }
    let filter = Filter::read(query)?;
    let unique = Unique::read(query)?;
    let matches = filter.apply(snapshot, call.now)?;
    let amount = Amount::read(query)?;
    let wish = Wish {
        amount,
        unique,
        lease: lease::read(query, amount)?,
    };
    let (proxies, granted) = match wish.is_plain(&desk.leases) {
        true => {
            let random = &mut fastrand::Rng::new();
            (amount.pick(&matches, &desk.state.cursor, random), None)
        }
        false => wish.choose(snapshot, &matches, call, desk)?,
    };
    let form = Form::read(query, &call.head.headers);
    let body = form.write(&proxies, snapshot, granted);
    let mut answer = Answer::ok(form.content_type(), body);
    if let Some(granted) = granted {
        lease::describe(&granted, &mut answer.headers);
    }
    Ok(answer)
}

/// What a request wants of the proxies that match.
#[derive(Clone, Copy, Debug)]
struct Wish {
    amount: Amount,
    unique: Option<Unique>,
    lease: Option<Duration>,
}

impl Wish {
    /// Whether whatever matches may be picked: then no lock is taken.
    fn is_plain(self, leases: &Leases) -> bool {
        let any_leased = self.amount != Amount::All && leases.any();
        self.unique.is_none() && self.lease.is_none() && !any_leased
    }

    /// Picks one of each place, and what nobody has leased, and leases it if that is wanted. With
    /// `all=1` the leased are told too.
    fn choose<'s>(
        self,
        snapshot: &'s Snapshot,
        matches: &Matches<'s>,
        call: &Call<'_>,
        desk: &Desk,
    ) -> Result<(Vec<&'s Proxy>, Option<Granted>), Refusal> {
        let now = Instant::now();
        let mut leases = (self.amount != Amount::All).then(|| desk.leases.open(now));
        if let Some(leases) = &mut leases
            && self.lease.is_some()
        {
            leases.drop_dead(snapshot.generation, snapshot.pool.proxies(), now);
        }
        let mut seen = Seen::new(self.unique);
        let fits = |proxy: &'s Proxy| {
            let free = leases.as_ref().is_none_or(|leases| leases.is_free(proxy));
            free && seen.is_new(proxy)
        };
        let mut random = fastrand::Rng::new();
        // With the shared cursor, a pool in which the same ones are alike each time might come back to
        // the same places for ever, and never to the others.
        let anywhere = AtomicUsize::new(random.usize(..));
        let cursor = match self.unique {
            Some(_) => &anywhere,
            None => &*desk.state.cursor,
        };
        let picked = self.amount.pick_fitting(matches, cursor, &mut random, fits);
        let Some(mut leases) = leases else {
            return Ok((picked, None));
        };
        if picked.is_empty() {
            return Err(lease::all_leased(&leases, now));
        }
        let take = |time| lease::take(&mut leases, call, &picked, time, now);
        let granted = self.lease.map(take).transpose()?;
        Ok((picked, granted))
    }
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
