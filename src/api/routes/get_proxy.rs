//! `/get-proxy`: alive proxies from the snapshot.

use crate::api::answer::{Answer, Content};
use crate::api::coding::Coding;
use crate::api::desk::{Call, Desk};
use crate::api::etag;
use crate::api::listing::Form;
use crate::api::refusal::Refusal;
use crate::api::select::{Amount, Filter};
use crate::api::shelf::Kind;
use crate::api::{query, stamp};
use crate::snapshot::Snapshot;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use std::sync::Arc;

/// The proxies that the query asks for, or why there are none; with the snapshot's headers.
pub(super) async fn answer(call: &Call<'_>, desk: &Desk) -> Answer {
    let snapshot = desk.state.snapshots.load();
    let listed = match Amount::read(call.head.uri.query()) {
        Ok(Amount::All) => everything(&snapshot, call, desk).await,
        _ => listing(&snapshot, call, desk).await,
    };
    let mut answer = listed.unwrap_or_else(Answer::from);
    stamp::describe(&snapshot, call.now, &mut answer.headers);
    answer
}

/// The order of these lines is the contract: what is checked first hides what comes later.
async fn listing(snapshot: &Snapshot, call: &Call<'_>, desk: &Desk) -> Result<Answer, Refusal> {
    let query = call.head.uri.query();
    if snapshot.pool.proxies().is_empty() {
        return Err(Refusal::NothingAlive);
    }
    let matches = Filter::read(query)?.apply(snapshot, call.now)?;
    let amount = Amount::read(query)?;
    let proxies = amount.pick(&matches, &desk.state.cursor, &mut fastrand::Rng::new());
    let form = Form::read(query, &call.head.headers);
    Ok(Answer::ok(
        form.content_type(),
        form.write_in_turns(&proxies, snapshot).await,
    ))
}

/// All that passes the filters. What is the same for everyone, and until the pool is another, has a
/// tag; it is made once if there is no filter.
async fn everything(
    snapshot: &Arc<Snapshot>,
    call: &Call<'_>,
    desk: &Desk,
) -> Result<Answer, Refusal> {
    let (query, asked) = (call.head.uri.query(), &call.head.headers);
    if query::value(query, "max_age").is_some() {
        return listing(snapshot, call, desk).await;
    }
    let form = Form::read(query, asked);
    if is_whole(query) {
        return whole(snapshot, form, call, desk).await;
    }
    let tag = desk.tags.of(snapshot, form, query);
    // Only what was answered with 200 has a tag, so this one would be again.
    let mut answer = match etag::names(asked, &tag) {
        true => unchanged(),
        false => listing(snapshot, call, desk).await?,
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
    snapshot: &Arc<Snapshot>,
    form: Form,
    call: &Call<'_>,
    desk: &Desk,
) -> Result<Answer, Refusal> {
    let (query, asked) = (call.head.uri.query(), &call.head.headers);
    if snapshot.pool.proxies().is_empty() {
        return Err(Refusal::NothingAlive);
    }
    let filter = Filter::read(query)?;
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
        match desk.shelf.coded(listed, Coding::wanted(asked)).await {
            (Coding::Plain, body) => answer.body = Content::Shared(body),
            (Coding::Gzip, body) => answer.is_coded(Content::Shared(body)),
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
