//! Counts by verdict and the latency histogram of one shard.

use crate::Verdict;

/// Upper bounds of the latency buckets, in milliseconds; one more bucket holds the rest.
pub const LATENCY_BUCKETS_MS: [u32; 14] = [
    5, 10, 25, 50, 100, 250, 500, 1000, 2000, 5000, 10_000, 15_000, 30_000, 60_000,
];

/// Counts of probes, to be merged.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Probes by `verdict as usize`.
    pub verdicts: [u64; Verdict::COUNT],
    /// Probes by duration, not cumulative; the last bucket is open.
    pub latency: [u64; LATENCY_BUCKETS_MS.len() + 1],
    /// Sum of the durations, in microseconds.
    pub latency_us_sum: u64,
}

impl Tally {
    /// Counts one probe that took `total_us` microseconds.
    pub fn record(&mut self, verdict: Verdict, total_us: u32) {
        self.verdicts[verdict as usize] += 1;
        let bucket = LATENCY_BUCKETS_MS
            .partition_point(|&bound| u64::from(bound) * 1000 < u64::from(total_us));
        self.latency[bucket] += 1;
        self.latency_us_sum += u64::from(total_us);
    }

    /// Adds what `other` counted; what comes from another node may be any number.
    pub fn merge(&mut self, other: &Tally) {
        let add = |to: &mut [u64], from: &[u64]| {
            to.iter_mut()
                .zip(from)
                .for_each(|(to, from)| *to = to.saturating_add(*from))
        };
        add(&mut self.verdicts, &other.verdicts);
        add(&mut self.latency, &other.latency);
        self.latency_us_sum = self.latency_us_sum.saturating_add(other.latency_us_sum);
    }

    /// All probes counted.
    pub fn total(&self) -> u64 {
        let counts = self.verdicts.iter().copied();
        counts.fold(0, u64::saturating_add)
    }

    /// Whether nothing was counted.
    pub fn is_empty(&self) -> bool {
        self.total() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_probe_on_a_bound_belongs_to_the_bucket_it_bounds() {
        let mut tally = Tally::default();
        tally.record(Verdict::Alive, 5_000);
        tally.record(Verdict::Alive, 5_001);
        tally.record(Verdict::ConnectTimeout, u32::MAX);
        assert_eq!(
            (tally.latency[0], tally.latency[1], tally.latency[14]),
            (1, 1, 1)
        );
    }

    #[test]
    fn merged_tallies_count_what_both_counted() {
        let (mut a, mut b) = (Tally::default(), Tally::default());
        a.record(Verdict::Alive, 10);
        b.record(Verdict::Refused, 20);
        a.merge(&b);
        assert_eq!((a.total(), a.latency_us_sum), (2, 30));
        assert_eq!(a.verdicts[Verdict::Refused as usize], 1);
        b.verdicts = [u64::MAX; Verdict::COUNT];
        a.merge(&b);
        a.merge(&b);
        assert_eq!((a.total(), a.latency_us_sum), (u64::MAX, 70));
    }
}
