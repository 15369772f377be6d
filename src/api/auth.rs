//! Who may ask: the key of a request against the hashes of the known ones.

use super::client::KeyHash;
use super::query;
use axum::http::request::Parts;
use sha2::{Digest, Sha256};
use std::borrow::Cow;
use subtle::{Choice, ConstantTimeEq};

/// The SHA-256 of the key that the request shows, if it is in `keys`. Takes the same time whichever
/// key it is and however much of it is right.
pub(super) fn known(keys: &[KeyHash], head: &Parts) -> Option<KeyHash> {
    let digest: KeyHash = Sha256::digest(shown(head)?).into();
    let found = keys
        .iter()
        .fold(Choice::from(0), |found, known| found | known.ct_eq(&digest));
    bool::from(found).then_some(digest)
}

/// Whether the request shows a key at all.
pub(super) fn is_shown(head: &Parts) -> bool {
    shown(head).is_some()
}

/// The first header `X-Api-Key`, else the query's `key`; an empty one counts as none.
fn shown(head: &Parts) -> Option<Cow<'_, [u8]>> {
    let header = head.headers.get("x-api-key").map(|value| value.as_bytes());
    match header.filter(|value| !value.is_empty()) {
        Some(key) => Some(Cow::Borrowed(key)),
        None => query::value(head.uri.query(), "key").map(|key| match key {
            Cow::Borrowed(key) => Cow::Borrowed(key.as_bytes()),
            Cow::Owned(key) => Cow::Owned(key.into_bytes()),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::Request;

    fn check(uri: &str, header: Option<&[u8]>, admitted: bool) {
        let keys = ["first", "se cond"].map(|key| Sha256::digest(key).into());
        let mut request = Request::builder().uri(uri);
        if let Some(header) = header {
            request = request.header("X-Api-Key", header);
        }
        let (head, ()) = request.body(()).unwrap().into_parts();
        assert_eq!(known(&keys, &head).is_some(), admitted, "{uri} {header:?}");
    }

    #[test]
    fn any_of_the_keys_is_admitted_from_the_header_or_the_query() {
        check("/", Some(b"first"), true);
        check("/", Some(b"se cond"), true);
        check("/?key=first", None, true);
        check("/?key=se+cond", None, true);
        check("/?key=se%20cond", None, true);
    }

    #[test]
    fn the_header_wins_over_the_query_unless_it_is_empty() {
        check("/?key=first", Some(b"wrong"), false);
        check("/?key=wrong", Some(b"first"), true);
        check("/?key=first", Some(b""), true);
    }

    #[test]
    fn of_two_headers_the_first_counts_as_of_two_parameters() {
        let check = |first: &str, second: &str, uri: &str, admitted| {
            let keys = [Sha256::digest("right").into()];
            let request = Request::builder()
                .uri(uri)
                .header("X-Api-Key", first)
                .header("x-api-key", second);
            let (head, ()) = request.body(()).unwrap().into_parts();
            assert_eq!(known(&keys, &head).is_some(), admitted, "{first} {second}");
        };
        check("right", "wrong", "/", true);
        check("wrong", "right", "/", false);
        check("wrong", "right", "/?key=right", false);
        check("", "right", "/", false);
        check("", "wrong", "/?key=right", true);
        check("right,wrong", "right", "/", false);
    }

    #[test]
    fn everything_else_is_refused() {
        check("/", None, false);
        check("/?key=", None, false);
        check("/?KEY=first", None, false);
        check("/?key=wrong&key=first", None, false);
        check("/", Some(b"First"), false);
        check("/", Some(b"firs"), false);
        check("/", Some(b"\xff\xfe"), false);
    }

    #[test]
    fn without_known_keys_nobody_is_admitted() {
        let (head, ()) = Request::builder()
            .uri("/?key=first")
            .body(())
            .unwrap()
            .into_parts();
        assert_eq!(known(&[], &head), None);
    }
}
