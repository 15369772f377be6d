//! How a latency is spread over the alive: counts of a few fixed ranges, whatever their number.

/// Upper ends of the ranges, in milliseconds, inclusive; what is longer is in the last one.
const ENDS_MS: [u32; 12] = [
    50, 100, 200, 300, 500, 750, 1_000, 1_500, 2_000, 3_000, 5_000, 10_000,
];

/// Latencies, counted by ranges.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spread {
    counts: [u64; ENDS_MS.len() + 1],
}

impl Spread {
    /// The ranges with these counts, in their order; those that are missing are empty.
    pub fn of_counts(counts: &[u64]) -> Spread {
        let mut spread = Spread::default();
        spread
            .counts
            .iter_mut()
            .zip(counts)
            .for_each(|(to, from)| *to = *from);
        spread
    }

    /// Each range: its upper end in milliseconds, inclusive (`None`: the last has none), and how
    /// many are in it.
    pub fn rows(&self) -> impl Iterator<Item = (Option<u32>, u64)> + '_ {
        let ends = ENDS_MS.iter().copied().map(Some).chain([None]);
        ends.zip(self.counts)
    }
}

impl FromIterator<u32> for Spread {
    /// Of latencies in milliseconds.
    fn from_iter<L: IntoIterator<Item = u32>>(latencies_ms: L) -> Spread {
        let mut spread = Spread::default();
        for latency_ms in latencies_ms {
            spread.counts[ENDS_MS.partition_point(|&end| end < latency_ms)] += 1;
        }
        spread
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_latency_is_in_the_first_range_whose_end_it_does_not_exceed() {
        let spread: Spread = [0, 50, 51, 750, 10_000, 10_001, u32::MAX]
            .into_iter()
            .collect();
        let filled = spread.rows().filter(|(_, count)| *count > 0);
        let expected = [
            (Some(50), 2),
            (Some(100), 1),
            (Some(750), 1),
            (Some(10_000), 1),
            (None, 2),
        ];
        assert_eq!(filled.collect::<Vec<_>>(), expected);
    }
}
