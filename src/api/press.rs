//! Work that would keep the API's thread from other requests: done beside it, one piece at a time.

use super::refusal::Refusal;
use std::panic::resume_unwind;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::{self, JoinError};

/// Renders and compresses on a thread of its own. A piece that was begun is done to its end, also
/// when nobody waits for it any more: it keeps its turn until then.
#[derive(Clone, Debug)]
pub(super) struct Press {
    turn: Arc<Semaphore>,
}

impl Press {
    pub(super) fn new() -> Press {
        Press {
            turn: Arc::new(Semaphore::new(1)),
        }
    }

    /// Does `work` when it is its turn.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Refusal> {
        let turn = Arc::clone(&self.turn).acquire_owned().await;
        on(turn.map_err(|_| Refusal::Silent)?, work).await
    }

    /// Does `work` if nothing else is done now.
    pub(super) async fn try_run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        let turn = Arc::clone(&self.turn).try_acquire_owned().ok()?;
        on(turn, work).await.ok()
    }

    /// Waits until it is free, and holds it.
    #[cfg(test)]
    pub(super) fn hold(&self) -> OwnedSemaphorePermit {
        Arc::clone(&self.turn).try_acquire_owned().unwrap()
    }
}

async fn on<T: Send + 'static>(
    turn: OwnedSemaphorePermit,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Refusal> {
    let done = task::spawn_blocking(move || {
        let done = work();
        drop(turn);
        done
    });
    done.await.map_err(ended)
}

/// A task that was dropped belongs to a runtime that ends; a panic goes on to whoever waits.
pub(super) fn ended(error: JoinError) -> Refusal {
    match error.try_into_panic() {
        Ok(panic) => resume_unwind(panic),
        Err(_) => Refusal::Silent,
    }
}
