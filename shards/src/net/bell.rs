//! How others wake the executor: an eventfd that the kernel or another thread signals and that
//! glommio reads.

use glommio::io::BufferedFile;
use rustix::event::{EventfdFlags, eventfd};
use std::cell::Cell;
use std::future::poll_fn;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, IntoRawFd, OwnedFd};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Poll, Waker};

/// The end of the bell that another thread, or the kernel, pulls.
#[derive(Clone, Debug)]
pub(crate) struct Rope(Arc<OwnedFd>);

impl Rope {
    /// A new eventfd. Blocking on purpose: io_uring answers EAGAIN on non-blocking files instead
    /// of arming a poll.
    pub(crate) fn new() -> io::Result<Rope> {
        Ok(Rope(Arc::new(eventfd(0, EventfdFlags::CLOEXEC)?)))
    }

    /// Rings the bell. The counter cannot overflow: every read takes it to zero.
    pub(crate) fn pull(&self) {
        let _ = rustix::io::write(&self.0, &1u64.to_ne_bytes());
    }
}

impl AsFd for Rope {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// One task sleeps here until the rope is pulled or [`Bell::nudge`] is called.
#[derive(Default)]
pub(crate) struct Bell {
    rung: Cell<bool>,
    silent: Cell<bool>,
    sleeper: Cell<Option<Waker>>,
}

impl Bell {
    /// Starts the task that listens to `rope`. Call inside a glommio executor.
    ///
    /// One read is outstanding at all times and is never dropped: a cancelled read could take the
    /// count with it. It is awaited by a task of its own, because glommio's read adds a waker at
    /// every poll.
    pub(crate) fn hang(rope: &Rope) -> io::Result<Rc<Bell>> {
        let fd = rope.0.try_clone()?.into_raw_fd();
        // SAFETY: the descriptor was just duplicated and is handed over.
        let file = unsafe { BufferedFile::from_raw_fd(fd) };
        let bell = Rc::new(Bell::default());
        let listened = bell.clone();
        glommio::spawn_local(async move {
            while file.read_at(0, size_of::<u64>()).await.is_ok() && !listened.silent.get() {
                listened.ring();
            }
            let _ = file.close().await;
        })
        .detach();
        Ok(bell)
    }

    /// Ends the listening task, so that the executor can end without a read in the kernel.
    pub(crate) fn silence(&self, rope: &Rope) {
        self.silent.set(true);
        rope.pull();
    }

    fn ring(&self) {
        self.rung.set(true);
        self.nudge();
    }

    /// Wakes the sleeper if there is one; unlike a ring it leaves no mark.
    pub(crate) fn nudge(&self) {
        if let Some(waker) = self.sleeper.take() {
            waker.wake();
        }
    }

    /// Sleeps until the bell rings, at once if it rang since the last sleep. May return early.
    pub(crate) async fn sleep(&self) {
        let mut slept = false;
        poll_fn(|cx| {
            if self.rung.take() || slept {
                return Poll::Ready(());
            }
            slept = true;
            self.sleeper.set(Some(cx.waker().clone()));
            Poll::Pending
        })
        .await;
    }
}

/// The raw descriptor, for `register_eventfd`.
pub(super) fn raw(rope: &Rope) -> std::os::fd::RawFd {
    rope.0.as_raw_fd()
}
