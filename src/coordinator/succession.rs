//! One node leads after another: what it knew is taken over, and what is known is handed on.

use super::event::{Action, Now};
use super::journal::Journal;
use super::publish::Publisher;
use super::reload::turn_ms;
use super::state::State;
use crate::ledger::Ledger;
use crate::schedule::{Found, Progress};
use crate::snapshot::{SourceStat, Stat, Sweep};
use std::sync::Arc;
use std::time::SystemTime;

/// What was published before, by whoever led.
#[derive(Debug, Default)]
pub(crate) struct Before {
    /// The figures, if any were.
    pub(crate) stat: Option<Arc<Stat>>,
    /// The pool that is served.
    pub(crate) publisher: Publisher,
}

impl State {
    /// Goes on where another leader stopped: its sweep, its counts, its pool. Everything is told to
    /// the other nodes from now on. `turn`: the number of the first hand-out; one that nobody has given
    /// before, so that no answer to another leader is taken for one to this.
    pub(crate) fn take_over(&mut self, before: Before, turn: u32, now: Now) {
        self.journal = Some(Journal::default());
        self.publisher = before.publisher;
        self.publisher.note_pool();
        self.schedule.number_from(turn);
        let Some(stat) = before.stat else { return };
        for origin in &mut self.origins.all {
            let known = stat.sources.iter().find(|s| s.url == origin.stat.url);
            if let Some(known) = known {
                origin.stat = SourceStat {
                    alive: 0,
                    ..known.clone()
                };
            }
        }
        self.probes = stat.probes.clone();
        self.turns = stat.turns;
        if stat.sweep.id > 0 {
            self.resume_sweep(stat.sweep, now);
        }
    }

    /// Who was checked since the sweep began is due again when its standing says; the others are due
    /// now. After a sweep that was complete, nobody is a part of it.
    fn resume_sweep(&mut self, sweep: Sweep, now: Now) {
        let since_ms = sweep.started.map_or(0, unix_ms);
        let is_over = sweep.finished.is_some();
        let ledger = &self.ledger;
        let is_swept = |index| is_over || ledger.checked_at_ms(index) >= since_ms.max(1);
        let swept = ledger.indexes().filter(|&index| is_swept(index)).count() as u64;
        let done = match is_over {
            true => Progress {
                total: sweep.total,
                done: sweep.done,
                unjudged: sweep.unjudged,
            },
            false => Progress {
                total: swept,
                done: swept,
                ..Progress::default()
            },
        };
        (self.schedule).resume(now.clock_ms, done, |index, rules, rng| {
            if !is_swept(index) {
                let turn_ms = turn_ms(ledger.verdict(index));
                return Found::Unswept { turn_ms };
            }
            let standing = ledger.standing(index);
            let checked_ms = ledger.checked_at_ms(index);
            let age_ms = now.unix_ms.saturating_sub(checked_ms);
            let due_ms = rules.left_ms(standing, age_ms, rng);
            Found::Swept { due_ms }
        });
        self.sweep = sweep;
    }

    /// Gives up what it knows: another node leads. What is out comes back to nobody.
    pub(crate) fn hand_on(self) -> (Ledger, Publisher) {
        (self.ledger, self.publisher)
    }

    /// Publishes now, whether anything changed or not: the other nodes see that somebody leads.
    pub(crate) fn publish_anyway(&mut self, now: Now) -> Vec<Action> {
        let mut actions = Vec::new();
        self.note_freshness(now);
        self.tell_nodes(&mut actions);
        actions.push(self.publication(now));
        actions
    }

    /// Saves ahead of time, unless a save is under way.
    pub(crate) fn save_early(&mut self, now: Now, actions: &mut Vec<Action>) {
        if !self.saves.is_running() {
            self.save_now(now, actions);
        }
    }

    /// Candidates that are known.
    pub(crate) fn known(&self) -> usize {
        self.ledger.len()
    }

    /// The number of the sweep, which is that of the reload that began it.
    pub(crate) fn sweep_id(&self) -> u64 {
        self.sweep.id
    }
}

pub(crate) fn unix_ms(at: SystemTime) -> u64 {
    let since = at.duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| {
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    })
}
