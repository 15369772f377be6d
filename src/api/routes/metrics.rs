//! The metrics endpoint, at whatever path is configured.

use crate::api::answer::Answer;
use crate::api::refusal::Refusal;
use crate::api::{ApiState, Settings};
use std::time::SystemTime;

/// The text format of Prometheus.
const FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The page of this moment.
pub(super) fn page(
    state: &ApiState,
    settings: &Settings,
    now: SystemTime,
) -> Result<Answer, Refusal> {
    let snapshot = state.snapshots.load();
    let namespace = &settings.metrics.namespace;
    match state.metrics.render(&snapshot, namespace, now) {
        Ok(page) => Ok(Answer::ok(FORMAT, page)),
        Err(error) => {
            tracing::error!(%error, "the metrics cannot be rendered: this is a bug");
            Err(Refusal::Metrics)
        }
    }
}
