//! `/health`: does the process live; `/ready`: has it published anything.

use crate::api::ApiState;
use crate::api::answer::{Answer, TEXT};
use crate::api::refusal::Refusal;

/// Answering at all is the answer.
pub(super) fn health() -> Answer {
    Answer::ok(TEXT, "ok")
}

/// Whether a snapshot was published, with or without proxies in it.
pub(super) fn ready(state: &ApiState) -> Result<Answer, Refusal> {
    match state.snapshots.load().generation {
        0 => Err(Refusal::NotReady),
        _ => Ok(Answer::ok(TEXT, "ready")),
    }
}
