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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::coordinator::simulation::{EPOCH_MS, Simulation, config, controlled};
    use crate::store::Image;
    use proxy_shards::Require;

    const NOW: Now = Now {
        clock_ms: 0,
        unix_ms: EPOCH_MS,
    };

    fn fleet(nodes: u32, lanes: usize) -> Fleet {
        Fleet {
            lanes,
            nodes,
            others: nodes > 1,
        }
    }

    #[test]
    fn each_node_keeps_the_pace_that_is_configured_for_one() {
        let mut paced = config(&["a"]);
        paced.checker.connects_per_second = NonZeroU32::new(80);
        let mut simulation = Simulation::still(paced, 100, Image::default());
        let mut room = |nodes| {
            simulation.state.set_fleet(fleet(nodes, 100), NOW);
            simulation.state.quota.as_ref().unwrap().room(0)
        };
        // A quarter of a second of what one of two shards begins.
        assert_eq!([0, 1, 2, 5].map(&mut room), [10, 10, 20, 50]);
    }

    #[test]
    fn without_a_node_that_takes_jobs_nothing_is_handed_out() {
        let mut simulation = Simulation::still(config(&["a"]), 100, Image::default());
        simulation.state.set_fleet(fleet(0, 0), NOW);
        assert_eq!(simulation.state.dispatch.room(0), 0);
        simulation.state.set_fleet(fleet(1, 7), NOW);
        assert_eq!(simulation.state.dispatch.room(0), 8);
    }

    #[test]
    fn the_word_of_others_counts_only_where_the_targets_do_not_answer_here() {
        let config = controlled(&["t"], Require::All);
        let mut simulation = Simulation::still(config, 100, Image::default());
        assert!(
            !simulation.state.may_probe(),
            "the target was not asked yet"
        );
        simulation.state.set_fleet(fleet(2, 200), NOW);
        assert!(simulation.state.may_probe() && simulation.state.trusts_others());
        simulation.state.set_fleet(fleet(1, 100), NOW);
        assert!(!simulation.state.may_probe() && !simulation.state.trusts_others());
    }
}
