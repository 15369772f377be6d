//! When a busy driver lets its executor run dry.

use futures_lite::future::{poll_fn, yield_now};
use glommio::timer::Timer;
use std::pin::Pin;
use std::task::Poll;
use std::time::{Duration, Instant};

/// While probes end without a pause the executor looks at mail and timers when this has passed. It sees
/// to them only when no task is left to run, and it is not asked to preempt (see `supervisor.rs`).
const AFTER: Duration = Duration::from_millis(5);

/// The turns of a driver that has something to do at each.
pub(super) struct Around {
    last: Instant,
}

impl Around {
    /// The executor has just looked at everything.
    pub(super) fn new() -> Around {
        Around {
            last: Instant::now(),
        }
    }

    /// Goes behind every task that is to run, and now and then behind what mail and timers wake.
    pub(super) async fn turn(&mut self) {
        if self.last.elapsed() < AFTER {
            return yield_now().await;
        }
        look_at_everything().await;
        *self = Around::new();
    }
}

/// Waits for a timer that is due at once, but not before the executor looks at its timers: one that is
/// due when it is first polled is over without that.
async fn look_at_everything() {
    let mut timer = Timer::new(AFTER);
    let mut waits = false;
    poll_fn(|cx| {
        if waits || Pin::new(&mut timer).poll(cx).is_ready() {
            return Poll::Ready(());
        }
        waits = true;
        timer.reset(Duration::ZERO);
        Poll::Pending
    })
    .await;
}

#[cfg(test)]
mod tests {
    use super::*;
    use glommio::{LocalExecutorBuilder, Placement};
    use std::cell::Cell;
    use std::rc::Rc;

    #[test]
    fn a_driver_without_a_pause_keeps_no_timer_waiting() {
        let executor = LocalExecutorBuilder::new(Placement::Unbound)
            .io_memory(0)
            .preempt_timer(Duration::from_secs(1 << 30))
            .make()
            .unwrap();
        let (turns, took) = executor.run(async {
            let rung = Rc::new(Cell::new(false));
            let (rings, start) = (rung.clone(), Instant::now());
            glommio::spawn_local(async move {
                Timer::new(Duration::from_millis(20)).await;
                rings.set(true);
            })
            .detach();
            let (mut around, mut turns) = (Around::new(), 0);
            while !rung.get() && start.elapsed() < Duration::from_secs(20) {
                around.turn().await;
                turns += 1;
            }
            (turns, start.elapsed())
        });
        assert!(took < Duration::from_secs(5), "after {took:?}");
        assert!(turns > 20, "{turns}: the driver hardly had its turns");
    }
}
