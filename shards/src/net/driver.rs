//! The task that drives a ring: rounds while there is work, sleep when there is none.

use super::around::Around;
use super::ring::{Ring, RingOptions};
use super::settle::Look;
use futures_lite::future::yield_now;
use io_uring::cqueue;
use std::io;
use std::rc::{Rc, Weak};

/// Sets a ring up and drives it for as long as it lives. Call inside a glommio executor.
pub(crate) fn start(options: RingOptions) -> io::Result<Rc<Ring>> {
    let ring = Ring::new(options)?;
    glommio::spawn_local(drive(Rc::downgrade(&ring))).detach();
    Ok(ring)
}

/// Runs as long as the ring does. While there is work it goes to the back of the run queue, behind
/// every task it has just woken, so that what they queue is submitted in one go.
async fn drive(ring: Weak<Ring>) {
    let (mut batch, mut due) = (Vec::new(), Vec::new());
    let mut around = Around::new();
    while let Some(ring) = ring.upgrade() {
        let look = first_look(&ring);
        if ring.round(&mut batch, look)
            || linger(&ring, &mut batch).await
            || last_look(&ring, &mut batch)
        {
            ring.eventfd(false);
            ring.expire(&mut due);
            drop(ring);
            around.turn().await;
            continue;
        }
        let bell = ring.bell();
        drop(ring);
        bell.sleep().await;
        around = Around::new();
    }
}

/// In a crowd completions are let gather: a wake-up costs as much as some of them.
fn first_look(ring: &Ring) -> Look {
    let tuning = &ring.tuning;
    if ring.in_kernel() >= tuning.nap_crowd && !tuning.nap.is_zero() {
        Look::Wait(tuning.nap_few, tuning.nap)
    } else {
        Look::Now
    }
}

/// Waits in the ring while anything is awaited there. Who is ready to run does not wait with it.
async fn linger(ring: &Ring, batch: &mut Vec<cqueue::Entry>) -> bool {
    yield_now().await;
    ring.in_kernel() > 0 && ring.round(batch, Look::Wait(1, ring.tuning.linger))
}

/// Off while busy, the bell goes on for the last look: what came before it is found by that look,
/// what comes after rings.
fn last_look(ring: &Ring, batch: &mut Vec<cqueue::Entry>) -> bool {
    ring.eventfd(true);
    ring.round(batch, Look::Last)
}
