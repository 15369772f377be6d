//! What readers see next: the pool, the figures, and whether they are fresh.

use super::event::{Action, Now, unix};
use super::fresh::Sight;
use super::state::State;
use crate::control::Health;
use crate::snapshot::{Stale, Stat};
use std::sync::Arc;

/// What became of a pool of which nothing is alive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    /// The last one is gone, and it is served as stale.
    Gone,
    /// It is served no longer.
    Over,
    /// There is one that is alive.
    Back,
}

fn turn(before: Option<Stale>, after: Option<Stale>, alive: u64) -> Option<Turn> {
    match (before, after) {
        (_, Some(Stale::NothingAlive)) => Some(Turn::Gone),
        (Some(Stale::NothingAlive), None) if alive > 0 => Some(Turn::Back),
        (Some(Stale::NothingAlive), None) => Some(Turn::Over),
        _ => None,
    }
}

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
        let before = self.freshness.stale();
        if self.freshness.look(sight, now) {
            self.publisher.note_pool();
            let [before, after] = [before, self.freshness.stale()].map(|s| s.map(|(why, _)| why));
            self.tell_of_nothing_alive(turn(before, after, sight.alive));
        }
    }

    /// One line for each turn. That the targets do not answer is told where they are tried.
    fn tell_of_nothing_alive(&self, turn: Option<Turn>) {
        match turn {
            None => {}
            Some(Turn::Gone) => tracing::warn!(
                seconds = self.stale_max_ms() / 1_000,
                "the targets answer and yet nothing is alive any more: the last good ones are served, \
                 marked stale, for snapshot.max_stale_seconds"
            ),
            Some(Turn::Over) => tracing::warn!(
                "nothing has been alive for snapshot.max_stale_seconds: nothing is served until a \
                 proxy is alive"
            ),
            Some(Turn::Back) => tracing::info!("proxies are alive again"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn that_nothing_is_alive_is_told_once_and_so_is_its_end() {
        let (target, nothing) = (Some(Stale::Control), Some(Stale::NothingAlive));
        assert_eq!(turn(None, nothing, 0), Some(Turn::Gone));
        assert_eq!(turn(target, nothing, 0), Some(Turn::Gone));
        assert_eq!(turn(nothing, None, 0), Some(Turn::Over));
        assert_eq!(turn(nothing, None, 1), Some(Turn::Back));
        for (before, after) in [(None, target), (target, None), (nothing, target)] {
            assert_eq!(
                turn(before, after, 0),
                None,
                "told where the targets are tried"
            );
        }
    }
}
