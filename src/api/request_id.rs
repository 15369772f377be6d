//! The name of a request, by which a client and an operator talk about the same one.

use crate::ident::Idents;
use axum::http::{HeaderMap, HeaderName, HeaderValue};

/// Where it comes and goes.
pub(super) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Longest name that is taken from a client, in bytes.
const LENGTH_MAX: usize = 64;

/// The name that the client gave its request, if it is one that can stand in a log; else a new one.
pub(super) fn of(headers: &HeaderMap, idents: &Idents) -> HeaderValue {
    match headers
        .get(X_REQUEST_ID)
        .filter(|id| is_plain(id.as_bytes()))
    {
        // Shares the bytes of the head.
        Some(given) => given.clone(),
        None => HeaderValue::from_str(idents.next().as_str()).expect("made of digits"),
    }
}

fn is_plain(id: &[u8]) -> bool {
    let plain = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-');
    (1..=LENGTH_MAX).contains(&id.len()) && id.iter().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::testing::Server;

    #[test]
    fn a_plain_name_is_kept_and_any_other_is_replaced() {
        let long = "x".repeat(64);
        for kept in ["a", "A-1_z", &long] {
            assert!(is_plain(kept.as_bytes()), "{kept}");
        }
        let longer = "x".repeat(65);
        for other in ["", " ", "a b", "a\"b", "{}", "ä", &longer] {
            assert!(!is_plain(other.as_bytes()), "{other}");
        }
    }

    #[test]
    fn every_answer_has_the_name_of_its_request() {
        let server = Server::with(&["http://1.1.1.1:80"]);
        let id = |target: &str, headers: &str| {
            let reply = server.ask("GET", target, headers);
            reply.header("x-request-id").unwrap().to_owned()
        };
        for target in ["/get-proxy", "/nowhere", "/", "/get-proxy?limit=x"] {
            assert_eq!(id(target, "X-Request-Id: my-1_a\r\n"), "my-1_a", "{target}");
            let made = [id(target, ""), id(target, "X-Request-Id: a b\r\n")];
            assert_ne!(made[0], made[1]);
            assert!(
                made.iter()
                    .all(|id| id.len() == 19 && is_plain(id.as_bytes())),
                "{made:?}"
            );
        }
    }
}
