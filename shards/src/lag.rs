//! How late a shard comes to its own tick: what it measures, and when it sees a deadline, is wrong by
//! as much. Pure.

use std::cell::Cell;
use std::time::{Duration, Instant};

/// A shard with work looks at its clock this often.
const TICK: Duration = Duration::from_millis(100);

/// The tick of a shard.
#[derive(Debug)]
pub(crate) struct Lag {
    due: Cell<Instant>,
    worst: Cell<Duration>,
}

impl Lag {
    /// The first tick is due one interval from now.
    pub(crate) fn new(now: Instant) -> Lag {
        Lag {
            due: Cell::new(now + TICK),
            worst: Cell::default(),
        }
    }

    /// The shard slept on purpose, for want of work.
    pub(crate) fn rested(&self, now: Instant) {
        self.due.set(now + TICK);
    }

    /// The shard is awake: if its tick was due, it is so late.
    pub(crate) fn look(&self, now: Instant) {
        if let Some(late) = now.checked_duration_since(self.due.get()) {
            self.worst.set(self.worst.get().max(late));
            self.due.set(now + TICK);
        }
    }

    /// Time until the tick: the shard is to sleep no longer.
    pub(crate) fn left(&self, now: Instant) -> Duration {
        self.due.get().saturating_duration_since(now)
    }

    /// The worst since the last call, in microseconds.
    pub(crate) fn take_us(&self) -> u32 {
        u32::try_from(self.worst.take().as_micros()).unwrap_or(u32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_delay_is_told_once_and_rest_is_none() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let lag = Lag::new(start);
        lag.look(at(40));
        assert_eq!(lag.left(at(40)), Duration::from_millis(60));
        lag.look(at(107));
        lag.look(at(210));
        assert_eq!((lag.take_us(), lag.take_us()), (7_000, 0));
        lag.rested(at(60_000));
        lag.look(at(60_100));
        assert_eq!(lag.take_us(), 0);
        assert_eq!(lag.left(at(70_000)), Duration::ZERO);
    }
}
