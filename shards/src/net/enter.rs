//! The two ways into the kernel: `io_uring_enter(2)` while there is work, and before going to sleep.

use io_uring::{IoUring, types};
use std::io;
use std::time::Duration;

/// Submits what is queued and lets the kernel post what is due. Never blocks. GETEVENTS is needed
/// even with nothing to wait for: deferred work runs only under it.
pub(super) fn enter(ring: &mut IoUring) -> io::Result<()> {
    const GETEVENTS: u32 = 1;
    let queued = ring.submission().len() as u32;
    // SAFETY: no argument is passed.
    ignore_busy(unsafe {
        ring.submitter()
            .enter::<libc::sigset_t>(queued, 0, GETEVENTS, None)
    })
}

/// The same, until nothing is left to do. Since Linux 6.13 an enter stops after 20 pieces of deferred
/// work, and while any are left over the eventfd is not signalled for new ones; asking for more
/// completions than there can be lifts the limit, and the timeout of zero keeps it from waiting for
/// them. That timeout is an interrupt, which costs several system calls.
pub(super) fn drain(ring: &mut IoUring) -> io::Result<()> {
    const EVERYTHING: usize = 1 << 16;
    gather(ring, EVERYTHING, Duration::ZERO)
}

/// Submits what is queued and waits until there are `wanted` completions, for at most `patience`.
pub(super) fn gather(ring: &mut IoUring, wanted: usize, patience: Duration) -> io::Result<()> {
    let patience = types::Timespec::from(patience);
    let args = types::SubmitArgs::new().timespec(&patience);
    ignore_busy(ring.submitter().submit_with_args(wanted, &args))
}

fn ignore_busy(entered: io::Result<usize>) -> io::Result<()> {
    const PASSING: [i32; 5] = [
        libc::ETIME,
        libc::EINTR,
        libc::EBUSY,
        libc::EAGAIN,
        libc::ENOMEM,
    ];
    match entered {
        Err(e)
            if !e
                .raw_os_error()
                .is_some_and(|errno| PASSING.contains(&errno)) =>
        {
            Err(e)
        }
        _ => Ok(()),
    }
}
