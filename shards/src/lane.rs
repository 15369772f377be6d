//! Lanes drain the shard's queue. Growing and shrinking the concurrency is waking and parking them.
//! Probes without a proxy have no part in that: they are rare, and must not wait for a lane.

use crate::net::Socket;
use crate::probe::Probe;
use crate::shard::Shard;
use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, Waker};
use std::time::Instant;

/// Which lanes there are and which of them may work.
#[derive(Default)]
pub(crate) struct Lanes {
    /// How many may work at once.
    limit: Cell<usize>,
    /// How many work.
    busy: Cell<usize>,
    /// How many there are; they come into being as the queue asks for them.
    count: Cell<usize>,
    parked: RefCell<Vec<Waker>>,
    closing: Cell<bool>,
}

impl Lanes {
    pub(crate) fn set_limit(&self, limit: usize) {
        self.limit.set(limit);
    }

    /// Whether fewer work than may.
    pub(crate) fn have_room(&self) -> bool {
        self.busy.get() < self.limit.get()
    }

    /// Whether every lane has ended, after [`Lanes::close`].
    pub(crate) fn have_ended(&self) -> bool {
        self.count.get() == 0
    }

    /// Lets every lane end when its probe has.
    pub(crate) fn close(&self) {
        self.closing.set(true);
        self.parked.take().into_iter().for_each(Waker::wake);
    }

    /// Has as many lanes at work as `shard`'s queue asks for and the limit allows.
    pub(crate) fn wake(&self, shard: &Rc<Shard>) {
        let room = self.limit.get().saturating_sub(self.busy.get());
        let wanted = room.min(shard.jobs.borrow().ready());
        let wanted = wanted.min(shard.pace().room(Instant::now));
        let mut parked = self.parked.borrow_mut();
        let woken = wanted.min(parked.len());
        let at = parked.len() - woken;
        let wakers = parked.split_off(at);
        drop(parked);
        wakers.into_iter().for_each(Waker::wake);
        for _ in woken..wanted {
            if self.count.get() >= self.limit.get() {
                break;
            }
            let number = self.count.get();
            self.count.set(number + 1);
            glommio::spawn_local(lane(shard.clone(), number)).detach();
        }
    }
}

async fn lane(shard: Rc<Shard>, number: usize) {
    let mut socket = Socket::new(&shard.ring).expect("a slot for each lane");
    loop {
        // Not `while let`, which keeps a second probe for as long as the first is under way.
        let Some(probe) = next(&shard, number, &mut socket).await else {
            break;
        };
        let lag = shard.lag();
        let ended = probe.run(&mut socket).await;
        #[cfg(any(test, feature = "hooks"))]
        crate::hooks::panic_at(crate::hooks::Place::Lane);
        shard.lanes.busy.set(shard.lanes.busy.get() - 1);
        shard.ended(number, &probe, ended, lag);
    }
    drop(socket);
    shard.lanes.count.set(shard.lanes.count.get() - 1);
}

/// The next probe for lane `number`; waits, with its connection closed, while there is none.
async fn next(shard: &Rc<Shard>, number: usize, socket: &mut Socket) -> Option<Probe> {
    let mut closed = false;
    poll_fn(|cx| {
        let lanes = &shard.lanes;
        if lanes.closing.get() {
            return Poll::Ready(None);
        }
        if lanes.have_room()
            && shard.pace().is_open(Instant::now)
            && let Some(probe) = shard.jobs.borrow_mut().start(number, &shard.plan.borrow())
        {
            shard.pace().take(Instant::now);
            lanes.busy.set(lanes.busy.get() + 1);
            return Poll::Ready(Some(probe));
        }
        if !std::mem::replace(&mut closed, true) {
            socket.close();
        }
        lanes.parked.borrow_mut().push(cx.waker().clone());
        Poll::Pending
    })
    .await
}

/// Makes one probe without a proxy, at `place` among those under way.
pub(crate) async fn control(shard: Rc<Shard>, probe: Probe, place: usize) {
    let lag = shard.lag();
    let ended = {
        let slot = Socket::new(&shard.ring);
        let mut socket = slot.expect("a slot for each of them beside those of the lanes");
        probe.run(&mut socket).await
    };
    shard.control_ended(place, &probe, ended, lag);
}
