//! `POST /report`: what a client says of a proxy that it used.

use crate::api::answer::Answer;
use crate::api::desk::{Call, Desk};
use crate::api::holder::Holder;
use crate::api::refusal::Refusal;
use crate::coordinator::Hearsay;
use crate::ledger::Experience;
use crate::snapshot::Stat;
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::json;

/// Longest report, in bytes.
pub(super) const BODY_BYTES_MAX: usize = 4 << 10;

/// What is read of the body; other keys say nothing.
#[derive(Deserialize)]
struct Report {
    address: String,
    target: Option<String>,
    outcome: String,
}

/// Hands the report to the coordinator and waits until it has it.
pub(super) async fn answer(call: &Call<'_>, desk: &Desk) -> Result<Answer, Refusal> {
    let report: Report = serde_json::from_slice(call.body).map_err(|_| Refusal::Report)?;
    let experience = Experience::from_label(&report.outcome).ok_or(Refusal::Outcome)?;
    let proxy = super::proxy::read_address(&report.address).ok_or(Refusal::Address)?;
    let target = report.target.filter(|name| !name.is_empty());
    let target = target
        .map(|name| known(&name, &desk.state.snapshots.load().stat))
        .transpose()?;
    let client = desk.voice_of(Holder::from(call.client));
    let said = |reply| Hearsay {
        host: proxy.host,
        port: proxy.port,
        target,
        experience,
        client,
        reply,
    };
    if !desk.questions.tell(said).await? {
        return Err(Refusal::UnknownProxy);
    }
    desk.state.metrics.proxy_report(experience.label());
    let body = json!({ "message": "Report taken" });
    Ok(Answer::json(StatusCode::ACCEPTED, &body))
}

/// The name of a target, if there is such a one.
fn known(name: &str, stat: &Stat) -> Result<Box<str>, Refusal> {
    let mut names = stat.targets.iter().map(|target| &target.name);
    match names.find(|known| ***known == *name) {
        Some(known) => Ok(known.clone()),
        None => {
            let names: Vec<&str> = stat.targets.iter().map(|t| &*t.name).collect();
            Err(Refusal::Target(names.join(", ")))
        }
    }
}

#[cfg(test)]
mod tests;
