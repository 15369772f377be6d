//! In the place of the ring: completions that another thread, the kernel, posts when it likes. It looks at
//! whether the bell is on after it has posted, as `io_uring` does.

use super::bell::{Bell, Rope};
use super::settle::Look;
use crate::{cqueue, kernel};
use loom::sync::Mutex;
use loom::sync::atomic::{AtomicBool, Ordering};
use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

/// What the ring and the kernel both see.
pub(crate) struct Shared {
    posted: Mutex<Vec<cqueue::Entry>>,
    rings: AtomicBool,
}

impl Shared {
    /// The bell is on, as it is on a new ring.
    pub(crate) fn new() -> Arc<Shared> {
        Arc::new(Shared {
            posted: Mutex::new(Vec::new()),
            rings: AtomicBool::new(true),
        })
    }

    /// The kernel's part.
    pub(crate) fn post(&self, completion: cqueue::Entry) {
        self.posted.lock().unwrap().push(completion);
        if self.rings.load(Ordering::SeqCst) {
            kernel::signal();
        }
    }
}

pub(crate) struct RingOptions {
    pub(crate) shared: Arc<Shared>,
    /// Operations that the kernel works on.
    pub(crate) in_kernel: usize,
    /// Whether completions are let gather.
    pub(crate) naps: bool,
}

pub(crate) struct Tuning {
    pub(crate) nap: Duration,
    pub(crate) nap_few: usize,
    pub(crate) nap_crowd: usize,
    pub(crate) linger: Duration,
}

pub(crate) struct Ring {
    pub(crate) tuning: Tuning,
    shared: Arc<Shared>,
    in_kernel: Cell<usize>,
    bell: Rc<Bell>,
    waiter: RefCell<Option<Waker>>,
}

impl Ring {
    pub(crate) fn new(options: RingOptions) -> io::Result<Rc<Ring>> {
        Ok(Rc::new(Ring {
            tuning: Tuning {
                nap: Duration::from_millis(u64::from(options.naps)),
                nap_few: 1,
                nap_crowd: 1,
                linger: Duration::from_millis(1),
            },
            shared: options.shared,
            in_kernel: Cell::new(options.in_kernel),
            bell: Bell::hang(&Rope::new()?)?,
            waiter: RefCell::default(),
        }))
    }

    pub(crate) fn in_kernel(&self) -> usize {
        self.in_kernel.get()
    }

    pub(crate) fn round(&self, batch: &mut Vec<cqueue::Entry>, _look: Look) -> bool {
        batch.clear();
        batch.append(&mut self.shared.posted.lock().unwrap());
        self.in_kernel.set(self.in_kernel.get() - batch.len());
        if batch.is_empty() {
            return false;
        }
        if let Some(waiter) = self.waiter.take() {
            waiter.wake();
        }
        true
    }

    pub(crate) fn eventfd(&self, on: bool) {
        self.shared.rings.store(on, Ordering::SeqCst);
    }

    pub(crate) fn expire(&self, _due: &mut Vec<u32>) {}

    pub(crate) fn bell(&self) -> Rc<Bell> {
        self.bell.clone()
    }

    /// Has the task woken at the next completion.
    pub(crate) fn wait(&self, waker: &Waker) {
        *self.waiter.borrow_mut() = Some(waker.clone());
    }
}
