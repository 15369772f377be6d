//! Large answers are made one at a time, and between two of them everybody else is served: clients
//! that ask for everything without pause share one thread with the others.

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::task::yield_now;

/// The right to make a large answer now.
pub(super) type Turn<'t> = SemaphorePermit<'t>;

/// Who makes a large answer, in the order of asking.
#[derive(Debug)]
pub(super) struct Turns {
    one: Semaphore,
}

impl Turns {
    pub(super) fn new() -> Turns {
        Turns {
            one: Semaphore::new(1),
        }
    }

    /// The next turn, once whoever has sent something meanwhile was served: the runtime looks at all
    /// of its sockets before it wakes a task that yielded. `None` only if the turns are gone.
    pub(super) async fn take(&self) -> Option<Turn<'_>> {
        let turn = self.one.acquire().await.ok()?;
        yield_now().await;
        Some(turn)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;

    #[test]
    fn others_are_served_between_two_large_answers() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        let (turns, order) = (Turns::new(), RefCell::new(String::new()));
        let large = async |name| {
            let turn = turns.take().await;
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
