//! Figures in, alarms out: what is wrong, for how long, and whether that was told. Pure.

use super::alarm::{Alarm, Turn};
use crate::config::Alerts;
use crate::snapshot::{Snapshot, Stale};
use proxy_shards::Verdict;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// An alarm is told at most once in this time, and so is its end, in milliseconds.
const PAUSE_MS: u64 = 60_000;

/// What alarms are made of.
#[derive(Clone, Debug, Default)]
pub struct Figures {
    /// Candidates whose last verdict is alive.
    pub alive: u64,
    /// Whether a sweep was complete: before that few are alive because few were checked.
    pub swept: bool,
    /// Why the snapshot is stale, if it is.
    pub stale: Option<Stale>,
    /// The targets whose last probe without a proxy failed, with its verdict.
    pub targets: Vec<(Box<str>, Verdict)>,
    /// The sources that fail, with how often in a row, and why.
    pub sources: Vec<(Box<str>, u32, Box<str>)>,
    /// Whether the last save failed.
    pub storage_failing: bool,
    /// Whether this is a node of a cluster that does not lead: what the leader says is wrong, that one
    /// tells.
    pub follows: bool,
}

impl Figures {
    /// Those of a snapshot, and what it does not hold. `None` before the first.
    pub fn of(snapshot: &Snapshot, storage_failing: bool) -> Option<Figures> {
        let stat = &snapshot.stat;
        let down = |verdict: &Verdict| *verdict != Verdict::Alive;
        let targets = stat.targets.iter();
        let targets = targets.filter_map(|t| Some((t.name.clone(), t.control.filter(down)?)));
        let sources = stat.sources.iter().filter(|source| source.failures > 0);
        (snapshot.generation > 0).then(|| Figures {
            alive: stat.total_alive,
            swept: stat.sweep.finished.is_some(),
            stale: stat.stale.map(|(reason, _)| reason),
            targets: targets.collect(),
            sources: sources
                .map(|s| (s.url.clone(), s.failures, s.error.clone()))
                .collect(),
            storage_failing,
            follows: snapshot.cluster.as_ref().is_some_and(|of| !of.leads),
        })
    }

    /// Whether it is for the leader of a cluster to tell. That a node cannot hear the others it tells
    /// itself.
    fn leaves(&self, alarm: Alarm) -> bool {
        let is_own = self.stale == Some(Stale::Cluster);
        let is_led = self.stale.is_some() || !self.targets.is_empty();
        self.follows
            && match alarm {
                Alarm::AliveBelow | Alarm::SourceDead => true,
                Alarm::JudgeDown => is_led && !is_own,
                Alarm::StoreFailing => false,
            }
    }
}

/// What is to be told.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// What it is about.
    pub alarm: Alarm,
    /// Whether that is wrong now.
    pub turn: Turn,
    /// The source that it is about, if it is about one.
    pub subject: Box<str>,
    /// The figures behind it; at the end those of the end.
    pub details: Value,
}

/// What was told of one alarm.
#[derive(Clone, Copy, Debug, Default)]
struct Trend {
    told: bool,
    /// Since when it is not as it was told.
    otherwise_since_ms: Option<u64>,
    fired_ms: Option<u64>,
    resolved_ms: Option<u64>,
}

impl Trend {
    /// The turn that is to be told, if one is: it has held, and the last of its kind is long ago.
    fn look(&mut self, wrong: bool, hold_ms: u64, now_ms: u64) -> Option<Turn> {
        if wrong == self.told {
            self.otherwise_since_ms = None;
            return None;
        }
        let since = *self.otherwise_since_ms.get_or_insert(now_ms);
        let (turn, last) = match wrong {
            true => (Turn::Firing, &mut self.fired_ms),
            false => (Turn::Resolved, &mut self.resolved_ms),
        };
        let is_time = last.is_none_or(|last| now_ms.saturating_sub(last) >= PAUSE_MS);
        if now_ms.saturating_sub(since) < hold_ms || !is_time {
            return None;
        }
        *last = Some(now_ms);
        self.told = wrong;
        self.otherwise_since_ms = None;
        Some(turn)
    }

    /// Whether nothing that it remembers can matter any more.
    fn is_over(&self, now_ms: u64) -> bool {
        let old = |at: Option<u64>| at.is_none_or(|at| now_ms.saturating_sub(at) >= PAUSE_MS);
        !self.told
            && self.otherwise_since_ms.is_none()
            && old(self.fired_ms)
            && old(self.resolved_ms)
    }
}

/// Sees what is wrong, and says it once.
#[derive(Debug, Default)]
pub struct Lookout {
    trends: BTreeMap<(Alarm, Box<str>), Trend>,
    /// Whether enough were alive once, or a sweep was complete.
    armed: bool,
}

impl Lookout {
    /// Looks at the figures of this moment, on a clock that never goes back, in milliseconds.
    pub fn look(&mut self, figures: &Figures, rules: &Alerts, now_ms: u64) -> Vec<Change> {
        let enough = rules.alive_below > 0 && figures.alive >= rules.alive_below;
        self.armed |= figures.swept || enough;
        let mut wrong = wrong(figures, rules, self.armed);
        wrong.retain(|(alarm, _), _| !figures.leaves(*alarm));
        for key in wrong.keys() {
            self.trends.entry(key.clone()).or_default();
        }
        let mut changes = Vec::new();
        self.trends.retain(|(alarm, subject), trend| {
            if figures.leaves(*alarm) {
                return true; // as it was told, until this node leads again
            }
            let details = wrong.remove(&(*alarm, subject.clone()));
            let is_wrong = details.is_some();
            if let Some(turn) = trend.look(is_wrong, alarm.hold_ms(), now_ms) {
                changes.push(Change {
                    alarm: *alarm,
                    turn,
                    subject: subject.clone(),
                    details: details.unwrap_or_else(|| well(*alarm, subject, figures, rules)),
                });
            }
            !trend.is_over(now_ms) || is_wrong
        });
        changes
    }
}

/// What is wrong, with the figures that say so.
fn wrong(figures: &Figures, rules: &Alerts, armed: bool) -> BTreeMap<(Alarm, Box<str>), Value> {
    let mut wrong = BTreeMap::new();
    if armed && figures.alive < rules.alive_below {
        wrong.insert((Alarm::AliveBelow, "".into()), alive(figures, rules));
    }
    if figures.stale.is_some() || !figures.targets.is_empty() {
        let target = |(name, verdict): &(Box<str>, Verdict)| json!({"target": name, "verdict": verdict.label()});
        let targets: Vec<Value> = figures.targets.iter().map(target).collect();
        let details = json!({"stale_reason": figures.stale.map(Stale::label), "targets": targets});
        wrong.insert((Alarm::JudgeDown, "".into()), details);
    }
    for (url, failures, error) in &figures.sources {
        if *failures >= rules.source_failures {
            let details = json!({"source": url, "failures": failures, "error": error});
            wrong.insert((Alarm::SourceDead, url.clone()), details);
        }
    }
    if figures.storage_failing {
        wrong.insert((Alarm::StoreFailing, "".into()), json!({}));
    }
    wrong
}

/// The figures of an alarm that is over.
fn well(alarm: Alarm, subject: &str, figures: &Figures, rules: &Alerts) -> Value {
    match alarm {
        Alarm::AliveBelow => alive(figures, rules),
        Alarm::JudgeDown => json!({"stale_reason": null, "targets": []}),
        Alarm::SourceDead => json!({"source": subject, "failures": 0, "error": ""}),
        Alarm::StoreFailing => json!({}),
    }
}

fn alive(figures: &Figures, rules: &Alerts) -> Value {
    json!({"alive": figures.alive, "alive_below": rules.alive_below})
}

#[cfg(test)]
mod tests;
