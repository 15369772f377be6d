//! An answer before it is sent: status, headers, and a body that is whole.

use super::refusal::Refusal;
use axum::body::Bytes;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use serde::Serialize;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// `text/plain` as the old service sent it.
pub(super) const TEXT: &str = "text/plain; charset=utf-8";
/// `application/json`.
pub(super) const JSON: &str = "application/json";

/// What a route says.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

impl Answer {
    /// A whole body of this type.
    pub(super) fn new(
        status: StatusCode,
        content_type: &'static str,
        body: impl Into<Vec<u8>>,
    ) -> Answer {
        let mut headers = HeaderMap::with_capacity(8);
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        Answer {
            status,
            headers,
            body: body.into(),
        }
    }

    /// What has a JSON form, in it.
    pub(super) fn json(status: StatusCode, body: &impl Serialize) -> Answer {
        let body = serde_json::to_vec(body).expect("our own types have a JSON form");
        Answer::new(status, JSON, body)
    }

    /// Status 200.
    pub(super) fn ok(content_type: &'static str, body: impl Into<Vec<u8>>) -> Answer {
        Answer::new(StatusCode::OK, content_type, body)
    }

    /// The response, with the headers that all of them have. A large body for which `scale` has
    /// no room left is refused instead.
    pub(super) fn weighed(self, scale: &Scale) -> Response {
        let (status, mut headers, body) = match scale.weigh(self.body) {
            Some(body) => (self.status, self.headers, body),
            None => {
                let refusal = Answer::from(Refusal::Overloaded);
                (refusal.status, refusal.headers, refusal.body.into())
            }
        };
        // Each answer differs from the next, and some hold credentials.
        let no_store = HeaderValue::from_static("no-store");
        headers.insert(header::CACHE_CONTROL, no_store);
        let nosniff = HeaderValue::from_static("nosniff");
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, nosniff);
        let mut response = Response::new(body.into());
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        response
    }
}

/// Bytes of large answers that wait for their readers, all together bounded: a few hundred clients
/// that ask for everything and read nothing must not take the memory of the host.
#[derive(Debug)]
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
    fn weigh(&self, body: Vec<u8>) -> Option<Bytes> {
        if body.capacity() < LARGE_BYTES {
            return Some(body.into());
        }
        let kib = u32::try_from(body.capacity() >> 10).unwrap_or(u32::MAX);
        let share = Arc::clone(&self.free_kib)
            .try_acquire_many_owned(kib.min(self.total_kib))
            .ok()?;
        Some(Bytes::from_owner(Weighed {
            body,
            _share: share,
        }))
    }
}

struct Weighed {
    body: Vec<u8>,
    _share: OwnedSemaphorePermit,
}

impl AsRef<[u8]> for Weighed {
    fn as_ref(&self) -> &[u8] {
        &self.body
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_answers_weigh_until_they_are_dropped() {
        let scale = Scale::new(256 << 10);
        let first = scale.weigh(vec![1; 128 << 10]).unwrap();
        let second = scale.weigh(vec![2; 128 << 10]).unwrap();
        assert!(scale.weigh(vec![3; 128 << 10]).is_none());
        let part_of_it = first.slice(10..20);
        drop(first);
        assert!(
            scale.weigh(vec![3; 128 << 10]).is_none(),
            "a part is still held"
        );
        drop(part_of_it);
        assert_eq!(scale.weigh(vec![3; 128 << 10]).unwrap()[0], 3);
        drop(second);
    }

    #[test]
    fn small_answers_always_pass_and_a_huge_one_passes_alone() {
        let scale = Scale::new(128 << 10);
        let huge = scale.weigh(vec![0; 1 << 20]).unwrap();
        assert!(scale.weigh(vec![0; 1 << 20]).is_none());
        assert!(scale.weigh(vec![0; 1000]).is_some());
        drop(huge);
        assert!(scale.weigh(vec![0; 1 << 20]).is_some());
    }
}
