//! The nodes that probe for the one that leads.

use super::event::Now;
use super::state::State;
use crate::control::Health;
use crate::dispatch::quota::Quota;
use std::num::NonZeroU32;

/// Those that take jobs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fleet {
    /// Lanes of all of them together.
    pub lanes: usize,
    /// How many they are.
    pub nodes: u32,
    /// Whether one of them is not this node: then somebody's targets answer, whatever they do here.
    pub others: bool,
}

impl State {
    /// These nodes probe from now on. Each keeps the pace that is configured for one.
    pub fn set_fleet(&mut self, fleet: Fleet, now: Now) {
        self.vouched = fleet.others;
        let pace = self.config.checker.connects_per_second;
        let nodes = fleet.nodes.max(1);
        let pace = pace.map(|pace| pace.saturating_mul(NonZeroU32::MIN.saturating_add(nodes - 1)));
        self.quota = pace.map(|pace| Quota::new(pace, self.dispatch.shards(), now.clock_ms));
        self.set_lanes(fleet.lanes);
    }

    /// Whether probes may be handed out: the targets answer here, or to another node. Each node
    /// vouches for its own verdicts.
    pub(super) fn may_probe(&self) -> bool {
        self.control.allows_probes() || self.vouched
    }

    /// Whether the word of other nodes counts as it comes, because the targets do not answer here.
    pub(super) fn trusts_others(&self) -> bool {
        self.vouched && self.control.health() != Health::Fine
    }
}
