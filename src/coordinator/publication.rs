//! What readers see next: the pool, the figures, and whether they are fresh.

use super::event::{Action, Now, unix};
use super::fresh::Sight;
use super::state::State;
use crate::control::Health;
use crate::snapshot::Stat;
use std::sync::Arc;

impl State {
    /// Publishes what changed, if it is time.
    pub(super) fn publish(&mut self, now: Now, actions: &mut Vec<Action>) {
        self.note_freshness(now);
        let due = self.publisher.due_at(&self.ledger);
        if due.is_some_and(|due| due <= now.clock_ms) {
            actions.push(self.publication(now));
        }
    }

    /// What is to be published now.
    pub(super) fn publication(&mut self, now: Now) -> Action {
        let stale = self.freshness.stale();
        let reason = stale.map(|(reason, _)| reason);
        let view = self.publisher.take(&self.ledger, now.clock_ms, reason);
        let last_check_ms = self.ledger.last_check_ms();
        let stat = Stat {
            total_scraped: self.ledger.len() as u64,
            total_alive: self.ledger.total_alive(),
            total_dead: self.ledger.total_dead(),
            last_check: (last_check_ms > 0).then(|| unix(last_check_ms)),
            verdicts: *self.ledger.verdicts(),
            probes: self.probes.clone(),
            sources: self.origins.all.iter().map(|o| o.stat.clone()).collect(),
            sweep: self.sweep,
            targets: self.target_stats(&view.reached),
            stale: stale.map(|(reason, since_ms)| (reason, unix(since_ms))),
            held: self.control.held() as u64,
            shards: self.shards.clone(),
            latency_ms_p50: view.latency_ms_p50,
            latency_ms_p95: view.latency_ms_p95,
        };
        Action::Publish {
            pool: view.pool,
            stat: Arc::new(stat),
            stale: stale.is_some(),
        }
    }

    /// Sees whether what is published is fresh.
    pub(super) fn note_freshness(&mut self, now: Now) {
        let health = match self.outage.lasts(now.clock_ms) {
            true => Health::Down,
            false => self.control.health(),
        };
        let sight = Sight {
            health,
            alive: self.ledger.total_alive(),
            served: self.publisher.served(),
            stale_max_ms: self.stale_max_ms(),
        };
        if self.freshness.look(sight, now) {
            self.publisher.note_pool();
        }
    }
}
