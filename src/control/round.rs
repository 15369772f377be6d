//! The end of a round: what is held counts, is void, or waits for the next.

use super::{Control, Health, Held};
use proxy_shards::target::Demand;
use proxy_shards::{ProbePolicy, Target, Targets};
use std::sync::Arc;

/// What came of a round of probes without a proxy.
#[derive(Debug)]
pub struct Round<H> {
    /// The targets that answered as they should.
    pub reached: Targets,
    /// Those that did not in the round before, or were not tried yet.
    pub missed_before: Targets,
    /// The health before it, if it is another one now.
    pub changed_from: Option<Health>,
    /// The policy from now on, if something was learnt.
    pub policy: Option<Arc<ProbePolicy>>,
    /// Whether the targets say something else than the policy before expected: what was asked under
    /// it says nothing.
    pub relearnt: bool,
    /// Whether that is something else than was learnt before.
    pub said_else: bool,
    /// Held verdicts that count, each with the targets that answered all the while.
    pub settled: Vec<(H, Targets)>,
    /// Held verdicts that say nothing: to be checked again.
    pub void: Vec<H>,
}

impl<H> Control<H> {
    /// Every target has answered, or was given up.
    pub(super) fn conclude(&mut self, now_ms: u64) -> Round<H> {
        let started_ms = self.pending.take().map_or(0, |pending| pending.started_ms);
        let all = Targets::first(self.seen.len());
        let missed_before = all.without(self.fine(u64::MAX));
        for seen in &mut self.seen {
            seen.conclude(now_ms);
        }
        let reached = self.fine(u64::MAX);
        let untold = Targets::first(self.seen.len());
        let untold = untold.iter().filter(|&place| self.seen[place].is_untold());
        let untold = untold.fold(Targets::NONE, Targets::with);
        let is_met = |targets| self.policy.require.is_met(targets, self.seen.len());
        let health = match () {
            () if is_met(reached) => Health::Fine,
            // They may answer: nothing is known that was not known before.
            () if is_met(reached.or(untold)) => self.health,
            () => Health::Down,
        };
        let changed_from = (health != self.health).then_some(self.health);
        self.health = health;
        let before = self.policy.clone();
        let policy = self.learn();
        let had_learnt = |target: &Target| target.learns() && target.demand != Demand::Learn;
        let mut pairs = before.targets.iter().zip(&self.policy.targets);
        let mut round = Round {
            reached,
            missed_before,
            changed_from,
            relearnt: self.policy.targets != before.targets,
            said_else: pairs.any(|(old, new)| had_learnt(old) && old != new),
            policy,
            settled: Vec::new(),
            void: Vec::new(),
        };
        // Who answers all the while is not known of those either: what is held waits for a round that says.
        match untold.is_empty() || health == Health::Down {
            true => self.settle(started_ms, &mut round),
            false => self.hurried = true,
        }
        round
    }

    /// Gives what is held to the round that started then, unless it has to wait for the next.
    fn settle(&mut self, started_ms: u64, round: &mut Round<H>) {
        let all_void = round.relearnt || self.health != Health::Fine;
        let ripe = match all_void {
            true => self.held.len(),
            false => self.held.partition_point(|h| h.arrived_ms <= started_ms),
        };
        let ripe: Vec<Held<H>> = self.held.drain(..ripe).collect();
        for held in ripe {
            let fine = self.fine(held.began_ms);
            let counts = !all_void && self.policy.require.is_met(fine, self.seen.len());
            match counts {
                true => round.settled.push((held.what, fine)),
                false => round.void.push(held.what),
            }
        }
    }

    /// The targets that have answered in every round since the one before `began_ms`.
    fn fine(&self, began_ms: u64) -> Targets {
        let places = (0..self.seen.len()).filter(|&place| self.seen[place].is_fine_since(began_ms));
        places.fold(Targets::NONE, Targets::with)
    }
}
