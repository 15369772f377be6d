//! Counts requests: what almost all of them are without looking anything up.

use super::routes::Endpoint;
use crate::metrics::{ApiRoute, Metrics};
use axum::http::StatusCode;
use std::sync::{Arc, OnceLock};

/// The method that has rows of its own.
const GET: &str = "GET";

/// Where each request is counted.
#[derive(Debug)]
pub(super) struct Tally {
    metrics: Arc<Metrics>,
    /// Of `GET` answered with 200, by route: made at the first, so that the page shows no route
    /// that nobody asked for.
    good: [OnceLock<ApiRoute>; Endpoint::ALL.len()],
}

impl Tally {
    pub(super) fn new(metrics: &Arc<Metrics>) -> Tally {
        Tally {
            metrics: Arc::clone(metrics),
            good: [const { OnceLock::new() }; Endpoint::ALL.len()],
        }
    }

    /// One request was answered after this time.
    pub(super) fn count(
        &self,
        endpoint: Option<Endpoint>,
        method: &'static str,
        status: StatusCode,
        seconds: f64,
    ) {
        let label = Endpoint::label(endpoint);
        match endpoint {
            Some(endpoint) if method == GET && status == StatusCode::OK => self.good
                [endpoint as usize]
                .get_or_init(|| self.metrics.api_route(GET, label, status.as_u16()))
                .count(seconds),
            _ => self
                .metrics
                .api_request(method, label, status.as_u16(), seconds),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_route_has_a_row_of_its_own() {
        let rows = Endpoint::ALL.map(|endpoint| endpoint as usize);
        let rows = std::collections::BTreeSet::from(rows);
        assert!(rows.into_iter().eq(0..Endpoint::ALL.len()));
    }
}
