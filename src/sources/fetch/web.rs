//! Asks a web server for a list. Redirects are followed here and not by the client, because each hop
//! decides where the next one may lead.

mod failure;
mod lead;

pub(super) use lead::Trail;
#[cfg(any(test, fuzzing))]
pub(super) use lead::next_hop;

use super::body::Body;
use super::error::FetchError;
use crate::config::Source;
use crate::sources::address::{self, AddressPolicy};
use failure::{failure, root_cause};
use lead::Bounded;
pub(super) use lead::Guide;
use proxy_shards::Scheme;
use reqwest::header::{self, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, ClientBuilder, Response, StatusCode};
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::task::coop::consume_budget;
use url::Url;

/// Redirects that are followed for one list.
pub(super) const REDIRECTS_MAX: usize = 5;

/// Longest validator that is remembered, in bytes.
const VALIDATOR_BYTES_MAX: usize = 1024;

/// Longest cause or address that is quoted in an error, in characters.
const QUOTE_MAX: usize = 200;

/// Asks web servers for lists.
#[derive(Debug)]
pub(super) struct Web {
    /// By who says where a request goes, `guide as usize`: each connects only where that one may lead.
    clients: [Client; Guide::ALL.len()],
    /// Whether there are root certificates.
    roots: bool,
    addresses: AddressPolicy,
    /// Whether anyone could stand at an address; given from outside, because a test has no public
    /// address to ask.
    pub(super) is_public: fn(IpAddr) -> bool,
    /// By source, as configured.
    validators: Mutex<HashMap<Box<str>, (Scheme, Validators)>>,
}

/// What a server said of a list, to ask later whether it is still the same.
#[derive(Clone, Debug)]
pub(super) struct Validators {
    /// Where the redirects ended: the only place that knows them.
    url: Url,
    etag: Option<HeaderValue>,
    last_modified: Option<HeaderValue>,
}

/// How a server answered, if it did not fail.
#[derive(Debug)]
pub(super) enum Answer {
    /// The list is the one it gave before.
    NotModified,
    /// The list is in the body.
    Complete(Option<Validators>),
}

impl Web {
    pub(super) fn new(user_agent: &str, addresses: AddressPolicy) -> Result<Web, FetchError> {
        // Fails if the process has chosen a provider before, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let with_roots = || builder(user_agent);
        let without_roots = || builder(user_agent).tls_certs_only([]);
        match clients(with_roots, &addresses) {
            Ok(clients) => Ok(Web::with(clients, true, addresses)),
            // The one thing that building needs from the machine is its root certificates.
            Err(e) => match clients(without_roots, &addresses) {
                Ok(clients) => Ok(Web::with(clients, false, addresses)),
                Err(_) => Err(FetchError::Client(root_cause(&e))),
            },
        }
    }

    pub(super) fn with(
        clients: [Client; Guide::ALL.len()],
        roots: bool,
        addresses: AddressPolicy,
    ) -> Web {
        Web {
            clients,
            roots,
            addresses,
            is_public: address::is_public,
            validators: Mutex::default(),
        }
    }

    /// Asks for the list where `trail` begins and feeds it to `body`; `trail` says how far it came.
    pub(super) async fn read(
        &self,
        source: &Source,
        trail: &mut Trail,
        body: &mut Body,
    ) -> Result<Answer, FetchError> {
        let validators = self.recall(source);
        loop {
            if trail.url.scheme() == "https" && !self.roots {
                return Err(FetchError::NoRoots);
            }
            let known = validators.as_ref().filter(|v| v.url == trail.url);
            let response = self.ask(trail, known).await?;
            trail.guide = self.guide(trail.guide, response.remote_addr());
            match response.status() {
                StatusCode::NOT_MODIFIED if known.is_some() => return Ok(Answer::NotModified),
                status if status.is_success() => return receive(response, trail, body).await,
                status => match redirect(status, response.headers()) {
                    Some(location) => trail.follow(location, &self.addresses)?,
                    None => return Err(FetchError::Status(status.as_u16())),
                },
            }
        }
    }

    /// Remembers what the server said of a list that was good.
    pub(super) fn remember(&self, source: &Source, validators: Option<Validators>) {
        let mut memory = self
            .validators
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        match validators {
            Some(validators) => memory.insert(source.url.clone(), (source.hint, validators)),
            None => memory.remove(&source.url),
        };
    }

    fn recall(&self, source: &Source) -> Option<Validators> {
        let memory = self
            .validators
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let (hint, validators) = memory.get(&source.url)?;
        // With another hint the same list means other candidates.
        (*hint == source.hint).then(|| validators.clone())
    }

    async fn ask(&self, trail: &Trail, known: Option<&Validators>) -> Result<Response, FetchError> {
        let client = &self.clients[trail.guide as usize];
        let mut request = client.get(trail.url.clone());
        if let Some(known) = known {
            let conditions = [
                (header::IF_NONE_MATCH, &known.etag),
                (header::IF_MODIFIED_SINCE, &known.last_modified),
            ];
            for (name, value) in conditions {
                if let Some(value) = value {
                    request = request.header(name, value);
                }
            }
        }
        request.send().await.map_err(|e| failure(e, trail))
    }

    /// What `server`, to which `before` has led, is as a guide. What it redirects to must be public if
    /// it is itself, as far as one knows: then it belongs to nobody whom the operator trusts with his
    /// network. Who was led there by a stranger stays with strangers.
    fn guide(&self, before: Guide, server: Option<SocketAddr>) -> Guide {
        let is_public = || server.is_none_or(|server| (self.is_public)(server.ip()));
        match before == Guide::Stranger || !self.addresses.allow_private && is_public() {
            true => Guide::Stranger,
            false => Guide::Insider,
        }
    }
}

/// The client for each guide.
pub(super) fn clients(
    builder: impl Fn() -> ClientBuilder,
    addresses: &AddressPolicy,
) -> reqwest::Result<[Client; Guide::ALL.len()]> {
    let client = |guide: Guide| match guide.bounds(addresses) {
        None => builder().build(),
        Some(bounds) => builder().dns_resolver(Arc::new(Bounded(bounds))).build(),
    };
    let [operator, insider, stranger] = Guide::ALL.map(client);
    Ok([operator?, insider?, stranger?])
}

/// Every choice of the client, none left to its defaults.
pub(super) fn builder(user_agent: &str) -> ClientBuilder {
    Client::builder()
        .user_agent(user_agent)
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .no_proxy()
        .gzip(true)
        .pool_max_idle_per_host(0) // a list is fetched once an interval
}

/// Feeds the answer's body to `body`, decompressed.
async fn receive(
    mut response: Response,
    trail: &Trail,
    body: &mut Body,
) -> Result<Answer, FetchError> {
    let validators = Validators::of(response.headers(), trail.url.clone());
    while let Some(piece) = response.chunk().await.map_err(|e| failure(e, trail))? {
        body.push(&piece)?;
        // A few bytes may unpack to a gigabyte, and all of that is there at once: without this neither
        // the time limit nor another source would have its turn before the end of it.
        consume_budget().await;
    }
    Ok(Answer::Complete(validators))
}

impl Validators {
    fn of(headers: &HeaderMap, url: Url) -> Option<Validators> {
        let short = |name: HeaderName| {
            let value = headers.get(name)?;
            (value.len() <= VALIDATOR_BYTES_MAX).then(|| value.clone())
        };
        let (etag, last_modified) = (short(header::ETAG), short(header::LAST_MODIFIED));
        (etag.is_some() || last_modified.is_some()).then_some(Validators {
            url,
            etag,
            last_modified,
        })
    }
}

/// The `Location` of a redirect that can be followed (RFC 9110, section 15.4).
fn redirect(status: StatusCode, headers: &HeaderMap) -> Option<&[u8]> {
    let follow = matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308);
    let location = headers.get(header::LOCATION).filter(|_| follow)?;
    Some(location.as_bytes())
}

#[cfg(test)]
mod tests;
