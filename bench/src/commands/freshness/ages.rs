//! How old each proxy gets: pure, with the time as an argument.

use proxy_bench::harness::figures::Series;
use std::collections::HashMap;

/// Who is followed, from the first time that it is served, whether or not it still is.
#[derive(Clone, Debug, Default)]
pub(super) struct Ages(HashMap<String, Followed>);

/// Times in seconds.
#[derive(Clone, Copy, Debug)]
struct Followed {
    checked: f64,
    oldest: f64,
}

impl Ages {
    /// At `now` these are served, each with the time of its last check. Between two looks a proxy
    /// was as old as its two checks are apart.
    pub(super) fn look(&mut self, now: f64, served: impl IntoIterator<Item = (String, f64)>) {
        for (address, checked) in served {
            let blank = Followed {
                checked,
                oldest: 0.0,
            };
            let followed = self.0.entry(address).or_insert(blank);
            followed.oldest = followed.oldest.max(checked - followed.checked);
            followed.checked = checked;
        }
        for followed in self.0.values_mut() {
            followed.oldest = followed.oldest.max(now - followed.checked);
        }
    }

    /// How many are followed.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// The age of each at its oldest, in units of `interval`.
    pub(super) fn oldest(&self, interval: f64) -> Series {
        self.0.values().map(|f| f.oldest / interval).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn served(rows: &[(&str, f64)]) -> Vec<(String, f64)> {
        let row = |&(address, checked): &(&str, f64)| (address.to_owned(), checked);
        rows.iter().map(row).collect()
    }

    #[test]
    fn the_oldest_is_what_a_reader_could_have_seen() {
        let mut ages = Ages::default();
        ages.look(100.0, served(&[("a", 99.0), ("b", 98.0)]));
        // Between the looks `a` was 20 s old, though no look saw it so.
        ages.look(120.0, served(&[("a", 119.0), ("b", 118.0)]));
        ages.look(124.0, served(&[("a", 119.0), ("b", 122.0)]));
        let oldest = ages.oldest(10.0);
        assert_eq!(oldest.max(), Some(2.0));
        assert_eq!(ages.len(), 2);
    }

    #[test]
    fn who_is_not_served_any_more_goes_on_ageing() {
        let mut ages = Ages::default();
        ages.look(10.0, served(&[("a", 9.0)]));
        ages.look(40.0, served(&[]));
        assert_eq!(ages.oldest(1.0).max(), Some(31.0));
        ages.look(41.0, served(&[("a", 40.5)]));
        assert_eq!(ages.oldest(1.0).max(), Some(31.5));
    }
}
