//! When a busy driver lets its executor run dry.

use futures_lite::future::yield_now;
use glommio::timer::Timer;
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
        Timer::new(Duration::ZERO).await;
        *self = Around::new();
    }
}
