//! What readers see next: the pool, the figures, and whether they are fresh.

use super::event::{Action, Now, unix};
use super::fresh::Sight;
use super::journal::Journal;
use super::sources::Origin;
use super::state::State;
use crate::control::Health;
use crate::snapshot::{SourceStat, Stale, Stat};
use std::sync::Arc;

/// What becomes of a pool of which nothing is alive any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// The last one is gone, and it is served as stale.
    Gone,
    /// It is served no longer.
    Over,
    /// There is one that is alive.
    Back,
}

/// The next turn after `last`, if there is one.
fn turn(last: Option<Turn>, stale: Option<Stale>, alive: u64) -> Option<Turn> {
    match (last, stale) {
        (Some(Turn::Gone), Some(_)) => None,
        (_, Some(Stale::NothingAlive)) => Some(Turn::Gone),
        (Some(Turn::Gone | Turn::Over), None) if alive > 0 => Some(Turn::Back),
        (Some(Turn::Gone), None) => Some(Turn::Over),
        _ => None,
    }
}

impl State {
    /// Publishes what changed, if it is time.
    pub(super) fn publish(&mut self, now: Now, actions: &mut Vec<Action>) {
        self.note_freshness(now);
        let due = self.publisher.due_at(&self.ledger);
        let is_due = due.is_some_and(|due| due <= now.clock_ms);
        if is_due || self.journal.as_ref().is_some_and(Journal::is_full) {
            self.tell_nodes(actions);
        }
        if is_due {
            actions.push(self.publication(now));
        }
    }

    /// What is to be published now.
    pub(super) fn publication(&mut self, now: Now) -> Action {
        let stale = self.freshness.stale();
        let reason = stale.map(|(reason, _)| reason);
        let mut view = self.publisher.take(&self.ledger, now.clock_ms, reason);
        if self.ledger.total_alive() == 0 {
            // The pool may be held; these two count the alive, and must agree with how many there are.
            view.by_source = Arc::default();
            view.reached = Default::default();
        }
        let last_check_ms = self.ledger.last_check_ms();
        let stat = Stat {
            total_scraped: self.ledger.len() as u64,
            total_alive: self.ledger.total_alive(),
            total_dead: self.ledger.total_dead(),
            last_check: (last_check_ms > 0).then(|| unix(last_check_ms)),
            verdicts: *self.ledger.verdicts(),
            turns: self.turns,
            probes: self.probes.clone(),
            sources: self.source_stats(&view.by_source),
            sweep: self.sweep,
            targets: self.target_stats(&view.reached),
            stale: stale.map(|(reason, since_ms)| (reason, unix(since_ms))),
            held: self.control.held() as u64,
            lanes: self.lanes.stat(),
            shards: self.shards.clone(),
            latency_ms_p50: view.latency_ms_p50,
            latency_ms_p95: view.latency_ms_p95,
            latency_spread: view.latency_spread,
        };
        Action::Publish {
            pool: view.pool,
            stat: Arc::new(stat),
            stale: stale.is_some(),
        }
    }

    fn source_stats(&self, alive: &[u64]) -> Vec<SourceStat> {
        let stat = |(place, origin): (usize, &Origin)| SourceStat {
            alive: alive.get(place).copied().unwrap_or(0),
            ..origin.stat.clone()
        };
        self.origins.all.iter().enumerate().map(stat).collect()
    }

    /// Sees whether what is published is fresh.
    pub(super) fn note_freshness(&mut self, now: Now) {
        let offline = !self.control.is_on() && self.outage.lasts(now.clock_ms);
        if offline != std::mem::replace(&mut self.offline, offline) {
            tell_of_network(offline);
        }
        let health = match offline {
            true => Health::Down,
            false if self.vouched => Health::Fine,
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
        let stale = self.freshness.stale().map(|(reason, _)| reason);
        if let Some(turn) = turn(self.turn, stale, sight.alive) {
            self.turn = Some(turn);
            self.tell_of_turn(turn);
        }
    }

    /// One line for each turn. That the targets do not answer is told where they are tried.
    fn tell_of_turn(&self, turn: Turn) {
        match turn {
            Turn::Gone => tracing::warn!(
                seconds = self.stale_max_ms() / 1_000,
                "{} nothing is alive any more: the last good ones are served, marked stale, for \
                 snapshot.max_stale_seconds",
                match self.control.is_on() {
                    true => "the targets answer and yet",
                    false =>
                        "whether the targets answer is not looked at (checker.control_probe), and",
                }
            ),
            Turn::Over => tracing::warn!(
                "nothing has been alive for snapshot.max_stale_seconds: nothing is served until a \
                 proxy is alive"
            ),
            Turn::Back => tracing::info!("proxies are alive again"),
        }
    }
}

/// One line when the network is gone, and one when it is back; where targets are tried, that tells.
fn tell_of_network(offline: bool) {
    match offline {
        true => tracing::warn!(
            "this host's kernel knows no way to any proxy: none is judged and the last good ones are \
             served, marked stale, until it does; look at its network and routes (`ip route`), IPv6 \
             too"
        ),
        false => tracing::info!("this host has a network again"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn that_nothing_is_alive_is_told_once_and_so_is_its_end() {
        use Turn::{Back, Gone, Over};
        let (target, nothing) = (Some(Stale::Control), Some(Stale::NothingAlive));
        let told = |sights: &[(Option<Stale>, u64)]| {
            let mut told = Vec::new();
            for &(stale, alive) in sights {
                told.extend(turn(told.last().copied(), stale, alive));
            }
            told
        };
        let start = [(None, 0), (None, 0), (target, 0), (None, 5)];
        assert!(told(&start).is_empty(), "told where the targets are tried");
        let soon = [
            (None, 5),
            (nothing, 0),
            (nothing, 0),
            (target, 0),
            (nothing, 0),
            (None, 1),
        ];
        assert_eq!(told(&soon), [Gone, Back]);
        let late = [
            (nothing, 0),
            (None, 0),
            (None, 0),
            (target, 0),
            (None, 1),
            (None, 2),
        ];
        assert_eq!(told(&late), [Gone, Over, Back]);
        assert_eq!(
            told(&[(nothing, 0), (None, 1), (nothing, 0)]),
            [Gone, Back, Gone]
        );
    }
}
