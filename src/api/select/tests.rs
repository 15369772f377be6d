use super::*;
use crate::api::testing::{many, proxies};

fn all_of(proxies: &[Proxy]) -> Matches<'_> {
    Matches {
        proxies,
        indexes: None,
        with_banned: None,
    }
}

fn at_most(most: u64) -> Amount {
    Amount::AtMost(NonZeroU64::new(most).unwrap())
}

#[test]
fn a_sample_is_uniform() {
    let proxies = many(20);
    let seed = fastrand::u64(..);
    let mut random = fastrand::Rng::with_seed(seed);
    let cursor = AtomicUsize::new(0);
    let mut drawn = std::collections::HashMap::new();
    for _ in 0..2000 {
        for proxy in at_most(11).pick(&all_of(&proxies), &cursor, &mut random) {
            *drawn.entry(&proxy.candidate).or_insert(0u32) += 1;
        }
    }
    assert_eq!(drawn.len(), 20, "seed {seed}");
    // 1100 each on average, with a standard deviation of 22.
    for times in drawn.values() {
        assert!((900..1300).contains(times), "{times}, seed {seed}");
    }
}

#[test]
fn a_sample_does_not_move_the_cursor() {
    let proxies = many(20);
    let cursor = AtomicUsize::new(3);
    let mut random = fastrand::Rng::with_seed(1);
    assert_eq!(
        at_most(11)
            .pick(&all_of(&proxies), &cursor, &mut random)
            .len(),
        11
    );
    assert_eq!(
        Amount::All
            .pick(&all_of(&proxies), &cursor, &mut random)
            .len(),
        20
    );
    assert_eq!(cursor.into_inner(), 3);
}

#[test]
fn the_cursor_may_overflow() {
    let proxies = many(3);
    let cursor = AtomicUsize::new(usize::MAX);
    let mut random = fastrand::Rng::with_seed(1);
    for _ in 0..3 {
        let picked = at_most(2).pick(&all_of(&proxies), &cursor, &mut random);
        assert_ne!(picked[0].candidate, picked[1].candidate);
    }
}

#[test]
fn each_of_a_filtered_pool_has_its_turn() {
    let proxies = proxies(&["http://1.1.1.1:1", "http://2.2.2.2:2", "http://3.3.3.3:3"]);
    let matches = Matches {
        proxies: &proxies,
        indexes: Some(Cow::Owned(vec![2, 0])),
        with_banned: None,
    };
    let cursor = AtomicUsize::new(0);
    let mut random = fastrand::Rng::with_seed(1);
    let ports: Vec<u16> = (0..4)
        .flat_map(|_| at_most(1).pick(&matches, &cursor, &mut random))
        .map(|proxy| proxy.candidate.port)
        .collect();
    assert_eq!(ports, [3, 1, 3, 1]);
}
