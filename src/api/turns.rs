//! Large answers are made one at a time, and between two of them everybody else is served: clients
//! that ask for everything without pause share one thread with the others.

use super::holder::Holder;
use super::refusal::Refusal;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::task::yield_now;
use tokio::time::timeout;

/// Requests of one client that may be in line to have something made.
const WAITING_MAX: u32 = 64;

/// The right to make a large answer now.
#[derive(Debug)]
pub(super) struct Turn<'t> {
    _permit: SemaphorePermit<'t>,
    _place: Place<'t>,
}

/// Who makes a large answer, in the order of asking.
#[derive(Debug)]
pub(super) struct Turns {
    one: Semaphore,
    /// How many each client has in line.
    waiting: Mutex<HashMap<Holder, u32>>,
    /// Longest time in line.
    patience: Duration,
}

impl Turns {
    pub(super) fn new(patience: Duration) -> Turns {
        Turns {
            one: Semaphore::new(1),
            waiting: Mutex::default(),
            patience,
        }
    }

    /// The next turn to make something.
    pub(super) async fn take(&self, holder: Holder) -> Result<Turn<'_>, Refusal> {
        let place = Place::of(self, holder).ok_or(Refusal::Overloaded)?;
        Ok(Turn {
            _permit: self.next().await?,
            _place: place,
        })
    }

    /// Waits for a turn and leaves it to the next: for what is made already and only large, or made
    /// in no time but by whoever likes.
    pub(super) async fn pass(&self) -> Result<(), Refusal> {
        self.next().await.map(drop)
    }

    /// The next turn, once whoever has sent something meanwhile was served: the runtime looks at all
    /// of its sockets before it wakes a task that yielded.
    async fn next(&self) -> Result<SemaphorePermit<'_>, Refusal> {
        let permit = timeout(self.patience, self.one.acquire()).await;
        let permit = permit.ok().and_then(Result::ok);
        let permit = permit.ok_or(Refusal::Overloaded)?;
        yield_now().await;
        Ok(permit)
    }

    fn waiting(&self) -> MutexGuard<'_, HashMap<Holder, u32>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place in the line.
#[derive(Debug)]
struct Place<'t> {
    turns: &'t Turns,
    holder: Holder,
}

impl<'t> Place<'t> {
    /// `None` if the client has too many.
    fn of(turns: &'t Turns, holder: Holder) -> Option<Place<'t>> {
        let mut waiting = turns.waiting();
        let count = waiting.entry(holder).or_insert(0);
        if *count >= WAITING_MAX {
            return None;
        }
        *count += 1;
        Some(Place { turns, holder })
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut waiting = self.turns.waiting();
        if let Some(count) = waiting.get_mut(&self.holder) {
            *count -= 1;
            if *count == 0 {
                waiting.remove(&self.holder);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;
    use std::pin::{Pin, pin};
    use std::task::{Context, Waker};

    const LONG: Duration = Duration::from_secs(60);

    fn holder(last: u8) -> Holder {
        Holder::Address([192, 0, 2, last].into())
    }

    fn runtime() -> tokio::runtime::Runtime {
        tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .unwrap()
    }

    fn is_waiting(future: Pin<&mut impl Future>) -> bool {
        let mut nobody = Context::from_waker(Waker::noop());
        future.poll(&mut nobody).is_pending()
    }

    #[test]
    fn one_client_has_few_places_in_the_line_and_others_have_theirs() {
        let turns = Turns::new(LONG);
        runtime().block_on(async {
            let first = turns.take(holder(1)).await.unwrap();
            let wait = async |holder| turns.take(holder).await.map(drop);
            let waiting = (1..WAITING_MAX).map(|_| wait(holder(1)));
            let mut waiting: Vec<_> = waiting.map(Box::pin).collect();
            for one in &mut waiting {
                assert!(is_waiting(one.as_mut()));
            }
            assert_eq!(wait(holder(1)).await, Err(Refusal::Overloaded));
            let mut other = pin!(wait(holder(2)));
            assert!(is_waiting(other.as_mut()), "in line");
            drop(first);
            drop(waiting);
            assert_eq!(other.await, Ok(()));
            assert!(turns.waiting().is_empty(), "nobody is remembered");
        });
    }

    #[test]
    fn nobody_waits_for_ever() {
        let turns = Turns::new(Duration::from_millis(20));
        runtime().block_on(async {
            let _first = turns.take(holder(1)).await.unwrap();
            let second = turns.take(holder(2)).await.map(drop);
            assert_eq!(second, Err(Refusal::Overloaded));
        });
    }

    #[test]
    fn others_are_served_between_two_large_answers() {
        let runtime = runtime();
        let (turns, order) = (Turns::new(LONG), RefCell::new(String::new()));
        let large = async |name| {
            let turn = turns.take(holder(1)).await;
            order.borrow_mut().push(name);
            drop(turn);
        };
        let small = async {
            for _ in 0..3 {
                yield_now().await;
                order.borrow_mut().push('.');
            }
        };
        runtime.block_on(async {
            tokio::join!(biased; large('a'), large('b'), large('c'), small);
        });
        assert_eq!(*order.borrow(), "a.b.c.");
    }
}
