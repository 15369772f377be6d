//! How many jobs a shard may be handed where connections keep a pace: as many as it can begin soon. More
//! would wait in the shard, and what is urgent behind them. Pure.

use std::num::NonZeroU32;

/// A shard is handed what it begins in this time, in milliseconds, or one job.
const AHEAD_MS: f64 = 250.0;

/// One bucket for each shard.
#[derive(Clone, Debug)]
pub struct Quota {
    /// Jobs in a millisecond, for each shard.
    per_ms: f64,
    left: Vec<f64>,
    at_ms: u64,
}

impl Quota {
    /// For so many connections a second of all `shards` together.
    pub fn new(per_second: NonZeroU32, shards: usize, now_ms: u64) -> Quota {
        let per_ms = f64::from(per_second.get()) / 1_000.0 / shards.max(1) as f64;
        Quota {
            per_ms,
            left: vec![(per_ms * AHEAD_MS).max(1.0); shards],
            at_ms: now_ms,
        }
    }

    /// Time has passed.
    pub fn pass(&mut self, now_ms: u64) {
        let more = self.per_ms * now_ms.saturating_sub(self.at_ms) as f64;
        let most = (self.per_ms * AHEAD_MS).max(1.0);
        self.at_ms = self.at_ms.max(now_ms);
        for left in &mut self.left {
            *left = (*left + more).min(most);
        }
    }

    /// How many jobs `shard` may be handed now.
    pub fn room(&self, shard: usize) -> usize {
        self.left[shard] as usize
    }

    /// `shard` has this many connections less to begin: it was handed jobs, or jobs that it has took
    /// one more each.
    pub fn take(&mut self, shard: usize, connections: usize) {
        self.left[shard] -= connections as f64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_is_handed_over_than_can_be_begun_soon() {
        let mut quota = Quota::new(NonZeroU32::new(600).unwrap(), 12, 0);
        let mut handed = 0;
        for now_ms in (0..10_000).step_by(20) {
            quota.pass(now_ms);
            handed += quota.room(3);
            quota.take(3, quota.room(3));
            let begun = now_ms as usize * 50 / 1_000;
            assert!(handed <= begun + 13, "{handed} at {now_ms} ms");
        }
        assert!(handed >= 499, "{handed}");
    }

    #[test]
    fn further_probes_of_a_job_count_too() {
        let mut quota = Quota::new(NonZeroU32::new(1_000).unwrap(), 1, 0);
        assert_eq!(quota.room(0), 250);
        quota.take(0, 300);
        assert_eq!(quota.room(0), 0);
        quota.pass(100);
        assert_eq!(quota.room(0), 50);
    }

    #[test]
    fn the_slowest_pace_gets_its_one_job() {
        let mut quota = Quota::new(NonZeroU32::MIN, 2, 0);
        assert_eq!(quota.room(1), 1);
        quota.take(1, 1);
        quota.pass(1_999);
        assert_eq!(quota.room(1), 0);
        quota.pass(2_000);
        assert_eq!(quota.room(1), 1);
    }
}
