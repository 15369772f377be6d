//! How long until a candidate is due again.

use crate::ledger::Standing;
use fastrand::Rng;

/// Pause before an alive proxy that failed is looked at again, in milliseconds.
const QUICK_MS: u64 = 2_000;
/// First pause after a local failure, in milliseconds; it doubles.
const LOCAL_PAUSE_MIN_MS: u64 = 1_000;
/// Longest pause after local failures, in milliseconds.
const LOCAL_PAUSE_MAX_MS: u64 = 30_000;

/// How often candidates are checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// From one check of an alive proxy to the next, in milliseconds.
    pub interval_ms: u64,
    /// Longest pause between two checks of a dead one, in milliseconds; 0: checked at every
    /// interval.
    pub backoff_max_ms: u64,
}

impl Rules {
    /// The pause after a verdict, in milliseconds. A dead candidate's starts at the interval and
    /// doubles up to the bound, and all but an alive one's are spread by ±10 %.
    pub fn recheck_ms(self, standing: Standing, rng: &mut Rng) -> u64 {
        match standing {
            Standing::New => 0,
            Standing::Alive => self.interval_ms,
            Standing::Failing => spread(QUICK_MS, rng),
            Standing::Dead { times } => {
                let most = self.backoff_max_ms.max(self.interval_ms);
                spread(doubled(self.interval_ms, times, most), rng)
            }
        }
    }

    /// What is left of the pause after a verdict that is `age_ms` old, in milliseconds; 0 if it is
    /// over. So a candidate whose last check somebody else has seen, an earlier process or another
    /// node, is due when it would have been there.
    pub fn left_ms(self, standing: Standing, age_ms: u64, rng: &mut Rng) -> u64 {
        self.recheck_ms(standing, rng).saturating_sub(age_ms)
    }

    /// The pause after the `failures`th local failure in a row, in milliseconds.
    pub fn local_pause_ms(self, failures: u8, rng: &mut Rng) -> u64 {
        let most = LOCAL_PAUSE_MAX_MS;
        spread(doubled(LOCAL_PAUSE_MIN_MS, u32::from(failures), most), rng)
    }

    /// The pause after a host name could not be resolved `failures` times in a row, in milliseconds.
    /// It grows to the interval for an alive proxy; for others, names that do not exist are common,
    /// so it grows to the bound of the dead.
    pub fn name_pause_ms(self, standing: Standing, failures: u8, rng: &mut Rng) -> u64 {
        let most = match standing {
            Standing::Alive | Standing::Failing => self.interval_ms,
            Standing::New | Standing::Dead { .. } => self.interval_ms.max(self.backoff_max_ms),
        };
        let most = most.max(LOCAL_PAUSE_MIN_MS);
        spread(doubled(LOCAL_PAUSE_MIN_MS, u32::from(failures), most), rng)
    }
}

/// `first` the first time, twice that the second, and so on up to `most`.
fn doubled(first: u64, times: u32, most: u64) -> u64 {
    let factor = 1u64 << times.saturating_sub(1).min(40);
    first.saturating_mul(factor).min(most)
}

/// `pause` ± 10 %.
fn spread(pause: u64, rng: &mut Rng) -> u64 {
    let tenth = pause / 10;
    pause - tenth + rng.u64(0..=2 * tenth)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: Rules = Rules {
        interval_ms: 60_000,
        backoff_max_ms: 3_600_000,
    };

    /// Over many draws, every pause is within 10 % of `expected` and they are not all alike.
    fn check(expected: u64, mut draw: impl FnMut(&mut Rng) -> u64) {
        let mut rng = Rng::with_seed(1);
        let pauses: Vec<u64> = (0..1000).map(|_| draw(&mut rng)).collect();
        let (least, most) = (
            pauses.iter().min().copied().unwrap_or_default(),
            pauses.iter().max().copied().unwrap_or_default(),
        );
        assert!(least >= expected - expected / 10, "{least} for {expected}");
        assert!(most <= expected + expected / 10, "{most} for {expected}");
        assert!(most - least > expected / 10, "{least}..{most} is no spread");
    }

    #[test]
    fn a_dead_candidate_backs_off_from_the_interval_to_the_bound() {
        let expected = [
            (1, 60_000),
            (2, 120_000),
            (3, 240_000),
            (6, 1_920_000),
            (7, 3_600_000),
            (u32::MAX, 3_600_000),
        ];
        for (times, pause) in expected {
            check(pause, |rng| RULES.recheck_ms(Standing::Dead { times }, rng));
        }
    }

    #[test]
    fn what_was_checked_some_time_ago_is_due_when_it_would_have_been_and_at_once_if_that_is_over() {
        let left = |standing, age_ms| RULES.left_ms(standing, age_ms, &mut Rng::with_seed(1));
        assert_eq!(left(Standing::Alive, 0), 60_000);
        assert_eq!(left(Standing::Alive, 59_000), 1_000);
        for age_ms in [60_000, u64::MAX] {
            assert_eq!(left(Standing::Alive, age_ms), 0);
        }
        assert_eq!(left(Standing::New, 0), 0);
        let dead = Standing::Dead { times: 3 };
        check(240_000, |rng| RULES.left_ms(dead, 100_000, rng) + 100_000);
        assert_eq!(left(dead, 270_000), 0);
    }

    #[test]
    fn without_a_bound_the_dead_are_checked_at_every_interval() {
        let rules = Rules {
            backoff_max_ms: 0,
            ..RULES
        };
        for times in [1, 2, 50] {
            check(60_000, |rng| {
                rules.recheck_ms(Standing::Dead { times }, rng)
            });
        }
    }

    #[test]
    fn an_alive_proxy_is_due_after_exactly_the_interval() {
        let mut rng = Rng::with_seed(1);
        assert_eq!(RULES.recheck_ms(Standing::Alive, &mut rng), 60_000);
    }

    #[test]
    fn a_failing_one_is_due_within_seconds() {
        check(2_000, |rng| RULES.recheck_ms(Standing::Failing, rng));
    }

    #[test]
    fn after_a_restart_only_what_is_left_of_the_pause_is_waited() {
        let mut rng = Rng::with_seed(1);
        let mut left = |checked: u64, now: u64, standing| {
            RULES.left_ms(standing, now.saturating_sub(checked), &mut rng)
        };
        assert_eq!(left(1_000, 41_000, Standing::Alive), 20_000);
        assert_eq!(left(1_000, 61_000, Standing::Alive), 0);
        assert_eq!(left(1_000, u64::MAX, Standing::Alive), 0);
        assert_eq!(
            left(9_000, 1_000, Standing::Alive),
            60_000,
            "a clock set back"
        );
        assert_eq!(left(0, 1_000, Standing::New), 0);
        let dead = left(1_000, 61_000, Standing::Dead { times: 2 });
        assert!((48_000..=72_000).contains(&dead), "{dead}");
    }

    #[test]
    fn local_pauses_grow_from_one_second_to_thirty() {
        for (failures, pause) in [
            (1, 1_000),
            (2, 2_000),
            (5, 16_000),
            (6, 30_000),
            (255, 30_000),
        ] {
            check(pause, |rng| RULES.local_pause_ms(failures, rng));
        }
    }

    #[test]
    fn a_name_without_address_is_asked_for_more_and_more_rarely() {
        check(1_000, |rng| RULES.name_pause_ms(Standing::New, 1, rng));
        check(60_000, |rng| RULES.name_pause_ms(Standing::Alive, 99, rng));
        check(3_600_000, |rng| RULES.name_pause_ms(Standing::New, 99, rng));
    }
}
