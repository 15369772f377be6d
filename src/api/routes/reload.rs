//! `POST /reload`: asks for what `SIGHUP` does, and says whether the configuration is valid.

use crate::api::answer::Answer;
use crate::api::refusal::Refusal;
use axum::http::StatusCode;
use serde_json::json;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

/// A wish to read the configuration again.
#[derive(Debug)]
pub struct ReloadRequest {
    /// Who wants to know the outcome of the validation: the reload that runs or waits, or the words
    /// of what is not valid. Dropped unanswered: the service is stopping.
    pub reply: Option<oneshot::Sender<Result<Accepted, String>>>,
}

/// A reload whose configuration is valid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// Its number, or that of the one into which it was merged.
    pub id: u64,
    /// The keys that changed and are in force only after a restart.
    pub needs_restart: Vec<&'static str>,
}

/// Where wishes go: a bounded channel that its receiver always drains.
pub type ReloadHandle = mpsc::Sender<ReloadRequest>;

/// Longest time from the request to the outcome of the validation.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Asks, and waits for the validation only: the work itself goes on in the background.
pub(super) async fn answer(reload: &ReloadHandle) -> Result<Answer, Refusal> {
    let accepted = ask(reload, TIMEOUT).await?;
    let mut body = json!({ "message": "Reload triggered", "reload_id": accepted.id });
    if !accepted.needs_restart.is_empty() {
        body["needs_restart"] = json!(accepted.needs_restart);
    }
    Ok(Answer::json(StatusCode::OK, &body))
}

async fn ask(reload: &ReloadHandle, within: Duration) -> Result<Accepted, Refusal> {
    let (reply, outcome) = oneshot::channel();
    let request = ReloadRequest { reply: Some(reply) };
    let asked = async {
        reload.send(request).await.map_err(|_| Refusal::Stopping)?;
        outcome.await.map_err(|_| Refusal::Stopping)
    };
    timeout(within, asked)
        .await
        .map_err(|_| Refusal::ReloadTimeout)??
        .map_err(Refusal::Configuration)
}

#[cfg(test)]
mod tests;
