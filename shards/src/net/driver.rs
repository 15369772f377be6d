//! The task that drives a ring: rounds while there is work, sleep when there is none.

use super::ring::{Ring, RingOptions};
use futures_lite::future::yield_now;
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
    while let Some(ring) = ring.upgrade() {
        if ring.round(&mut batch, false) {
            ring.expire(&mut due);
            ring.eventfd(false);
            yield_now().await;
            let tuning = &ring.tuning;
            let sparse = batch.len() < tuning.nap_few && ring.in_kernel() >= tuning.nap_crowd;
            if sparse && !tuning.nap.is_zero() {
                ring.nap();
            }
            continue;
        }
        // Off while busy, the bell goes on for the last look: what came before it is found by that
        // look, what comes after rings.
        ring.eventfd(true);
        if !ring.round(&mut batch, true) {
            let bell = ring.bell();
            drop(ring);
            bell.sleep().await;
        } else {
            ring.expire(&mut due);
        }
    }
}
