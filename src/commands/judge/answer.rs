//! What goes back: the page, or why there is none.

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, Response, StatusCode, header};
use std::time::Duration;

/// Why a request gets no page. The words are the `error` of the JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    #[error("Method not allowed")]
    Method,
    #[error("Give ?nonce= with 32 hexadecimal digits, once")]
    Nonce,
    #[error("Request body too large")]
    BodyTooLarge,
    #[error("Request body broken off or malformed")]
    BodyBroken,
    /// With the time until there is another answer.
    #[error("Rate limit exceeded")]
    Rate(Duration),
    #[error("The reverse proxy does not say in X-Forwarded-For who asks")]
    NoHop,
}

impl Refusal {
    fn status(self) -> StatusCode {
        match self {
            Refusal::Method => StatusCode::METHOD_NOT_ALLOWED,
            Refusal::Nonce | Refusal::BodyBroken => StatusCode::BAD_REQUEST,
            Refusal::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Refusal::Rate(_) => StatusCode::TOO_MANY_REQUESTS,
            // The set-up of the host is wrong, not the request.
            Refusal::NoHop => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The field that this refusal needs beside its body.
    fn header(self) -> Option<(HeaderName, HeaderValue)> {
        match self {
            Refusal::Method => Some((header::ALLOW, HeaderValue::from_static("GET"))),
            Refusal::Rate(wait) => {
                let secs = wait.as_millis().div_ceil(1_000).max(1);
                let secs = HeaderValue::from(u64::try_from(secs).unwrap_or(u64::MAX));
                Some((header::RETRY_AFTER, secs))
            }
            _ => None,
        }
    }
}

/// The response that carries the page, or the refusal.
pub(super) fn response(answer: Result<Vec<u8>, Refusal>) -> Response<Body> {
    let (status, media_type, extra, body) = match answer {
        Ok(page) => (StatusCode::OK, "text/html; charset=utf-8", None, page),
        Err(refusal) => {
            let body = serde_json::json!({ "error": refusal.to_string() }).to_string();
            let header = refusal.header();
            (refusal.status(), "application/json", header, body.into())
        }
    };
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    let fields = [
        (header::CONTENT_TYPE, HeaderValue::from_static(media_type)),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (header::CONNECTION, HeaderValue::from_static("close")),
    ];
    response
        .headers_mut()
        .extend(fields.into_iter().chain(extra));
    response
}
