//! An answer before it is sent: status, headers, and a body that is whole.

use super::refusal::Refusal;
use super::shelf::Shelf;
use axum::body::Bytes;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response as HttpResponse;
use http_body_util::Full;
use serde::Serialize;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// `text/plain` as the old service sent it.
pub(super) const TEXT: &str = "text/plain; charset=utf-8";
/// `application/json`.
pub(super) const JSON: &str = "application/json";

/// What is sent.
pub(super) type Response = HttpResponse<Full<Bytes>>;

/// The body of an answer.
#[derive(Clone, Debug)]
pub(super) enum Content {
    /// Made for this answer.
    Own(Bytes),
    /// Shared with other answers, in the coding in which it is sent. It was weighed when it was made.
    Shared(Bytes),
}

/// What a route says.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Content,
}

impl Answer {
    /// A whole body of this type.
    pub(super) fn new(
        status: StatusCode,
        content_type: &'static str,
        body: impl Into<Bytes>,
    ) -> Answer {
        let mut headers = HeaderMap::with_capacity(8);
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        Answer {
            status,
            headers,
            body: Content::Own(body.into()),
        }
    }

    /// What has a JSON form, in it.
    pub(super) fn json(status: StatusCode, body: &impl Serialize) -> Answer {
        let body = serde_json::to_vec(body).expect("our own types have a JSON form");
        Answer::new(status, JSON, body)
    }

    /// Status 200.
    pub(super) fn ok(content_type: &'static str, body: impl Into<Bytes>) -> Answer {
        Answer::new(StatusCode::OK, content_type, body)
    }

    /// The response, with the headers that all of them have. A large body for which `scale` has
    /// no room left, even if what `shelf` keeps for nobody leaves it, is refused instead.
    pub(super) fn weighed(self, scale: &Scale, shelf: &Shelf) -> Response {
        let body = match self.body {
            Content::Own(body) => shelf.or_make_room(|| scale.weigh(body.clone())),
            Content::Shared(body) => Some(body),
        };
        let Some(body) = body else {
            // Its own body is small, so it is not refused again.
            return Answer::from(Refusal::Overloaded).weighed(scale, shelf);
        };
        let (status, mut headers) = (self.status, self.headers);
        // Each answer differs from the next, and some hold credentials; where that is not so the
        // route says it.
        let no_store = HeaderValue::from_static("no-store");
        headers.entry(header::CACHE_CONTROL).or_insert(no_store);
        let nosniff = HeaderValue::from_static("nosniff");
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, nosniff);
        let mut response = Response::new(Full::new(body));
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        response
    }
}

/// Bytes of large answers that wait for their readers, all together bounded: a few hundred clients
/// that ask for everything and read nothing must not take the memory of the host.
#[derive(Clone, Debug)]
pub(super) struct Scale {
    free_kib: Arc<Semaphore>,
    total_kib: u32,
}

/// Smaller bodies are not weighed: the cap on connections bounds them.
const LARGE_BYTES: usize = 64 << 10;

impl Scale {
    /// A scale for `bytes_max` bytes.
    pub(super) fn new(bytes_max: usize) -> Scale {
        let total_kib = u32::try_from(bytes_max >> 10).unwrap_or(u32::MAX >> 3);
        Scale {
            free_kib: Arc::new(Semaphore::new(total_kib as usize)),
            total_kib,
        }
    }

    /// The body, which weighs until the last of it was sent or dropped; `None` if there is no room
    /// left. One that is larger than the whole scale passes alone.
    pub(super) fn weigh(&self, body: Bytes) -> Option<Bytes> {
        if body.len() < LARGE_BYTES {
            return Some(body);
        }
        self.hold(body).map(|held| held.bytes())
    }

    /// The same for a body that is kept and read by many; it weighs once.
    pub(super) fn hold(&self, body: Bytes) -> Option<Held> {
        let share = match body.len() {
            0..LARGE_BYTES => None,
            bytes => {
                let kib = u32::try_from(bytes >> 10).unwrap_or(u32::MAX);
                let kib = kib.min(self.total_kib);
                let share = Arc::clone(&self.free_kib).try_acquire_many_owned(kib);
                Some(share.ok()?)
            }
        };
        Some(Held(Arc::new(Weighed {
            body,
            _share: share,
        })))
    }
}

/// A body on the scale.
#[derive(Clone, Debug)]
pub(super) struct Held(Arc<Weighed>);

#[derive(Debug)]
struct Weighed {
    body: Bytes,
    _share: Option<OwnedSemaphorePermit>,
}

impl Held {
    /// It, without a copy.
    pub(super) fn bytes(&self) -> Bytes {
        Bytes::from_owner(self.clone())
    }

    /// Whether anyone else has it.
    pub(super) fn is_shared(&self) -> bool {
        Arc::strong_count(&self.0) > 1
    }
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.0.body
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_answers_weigh_until_they_are_dropped() {
        let scale = Scale::new(256 << 10);
        let weigh = |byte: u8| scale.weigh(vec![byte; 128 << 10].into());
        let first = weigh(1).unwrap();
        let second = weigh(2).unwrap();
        assert!(weigh(3).is_none());
        let part_of_it = first.slice(10..20);
        drop(first);
        assert!(weigh(3).is_none(), "a part is still held");
        drop(part_of_it);
        assert_eq!(weigh(3).unwrap()[0], 3);
        drop(second);
    }

    #[test]
    fn small_answers_always_pass_and_a_huge_one_passes_alone() {
        let scale = Scale::new(128 << 10);
        let weigh = |bytes| scale.weigh(vec![0; bytes].into());
        let huge = weigh(1 << 20).unwrap();
        assert!(weigh(1 << 20).is_none());
        assert!(weigh(1000).is_some());
        drop(huge);
        assert!(weigh(1 << 20).is_some());
    }
}
