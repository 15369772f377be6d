//! The targets, reached without a proxy: rounds out, what comes of them in.

use super::event::{Action, Lookup, Now, Purpose};
use super::state::State;
use crate::config::Config;
use crate::control::{Health, Round};
use crate::schedule::Ticket;
use crate::snapshot::TargetStat;
use proxy_shards::policy::Mode;
use proxy_shards::target::Demand;
use proxy_shards::{ControlJob, ControlRecord, ProbePolicy, Record, Target, Targets, Verdict};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// How long the address of a target that answers is used before its name is asked for again, in
/// milliseconds.
const FRESH_MS: u64 = 60_000;

/// A verdict that waits until the targets have answered.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) shard: usize,
    pub(super) record: Record,
}

/// The address of one target, as its name was last resolved.
#[derive(Clone, Debug, Default)]
pub(super) struct Door {
    known: Option<IpAddr>,
    resolved_ms: Option<u64>,
    /// Failures so far: each is followed by another address of the name.
    turn: usize,
}

/// How often the targets are reached without a proxy; never if proxies are not asked for them.
pub(super) fn every(config: &Config) -> Option<Duration> {
    match config.checker.policy.mode {
        Mode::FullHttp => config.checker.control,
        Mode::ConnectOnly => None,
    }
}

/// A blank door for each target.
pub(super) fn doors(policy: &ProbePolicy) -> Vec<Door> {
    vec![Door::default(); policy.targets.len()]
}

/// The doors of `new`, after those of `old`: names are asked for again, but a target that keeps its host
/// keeps its address for as long as its name cannot be found.
pub(super) fn doors_after(known: &[Door], old: &ProbePolicy, new: &ProbePolicy) -> Vec<Door> {
    let door = |target: &Target| {
        let place = old.targets.iter().position(|o| o.host == target.host);
        let known = place.and_then(|place| known.get(place)).cloned();
        Door {
            resolved_ms: None,
            ..known.unwrap_or_default()
        }
    };
    new.targets.iter().map(door).collect()
}

impl State {
    /// When the targets are to be tried again, or given up.
    pub(super) fn round_due_at(&self) -> Option<u64> {
        if self.schedule.rest_of_sweep_is_held()
            && let Some(due) = self.control.soonest()
        {
            return Some(due);
        }
        let busy = self.dispatch.outstanding() > 0;
        self.control.due_at(busy)
    }

    /// Starts a round if one is due, and gives one up that is never answered.
    pub(super) fn tend(&mut self, now: Now, actions: &mut Vec<Action>) {
        if let Some(round) = self.control.give_up(now.clock_ms) {
            self.conclude(round, now, actions);
        }
        if self.round_due_at().is_none_or(|due| due > now.clock_ms) {
            return;
        }
        for id in self.control.start(now.clock_ms) {
            self.approach(id, now, actions);
        }
    }

    /// Reaches the target of a probe, or has its name resolved first.
    fn approach(&mut self, id: u64, now: Now, actions: &mut Vec<Action>) {
        let Some(place) = self.control.target_of(id) else {
            return;
        };
        let host = &self.control.policy().targets[place].host;
        let door = &self.doors[place];
        let is_fresh = |at: u64| now.clock_ms.saturating_sub(at) <= FRESH_MS;
        let known = door
            .known
            .filter(|_| door.resolved_ms.is_some_and(is_fresh));
        match host.parse().ok().or(known) {
            Some(ip) => self.reach(id, place, ip, actions),
            None => {
                let (turn, name) = (door.turn, host.clone());
                let purpose = Purpose::Target { id, turn };
                actions.push(Action::Lookup(Lookup { purpose, name }));
            }
        }
    }

    fn reach(&self, id: u64, place: usize, ip: IpAddr, actions: &mut Vec<Action>) {
        let port = self.control.policy().targets[place].port;
        let job = ControlJob {
            id,
            target: place,
            address: SocketAddr::new(ip, port),
        };
        // The round's number, so that each shard has its turn.
        let shard = ((id >> 8) as usize + place) % self.dispatch.shards();
        actions.push(Action::Control { shard, job });
    }

    /// The name of a target was looked up. If that failed, the address that it had may still do:
    /// proxies resolve names by themselves.
    pub(super) fn target_resolved(
        &mut self,
        id: u64,
        ip: Option<IpAddr>,
        now: Now,
        actions: &mut Vec<Action>,
    ) {
        let Some(place) = self.control.target_of(id) else {
            return;
        };
        let door = &mut self.doors[place];
        if ip.is_some() {
            door.known = ip;
            door.resolved_ms = Some(now.clock_ms);
        }
        match door.known {
            Some(ip) => self.reach(id, place, ip, actions),
            None => {
                if let Some(round) = self.control.unresolved(id, now.clock_ms) {
                    self.conclude(round, now, actions);
                }
            }
        }
    }

    /// A target was reached, or was not.
    pub(super) fn target_ended(
        &mut self,
        record: ControlRecord,
        now: Now,
        actions: &mut Vec<Action>,
    ) {
        let Some(place) = self.control.target_of(record.id) else {
            return;
        };
        // That this host was late says nothing of the address.
        if !matches!(record.verdict, Verdict::Alive | Verdict::LocalLate) {
            let door = &mut self.doors[place];
            door.turn = door.turn.wrapping_add(1);
            door.resolved_ms = None;
        }
        if let Some(round) = self.control.ended(record, now.clock_ms) {
            self.conclude(round, now, actions);
        }
    }

    /// A round is over: what was held counts or is void.
    fn conclude(&mut self, round: Round<Held>, now: Now, actions: &mut Vec<Action>) {
        self.publisher.note_figures();
        self.tell_of(round.reached);
        if let Some(policy) = round.policy {
            actions.push(Action::Policy(policy));
        }
        if round.said_else {
            tracing::warn!(
                targets = self.learnt(),
                "without a proxy a target says something else than before, and proxies must say the same from \
                 now on; if another page has got in its way, the verdicts are wrong: expect a part of its \
                 body, use a generate_204 URL, an https URL or a judge"
            );
        }
        if round.relearnt {
            self.schedule.outdate();
        }
        for (held, trusted) in round.settled {
            if let Some(index) = self.release(&held) {
                self.settle(index, held.shard, &held.record, trusted, now);
            }
        }
        for held in round.void {
            self.give_held_back(&held, now);
        }
        let regained = round.reached.and(round.missed_before);
        if !regained.is_empty() || self.missing.is_empty() {
            for index in self.ledger.take_doubtful() {
                self.schedule.hasten(index, now.clock_ms);
            }
        }
    }

    /// What was learnt of the targets, in one line.
    fn learnt(&self) -> String {
        let targets = self.control.policy().targets.iter();
        let said = targets.filter_map(|target| match &target.demand {
            Demand::Answer(said) if said.learnt => {
                let kind = said.content_type.as_deref().unwrap_or("no media type");
                Some(format!("{}: {}, {kind}", target.name, said.status))
            }
            _ => None,
        });
        said.collect::<Vec<_>>().join("; ")
    }

    /// A held verdict says nothing: its candidate is tried again after a short pause.
    pub(super) fn give_held_back(&mut self, held: &Held, now: Now) {
        if let Some(index) = self.release(held) {
            self.give_back(index, held.shard, now);
        }
    }

    fn release(&mut self, held: &Held) -> Option<u32> {
        let index = Ticket::from_id(held.record.id).index();
        self.schedule.release(index).then_some(index)
    }

    /// One line when a target begins to fail, and one when they all answer again.
    fn tell_of(&mut self, reached: Targets) {
        let missing = Targets::first(self.doors.len()).without(reached);
        let seen = |place| self.control.seen(place).map(|(verdict, _)| verdict);
        if missing
            .iter()
            .any(|place| seen(place) == Some(Verdict::LocalCancelled))
        {
            return; // a stop ended the probe, which says nothing of the target
        }
        if missing == std::mem::replace(&mut self.missing, missing) {
            return;
        }
        if missing.is_empty() {
            tracing::info!("every target answers without a proxy again");
            return;
        }
        let verdict = |place| self.control.seen(place).map_or("none", |(v, _)| v.label());
        let name = |place: usize| &self.control.policy().targets[place].name;
        let targets: Vec<String> = missing
            .iter()
            .map(|place| format!("{}: {}", name(place), verdict(place)))
            .collect();
        let meaning = match self.control.health() {
            Health::Fine => "that proxies miss it is not held against them",
            Health::Unknown | Health::Down => {
                "no proxy is judged and the last good ones are served, marked stale, until it answers"
            }
        };
        let targets = targets.join(", ");
        tracing::warn!(%targets, "a target does not answer as it should without a proxy: {meaning}");
    }

    /// The targets as readers see them; `reached` by how many candidates each.
    pub(super) fn target_stats(&self, reached: &[u64]) -> Vec<TargetStat> {
        let stat = |(place, target): (usize, &Target)| {
            let seen = self.control.seen(place);
            TargetStat {
                name: target.name.clone(),
                control: seen.map(|(verdict, _)| verdict),
                latency_ms: seen.map_or(0, |(_, us)| us.saturating_add(500) / 1_000),
                reached: reached.get(place).copied().unwrap_or(0),
            }
        };
        let targets = self.control.policy().targets.iter();
        targets.enumerate().map(stat).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proxy_shards::policy::PolicyOptions;

    fn policy(urls: &[&str]) -> ProbePolicy {
        let named = |(place, url): (usize, &&str)| proxy_shards::target::TargetOptions {
            name: format!("t{place}"),
            ..(*url).into()
        };
        ProbePolicy::new(PolicyOptions {
            targets: urls.iter().enumerate().map(named).collect(),
            ..PolicyOptions::default()
        })
        .unwrap()
    }

    #[test]
    fn a_target_that_keeps_its_host_keeps_its_address_and_is_looked_up_again() {
        let old = policy(&["http://a.example/204", "http://b.example/204"]);
        let new = policy(&["http://b.example/other", "http://c.example/204"]);
        let mut known = doors(&old);
        known[1].known = Some([192, 0, 2, 1].into());
        known[1].resolved_ms = Some(7);
        let after = doors_after(&known, &old, &new);
        let told: Vec<_> = after.iter().map(|d| (d.known, d.resolved_ms)).collect();
        assert_eq!(told, [(known[1].known, None), (None, None)]);
    }
}
