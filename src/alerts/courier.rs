//! Sends one notice to one webhook, once.

use super::notice::signature;
use super::outbox::Reply;
use crate::config::Webhook;
use reqwest::{Client, ClientBuilder, StatusCode, header};
use std::time::Duration;

/// Longest time for a connection, and for the whole of an attempt.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const TIMEOUT: Duration = Duration::from_secs(10);
/// What we say that we are.
const USER_AGENT: &str = concat!("proxy-checker/", env!("CARGO_PKG_VERSION"));

/// The client, with every choice made. Proxies of the environment are not used, and redirects are not
/// followed: the operator named the place, and nobody else does.
///
/// # Errors
/// The client cannot be built.
pub(super) fn client() -> reqwest::Result<Client> {
    // Fails if the process has chosen a provider before, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let built = builder().build();
    // The one thing that building needs from the machine is its root certificates: without them
    // `https` receivers fail, and others do not.
    built.or_else(|_| builder().tls_certs_only([]).build())
}

fn builder() -> ClientBuilder {
    Client::builder()
        .user_agent(USER_AGENT)
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .no_proxy()
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(TIMEOUT)
        .pool_max_idle_per_host(0) // notices are rare
}

/// Sends `body`, signed at `unix_seconds`. Of the answer only the status is read.
pub(super) async fn send(
    client: &Client,
    webhook: &Webhook,
    body: &str,
    unix_seconds: u64,
) -> Reply {
    let mut request = client
        .post(webhook.url.clone())
        .header(header::CONTENT_TYPE, "application/json")
        .body(body.to_owned());
    if let Some(secret) = &webhook.secret {
        request = request
            .header("X-Signature-Timestamp", unix_seconds)
            .header("X-Signature-256", signature(secret, unix_seconds, body));
    }
    match request.send().await {
        Ok(response) => reply(response.status()),
        // The URL may hold a token, so it is not said.
        Err(error) => Reply::Failed(cause(&error.without_url())),
    }
}

/// What a status means. What the receiver cannot cure by waiting is not tried again.
fn reply(status: StatusCode) -> Reply {
    let text = format!("it answered {}", status.as_u16());
    match status {
        status if status.is_success() => Reply::Taken,
        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY | StatusCode::TOO_MANY_REQUESTS => {
            Reply::Failed(text)
        }
        status if status.is_redirection() => Reply::Refused(format!(
            "{text}; redirects are not followed, name the place itself"
        )),
        status if status.is_client_error() => Reply::Refused(text),
        _ => Reply::Failed(text),
    }
}

/// The innermost reason.
fn cause(error: &dyn std::error::Error) -> String {
    let mut inner = error;
    while let Some(source) = inner.source() {
        inner = source;
    }
    inner.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waiting_may_cure_is_tried_again_and_nothing_else() {
        let of = |status: u16| reply(StatusCode::from_u16(status).unwrap());
        for status in [200, 202, 204] {
            assert_eq!(of(status), Reply::Taken);
        }
        for status in [408, 429, 500, 502, 503] {
            assert!(matches!(of(status), Reply::Failed(_)), "{status}");
        }
        for status in [301, 302, 400, 401, 404, 410] {
            assert!(matches!(of(status), Reply::Refused(_)), "{status}");
        }
    }
}
