//! What the governor is told: local errors, probes, CPU, lag, demand.

use crate::tally::Tally;
use crate::verdict::Verdict;

/// The local verdicts that fewer lanes can end: each lane holds a slot, a port, memory of the
/// kernel, and time of a shard. No network, no name and no target are trouble of another kind.
pub const HOST_ERRORS: [Verdict; 4] = [
    Verdict::LocalDescriptors,
    Verdict::LocalPorts,
    Verdict::LocalMemory,
    Verdict::LocalLate,
];

/// Local errors are trouble from this share of the probes that ended on: one in so many.
const TROUBLE_SHARE: u64 = 100;

/// What was seen since the last look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Signs {
    /// Probes that ended in each of [`HOST_ERRORS`].
    pub errors: [u64; HOST_ERRORS.len()],
    /// All probes that ended.
    pub ended: u64,
    /// Probes under way, as last reported.
    pub in_flight: usize,
    /// Jobs that are with the shards: so many lanes are asked for at least.
    pub demand: usize,
    /// CPU use of the process in percent of the CPUs that it may use, if it was measured.
    pub cpu_percent: Option<u32>,
    /// How late a shard's tick came at worst, in microseconds.
    pub lag_us: u32,
}

impl Signs {
    /// Counts the probes of a report.
    pub fn count(&mut self, tally: &Tally) {
        for (errors, verdict) in self.errors.iter_mut().zip(HOST_ERRORS) {
            *errors += tally.verdicts[verdict as usize];
        }
        self.ended += tally.total();
    }

    /// A few errors among very many probes are made again and harm nobody; they may come from
    /// other programs' peaks, and so need not be answered.
    pub(super) fn are_trouble(&self) -> bool {
        let errors: u64 = self.errors.iter().sum();
        errors > 0 && errors.saturating_mul(TROUBLE_SHARE) >= self.ended
    }
}
