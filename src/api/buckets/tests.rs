//! Buckets over a time that the tests tell.

use super::*;

fn buckets(per_minute: u32, size: u32, entries_max: usize) -> Buckets<u32> {
    let number = |n| NonZeroU32::new(n).unwrap();
    Buckets::new(number(per_minute), number(size), entries_max)
}

const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

#[test]
fn the_whole_bucket_at_once_and_then_one_token_at_a_time() {
    let buckets = buckets(60, 6, 10);
    let left: Vec<u32> = (0..6)
        .map(|_| buckets.take(&1, secs(5)).unwrap().left)
        .collect();
    assert_eq!(left, [5, 4, 3, 2, 1, 0]);
    let (standing, wait) = buckets.take(&1, secs(5)).unwrap_err();
    assert_eq!((standing.left, wait), (0, secs(1)));
    assert_eq!(standing.full_in, secs(6));
    assert!(buckets.take(&1, secs(6)).is_ok());
    assert!(buckets.take(&1, secs(6)).is_err());
    assert!(buckets.take(&2, secs(6)).is_ok(), "another one's bucket");
}

#[test]
fn a_standing_says_what_is_left_and_when_it_is_full_again() {
    let buckets = buckets(30, 4, 10);
    let standing = buckets.take(&1, secs(0)).unwrap();
    let expected = Standing {
        per_minute: 30,
        size: 4,
        left: 3,
        full_in: secs(2),
    };
    assert_eq!(standing, expected);
    assert_eq!(buckets.take(&1, secs(0)).unwrap().full_in, secs(4));
    let later = buckets.take(&1, secs(4)).unwrap();
    assert_eq!((later.left, later.full_in), (3, secs(2)));
}

#[test]
fn refusals_cost_nothing() {
    let buckets = buckets(1, 1, 10);
    assert!(buckets.take(&1, secs(0)).is_ok());
    for _ in 0..1_000 {
        assert_eq!(buckets.take(&1, secs(1)).unwrap_err().1, secs(59));
    }
    assert!(buckets.take(&1, secs(60)).is_ok());
}

#[test]
fn over_any_time_nobody_gets_more_than_the_rate_and_one_bucket() {
    let seed = fastrand::u64(..);
    let mut random = fastrand::Rng::with_seed(seed);
    let buckets = buckets(120, 12, 10);
    let (mut now, mut taken) = (Duration::ZERO, 0);
    while now < secs(600) {
        now += Duration::from_millis(random.u64(..300));
        taken += u64::from(buckets.take(&1, now).is_ok());
        assert!(
            taken <= 13 + now.as_secs() * 2,
            "seed {seed}: {taken} at {now:?}"
        );
    }
    assert!(taken > 1_100, "seed {seed}: {taken}");
}

#[test]
fn the_largest_limit_has_no_overflow_in_it() {
    let buckets = buckets(1_000_000_000, 100_000_000, 10);
    let standing = buckets.take(&1, secs(1)).unwrap();
    assert_eq!(standing.left, 99_999_999);
    assert!(standing.full_in < Duration::from_micros(1));
}

#[test]
fn a_million_keys_do_not_grow_the_table_and_none_is_refused_its_first() {
    for keys in [999, 1_000, 1_001, 1_499, 1_501, 10_000, 1_000_000] {
        let buckets = buckets(120, 12, 1_000);
        for number in 0..keys {
            let now = Duration::from_micros(u64::from(number));
            assert!(buckets.take(&number, now).is_ok());
        }
        let len = buckets.len();
        assert!((400..=1_000).contains(&len), "{keys}: {len}");
    }
}

#[test]
fn a_table_of_equals_is_bounded_too() {
    for keys in [100, 101, 1_099, 10_000] {
        let buckets = buckets(120, 12, 100);
        for number in 0..keys {
            assert!(buckets.take(&number, secs(0)).is_ok());
        }
        assert!(buckets.len() <= 100, "{keys}");
    }
}

#[test]
fn those_at_their_limit_are_remembered_while_others_come_and_go() {
    let buckets = buckets(10, 5, 100);
    for _ in 0..5 {
        assert!(buckets.take(&0, secs(0)).is_ok());
    }
    for number in 1..5_000 {
        assert!(buckets.take(&number, secs(1)).is_ok());
    }
    assert!(buckets.take(&0, secs(1)).is_err());
}

#[test]
fn a_crowd_of_addresses_takes_no_token_from_an_honest_one() {
    let buckets = buckets(60, 6, 100);
    let mut honest = 0;
    for second in 0..60 {
        for number in 0..200 {
            let _ = buckets.take(&(1 + second * 200 + number), secs(second.into()));
        }
        honest += u32::from(buckets.take(&0, secs(second.into())).is_ok());
    }
    assert_eq!(honest, 60);
}
