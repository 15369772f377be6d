//! Every way in which a request is refused: its status and its words, defined once.

use super::answer::Answer;
use super::rates::Exceeded;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use proxy_shards::Protocol;

/// Why a request got no answer of its kind. The words are the `error` of the JSON.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    #[error("Invalid Host header. Must be one, and a host with or without a port")]
    Host,
    #[error("Not found")]
    NotFound,
    /// With the methods that the route has.
    #[error("Method not allowed")]
    Method(&'static str),
    #[error("Invalid or missing API key")]
    Key,
    #[error(
        "Not for pages of other sites. Ask by an IP address or as localhost, or configure API keys"
    )]
    CrossSite,
    #[error("Rate limit exceeded")]
    Rate(Exceeded),
    #[error("No snapshot yet")]
    NotReady,
    #[error("No alive proxies available")]
    NothingAlive,
    #[error("No {} proxies available", .0.label())]
    NothingAliveOf(Protocol),
    /// With the target's name.
    #[error("No proxies that reach {0} available")]
    NothingReaches(Box<str>),
    #[error("No alive proxies match the filters")]
    NothingMatches,
    #[error("Invalid limit parameter")]
    Limit,
    #[error("Invalid all parameter. Must be one of: 0, 1")]
    All,
    #[error("Invalid format parameter. Must be one of: json, txt, url")]
    Format,
    /// A name that is nearly one of ours.
    #[error("Unknown parameter {name}. Did you mean {meant}?")]
    Parameter { name: Box<str>, meant: &'static str },
    #[error("Invalid protocol. Must be one of: http, socks4, socks5")]
    Protocol,
    /// A filter whose value is not a whole number ≥ 1.
    #[error("Invalid {0} parameter. Must be an integer of at least 1")]
    Filter(&'static str),
    #[error("Unknown source. Must be the URL of a source as /stat lists it")]
    Source,
    /// With the names of the targets.
    #[error("Invalid target. Must be one of: {0}")]
    Target(String),
    #[error("Invalid anonymity. Must be one of: transparent, anonymous, elite")]
    Anonymity,
    #[error("Invalid address. Must be host:port, an IPv6 address in brackets")]
    Address,
    #[error("Invalid unique parameter. Must be one of: exit, ip")]
    Unique,
    #[error("Invalid lease parameter. Must be a time from 1s to 1h, such as 30s or 5m")]
    Lease,
    #[error("A lease is for at most 100 proxies, and not for all=1")]
    LeaseAmount,
    #[error("No such lease")]
    NoLease,
    /// With the seconds until the first lease is over, as the two below; of a client the first of its own.
    #[error("All proxies that match are leased. Try again later")]
    AllLeased(u64),
    #[error("Too many proxies are leased by this client. End a lease, or try again later")]
    LeasesOfClient(u64),
    #[error("Too many proxies are leased. Try again later, or ask without a lease")]
    LeasesOfAll(u64),
    #[error("Internal error: the system gives no random numbers")]
    NoRandomness,
    #[error(r#"Invalid report. Must be JSON: {{"address":"host:port","outcome":"ok, fail or banned","target":"optional"}}"#)]
    Report,
    #[error("Invalid outcome. Must be one of: ok, fail, banned")]
    Outcome,
    #[error("No candidate has this address")]
    UnknownProxy,
    #[error("Too many questions are waiting for their answer. Try again later")]
    Questions,
    #[error("Not answered in time. Try again later")]
    Unanswered,
    #[error("Not answered: the service is stopping")]
    Silent,
    /// With the words of the validation.
    #[error("{0}")]
    Configuration(String),
    #[error("Reload not confirmed within 5 seconds. Try again later")]
    ReloadTimeout,
    #[error("Reload not possible: the service is stopping")]
    Stopping,
    #[error("Request body too large")]
    BodyTooLarge,
    #[error("Request body not received in time")]
    BodyTimeout,
    #[error("Request body broken off or malformed")]
    BodyBroken,
    #[error("Too many large answers are being read. Try again later, or ask for fewer proxies")]
    Overloaded,
    #[error("Internal error: the metrics cannot be rendered")]
    Metrics,
}

impl Refusal {
    fn status(&self) -> StatusCode {
        match self {
            Refusal::NotFound | Refusal::UnknownProxy | Refusal::NoLease => StatusCode::NOT_FOUND,
            Refusal::LeasesOfClient(_) => StatusCode::TOO_MANY_REQUESTS,
            Refusal::Method(_) => StatusCode::METHOD_NOT_ALLOWED,
            Refusal::Key => StatusCode::UNAUTHORIZED,
            Refusal::CrossSite => StatusCode::FORBIDDEN,
            Refusal::Rate(_) => StatusCode::TOO_MANY_REQUESTS,
            Refusal::Host
            | Refusal::Limit
            | Refusal::All
            | Refusal::Format
            | Refusal::Parameter { .. }
            | Refusal::Protocol
            | Refusal::Filter(_)
            | Refusal::Source
            | Refusal::Target(_)
            | Refusal::Anonymity
            | Refusal::Address
            | Refusal::Unique
            | Refusal::Lease
            | Refusal::LeaseAmount
            | Refusal::Report
            | Refusal::Outcome
            | Refusal::BodyBroken => StatusCode::BAD_REQUEST,
            Refusal::Configuration(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Refusal::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Refusal::BodyTimeout => StatusCode::REQUEST_TIMEOUT,
            Refusal::Metrics | Refusal::NoRandomness => StatusCode::INTERNAL_SERVER_ERROR,
            Refusal::NotReady
            | Refusal::NothingAlive
            | Refusal::NothingAliveOf(_)
            | Refusal::NothingReaches(_)
            | Refusal::NothingMatches
            | Refusal::AllLeased(_)
            | Refusal::LeasesOfAll(_)
            | Refusal::Questions
            | Refusal::Unanswered
            | Refusal::Silent
            | Refusal::ReloadTimeout
            | Refusal::Stopping
            | Refusal::Overloaded => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// Seconds until the first lease is over, where that is what the client waits for.
    fn retry_after(&self) -> Option<u64> {
        match *self {
            Refusal::AllLeased(seconds)
            | Refusal::LeasesOfClient(seconds)
            | Refusal::LeasesOfAll(seconds) => Some(seconds),
            _ => None,
        }
    }

    /// The header that this refusal needs beside its body.
    fn header(&self) -> Option<(HeaderName, &'static str)> {
        match self {
            Refusal::Method(allowed) => Some((header::ALLOW, allowed)),
            // A 401 must carry one (RFC 9110, section 15.5.2); the scheme is ours.
            Refusal::Key => Some((header::WWW_AUTHENTICATE, "ApiKey")),
            // The rest of the body is not read, or the next request may be for someone else: the
            // connection has no next request.
            Refusal::Host | Refusal::BodyTooLarge | Refusal::BodyTimeout | Refusal::BodyBroken => {
                Some((header::CONNECTION, "close"))
            }
            Refusal::ReloadTimeout | Refusal::Overloaded => Some((header::RETRY_AFTER, "5")),
            Refusal::Questions | Refusal::Unanswered => Some((header::RETRY_AFTER, "1")),
            _ => None,
        }
    }
}

impl From<Refusal> for Answer {
    fn from(refusal: Refusal) -> Answer {
        let body = serde_json::json!({ "error": refusal.to_string() });
        let mut answer = Answer::json(refusal.status(), &body);
        if let Some((name, value)) = refusal.header() {
            answer.headers.insert(name, HeaderValue::from_static(value));
        }
        if let Refusal::Rate(exceeded) = &refusal {
            exceeded.describe(&mut answer.headers);
        }
        if let Some(seconds) = refusal.retry_after() {
            answer.headers.insert(header::RETRY_AFTER, seconds.into());
        }
        answer
    }
}
