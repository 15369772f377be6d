//! Asks a web server for a list. Redirects are followed here and not by the client, because each hop
//! decides where the next one may lead.

use super::body::Body;
use super::error::{FetchError, escaped};
use crate::config::Source;
use crate::sources::address::{self, AddressPolicy};
use proxy_shards::Scheme;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::{self, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, ClientBuilder, Response, StatusCode};
use std::collections::HashMap;
use std::error::Error;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use url::{Host, Url};

/// Redirects that are followed for one list.
pub(super) const REDIRECTS_MAX: usize = 5;

/// Longest validator that is remembered, in bytes.
const VALIDATOR_BYTES_MAX: usize = 1024;

/// Longest cause or address that is quoted in an error, in characters.
const QUOTE_MAX: usize = 200;

/// Asks web servers for lists.
#[derive(Debug)]
pub(super) struct Web {
    /// Connects wherever the operator points it.
    any: Client,
    /// Connects to public addresses only: for what a public server redirects to.
    public: Client,
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
        match clients(with_roots) {
            Ok(clients) => Ok(Web::with(clients, true, addresses)),
            // The one thing that building needs from the machine is its root certificates.
            Err(e) => match clients(without_roots) {
                Ok(clients) => Ok(Web::with(clients, false, addresses)),
                Err(_) => Err(FetchError::Client(root_cause(&e))),
            },
        }
    }

    pub(super) fn with(clients: [Client; 2], roots: bool, addresses: AddressPolicy) -> Web {
        let [any, public] = clients;
        Web {
            any,
            public,
            roots,
            addresses,
            is_public: address::is_public,
            validators: Mutex::default(),
        }
    }

    /// Asks for the list at `url` and feeds it to `body`.
    pub(super) async fn read(
        &self,
        source: &Source,
        url: &Url,
        body: &mut Body,
    ) -> Result<Answer, FetchError> {
        let validators = self.recall(source);
        let mut url = url.clone();
        let mut guarded = false;
        for _ in 0..=REDIRECTS_MAX {
            if url.scheme() == "https" && !self.roots {
                return Err(FetchError::NoRoots);
            }
            let known = validators.as_ref().filter(|v| v.url == url);
            let response = self.ask(&url, guarded, known).await?;
            guarded |= self.guards(response.remote_addr());
            match response.status() {
                StatusCode::NOT_MODIFIED if known.is_some() => return Ok(Answer::NotModified),
                status if status.is_success() => return receive(response, url, body).await,
                status => match redirect(status, response.headers()) {
                    Some(location) => url = next_hop(&url, location, guarded)?,
                    None => return Err(FetchError::Status(status.as_u16())),
                },
            }
        }
        Err(FetchError::TooManyRedirects)
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

    async fn ask(
        &self,
        url: &Url,
        guarded: bool,
        known: Option<&Validators>,
    ) -> Result<Response, FetchError> {
        let client = if guarded { &self.public } else { &self.any };
        let mut request = client.get(url.clone());
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
        request.send().await.map_err(|e| failure(e, url))
    }

    /// Whether what this server redirects to must be public: it is itself, as far as one knows, and
    /// so belongs to nobody whom the operator trusts with his network.
    fn guards(&self, server: Option<SocketAddr>) -> bool {
        !self.addresses.allow_private && server.is_none_or(|server| (self.is_public)(server.ip()))
    }
}

/// The client for any address and the one for public addresses.
pub(super) fn clients(builder: impl Fn() -> ClientBuilder) -> reqwest::Result<[Client; 2]> {
    let public = builder().dns_resolver(Arc::new(PublicOnly));
    Ok([builder().build()?, public.build()?])
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
async fn receive(mut response: Response, url: Url, body: &mut Body) -> Result<Answer, FetchError> {
    let validators = Validators::of(response.headers(), url.clone());
    while let Some(piece) = response.chunk().await.map_err(|e| failure(e, &url))? {
        body.push(&piece)?;
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

/// Where `location` leads from `url`; if `guarded`, only to a public address. A name is judged when
/// it is resolved, by [`PublicOnly`].
pub(super) fn next_hop(url: &Url, location: &[u8], guarded: bool) -> Result<Url, FetchError> {
    let quoted = || escaped(location, QUOTE_MAX);
    let text = str::from_utf8(location).map_err(|_| FetchError::RedirectNotWeb(quoted()))?;
    let next = url
        .join(text)
        .map_err(|_| FetchError::RedirectNotWeb(quoted()))?;
    if !matches!(next.scheme(), "http" | "https") {
        return Err(FetchError::RedirectNotWeb(quoted()));
    }
    let ip = match next.host() {
        Some(Host::Ipv4(ip)) => Some(IpAddr::V4(ip)),
        Some(Host::Ipv6(ip)) => Some(IpAddr::V6(ip)),
        Some(Host::Domain(_)) | None => None,
    };
    match ip {
        Some(ip) if guarded && !address::is_public(ip) => {
            Err(FetchError::RedirectNotPublic(quoted()))
        }
        _ => Ok(next),
    }
}

/// What an error of the client means.
fn failure(error: reqwest::Error, url: &Url) -> FetchError {
    if causes(&error).any(|cause| cause.is::<NotPublic>()) {
        let host = url.host_str().unwrap_or_default();
        return FetchError::RedirectNotPublic(escaped(host.as_bytes(), QUOTE_MAX));
    }
    let cause = root_cause(&error);
    if error.is_connect() {
        FetchError::Connect(cause)
    } else {
        FetchError::Broken(cause)
    }
}

/// The innermost cause: the outer ones repeat the URL, which may hold a key, or say nothing.
fn root_cause(error: &(dyn Error + 'static)) -> String {
    let text = causes(error).last().map(ToString::to_string);
    escaped(text.unwrap_or_default().as_bytes(), QUOTE_MAX)
}

/// An error, its cause, the cause of that, and so on.
fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&cause| cause.source())
}

/// Resolves names to their public addresses, so that none can stand for another one later.
#[derive(Debug)]
struct PublicOnly;

/// A name whose addresses are not public.
#[derive(Debug, thiserror::Error)]
#[error("none of its addresses is public")]
struct NotPublic;

impl Resolve for PublicOnly {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let all = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let public: Vec<SocketAddr> = all.filter(|a| address::is_public(a.ip())).collect();
            if public.is_empty() {
                return Err(NotPublic.into());
            }
            Ok(Box::new(public.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests;
