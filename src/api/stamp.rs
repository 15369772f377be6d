//! Which snapshot an answer is from, and when it was given, in its headers.

use crate::snapshot::Snapshot;
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use std::cell::RefCell;
use std::time::SystemTime;

/// Numbers as header values, made when they change: that is once in many thousand answers.
#[derive(Debug)]
struct Numbers {
    generation: (u64, HeaderValue),
    age: (u64, HeaderValue),
}

thread_local! {
    // Every server of a process has a thread of its own, so what was written last is mostly right.
    static LAST: RefCell<Numbers> = RefCell::new(Numbers {
        generation: (0, 0.into()),
        age: (0, 0.into()),
    });
}

thread_local! {
    static DATE: RefCell<(i64, HeaderValue)> = const { RefCell::new((i64::MIN, HeaderValue::from_static(""))) };
}

/// Says when the answer was given (RFC 9110, section 6.6.1). hyper would do so too, but by the latest time
/// that it has seen: once the host's clock is set back it stands still until it is as late again.
pub(super) fn date(now: SystemTime, headers: &mut HeaderMap) {
    let Ok(now) = jiff::Timestamp::try_from(now) else {
        return;
    };
    let date = DATE.with_borrow_mut(|(second, date)| {
        if *second != now.as_second() {
            let text = now.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
            // Nothing else than ASCII is in it.
            *date = HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static(""));
            *second = now.as_second();
        }
        date.clone()
    });
    headers.insert(header::DATE, date);
}

/// Says which snapshot it was, how old, and whether and why it is one that is held.
pub(super) fn describe(snapshot: &Snapshot, now: SystemTime, headers: &mut HeaderMap) {
    let age = now.duration_since(snapshot.published).unwrap_or_default();
    LAST.with_borrow_mut(|last| {
        let generation = value(&mut last.generation, snapshot.generation);
        headers.insert(HeaderName::from_static("x-snapshot-generation"), generation);
        let age = value(&mut last.age, age.as_secs());
        headers.insert(HeaderName::from_static("x-snapshot-age"), age);
    });
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

fn value(last: &mut (u64, HeaderValue), number: u64) -> HeaderValue {
    if last.0 != number {
        *last = (number, number.into());
    }
    last.1.clone()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn the_date_follows_the_clock_also_where_it_is_set_back() {
        let mut headers = HeaderMap::new();
        for (unix_seconds, text) in [
            (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"),
            (4_102_444_800, "Fri, 01 Jan 2100 00:00:00 GMT"),
            (784_111_778, "Sun, 06 Nov 1994 08:49:38 GMT"),
            (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
        ] {
            date(
                SystemTime::UNIX_EPOCH + Duration::from_secs(unix_seconds),
                &mut headers,
            );
            assert_eq!(
                (&headers[header::DATE], headers.len()),
                (&HeaderValue::from_static(text), 1)
            );
        }
    }
}
