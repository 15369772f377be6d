//! Questions and reports to the coordinator, so few at a time that no client can keep it from its work.

use super::limits::Limits;
use super::refusal::Refusal;
use crate::coordinator::{Event, Hearsay, Known, Question};
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
    /// Reports have their own, so that neither kind keeps the other out.
    report_slots: Arc<Semaphore>,
    within: Duration,
}

impl Questions {
    pub(super) fn new(coordinator: Sender<Event>, limits: &Limits) -> Questions {
        Questions {
            coordinator,
            slots: Arc::new(Semaphore::new(limits.questions_max)),
            report_slots: Arc::new(Semaphore::new(limits.questions_max)),
            within: limits.question_timeout,
        }
    }

    /// What the ledger has about the candidates at `host` and `port`.
    pub(super) async fn ask(&self, host: Host, port: u16) -> Result<Known, Refusal> {
        let question = |reply| Event::Asked(Question { host, port, reply });
        self.put(&self.slots, question).await
    }

    /// Hands over what a client says of a proxy; whether the ledger knows that proxy.
    pub(super) async fn tell(
        &self,
        said: impl FnOnce(oneshot::Sender<bool>) -> Hearsay,
    ) -> Result<bool, Refusal> {
        let event = |reply| Event::Heard(said(reply));
        self.put(&self.report_slots, event).await
    }

    async fn put<T: Send + 'static>(
        &self,
        slots: &Arc<Semaphore>,
        event: impl FnOnce(oneshot::Sender<T>) -> Event,
    ) -> Result<T, Refusal> {
        let slot = Arc::clone(slots)
            .try_acquire_owned()
            .map_err(|_| Refusal::Questions)?;
        let (reply, answer) = oneshot::channel();
        self.coordinator
            .try_send(event(reply))
            .map_err(|_| Refusal::Silent)?;
        // The slot stays taken until the coordinator is done with it, however soon the client has
        // given up.
        let answer = tokio::spawn(async move {
            let answer = answer.await;
            drop(slot);
            answer
        });
        match timeout(self.within, answer).await {
            Ok(Ok(Ok(answer))) => Ok(answer),
            Ok(_) => Err(Refusal::Silent),
            Err(_) => Err(Refusal::Unanswered),
        }
    }
}
