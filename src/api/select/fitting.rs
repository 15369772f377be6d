//! Picking only what fits: what nobody has leased, and of several that are alike the first.

use super::{Amount, CONSECUTIVE_MAX, Matches};
use crate::snapshot::Proxy;
use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};

impl Amount {
    /// This many of `matches`, as [`Amount::pick`] picks them, but only those that `fits` lets
    /// through when they are reached. It is asked about each at most once, and what it lets through is
    /// picked.
    pub(in crate::api) fn pick_fitting<'s>(
        self,
        matches: &Matches<'s>,
        cursor: &AtomicUsize,
        random: &mut fastrand::Rng,
        mut fits: impl FnMut(&'s Proxy) -> bool,
    ) -> Vec<&'s Proxy> {
        let available = matches.len();
        let wanted = match self {
            Amount::All => {
                let all = (0..available).map(|at| matches.get(at));
                return all.filter(|proxy| fits(proxy)).collect();
            }
            Amount::AtMost(most) => {
                usize::try_from(most.get()).map_or(available, |most| most.min(available))
            }
        };
        let mut picked = Vec::with_capacity(wanted);
        if wanted <= CONSECUTIVE_MAX {
            let start = cursor.fetch_add(wanted, Ordering::Relaxed) % available.max(1);
            let mut walked = 0;
            while walked < available && picked.len() < wanted {
                let proxy = matches.get((start + walked) % available);
                walked += 1;
                picked.extend(fits(proxy).then_some(proxy));
            }
            // The next request begins behind what was passed over, so that what stands behind a row
            // of leased ones is not handed out more often than others.
            cursor.fetch_add(walked.saturating_sub(wanted), Ordering::Relaxed);
            return picked;
        }
        // As in `pick`: only what was moved is remembered, and what is looked at is what that costs.
        let mut moved: HashMap<usize, usize> = HashMap::with_capacity(wanted);
        for at in 0..available {
            if picked.len() == wanted {
                break;
            }
            let other = random.usize(at..available);
            let here = moved.get(&at).copied().unwrap_or(at);
            let proxy = matches.get(moved.insert(other, here).unwrap_or(other));
            picked.extend(fits(proxy).then_some(proxy));
        }
        picked
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::testing::many;
    use std::num::NonZeroU64;

    fn check(limit: u64, fits: impl Fn(usize) -> bool, rounds: usize) -> Vec<Vec<usize>> {
        let proxies = many(40);
        let matches = Matches {
            proxies: &proxies,
            indexes: None,
            with_banned: None,
        };
        let place = |proxy: &Proxy| {
            let same = |p: &Proxy| p.candidate == proxy.candidate;
            proxies.iter().position(same).unwrap()
        };
        let cursor = AtomicUsize::new(0);
        let mut random = fastrand::Rng::with_seed(3);
        let amount = Amount::AtMost(NonZeroU64::new(limit).unwrap());
        let mut pick = || -> Vec<usize> {
            let fits = |proxy: &Proxy| fits(place(proxy));
            let picked = amount.pick_fitting(&matches, &cursor, &mut random, fits);
            picked.into_iter().map(place).collect()
        };
        (0..rounds).map(|_| pick()).collect()
    }

    #[test]
    fn where_everything_fits_it_picks_as_ever() {
        assert_eq!(check(3, |_| true, 2), [[0, 1, 2], [3, 4, 5]]);
        let mut sample = check(40, |_| true, 1).remove(0);
        sample.sort_unstable();
        assert!(sample.into_iter().eq(0..40));
    }

    #[test]
    fn what_does_not_fit_is_passed_over_and_the_next_has_its_turn_once() {
        let picked = check(1, |n| !(3..30).contains(&n), 15).concat();
        assert_eq!(
            picked,
            [0, 1, 2, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 0, 1]
        );
    }

    #[test]
    fn fewer_fit_than_are_wanted() {
        assert_eq!(check(5, |n| n == 7, 2), [[7], [7]]);
        let mut sample = check(30, |n| n % 4 == 0, 1).remove(0);
        sample.sort_unstable();
        assert!(sample.into_iter().eq((0..40).step_by(4)));
        assert!(check(10, |_| false, 1).concat().is_empty());
    }
}
