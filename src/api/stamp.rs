//! Which snapshot an answer is from, in its headers.

use crate::snapshot::Snapshot;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
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
