//! From one role to the other, and who probes for a leader.

use super::{Node, Role};
use crate::cluster::follower::Replica;
use crate::cluster::{NodeStat, Order};
use crate::config::Config;
use crate::coordinator::{Before, Event, Fleet, Now, Start, State};
use std::sync::Arc;

use super::deeds::Deed;

/// How far on, at least, a new leader begins to count publications, and never below its token: what the
/// one before published and nobody heard of any more has another number than all that follows. Tokens
/// are times in milliseconds, and nobody publishes a thousand times in a second.
const GENERATIONS_SKIPPED: u64 = 1_000;

impl Node {
    /// Goes on where the leader before stopped.
    pub(super) fn lead(&mut self, token: u64, now: Now, deeds: &mut Vec<Deed>) {
        self.follow(now, deeds); // a second time under another token is a new beginning
        let Some(Role::Follows(replica)) = self.role.take() else {
            return;
        };
        let (image, before) = replica.succeed(now);
        self.generation = token.max(self.generation + GENERATIONS_SKIPPED);
        deeds.push(Deed::Order(Order::Checkpoint(Box::new(image.clone()))));
        self.lines = 0;
        let start = Start {
            config: led(&self.config),
            shards: 1,
            lanes_per_shard: 0,
            descriptors: u64::MAX,
            restored: image,
            seed: self.rng.u64(..),
        };
        let mut state = State::new(start, now, &|_| 0);
        state.take_over(before, self.rng.u32(..), now);
        state.set_fleet(self.fleet, now);
        tracing::info!(token, candidates = state.known(), "this node leads");
        deeds.push(Deed::Fetch(Some(state.sweep_id())));
        let actions = state.publish_anyway(now);
        self.role = Some(Role::Leads(Box::new(state)));
        self.leader = Some(self.cluster.node.clone());
        self.act(actions, now, deeds);
        self.tell_state(Event::Tick, now, deeds);
    }

    /// Leads no longer, if it did: nothing of what is out comes back, and what is served stays.
    pub(super) fn follow(&mut self, now: Now, deeds: &mut Vec<Deed>) {
        let state = match self.role.take() {
            Some(Role::Leads(state)) => state,
            other => {
                self.role = other;
                return;
            }
        };
        tracing::warn!("this node leads no longer, and follows");
        let (ledger, publisher) = state.hand_on();
        let before = Before {
            stat: self.stat.clone(),
            publisher,
        };
        let replica = Replica::of(&self.config, ledger, before, now);
        self.role = Some(Role::Follows(Box::new(replica)));
        self.leader = None;
        deeds.push(Deed::Fetch(None));
    }

    /// Counts who takes jobs.
    pub(super) fn count(&mut self, nodes: Vec<NodeStat>, now: Now, deeds: &mut Vec<Deed>) {
        let at_work = || nodes.iter().filter(|node| node.idle_because.is_none());
        let lanes: u64 = at_work().map(|node| node.lanes).sum();
        let fleet = Fleet {
            lanes: usize::try_from(lanes).unwrap_or(usize::MAX),
            nodes: u32::try_from(at_work().count()).unwrap_or(u32::MAX),
            others: at_work().any(|node| node.name != self.cluster.node && node.lanes > 0),
        };
        if let Some(silent_ms) = nodes.iter().map(|node| node.silent_ms).min() {
            self.as_of_ms = now.unix_ms.saturating_sub(silent_ms);
        }
        self.nodes = nodes;
        if fleet == std::mem::replace(&mut self.fleet, fleet) {
            return;
        }
        if let Some(Role::Leads(state)) = &mut self.role {
            state.set_fleet(fleet, now);
        }
        self.tell_state(Event::Tick, now, deeds);
    }
}

/// The configuration as the state of a leader has it: the lanes of each node are governed there.
pub(super) fn led(config: &Config) -> Arc<Config> {
    let mut led = config.clone();
    led.checker.adaptive = false;
    Arc::new(led)
}
