//! How late a shard comes to its own tick: what it measures, and when it sees a deadline, is wrong by
//! as much. A deadline that passed while the shard was late, or its ring, says nothing of the peer if
//! the probe may have lost too much of its time to that: answers lay there and nobody looked. So that
//! a host which is always late can tell something too, what a probe lost is added to the time of the
//! next one ([`grace`]): a peer that is silent over both was not wronged. Pure.

use crate::verdict::Verdict;
use std::cell::Cell;
use std::time::{Duration, Instant};

/// A shard with work looks at its clock this often, and so does its ring.
pub(crate) const TICK: Duration = Duration::from_millis(100);
/// How often a probe waits for its shard: when it connects, in the proxy's handshake, in two of TLS, for
/// the answer. Each time it waits as long as the shard is late then.
const WAITS: u128 = 8;
/// A deadline counts if the probe lost at most one in so many parts of its time to that.
const LOST_SHARE: u128 = 4;
/// A mean delay below the grain of deadlines is none.
const GRAIN_US: u128 = 16_000;
/// The longest time that is added to a deadline: a lane is held for as much longer. A host that loses
/// more to its own delays than this cannot tell what its peers do.
const GRACE_MAX: Duration = Duration::from_secs(60);

/// A delay counts as no longer than this: a process that was stopped for a day is late enough.
const LATE_MAX: Duration = Duration::from_secs(600);

/// A time, each part of it times how late the shard was then, in square microseconds.
pub(crate) type Weighed = u64;

/// The tick of a shard.
#[derive(Debug)]
pub(crate) struct Lag {
    due: Cell<Instant>,
    worst: Cell<Duration>,
    delays: Delays,
}

/// Delays of something that comes every [`TICK`], added up.
#[derive(Debug, Default)]
pub(crate) struct Delays(Cell<Weighed>);

impl Delays {
    /// It came so late.
    pub(crate) fn add(&self, late: Duration) {
        let late_us = late.min(LATE_MAX).as_micros() as u64;
        let weighed = late_us * (TICK.as_micros() as u64 + late_us);
        // A sum that stood still at its end would take every shard for punctual from then on.
        self.0.set(self.0.get().wrapping_add(weighed));
    }

    /// The time since the start, each part of it times how late it was then: over a span of time this
    /// grows by the mean delay times the span. It begins again at 0 when it is full: see [`grown`].
    pub(crate) fn weighed(&self) -> Weighed {
        self.0.get()
    }
}

/// By how much what is weighed has grown.
pub(crate) fn grown(from: Weighed, to: Weighed) -> Weighed {
    to.wrapping_sub(from)
}

/// Whether a verdict may be the work of a late shard: a deadline, or a peer that waited in vain.
pub(crate) fn is_doubtful(verdict: Verdict) -> bool {
    verdict.is_timeout() || matches!(verdict, Verdict::Closed | Verdict::Reset)
}

/// The time that a probe may have lost to its shard, if it lasted `span_us` and so much was weighed
/// meanwhile. A late shard sees the deadline late, too: the span may be many times longer.
pub(crate) fn lost(span_us: u32, weighed: Weighed) -> Duration {
    let (weighed, span_us) = (u128::from(weighed), u128::from(span_us));
    if weighed <= GRAIN_US * span_us {
        return Duration::ZERO;
    }
    // The mean delay is weighed / span; of a span of nothing it is without bound.
    let lost_us = (WAITS * weighed).checked_div(span_us);
    let lost_us = lost_us.and_then(|us| u64::try_from(us).ok());
    Duration::from_micros(lost_us.unwrap_or(u64::MAX))
}

/// What `verdict` is worth, of a probe that was to last for `allowed`, was given `grace` on top of it,
/// lasted `span_us`, and may have `lost` so much of both. A peer that gave up on a probe whose time was
/// over by then waited for a word that lay here.
pub(crate) fn judged(
    verdict: Verdict,
    allowed: Duration,
    grace: Duration,
    span_us: u32,
    lost: Duration,
) -> Verdict {
    let wronged = lost.saturating_sub(grace).as_micros() * LOST_SHARE > allowed.as_micros();
    let is_overdue = u128::from(span_us) > (allowed + grace + TICK).as_micros();
    match wronged && (verdict.is_timeout() || (is_overdue && is_doubtful(verdict))) {
        true => Verdict::LocalLate,
        false => verdict,
    }
}

/// What is added to the deadline of the next probe, after one that was to last for `allowed` and a
/// `grace` and may have `lost` so much: that, and as much again, since delays are never alike. It lost no
/// more than it had: a process that was stopped for a day is not patient for as long.
pub(crate) fn grace(allowed: Duration, grace: Duration, lost: Duration) -> Duration {
    let lost = lost.min(allowed.saturating_add(grace));
    grace.max(lost.saturating_mul(2)).min(GRACE_MAX)
}

impl Lag {
    /// The first tick is due one interval from now.
    pub(crate) fn new(now: Instant) -> Lag {
        Lag {
            due: Cell::new(now + TICK),
            worst: Cell::default(),
            delays: Delays::default(),
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
            self.delays.add(late);
            self.due.set(now + TICK);
        }
    }

    /// [`Delays::weighed`] of the ticks.
    pub(crate) fn weighed(&self) -> Weighed {
        self.delays.weighed()
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

    /// What a verdict is worth of a probe that was given no time on top.
    fn value(verdict: Verdict, allowed: Duration, span_us: u32, weighed: Weighed) -> Verdict {
        judged(
            verdict,
            allowed,
            Duration::ZERO,
            span_us,
            lost(span_us, weighed),
        )
    }

    /// What a deadline is worth that passed 1 s after the start, when the shard had looked at its
    /// clock at these times and looks at it again then.
    fn check(looks_ms: &[u64], expected: Verdict) {
        let start = Instant::now();
        let lag = Lag::new(start);
        for ms in looks_ms.iter().chain(&[1_000]) {
            lag.look(start + Duration::from_millis(*ms));
        }
        let allowed = Duration::from_secs(1);
        let judged = |verdict, weighed| value(verdict, allowed, 1_000_000, weighed);
        let timeout = Verdict::ResponseTimeout;
        assert_eq!(judged(timeout, lag.weighed()), expected, "{looks_ms:?}");
        assert_eq!(judged(timeout, 0), timeout);
        assert_eq!(judged(Verdict::Refused, lag.weighed()), Verdict::Refused);
    }

    #[test]
    fn a_deadline_counts_unless_the_probe_may_have_lost_a_quarter_of_its_time() {
        let timeout = Verdict::ResponseTimeout;
        let in_time: Vec<u64> = (1..10).map(|tick| tick * 100).collect();
        check(&in_time, timeout);
        // Late for 10 ms in the mean, or for 50.
        check(&[110, 220, 330, 440, 550, 660, 770, 880, 990], timeout);
        check(&[150, 300, 450, 600, 750, 900], Verdict::LocalLate);
        // Once, for 100 ms or for 150.
        check(&[100, 300, 400, 500, 600, 700, 800, 900], timeout);
        check(
            &[100, 350, 450, 550, 650, 750, 850, 950],
            Verdict::LocalLate,
        );
        // It comes to its tick for the first time when the deadline has long passed.
        check(&[], Verdict::LocalLate);
    }

    #[test]
    fn a_process_that_was_stopped_for_days_is_late_then_and_when_it_is_late_again() {
        let (start, hours) = (Instant::now(), |hours: u64| {
            Duration::from_secs(hours * 3_600)
        });
        let lag = Lag::new(start);
        let timeout = Verdict::ResponseTimeout;
        let mut now = start;
        for pause in [hours(12), hours(2), hours(100)] {
            let stopped = lag.weighed();
            now += pause;
            lag.look(now);
            let lost = grown(stopped, lag.weighed());
            let span_us = u32::try_from(pause.as_micros()).unwrap_or(u32::MAX);
            let allowed = Duration::from_secs(60);
            assert_eq!(value(timeout, allowed, span_us, lost), Verdict::LocalLate);

            let (punctual, begun) = (lag.weighed(), now);
            for tick in 1..=10 {
                now = begun + TICK * tick;
                lag.look(now);
            }
            let lost = grown(punctual, lag.weighed());
            assert_eq!(value(timeout, TICK * 10, 1_000_000, lost), timeout);

            let late = lag.weighed();
            now += Duration::from_secs(1);
            lag.look(now);
            let lost = grown(late, lag.weighed());
            let judged = value(timeout, TICK * 10, 1_000_000, lost);
            assert_eq!(judged, Verdict::LocalLate, "after {pause:?}");
        }
        let full = Delays(Cell::new(Weighed::MAX - 5));
        let before = full.weighed();
        full.add(Duration::from_micros(1));
        assert_eq!(grown(before, full.weighed()), 100_001);
    }

    /// The attempt whose deadline counts on a host that is so late at every tick; `None`: none of the
    /// four that a job has.
    fn attempt(allowed: Duration, late: Duration) -> Option<u32> {
        let mut given = Duration::ZERO;
        (1..=4).find(|_| {
            let (delays, mut span) = (Delays::default(), Duration::ZERO);
            while span < allowed + given {
                delays.add(late);
                span += TICK + late;
            }
            let span_us = span.as_micros() as u32;
            let lost = lost(span_us, delays.weighed());
            let verdict = judged(Verdict::ResponseTimeout, allowed, given, span_us, lost);
            given = grace(allowed, given, lost);
            verdict == Verdict::ResponseTimeout
        })
    }

    #[test]
    fn a_host_that_is_always_late_can_tell_all_the_same_that_a_peer_is_silent() {
        for timeout_ms in [200, 1_000, 3_000] {
            let allowed = Duration::from_millis(timeout_ms);
            for (late, expected) in [
                (allowed / 100, Some(1)),
                (allowed / 4, Some(2)),
                (allowed / 2, Some(3)),
                (allowed, Some(4)),
                (allowed * 2, None),
            ] {
                assert_eq!(attempt(allowed, late), expected, "{allowed:?} {late:?}");
            }
        }
    }

    #[test]
    fn no_deadline_is_put_off_by_more_than_was_lost_twice_nor_by_more_than_a_minute() {
        let second = Duration::from_secs(1);
        let (first, stopped) = (Duration::ZERO, Duration::from_secs(86_400));
        assert_eq!(grace(second, first, stopped), second * 2);
        assert_eq!(grace(second, second * 2, stopped), second * 6);
        assert_eq!(grace(second * 40, first, stopped), GRACE_MAX);
        assert_eq!(grace(second, second * 6, first), second * 6, "never less");
        assert_eq!(lost(0, 1), Duration::from_micros(u64::MAX));
    }

    #[test]
    fn who_gave_up_on_a_process_that_was_stopped_is_not_blamed_and_who_gave_up_in_time_is() {
        let start = Instant::now();
        let lag = Lag::new(start);
        lag.look(start + Duration::from_secs(8));
        let judged = |verdict, span_us| {
            let allowed = Duration::from_secs(3);
            value(verdict, allowed, span_us, lag.weighed())
        };
        for verdict in [Verdict::Closed, Verdict::Reset] {
            assert_eq!(judged(verdict, 8_000_000), Verdict::LocalLate);
            assert_eq!(judged(verdict, 2_900_000), verdict, "its time was not over");
        }
        for verdict in [Verdict::Alive, Verdict::Refused, Verdict::OwnPage] {
            assert_eq!(judged(verdict, 8_000_000), verdict);
        }
    }

    #[test]
    fn turns_of_a_tenth_of_a_second_are_nothing_to_a_probe_that_has_fifteen() {
        let start = Instant::now();
        let lag = Lag::new(start);
        for turn in 1..=75 {
            lag.look(start + Duration::from_millis(turn * 200));
        }
        let timeout = Verdict::ConnectTimeout;
        let judged = |allowed_s, span_us| {
            let allowed = Duration::from_secs(allowed_s);
            value(timeout, allowed, span_us, lag.weighed())
        };
        assert_eq!(judged(15, 15_000_000), timeout);
        assert_eq!(judged(1, 15_000_000), Verdict::LocalLate, "seen 14 s late");
        let short = |weighed| value(timeout, Duration::from_millis(100), 100_000, weighed);
        assert_eq!(
            short(100_000 * 15_000),
            timeout,
            "within the grain of deadlines"
        );
        assert_eq!(short(100_000 * 17_000), Verdict::LocalLate);
    }
}
