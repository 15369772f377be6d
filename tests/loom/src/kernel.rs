//! In the place of the kernel: one eventfd, whose count threads may wait for.

use loom::sync::{Condvar, Mutex};
use std::cell::RefCell;
use std::task::Waker;

loom::lazy_static! {
    static ref EVENTFD: Eventfd = Eventfd::default();
}

#[derive(Default)]
struct Eventfd {
    count: Mutex<u64>,
    is_readable: Condvar,
}

thread_local! {
    /// Of reads that are under way. Only the thread with the executor reads.
    static READERS: RefCell<Vec<Waker>> = const { RefCell::new(Vec::new()) };
}

/// Adds one, and wakes who waits for that.
pub(crate) fn signal() {
    *EVENTFD.count.lock().unwrap() += 1;
    EVENTFD.is_readable.notify_all();
}

/// Waits until there is something to be read, if there is a read, and wakes its task.
pub(crate) fn park() {
    let readers = READERS.take();
    assert!(!readers.is_empty(), "nothing will ever wake the executor");
    let mut count = EVENTFD.count.lock().unwrap();
    while *count == 0 {
        count = EVENTFD.is_readable.wait(count).unwrap();
    }
    drop(count);
    readers.into_iter().for_each(Waker::wake);
}

/// Wakes the tasks of reads that need not wait any more.
pub(crate) fn poll() {
    let is_read = READERS.with_borrow(|readers| !readers.is_empty());
    if is_read && *EVENTFD.count.lock().unwrap() > 0 {
        READERS.take().into_iter().for_each(Waker::wake);
    }
}

/// A new execution begins: the reads of the last one are gone.
pub(crate) fn reset() {
    READERS.take();
}

/// `rustix::event`.
pub mod event {
    use std::fs::File;
    use std::os::fd::OwnedFd;

    /// What an eventfd is like; here there is only the one.
    pub struct EventfdFlags;

    impl EventfdFlags {
        /// Closed on exec.
        pub const CLOEXEC: EventfdFlags = EventfdFlags;
    }

    /// Any descriptor at all: it is never used.
    pub fn eventfd(_count: u32, _flags: EventfdFlags) -> std::io::Result<OwnedFd> {
        Ok(File::open("/dev/null")?.into())
    }
}

/// `rustix::io` and `glommio::io`.
pub mod io {
    use super::{EVENTFD, READERS};
    use std::future::poll_fn;
    use std::os::fd::{FromRawFd, OwnedFd, RawFd};
    use std::task::Poll;

    /// Writes to the eventfd.
    pub fn write<Fd>(_fd: Fd, _bytes: &[u8]) -> std::io::Result<usize> {
        super::signal();
        Ok(8)
    }

    /// A file that glommio reads: the eventfd.
    pub struct BufferedFile(OwnedFd);

    impl FromRawFd for BufferedFile {
        unsafe fn from_raw_fd(fd: RawFd) -> BufferedFile {
            // SAFETY: the caller hands the descriptor over.
            BufferedFile(unsafe { OwnedFd::from_raw_fd(fd) })
        }
    }

    impl BufferedFile {
        /// Takes the count, once it is not zero.
        pub async fn read_at(&self, _at: u64, _len: usize) -> std::io::Result<u64> {
            poll_fn(|cx| {
                let mut count = EVENTFD.count.lock().unwrap();
                if *count > 0 {
                    return Poll::Ready(Ok(std::mem::take(&mut *count)));
                }
                READERS.with_borrow_mut(|readers| readers.push(cx.waker().clone()));
                Poll::Pending
            })
            .await
        }

        /// Closes it.
        pub async fn close(self) -> std::io::Result<()> {
            drop(self.0);
            Ok(())
        }
    }
}

/// `io_uring::cqueue`.
pub mod cqueue {
    /// A completion.
    pub type Entry = u32;
}
