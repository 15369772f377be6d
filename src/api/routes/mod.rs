//! The routes: one row in [`Endpoint`] and one function each.

mod get_proxy;
mod health;
mod history;
pub(super) mod lease;
mod metrics;
pub(super) mod openapi;
mod page;
mod proxy;
pub(super) mod reload;
mod report;
mod stat;

use super::Settings;
use super::answer::Answer;
use super::auth;
use super::client::KeyHash;
use super::cross_site;
use super::desk::{Call, Desk};
use super::rates::Exceeded;
use super::refusal::Refusal;
use crate::config;
use axum::http::Method;
use axum::http::request::Parts;
use std::time::Instant;

/// A route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Endpoint {
    Health,
    Ready,
    Metrics,
    GetProxy,
    Proxy,
    Stat,
    Reload,
    Report,
    Lease,
    Page,
    History,
    OpenApi,
}

/// What each route needs of a request.
struct Row {
    /// Its pattern, which is also its label in the metrics.
    path: &'static str,
    /// Its methods, as `Allow` names them.
    methods: &'static str,
}

impl Endpoint {
    pub(super) const ALL: [Endpoint; 12] = [
        Endpoint::Health,
        Endpoint::Ready,
        Endpoint::Metrics,
        Endpoint::GetProxy,
        Endpoint::Proxy,
        Endpoint::Stat,
        Endpoint::Reload,
        Endpoint::Report,
        Endpoint::Lease,
        Endpoint::Page,
        Endpoint::History,
        Endpoint::OpenApi,
    ];

    fn row(self) -> Row {
        let read = |path| Row {
            path,
            methods: "GET, HEAD",
        };
        match self {
            Endpoint::Health => read("/health"),
            Endpoint::Ready => read("/ready"),
            Endpoint::Metrics => read("/metrics"),
            Endpoint::GetProxy => read("/get-proxy"),
            Endpoint::Proxy => read("/proxy/{address}"),
            Endpoint::Stat => read("/stat"),
            Endpoint::Reload => Row {
                path: "/reload",
                methods: "POST",
            },
            Endpoint::Report => Row {
                path: "/report",
                methods: "POST",
            },
            Endpoint::Lease => Row {
                path: "/lease/{id}",
                methods: "DELETE",
            },
            Endpoint::Page => read("/"),
            Endpoint::History => read("/history"),
            Endpoint::OpenApi => read("/openapi.json"),
        }
    }

    /// The route at `path`. Where the metrics are, if anywhere, is configured.
    pub(super) fn find(path: &str, metrics: &config::Metrics) -> Option<Endpoint> {
        Endpoint::ALL
            .into_iter()
            .filter(|endpoint| !matches!(endpoint, Endpoint::Metrics | Endpoint::Proxy))
            .filter(|endpoint| !matches!(endpoint, Endpoint::Lease))
            .find(|endpoint| endpoint.row().path == path)
            .or_else(|| {
                let shown = metrics.enabled && path == &*metrics.endpoint;
                shown.then_some(Endpoint::Metrics)
            })
            .or_else(|| proxy::is_path(path).then_some(Endpoint::Proxy))
            .or_else(|| lease::is_path(path).then_some(Endpoint::Lease))
    }

    /// The label of a route in the metrics; `other` for every path that is none.
    pub(super) fn label(endpoint: Option<Endpoint>) -> &'static str {
        endpoint.map_or("other", |endpoint| endpoint.row().path)
    }

    /// Its methods, as `Allow` names them.
    pub(super) fn methods(self) -> &'static str {
        self.row().methods
    }

    fn allows(self, method: &Method) -> bool {
        let mut methods = self.row().methods.split(", ");
        methods.any(|allowed| allowed == method.as_str())
    }

    /// Longest body that is kept for the route, in bytes; zero: it reads none.
    pub(super) fn body_bytes_max(self) -> usize {
        match self {
            Endpoint::Report => report::BODY_BYTES_MAX,
            _ => 0,
        }
    }

    fn admits(self, settings: &Settings, key: Option<KeyHash>) -> bool {
        match (self, &settings.keys) {
            (Endpoint::Health | Endpoint::Ready | Endpoint::Page | Endpoint::OpenApi, _) => true,
            (Endpoint::Metrics, _) if !settings.metrics.require_key => true,
            // A key is required and none is known: closed, until the configuration names one.
            (Endpoint::Metrics, None) => false,
            (_, None) => true,
            (_, Some(_)) => key.is_some(),
        }
    }

    /// Whether what it tells or does is nothing for pages of other sites.
    fn is_private(self) -> bool {
        !matches!(
            self,
            Endpoint::Health | Endpoint::Ready | Endpoint::Page | Endpoint::OpenApi
        )
    }

    /// Whether requests are counted by the rate limits: all but those of probes and scrapers, which
    /// come at their own pace and must not be told anything else than how the service is.
    fn is_limited(self, settings: &Settings) -> bool {
        match self {
            Endpoint::Health | Endpoint::Ready => false,
            Endpoint::Metrics => settings.metrics.require_key,
            _ => true,
        }
    }
}

/// The key that a request shows, if it is one of ours.
pub(super) fn key(settings: &Settings, head: &Parts) -> Option<KeyHash> {
    auth::known(settings.keys.as_deref()?, head)
}

/// The label of a method in the metrics; `OTHER` for what a client made up.
pub(super) fn label(method: &Method) -> &'static str {
    const KNOWN: [&str; 8] = [
        "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT",
    ];
    KNOWN
        .into_iter()
        .find(|known| *known == method.as_str())
        .unwrap_or("OTHER")
}

/// Answers a request: is there such a route, has it the method, is the key known, is it no page of
/// another site where none is asked for, is the client within its limits, and only then the route itself. hyper drops the body of an answer to `HEAD` and keeps its length.
pub(super) async fn answer(
    endpoint: Option<Endpoint>,
    call: &Call<'_>,
    desk: &Desk,
) -> Result<Answer, Refusal> {
    let endpoint = endpoint.ok_or(Refusal::NotFound)?;
    if !endpoint.allows(&call.head.method) {
        return Err(Refusal::Method(endpoint.row().methods));
    }
    if !endpoint.admits(call.settings, call.client.key) {
        return Err(without_key(call, desk));
    }
    if endpoint.is_private() && is_of_another_site(call) {
        return Err(Refusal::CrossSite);
    }
    if !endpoint.is_limited(call.settings) {
        return of(endpoint, call, desk).await;
    }
    let taken = desk.rates.take(&call.client, call.settings, Instant::now());
    let Some(standing) = taken.map_err(|exceeded| limited(exceeded, desk))? else {
        return of(endpoint, call, desk).await;
    };
    let answer = of(endpoint, call, desk).await;
    let mut answer = answer.unwrap_or_else(Answer::from);
    standing.describe(&mut answer.headers);
    Ok(answer)
}

/// Whether a page of another site asks a service that knows no keys: no page has a key.
fn is_of_another_site(call: &Call<'_>) -> bool {
    let settings = call.settings;
    let (trusted, origins) = (&settings.trusted_proxies, &settings.cors_origins);
    settings.keys.is_none()
        && cross_site::is_cross_site(call.head, call.client.address, trusted, origins)
}

/// Why a request that needs a key and has none of ours is refused. Only wrong keys are counted; a right
/// one passes also from an address that has shown too many, so that nobody locks out a neighbour.
fn without_key(call: &Call<'_>, desk: &Desk) -> Refusal {
    if call.settings.keys.is_none() || !auth::is_shown(call.head) {
        return Refusal::Key;
    }
    match desk.rates.key_failed(call.client.address, Instant::now()) {
        Ok(()) => Refusal::Key,
        Err(exceeded) => limited(exceeded, desk),
    }
}

fn limited(exceeded: Exceeded, desk: &Desk) -> Refusal {
    desk.state.metrics.api_rate_limited(exceeded.limit.label());
    Refusal::Rate(exceeded)
}

/// What the route itself says.
async fn of(endpoint: Endpoint, call: &Call<'_>, desk: &Desk) -> Result<Answer, Refusal> {
    let state = &desk.state;
    match endpoint {
        Endpoint::Health => Ok(health::health()),
        Endpoint::Ready => health::ready(state),
        Endpoint::Metrics => {
            // Gathered anew for each scrape, by whoever reaches it.
            desk.turns.pass().await?;
            state.metrics.leases(lease::count(desk));
            metrics::page(state, call.settings, call.now)
        }
        Endpoint::GetProxy => Ok(get_proxy::answer(call, desk).await),
        Endpoint::Proxy => proxy::answer(call, desk).await,
        Endpoint::Stat => Ok(stat::answer(state)),
        Endpoint::Reload => reload::answer(&state.reload).await,
        Endpoint::Report => report::answer(call, desk).await,
        Endpoint::Lease => lease::end(call, desk),
        Endpoint::Page => Ok(page::answer(call)),
        Endpoint::History => Ok(history::answer(state, call.now)),
        Endpoint::OpenApi => Ok(openapi::answer(call, desk)),
    }
}

#[cfg(test)]
mod tests;
