//! The deadlines of all lanes. Every probe has the same two, counted from its start, so those that
//! began first end first: two queues are in order by themselves.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// A lane, and which of its probes.
pub(super) type Due = (u32, u32);

#[derive(Debug)]
struct Queue {
    after: Duration,
    waiting: VecDeque<(Instant, Due)>,
}

impl Queue {
    fn pop(&mut self, now: Instant) -> Option<Due> {
        let (at, due) = *self.waiting.front()?;
        (at <= now).then(|| {
            self.waiting.pop_front();
            due
        })
    }
}

#[derive(Debug)]
pub(super) struct Deadlines([Queue; 2]);

impl Deadlines {
    /// The two times that a probe may take: to connect, and in all.
    pub(super) fn new(connect: Duration, whole: Duration) -> Deadlines {
        Deadlines([connect.min(whole), whole].map(|after| Queue {
            after,
            waiting: VecDeque::new(),
        }))
    }

    /// A probe begins.
    pub(super) fn begin(&mut self, now: Instant, due: Due) {
        for queue in &mut self.0 {
            queue.waiting.push_back((now + queue.after, due));
        }
    }

    /// Drops what is over anyway from the fronts, so that nobody is woken for it; the time until
    /// the first deadline that is left.
    pub(super) fn next(
        &mut self,
        now: Instant,
        in_connect: impl Fn(Due) -> bool,
        in_flight: impl Fn(Due) -> bool,
    ) -> Option<Duration> {
        let [connect, whole] = &mut self.0;
        let live: [(&mut Queue, &dyn Fn(Due) -> bool); 2] =
            [(connect, &in_connect), (whole, &in_flight)];
        let fronts = live.map(|(queue, is_live)| {
            while queue.waiting.front().is_some_and(|(_, due)| !is_live(*due)) {
                queue.waiting.pop_front();
            }
            queue.waiting.front().map(|(at, _)| *at)
        });
        let first = fronts.into_iter().flatten().min()?;
        Some(first.saturating_duration_since(now))
    }

    /// The next probe whose time to connect is over, if it has not connected.
    pub(super) fn connect_over(&mut self, now: Instant) -> Option<Due> {
        self.0[0].pop(now)
    }

    /// The next probe whose time is over.
    pub(super) fn over(&mut self, now: Instant) -> Option<Due> {
        self.0[1].pop(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_probe_is_due_twice_in_its_turn() {
        let start = Instant::now();
        let mut deadlines = Deadlines::new(SECOND, 3 * SECOND);
        deadlines.begin(start, (7, 1));
        deadlines.begin(start + SECOND, (8, 1));
        assert_eq!(deadlines.connect_over(start), None);
        assert_eq!(deadlines.connect_over(start + SECOND), Some((7, 1)));
        assert_eq!(deadlines.connect_over(start + SECOND), None);
        assert_eq!(deadlines.over(start + 3 * SECOND), Some((7, 1)));
        assert_eq!(deadlines.over(start + 4 * SECOND), Some((8, 1)));
    }

    #[test]
    fn nobody_waits_for_what_is_over() {
        let start = Instant::now();
        let mut deadlines = Deadlines::new(SECOND, 3 * SECOND);
        deadlines.begin(start, (7, 1));
        deadlines.begin(start + SECOND, (8, 1));
        let connected = |_| false;
        assert_eq!(deadlines.next(start, connected, |_| true), Some(3 * SECOND));
        let only = |due| due == (8, 1);
        assert_eq!(deadlines.next(start, connected, only), Some(4 * SECOND));
        assert_eq!(deadlines.next(start, connected, |_| false), None);
    }

    #[test]
    fn connecting_may_not_take_longer_than_all() {
        let start = Instant::now();
        let mut deadlines = Deadlines::new(9 * SECOND, SECOND);
        deadlines.begin(start, (1, 1));
        assert_eq!(deadlines.connect_over(start + SECOND), Some((1, 1)));
    }
}
