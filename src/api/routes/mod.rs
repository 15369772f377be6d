//! The routes: one row in [`Endpoint`] and one function each.

mod get_proxy;
mod health;
mod metrics;
mod proxy;
pub(super) mod reload;
mod stat;

use super::Settings;
use super::answer::Answer;
use super::auth;
use super::client::KeyHash;
use super::desk::{Call, Desk};
use super::refusal::Refusal;
use crate::config;
use axum::http::Method;
use axum::http::request::Parts;

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
}

/// What each route needs of a request.
struct Row {
    /// Its pattern, which is also its label in the metrics.
    path: &'static str,
    /// Its methods, as `Allow` names them.
    methods: &'static str,
}

impl Endpoint {
    const ALL: [Endpoint; 7] = [
        Endpoint::Health,
        Endpoint::Ready,
        Endpoint::Metrics,
        Endpoint::GetProxy,
        Endpoint::Proxy,
        Endpoint::Stat,
        Endpoint::Reload,
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
        }
    }

    /// The route at `path`. Where the metrics are, if anywhere, is configured.
    pub(super) fn find(path: &str, metrics: &config::Metrics) -> Option<Endpoint> {
        Endpoint::ALL
            .into_iter()
            .filter(|endpoint| !matches!(endpoint, Endpoint::Metrics | Endpoint::Proxy))
            .find(|endpoint| endpoint.row().path == path)
            .or_else(|| {
                let shown = metrics.enabled && path == &*metrics.endpoint;
                shown.then_some(Endpoint::Metrics)
            })
            .or_else(|| proxy::is_path(path).then_some(Endpoint::Proxy))
    }

    /// The label of a route in the metrics; `other` for every path that is none.
    pub(super) fn label(endpoint: Option<Endpoint>) -> &'static str {
        endpoint.map_or("other", |endpoint| endpoint.row().path)
    }

    fn allows(self, method: &Method) -> bool {
        let mut methods = self.row().methods.split(", ");
        methods.any(|allowed| allowed == method.as_str())
    }

    /// Whether the answer may be large, so that it takes its turn.
    pub(super) fn asks_for_much(self, query: Option<&str>) -> bool {
        self == Endpoint::GetProxy && get_proxy::asks_for_much(query)
    }

    /// Longest body that is kept for the route, in bytes; zero: it reads none.
    pub(super) fn body_bytes_max(self) -> usize {
        0
    }

    fn admits(self, settings: &Settings, key: Option<KeyHash>) -> bool {
        match (self, &settings.keys) {
            (Endpoint::Health | Endpoint::Ready, _) => true,
            (Endpoint::Metrics, _) if !settings.metrics.require_key => true,
            // A key is required and none is known: closed, until the configuration names one.
            (Endpoint::Metrics, None) => false,
            (_, None) => true,
            (_, Some(_)) => key.is_some(),
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

/// Answers a request: is there such a route, has it the method, is the key known, and only then
/// the route itself. hyper drops the body of an answer to `HEAD` and keeps its length.
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
        return Err(Refusal::Key);
    }
    let state = &desk.state;
    match endpoint {
        Endpoint::Health => Ok(health::health()),
        Endpoint::Ready => health::ready(state),
        Endpoint::Metrics => metrics::page(state, call.settings, call.now),
        Endpoint::GetProxy => Ok(get_proxy::answer(call, state)),
        Endpoint::Proxy => proxy::answer(call, desk).await,
        Endpoint::Stat => Ok(stat::answer(state)),
        Endpoint::Reload => reload::answer(&state.reload).await,
    }
}

#[cfg(test)]
mod tests;
