//! `/get-proxy`: alive proxies from the snapshot.

use super::lease::{self, Granted};
use crate::api::answer::{Answer, Content};
use crate::api::coding::Coding;
use crate::api::desk::{Call, Desk};
use crate::api::etag;
use crate::api::leases::Leases;
use crate::api::listing::Form;
use crate::api::refusal::Refusal;
use crate::api::select::{Amount, Filter, Matches};
use crate::api::shelf::Kind;
use crate::api::unique::{Seen, Unique};
use crate::api::{mistyped, query, stamp};
use crate::snapshot::{Proxy, Snapshot};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::{Duration, Instant};
use tokio::task::yield_now;

/// The proxies that the query asks for, or why there are none; with the snapshot's headers.
pub(super) async fn answer(call: &Call<'_>, desk: &Desk) -> Answer {
    let snapshot = desk.state.snapshots.load();
    let listed = match Asked::read(&snapshot, call) {
        Ok(asked) => answer_to(asked, &snapshot, call, desk).await,
        Err(refusal) => Err(refusal),
    };
    let mut answer = listed.unwrap_or_else(Answer::from);
    stamp::describe(&snapshot, call.now, &mut answer.headers);
    answer
}

async fn answer_to(
    asked: Asked<'_>,
    snapshot: &Arc<Snapshot>,
    call: &Call<'_>,
    desk: &Desk,
) -> Result<Answer, Refusal> {
    match Amount::read(call.head.uri.query()) {
        Ok(Amount::All) => everything(asked, snapshot, call, desk).await,
        _ => listing(&asked, snapshot, call, desk).await,
    }
}

/// What a request says, but for how many it wants.
#[derive(Debug)]
struct Asked<'q> {
    filter: Filter<'q>,
    unique: Option<Unique>,
    form: Form,
}

impl<'q> Asked<'q> {
    /// The order of these lines is the contract, as that of those in [`listing`]: what is checked first
    /// hides what comes later.
    fn read(snapshot: &Snapshot, call: &Call<'q>) -> Result<Asked<'q>, Refusal> {
        let query = call.head.uri.query();
        if snapshot.pool.proxies().is_empty() {
            return Err(Refusal::NothingAlive);
        }
        mistyped::refuse(query)?;
        Ok(Asked {
            filter: Filter::read(query)?,
            unique: Unique::read(query)?,
            form: Form::read(query, &call.head.headers)?,
        })
    }
}

/// Proxies that are a large answer, or take a while to be looked through.
const MUCH: usize = 1_000;

/// Whether the query may ask for [`MUCH`].
fn asks_for_much(query: Option<&str>) -> bool {
    match Amount::read(query) {
        Ok(Amount::All) => true,
        Ok(Amount::AtMost(most)) => most.get() >= MUCH as u64,
        Err(_) => false,
    }
}

async fn listing(
    asked: &Asked<'_>,
    snapshot: &Snapshot,
    call: &Call<'_>,
    desk: &Desk,
) -> Result<Answer, Refusal> {
    let query = call.head.uri.query();
    let &Asked {
        ref filter,
        unique,
        form,
    } = asked;
    let is_large = snapshot.pool.proxies().len() >= MUCH;
    let _turn = match is_large && asks_for_much(query) {
        true => Some(desk.turns.take(call.client.into()).await?),
        false => None,
    };
    if is_large && (filter.looks_closer() || unique.is_some() || desk.leases.any()) {
        // All of the pool may be looked through: whoever wants less goes first.
        yield_now().await;
    }
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
    let body = form.write_in_turns(&proxies, snapshot, granted).await;
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
            leases.is_of(snapshot.generation, snapshot.pool.proxies());
        }
        let mut seen = Seen::new(self.unique);
        let mut fits = |proxy: &'s Proxy| {
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
        let amount = self.amount;
        let mut picked = amount.pick_fitting(matches, cursor, &mut random, &mut fits);
        if picked.is_empty()
            && let Some(matches) = matches.with_banned()
        {
            // All others are leased: better one that may be turned away than none.
            picked = amount.pick_fitting(&matches, cursor, &mut random, &mut fits);
        }
        let Some(mut leases) = leases else {
            return Ok((picked, None));
        };
        if picked.is_empty() {
            return Err(lease::all_leased(&leases, now));
        }
        if self.lease.is_some() {
            leases.fit(call.client.into(), &mut picked);
        }
        let take = |time| lease::take(&mut leases, call, &picked, time, now);
        let granted = self.lease.map(take).transpose()?;
        Ok((picked, granted))
    }
}

/// All that passes the filters. What is the same for everyone, and until the pool is another, has a
/// tag; it is made once if there is no filter.
async fn everything(
    wanted: Asked<'_>,
    snapshot: &Arc<Snapshot>,
    call: &Call<'_>,
    desk: &Desk,
) -> Result<Answer, Refusal> {
    let (query, asked) = (call.head.uri.query(), &call.head.headers);
    // What is too old is another thing with each second.
    if query::value(query, "max_age").is_some() {
        return listing(&wanted, snapshot, call, desk).await;
    }
    let form = wanted.form;
    if is_whole(query) {
        return whole(&wanted, snapshot, call, desk).await;
    }
    let tag = desk.tags.of(snapshot, form, query);
    // Only what was answered with 200 has a tag, so this one would be again.
    let mut answer = match etag::names(asked, &tag) {
        true => unchanged(),
        false => listing(&wanted, snapshot, call, desk).await?,
    };
    if etag::names_any(asked) {
        answer = unchanged();
    }
    describe(&mut answer, form, tag);
    Ok(answer)
}

/// What a client, and whoever is between, may do with a listing (RFC 9111, section 5.2.2).
fn describe(answer: &mut Answer, form: Form, tag: String) {
    let caching = match form {
        // Passwords belong into nobody's cache; a client that keeps the list itself may still ask.
        Form::Urls => "no-store",
        Form::Addresses | Form::Json => "private, no-cache",
    };
    let tag = HeaderValue::try_from(tag).expect("digits in quotation marks");
    answer.headers.insert(header::ETAG, tag);
    for (name, value) in [
        (header::CACHE_CONTROL, caching),
        (header::VARY, "Accept, Accept-Encoding"),
    ] {
        answer.headers.insert(name, HeaderValue::from_static(value));
    }
}

/// Whether nothing but the protocol is chosen: every parameter is known, and none is a filter.
fn is_whole(query: Option<&str>) -> bool {
    const NO_FILTERS: [&str; 5] = ["all", "format", "key", "limit", "protocol"];
    query::names(query).all(|name| NO_FILTERS.contains(&&*name))
}

/// All, or all that speaks a protocol. Its tag is that of its bytes: most checks of a proxy change
/// the pool, and none of its addresses.
async fn whole(
    wanted: &Asked<'_>,
    snapshot: &Arc<Snapshot>,
    call: &Call<'_>,
    desk: &Desk,
) -> Result<Answer, Refusal> {
    let asked = &call.head.headers;
    let &Asked {
        ref filter, form, ..
    } = wanted;
    filter.apply(snapshot, call.now)?;
    let kind = Kind {
        form,
        protocol: filter.protocol(),
    };
    let listed = desk.shelf.listing(kind, snapshot).await?;
    let tag = etag::of_bytes(listed.digest);
    let mut answer = Answer::ok(form.content_type(), "");
    if etag::names(asked, &tag) || etag::names_any(asked) {
        answer = unchanged();
    } else {
        let (coding, body) = desk.shelf.coded(listed, Coding::wanted(asked)).await;
        if snapshot.pool.proxies().len() >= MUCH {
            // Nothing is made any more, but megabytes are copied to the kernel: one after the other.
            desk.turns.pass().await?;
        }
        match coding {
            Coding::Plain => answer.body = Content::Shared(body),
            Coding::Gzip => answer.is_coded(Content::Shared(body)),
        }
    }
    describe(&mut answer, form, tag);
    Ok(answer)
}

/// 304, whose other headers are those that 200 would have (RFC 9110, section 15.4.5).
fn unchanged() -> Answer {
    Answer {
        status: StatusCode::NOT_MODIFIED,
        headers: HeaderMap::new(),
        body: Content::Own(Default::default()),
    }
}

#[cfg(test)]
mod tests;
