//! Everything that is set before a run of the engine.

use super::knob::Knob;
use proxy_shards::Tuning;
use std::num::NonZeroUsize;

/// Everything that is set before a run of the engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Probes at once, all shards together.
    pub lanes: NonZeroUsize,
    /// Shards.
    pub shards: NonZeroUsize,
    /// Most jobs that are handed to a shard at once.
    pub batch: NonZeroUsize,
    /// The knobs of each shard's ring.
    pub tuning: Tuning,
}

impl Default for Settings {
    /// As many lanes as the farm takes connections at once without dropping any; the rest is what
    /// the program has.
    fn default() -> Settings {
        const fn some(count: usize) -> NonZeroUsize {
            NonZeroUsize::new(count).unwrap()
        }
        Settings {
            lanes: some(4_000),
            shards: some(1),
            batch: some(2_000),
            tuning: Tuning::default(),
        }
    }
}

impl Settings {
    /// The options of `proxy-bench engine` that make these of the usual ones.
    pub fn arguments(&self) -> Vec<String> {
        let (knobs, usual) = (Knob::ALL.into_iter(), Settings::default());
        let changed = knobs.filter(|knob| knob.of(self) != knob.of(&usual));
        changed
            .flat_map(|knob| ["--set".into(), format!("{knob}={}", knob.of(self))])
            .collect()
    }
}
