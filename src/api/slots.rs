//! How many connections there may be at once; the number may change while they come and go.

#[cfg(loom)]
use loom::sync::atomic::AtomicUsize;
use std::sync::Arc;
#[cfg(not(loom))]
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The right to have a connection.
pub(super) type Slot = OwnedSemaphorePermit;

/// Slots for connections.
#[derive(Debug)]
pub(super) struct Slots {
    free: Arc<Semaphore>,
    count: AtomicUsize,
}

impl Slots {
    pub(super) fn new(count: usize) -> Slots {
        Slots {
            free: Arc::new(Semaphore::new(count)),
            count: AtomicUsize::new(count),
        }
    }

    /// Has `wanted` of them. Those that are taken stay so until they are given back: call it before
    /// each [`Slots::take`].
    pub(super) fn resize(&self, wanted: usize) {
        let count = self.count.load(Ordering::Relaxed);
        let count = match wanted.checked_sub(count) {
            Some(more) => {
                self.free.add_permits(more);
                wanted
            }
            None => count - self.free.forget_permits(count - wanted),
        };
        self.count.store(count, Ordering::Relaxed);
    }

    /// The next one, once there is one. `None` only if the slots are gone.
    pub(super) async fn take(&self) -> Option<Slot> {
        Arc::clone(&self.free).acquire_owned().await.ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    #[test]
    fn slots_come_at_once_and_go_as_they_are_given_back() {
        let slots = Slots::new(2);
        let take = || {
            let mut nobody = Context::from_waker(Waker::noop());
            match pin!(slots.take()).poll(&mut nobody) {
                Poll::Ready(slot) => slot,
                Poll::Pending => None,
            }
        };
        let (first, second) = (take(), take());
        assert!(first.is_some() && second.is_some() && take().is_none());
        slots.resize(3);
        let third = take();
        assert!(third.is_some() && take().is_none());
        slots.resize(1);
        drop((first, second));
        slots.resize(1);
        assert!(take().is_none(), "one is still taken");
        drop(third);
        assert!(take().is_some());
    }
}
