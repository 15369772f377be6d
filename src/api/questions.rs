//! Questions to the coordinator, so few at a time that no client can keep it from its work.

use super::limits::Limits;
use super::refusal::Refusal;
use crate::coordinator::{Event, Question};
use crate::ledger::Facts;
use crossbeam_channel::Sender;
use proxy_shards::Host;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, oneshot};
use tokio::time::timeout;

/// Where questions go, and how many may wait for their answer.
#[derive(Debug)]
pub(super) struct Questions {
    coordinator: Sender<Event>,
    slots: Arc<Semaphore>,
    within: Duration,
}

impl Questions {
    pub(super) fn new(coordinator: Sender<Event>, limits: &Limits) -> Questions {
        Questions {
            coordinator,
            slots: Arc::new(Semaphore::new(limits.questions_max)),
            within: limits.question_timeout,
        }
    }

    /// What the ledger has about the proxy at `host` and `port`, one for each candidate.
    pub(super) async fn ask(&self, host: Host, port: u16) -> Result<Vec<Facts>, Refusal> {
        let slot = Arc::clone(&self.slots)
            .try_acquire_owned()
            .map_err(|_| Refusal::Questions)?;
        let (reply, facts) = oneshot::channel();
        let question = Event::Asked(Question { host, port, reply });
        self.coordinator
            .try_send(question)
            .map_err(|_| Refusal::Silent)?;
        // The slot stays taken until the coordinator is done with the question, however soon the
        // client has given up.
        let answer = tokio::spawn(async move {
            let facts = facts.await;
            drop(slot);
            facts
        });
        match timeout(self.within, answer).await {
            Ok(Ok(Ok(facts))) => Ok(facts),
            Ok(_) => Err(Refusal::Silent),
            Err(_) => Err(Refusal::Unanswered),
        }
    }
}
