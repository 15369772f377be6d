//! In the place of a glommio executor: tasks of one thread, in the order in which they were woken. When none
//! is left to run, the kernel is waited for.

use crate::kernel;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};

type Task = Pin<Box<dyn Future<Output = ()>>>;

thread_local! {
    /// Spawned, and not run yet.
    static SPAWNED: RefCell<Vec<Task>> = const { RefCell::new(Vec::new()) };
}

/// The tasks that are to run, by their places. Wakers are asked to be `Send`; none leaves the thread.
type Queue = Arc<Mutex<VecDeque<usize>>>;

struct Woken {
    place: usize,
    queue: Queue,
}

impl Wake for Woken {
    fn wake(self: Arc<Woken>) {
        let mut queue = self.queue.lock().unwrap();
        if !queue.contains(&self.place) {
            queue.push_back(self.place);
        }
    }
}

/// A task that nobody waits for.
pub struct Spawned;

impl Spawned {
    /// It goes on by itself.
    pub fn detach(self) {}
}

/// `glommio::spawn_local`.
pub fn spawn_local(task: impl Future<Output = ()> + 'static) -> Spawned {
    SPAWNED.with_borrow_mut(|spawned| spawned.push(Box::pin(task)));
    Spawned
}

/// Runs `main`, and what it spawns, until it is done.
pub(crate) fn run(main: impl Future<Output = ()> + 'static) {
    kernel::reset();
    SPAWNED.take();
    let queue = Queue::default();
    let mut tasks: Vec<Option<Task>> = vec![Some(Box::pin(main))];
    queue.lock().unwrap().push_back(0);
    loop {
        kernel::poll();
        let next = queue.lock().unwrap().pop_front();
        let Some(place) = next else {
            kernel::park();
            continue;
        };
        let Some(task) = &mut tasks[place] else {
            continue;
        };
        let waker = Waker::from(Arc::new(Woken {
            place,
            queue: queue.clone(),
        }));
        if task.as_mut().poll(&mut Context::from_waker(&waker)) == Poll::Ready(()) {
            tasks[place] = None;
            if place == 0 {
                return;
            }
        }
        for task in SPAWNED.take() {
            queue.lock().unwrap().push_back(tasks.len());
            tasks.push(Some(task));
        }
    }
}
