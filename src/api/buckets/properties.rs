//! What holds of a bucket whatever is asked of it, and when.

use super::*;
use crate::properties::cases;
use proptest::collection::vec;
use proptest::prelude::*;

const MINUTE_NS: u128 = 60_000_000_000;
const NS: Duration = Duration::from_nanos(1);

/// Pauses between requests, in nanoseconds: none, short and long.
fn pauses() -> impl Strategy<Value = Vec<u64>> {
    let pause = prop_oneof![2 => Just(0), 3 => 0..50_000_000u64, 1 => 0..20_000_000_000u64];
    vec(pause, 1..150)
}

proptest! {
    #![proptest_config(cases(200))]

    #[test]
    fn in_no_stretch_of_time_is_more_taken_than_it_wins_back_and_one_bucket(
        per_minute in 1..2_000u32,
        size in 1..40u32,
        pauses in pauses(),
    ) {
        let number = |n| NonZeroU32::new(n).unwrap();
        let buckets = Buckets::new(number(per_minute), number(size), 10);
        let (mut now, mut taken) = (Duration::ZERO, Vec::new());
        for pause in pauses {
            now += Duration::from_nanos(pause);
            if buckets.take(&1, now).is_ok() {
                taken.push(now);
            }
        }
        for (first, from) in taken.iter().enumerate() {
            for (last, until) in taken.iter().enumerate().skip(first) {
                let stretch = (*until - *from).as_nanos();
                // A token's time is a whole number of nanoseconds, rounded down.
                let every = MINUTE_NS / u128::from(per_minute);
                let most = u128::from(size) + stretch / every;
                let count = (last - first + 1) as u128;
                prop_assert!(count <= most, "{count} in {stretch} ns");
            }
        }
    }

    #[test]
    fn what_a_refusal_says_is_so_to_the_nanosecond_and_what_an_answer_says_is_left_can_be_taken(
        per_minute in 1..2_000u32,
        size in 1..40u32,
        pauses in pauses(),
    ) {
        let number = |n| NonZeroU32::new(n).unwrap();
        let buckets = Buckets::new(number(per_minute), number(size), 10);
        let mut now = Duration::ZERO;
        for pause in pauses {
            now += Duration::from_nanos(pause);
            match buckets.take(&1, now) {
                Ok(standing) => {
                    prop_assert!(standing.left < size);
                    let full_in = 60_000_000_000 / u64::from(per_minute) * u64::from(size - standing.left);
                    prop_assert!(standing.full_in <= Duration::from_nanos(full_in));
                    for left in (0..standing.left).rev().take(2) {
                        prop_assert_eq!(buckets.take(&1, now).map(|s| s.left), Ok(left));
                    }
                }
                Err((standing, wait)) => {
                    prop_assert_eq!((standing.left, standing.next_in()), (0, wait));
                    let too_early = buckets.take(&1, now + wait - NS);
                    prop_assert!(too_early.is_err());
                    now += wait;
                    prop_assert!(buckets.take(&1, now).is_ok(), "after {wait:?}");
                }
            }
        }
    }
}
