//! Fetches a source, with size and time caps.
//!
//! `web` asks over HTTP, `file` reads from the disk; both feed a `body`, which parses while it
//! arrives. A list is used whole or not at all.

mod body;
mod error;
mod file;
mod web;

pub use error::{FetchError, LooksLike};

use super::address::AddressPolicy;
use super::parse::{Parsed, Parser, Reading};
use crate::config::{Aggregator, Location, Source};
use crate::traces;
use body::Body;
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;
use url::Url;
use web::{Answer, Trail, Web};

/// Sources that are fetched at the same time.
pub const SIDE_BY_SIDE_MAX: usize = 16;

/// What fetching a source gave.
#[derive(Clone, Debug)]
pub enum Fetched {
    /// Its list, with at least one proxy.
    List(Parsed),
    /// The same list as the last time that this fetcher got one.
    NotModified,
}

/// Fetches sources, and remembers what they said of their last list (RFC 9110, section 13). A clone
/// shares that memory.
#[derive(Clone, Debug)]
pub struct Fetcher {
    web: Arc<Web>,
    addresses: AddressPolicy,
    timeout: Duration,
    bytes_max: u64,
}

impl Fetcher {
    /// A fetcher with the limits of `aggregator`. Proxies named in the environment are not used: who
    /// probes proxies needs a way of his own to the Internet.
    ///
    /// # Errors
    /// If the HTTP client cannot be built. Missing root certificates are no error here, but one of
    /// every `https` source.
    pub fn new(aggregator: &Aggregator) -> Result<Fetcher, FetchError> {
        let addresses = aggregator.addresses.clone();
        Ok(Fetcher {
            web: Arc::new(Web::new(&aggregator.user_agent, addresses.clone())?),
            addresses,
            timeout: aggregator.source_timeout,
            bytes_max: aggregator.source_bytes_max,
        })
    }

    /// Fetches one source.
    ///
    /// # Errors
    /// Every [`FetchError`]; then nothing of the list is used.
    pub async fn fetch(&self, source: &Source) -> Result<Fetched, FetchError> {
        let parser = Parser::new(Reading {
            hint: source.hint,
            format: source.format,
            addresses: self.addresses.clone(),
        });
        let body = Body::new(parser, self.bytes_max);
        let began = Instant::now();
        let mut fetched = match &source.location {
            Location::Web(url) => self.fetch_web(source, url, body).await,
            Location::File(path) => self.fetch_file(path, body).await,
        };
        let took = began.elapsed();
        if let Ok(Fetched::List(parsed)) = &mut fetched {
            parsed.took = took;
        }
        if traces::is_on() {
            traces::source_fetched(&source.url, took, figures(&fetched));
        }
        fetched
    }

    /// Fetches all `sources` side by side and sends each result, with its place in `sources`, as soon
    /// as it is there. Ends when all are sent, or when nobody receives them any more.
    pub async fn fetch_all(
        &self,
        sources: &[Source],
        results: mpsc::Sender<(usize, Result<Fetched, FetchError>)>,
    ) {
        let mut waiting = sources.iter().cloned().enumerate();
        let mut tasks = JoinSet::new();
        let mut places = HashMap::new();
        loop {
            while tasks.len() < SIDE_BY_SIDE_MAX
                && let Some((place, source)) = waiting.next()
            {
                let fetcher = self.clone();
                let task = tasks.spawn(async move { fetcher.fetch(&source).await });
                places.insert(task.id(), place);
            }
            let Some(ended) = tasks.join_next_with_id().await else {
                return;
            };
            let (task, result) = ended.unwrap_or_else(|e| (e.id(), Err(FetchError::Panicked)));
            let Some(place) = places.remove(&task) else {
                continue;
            };
            if results.send((place, result)).await.is_err() {
                return;
            }
        }
    }

    async fn fetch_web(
        &self,
        source: &Source,
        url: &Url,
        mut body: Body,
    ) -> Result<Fetched, FetchError> {
        let mut trail = Trail::begin(url);
        let reading = self.web.read(source, &mut trail, &mut body);
        let answer = match timeout(self.timeout, reading).await {
            Ok(answer) => answer,
            Err(_) => Err(body.timed_out(self.timeout)),
        };
        let fetched = answer.and_then(|answer| match answer {
            Answer::NotModified => Ok(Fetched::NotModified),
            Answer::Complete(validators) => {
                let parsed = body.finish()?;
                self.web.remember(source, validators);
                Ok(Fetched::List(parsed))
            }
        });
        fetched.map_err(|error| trail.name(error))
    }

    async fn fetch_file(&self, path: &Path, body: Body) -> Result<Fetched, FetchError> {
        let body = file::read(path, body, self.timeout).await?;
        Ok(Fetched::List(body.finish()?))
    }
}

/// Candidates and bytes of a list; none if it has not changed.
fn figures(fetched: &Result<Fetched, FetchError>) -> Result<(u64, u64), String> {
    match fetched {
        Ok(Fetched::List(parsed)) => Ok((parsed.candidates.len() as u64, parsed.bytes)),
        Ok(Fetched::NotModified) => Ok((0, 0)),
        Err(error) => Err(error.to_string()),
    }
}

#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
#[cfg(test)]
mod tests;
