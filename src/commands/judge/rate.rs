//! Answers for each origin and minute: a token bucket for each, in a table that cannot grow past its
//! bound. Pure.
//!
//! `governor` has the buckets, but no bound for a table of them: whoever owns a /48 of IPv6 would
//! fill the memory with 65 536 origins at a time.

use crate::origin::Origin;
use std::collections::HashMap;
use std::time::Duration;

/// Most origins that are remembered; some 4 MiB.
pub(super) const ORIGINS_MAX: usize = 65_536;

const MINUTE: Duration = Duration::from_secs(60);

/// A bucket for each origin, kept as the time at which it is full again (GCRA).
#[derive(Debug)]
pub(super) struct Rate {
    /// Time in which a bucket wins one token back; none: there is no limit.
    every: Option<Duration>,
    origins_max: usize,
    full_at: HashMap<Origin, Duration>,
}

impl Rate {
    /// `per_minute` tokens a minute, and as many at once; 0: no limit.
    pub(super) fn new(per_minute: u32, origins_max: usize) -> Rate {
        Rate {
            every: MINUTE.checked_div(per_minute),
            origins_max,
            full_at: HashMap::new(),
        }
    }

    /// Takes a token of `origin`. `now` is the time since any fixed moment, and never goes back.
    ///
    /// # Errors
    /// There is none: the time until there is one.
    pub(super) fn take(&mut self, origin: Origin, now: Duration) -> Result<(), Duration> {
        let Some(every) = self.every else {
            return Ok(());
        };
        let known = self.full_at.get(&origin).copied();
        let full_at = known.unwrap_or(now).max(now) + every;
        let wait = full_at.saturating_sub(now + MINUTE);
        if wait > Duration::ZERO {
            return Err(wait);
        }
        if known.is_none() && self.full_at.len() >= self.origins_max {
            self.forget(now);
        }
        self.full_at.insert(origin, full_at);
        Ok(())
    }

    /// Makes room: buckets that are full say nothing; if they are too few, the fuller half goes too,
    /// which is the least that can be given away.
    fn forget(&mut self, now: Duration) {
        self.full_at.retain(|_, full_at| *full_at > now);
        if self.full_at.len() > self.origins_max / 2 {
            let mut times: Vec<Duration> = self.full_at.values().copied().collect();
            let middle = times.len() / 2;
            let (_, &mut median, _) = times.select_nth_unstable(middle);
            self.full_at.retain(|_, full_at| *full_at > median);
        }
    }

    /// Origins that are remembered.
    #[cfg(test)]
    fn len(&self) -> usize {
        self.full_at.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    fn origin(number: u32) -> Origin {
        Origin::of(Ipv4Addr::from_bits(number).into())
    }

    const fn secs(secs: u64) -> Duration {
        Duration::from_secs(secs)
    }

    #[test]
    fn a_minutes_worth_at_once_and_then_one_at_a_time() {
        let mut rate = Rate::new(60, 10);
        let taken = (0..100).filter(|_| rate.take(origin(1), secs(5)).is_ok());
        assert_eq!(taken.count(), 60);
        assert_eq!(rate.take(origin(1), secs(5)), Err(secs(1)));
        assert_eq!(rate.take(origin(1), secs(6)), Ok(()));
        assert_eq!(rate.take(origin(1), secs(6)), Err(secs(1)));
        assert_eq!(
            rate.take(origin(2), secs(6)),
            Ok(()),
            "another one's bucket"
        );
    }

    #[test]
    fn over_any_time_nobody_gets_more_than_the_rate_and_one_minute_ahead() {
        let seed = fastrand::u64(..);
        let mut random = fastrand::Rng::with_seed(seed);
        let mut rate = Rate::new(120, 10);
        let (mut now, mut taken) = (Duration::ZERO, 0);
        while now < secs(600) {
            now += Duration::from_millis(random.u64(..300));
            taken += u64::from(rate.take(origin(1), now).is_ok());
            assert!(
                taken <= 121 + now.as_secs() * 2,
                "seed {seed}: {taken} at {now:?}"
            );
        }
        assert!(taken > 1_200, "seed {seed}: {taken}");
    }

    #[test]
    fn refusals_cost_nothing() {
        let mut rate = Rate::new(1, 10);
        assert_eq!(rate.take(origin(1), secs(0)), Ok(()));
        for _ in 0..1_000 {
            assert_eq!(rate.take(origin(1), secs(1)), Err(secs(59)));
        }
        assert_eq!(rate.take(origin(1), secs(60)), Ok(()));
    }

    #[test]
    fn no_limit_is_none_and_remembers_nobody() {
        let mut rate = Rate::new(0, 10);
        assert!((0..10_000).all(|_| rate.take(origin(1), secs(0)).is_ok()));
        assert_eq!(rate.len(), 0);
    }

    #[test]
    fn a_million_origins_do_not_grow_the_table() {
        let mut rate = Rate::new(120, 1_000);
        for number in 0..1_000_000 {
            let now = Duration::from_micros(u64::from(number));
            assert_eq!(rate.take(origin(number), now), Ok(()));
            assert!(rate.len() <= 1_000);
        }
    }

    #[test]
    fn those_that_took_most_are_remembered_longest() {
        let mut rate = Rate::new(10, 100);
        for _ in 0..10 {
            assert_eq!(rate.take(origin(0), secs(0)), Ok(()));
        }
        for number in 1..5_000 {
            assert_eq!(rate.take(origin(number), secs(1)), Ok(()));
        }
        assert!(rate.take(origin(0), secs(1)).is_err());
    }

    #[test]
    fn a_table_of_equals_is_bounded_too() {
        let mut rate = Rate::new(120, 100);
        for number in 0..10_000 {
            assert_eq!(rate.take(origin(number), secs(0)), Ok(()));
            assert!(rate.len() <= 100);
        }
    }
}
