//! Whether the targets can be reached without a proxy, and what becomes of verdicts meanwhile. Pure.
//!
//! A proof needs no second opinion: whoever brought back what every target says is alive. Anything
//! else may be the target's fault, or this host's, so it is held until the targets have answered
//! without a proxy *after* it arrived. If they do not answer, what is held says nothing about any
//! proxy and is given back to be checked again.

use proxy_shards::{ControlRecord, ProbePolicy, Record, Targets, Verdict, target::Learnt};
use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// A round that has no answer after the deadline of a probe and this time is given up, in
/// milliseconds.
const PATIENCE_MS: u64 = 5_000;
/// Pause before the targets are tried again while they do not answer, in milliseconds; shorter than
/// any interval, so that recovery is noticed soon.
const RETRY_MS: u64 = 1_000;

/// How the targets fared without a proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// Not tried yet.
    Unknown,
    /// As many as are required answer as they should.
    Fine,
    /// Too few do.
    Down,
}

/// What came of a round of probes without a proxy.
#[derive(Debug)]
pub struct Round<H> {
    /// The targets that answered as they should.
    pub reached: Targets,
    /// The health before it, if it is another one now.
    pub changed_from: Option<Health>,
    /// The policy from now on, if something was learnt.
    pub policy: Option<Arc<ProbePolicy>>,
    /// Held verdicts that count: the targets in [`Round::reached`] were fine behind them.
    pub settled: Vec<H>,
    /// Held verdicts that say nothing: to be checked again.
    pub void: Vec<H>,
}

/// One target, as the last round has it.
#[derive(Clone, Debug, Default)]
struct Seen {
    verdict: Option<Verdict>,
    total_us: u32,
    said: Option<Learnt>,
    own: Option<IpAddr>,
}

/// A round under way.
#[derive(Clone, Copy, Debug)]
struct Pending {
    started_ms: u64,
    missing: Targets,
}

/// Tries the targets, and holds what cannot be trusted yet. `H` is what stands for a held verdict.
#[derive(Debug)]
pub struct Control<H> {
    policy: Arc<ProbePolicy>,
    every_ms: Option<u64>,
    health: Health,
    number: u64,
    pending: Option<Pending>,
    /// When the last round started.
    last_ms: Option<u64>,
    seen: Vec<Seen>,
    held: VecDeque<(u64, H)>,
}

impl<H> Control<H> {
    /// Rounds every `every`; `None`: there are no probes without a proxy, and every verdict counts
    /// as it comes.
    pub fn new(policy: Arc<ProbePolicy>, every: Option<Duration>) -> Control<H> {
        let health = match every {
            None => Health::Fine,
            Some(_) => Health::Unknown,
        };
        Control {
            seen: vec![Seen::default(); policy.targets.len()],
            every_ms: every.map(|every| u64::try_from(every.as_millis()).unwrap_or(u64::MAX)),
            policy,
            health,
            number: 0,
            pending: None,
            last_ms: None,
            held: VecDeque::new(),
        }
    }

    /// The policy in force, with what was learnt.
    pub fn policy(&self) -> &Arc<ProbePolicy> {
        &self.policy
    }

    /// How the targets fare.
    pub fn health(&self) -> Health {
        self.health
    }

    /// Whether proxies may be probed: not before the targets have answered, nor while they do not.
    pub fn allows_probes(&self) -> bool {
        self.health == Health::Fine
    }

    /// Verdicts that are held.
    pub fn held(&self) -> usize {
        self.held.len()
    }

    /// How the last probe of the target `place` ended and how many microseconds it took.
    pub fn seen(&self, place: usize) -> Option<(Verdict, u32)> {
        let seen = self.seen.get(place)?;
        seen.verdict.map(|verdict| (verdict, seen.total_us))
    }

    /// Whether `record` counts by itself: it needs no second opinion, or there is none to be had.
    pub fn is_proof(&self, record: &Record) -> bool {
        let all = Targets::first(self.policy.targets.len());
        let complete = |record: &Record| {
            let reached = record.first.map(|protocol| record.works.by(protocol));
            reached.is_some_and(|reached| reached.and(all) == all)
        };
        self.every_ms.is_none()
            || record.verdict.is_local()
            || record.verdict == Verdict::Alive && complete(record)
    }

    /// Holds a verdict that arrived at `now_ms` and is no proof.
    pub fn hold(&mut self, held: H, now_ms: u64) {
        self.held.push_back((now_ms, held));
    }

    /// When the next round is due. `busy`: probes are under way; without them and with nothing held
    /// nothing is asked of the targets, unless they do not answer or have never been tried.
    pub fn due_at(&self, busy: bool) -> Option<u64> {
        let every_ms = self.every_ms?;
        if let Some(pending) = self.pending {
            return Some(pending.started_ms + self.patience_ms());
        }
        let pause = match self.health {
            Health::Unknown => 0,
            Health::Down => RETRY_MS.min(every_ms),
            Health::Fine if busy || !self.held.is_empty() => every_ms,
            Health::Fine => return None,
        };
        Some(self.last_ms.map_or(0, |last| last + pause))
    }

    /// Starts a round, now: the id for each target's job. Nothing while one is under way.
    pub fn start(&mut self, now_ms: u64) -> Vec<u64> {
        if self.pending.is_some() || self.every_ms.is_none() {
            return Vec::new();
        }
        self.number += 1;
        self.last_ms = Some(now_ms);
        self.pending = Some(Pending {
            started_ms: now_ms,
            missing: Targets::first(self.seen.len()),
        });
        (0..self.seen.len()).map(|place| self.id(place)).collect()
    }

    /// The target that a job's id stands for, if it belongs to the round under way.
    pub fn target_of(&self, id: u64) -> Option<usize> {
        let place = (id & 0xff) as usize;
        let missing = self.pending?.missing;
        (self.id(place) == id && missing.contains(place)).then_some(place)
    }

    /// Takes how one target fared; the round, if that was the last one.
    pub fn ended(&mut self, record: ControlRecord) -> Option<Round<H>> {
        let place = self.target_of(record.id)?;
        let seen = &mut self.seen[place];
        seen.verdict = Some(record.verdict);
        seen.total_us = record.timing.total_us;
        if record.verdict == Verdict::Alive {
            seen.said = record.learnt.or(seen.said.take());
            seen.own = record.own.or(seen.own);
        }
        let pending = self.pending.as_mut()?;
        pending.missing = pending.missing.without(Targets::NONE.with(place));
        pending.missing.is_empty().then(|| self.conclude())
    }

    /// The target of job `id` could not even be tried, because its name has no address.
    pub fn unresolved(&mut self, id: u64) -> Option<Round<H>> {
        let target = self.target_of(id)?;
        self.ended(ControlRecord {
            id,
            target,
            verdict: Verdict::LocalNames,
            timing: proxy_shards::Timing::default(),
            learnt: None,
            own: None,
        })
    }

    /// Gives a round up that has been without an answer for too long.
    pub fn give_up(&mut self, now_ms: u64) -> Option<Round<H>> {
        let pending = self.pending?;
        if now_ms < pending.started_ms + self.patience_ms() {
            return None;
        }
        for place in pending.missing.iter() {
            self.seen[place].verdict = Some(Verdict::LocalFault);
        }
        Some(self.conclude())
    }

    /// Another policy is in force; the targets are to be tried anew. What was held says nothing
    /// about it and is given back.
    pub fn replace(&mut self, policy: Arc<ProbePolicy>, every: Option<Duration>) -> Vec<H> {
        let number = self.number;
        let held = std::mem::take(&mut self.held);
        *self = Control::new(policy, every);
        self.number = number;
        held.into_iter().map(|(_, held)| held).collect()
    }

    fn conclude(&mut self) -> Round<H> {
        let started_ms = self.pending.take().map_or(0, |pending| pending.started_ms);
        let reached = (0..self.seen.len())
            .filter(|&place| self.seen[place].verdict == Some(Verdict::Alive))
            .fold(Targets::NONE, Targets::with);
        let health = match self.policy.require.is_met(reached, self.seen.len()) {
            true => Health::Fine,
            false => Health::Down,
        };
        let changed_from = (health != self.health).then_some(self.health);
        self.health = health;
        let (mut settled, mut void) = (Vec::new(), Vec::new());
        match health {
            Health::Fine => {
                let ripe = self.held.partition_point(|(at, _)| *at <= started_ms);
                settled.extend(self.held.drain(..ripe).map(|(_, held)| held));
            }
            Health::Down | Health::Unknown => {
                void.extend(self.held.drain(..).map(|(_, held)| held));
            }
        }
        Round {
            reached,
            changed_from,
            policy: self.learn(),
            settled,
            void,
        }
    }

    /// The policy with what was learnt, if that makes another one.
    fn learn(&mut self) -> Option<Arc<ProbePolicy>> {
        let said: Vec<_> = self.seen.iter().map(|seen| seen.said.clone()).collect();
        let mut own: Vec<IpAddr> = self.seen.iter().filter_map(|seen| seen.own).collect();
        own.sort_unstable();
        own.dedup();
        let policy = self.policy.knowing(&said, &own);
        let same = policy.targets == self.policy.targets && policy.own == self.policy.own;
        (!same).then(|| {
            self.policy = Arc::new(policy);
            self.policy.clone()
        })
    }

    fn patience_ms(&self) -> u64 {
        let timeout = u64::try_from(self.policy.timeout.as_millis()).unwrap_or(u64::MAX);
        timeout.saturating_add(PATIENCE_MS)
    }

    /// Numbers grow over the rounds, so that a late answer is not taken for one of this round.
    fn id(&self, place: usize) -> u64 {
        self.number << 8 | place as u64
    }
}

#[cfg(test)]
mod tests;
