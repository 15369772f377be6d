//! What is due when: one ordered queue for the whole farm.

use super::LATE;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::{Duration, Instant};

/// Between two bytes of a drip.
pub(super) const DRIP: Duration = Duration::from_secs(1);

/// How long a connection that the farm has ended waits for the end of its peer.
pub(super) const LINGER: Duration = Duration::from_secs(5);

/// Why a connection is to be looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Alarm {
    /// The thinking time is over.
    Late,
    /// The next byte.
    Drip,
    /// The peer was given long enough to close.
    Linger,
}

impl Alarm {
    const fn after(self) -> Duration {
        match self {
            Alarm::Late => LATE,
            Alarm::Drip => DRIP,
            Alarm::Linger => LINGER,
        }
    }
}

/// A connection: its place in the table and the serial number of who sits there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Seat {
    pub(super) place: usize,
    pub(super) serial: u64,
}

/// The alarms that are set. One for a connection that has gone is harmless: its serial is unknown.
#[derive(Debug, Default)]
pub(super) struct Timers {
    queue: BinaryHeap<Reverse<(Instant, Seat, Alarm)>>,
}

impl Timers {
    pub(super) fn set(&mut self, now: Instant, seat: Seat, alarm: Alarm) {
        self.queue.push(Reverse((now + alarm.after(), seat, alarm)));
    }

    /// The next alarm that is due at `now`.
    pub(super) fn pop(&mut self, now: Instant) -> Option<(Seat, Alarm)> {
        let &Reverse((due, seat, alarm)) = self.queue.peek()?;
        (due <= now).then(|| {
            self.queue.pop();
            (seat, alarm)
        })
    }

    /// How long nothing is due, `None`: for ever.
    pub(super) fn idle(&self, now: Instant) -> Option<Duration> {
        let Reverse((due, ..)) = self.queue.peek()?;
        Some(due.saturating_duration_since(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alarms_ring_in_their_order_and_not_before() {
        let (mut timers, now) = (Timers::default(), Instant::now());
        let seat = |place| Seat { place, serial: 0 };
        timers.set(now, seat(1), Alarm::Late);
        timers.set(now, seat(2), Alarm::Drip);
        assert_eq!(timers.idle(now), Some(DRIP));
        assert_eq!(timers.pop(now), None);
        assert_eq!(timers.pop(now + LATE), Some((seat(2), Alarm::Drip)));
        assert_eq!(timers.pop(now + LATE), Some((seat(1), Alarm::Late)));
        assert_eq!(timers.pop(now + LATE), None);
        assert_eq!(timers.idle(now), None);
    }
}
