//! Whether the targets can be reached without a proxy, and what becomes of verdicts meanwhile. Pure.
//!
//! A proof needs no second opinion: whoever brought back what every target says is alive. Anything
//! else may be the target's fault, or this host's, so it is held until the targets have answered
//! without a proxy *after* it arrived. A target is trusted for a verdict only if it has answered all
//! the while, from before the job was handed out; if too few have, the verdict says nothing about
//! any proxy and is given back to be checked again.

mod round;
mod seen;

pub use round::Round;

use proxy_shards::{ControlRecord, ProbePolicy, Protocols, Record, Targets, Verdict};
use seen::Seen;
use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// A round that has no answer after the deadline of a probe and this time is given up, in
/// milliseconds: names are looked up first.
const PATIENCE_MS: u64 = 10_000;
/// Pause before the targets are tried again while they do not answer, or while something waits for
/// their answer that readers should soon see, in milliseconds.
const RETRY_MS: u64 = 1_000;
/// Rounds in a row that may say nothing of a target because this host was late, or never got an answer
/// from its own shard; the next counts as missed, since verdicts cannot wait for ever.
const UNTOLD_MAX: u8 = 2;
/// Shortest pause between two rounds, in milliseconds, whatever is configured.
const EVERY_MIN_MS: u64 = 100;

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

/// A verdict that waits.
#[derive(Debug)]
struct Held<H> {
    what: H,
    /// When its job was handed out.
    began_ms: u64,
    arrived_ms: u64,
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
    /// As configured: nothing learnt.
    base: Arc<ProbePolicy>,
    policy: Arc<ProbePolicy>,
    every_ms: Option<u64>,
    health: Health,
    number: u64,
    pending: Option<Pending>,
    /// When the last round started.
    last_ms: Option<u64>,
    /// Whether the next round is wanted before the interval is over.
    hurried: bool,
    seen: Vec<Seen>,
    held: VecDeque<Held<H>>,
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
            every_ms: every.map(|every| {
                let ms = u64::try_from(every.as_millis()).unwrap_or(u64::MAX);
                ms.max(EVERY_MIN_MS)
            }),
            base: policy.clone(),
            policy,
            health,
            number: 0,
            pending: None,
            last_ms: None,
            hurried: false,
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

    /// Whether targets are probed without a proxy at all.
    pub fn is_on(&self) -> bool {
        self.every_ms.is_some()
    }

    /// Whether `record` counts by itself: it needs no second opinion, or there is none to be had. That this
    /// host has no way to a proxy needs one: it may have no way anywhere.
    /// `working`: the protocols by which the proxy was alive until now; each must have reached
    /// everything too, or else the record takes something away from it.
    pub fn is_proof(&self, record: &Record, working: Protocols) -> bool {
        let all = Targets::first(self.policy.targets.len());
        let complete = |protocol| record.works.by(protocol).and(all) == all;
        self.every_ms.is_none()
            || record.verdict.is_local() && record.verdict != Verdict::LocalNetwork
            || record.verdict == Verdict::Alive
                && record.first.is_some_and(complete)
                && working.in_order(0).all(complete)
    }

    /// Holds a verdict that arrived at `now_ms` and is no proof; its job was handed out at
    /// `began_ms`.
    pub fn hold(&mut self, held: H, began_ms: u64, now_ms: u64) {
        self.held.push_back(Held {
            what: held,
            began_ms,
            arrived_ms: now_ms,
        });
    }

    /// What is held would change what readers see: the next round is due a second after the last.
    pub fn hurry(&mut self) {
        self.hurried = true;
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
            Health::Fine if self.hurried && !self.held.is_empty() => RETRY_MS.min(every_ms),
            Health::Fine if busy || !self.held.is_empty() => every_ms,
            Health::Fine => return None,
        };
        Some(self.last_ms.map_or(0, |last| last + pause))
    }

    /// When a round may start that nothing else is waited for; `None` if one is under way.
    pub fn soonest(&self) -> Option<u64> {
        let may_start = self.every_ms.is_some() && self.pending.is_none();
        may_start.then(|| self.last_ms.map_or(0, |last| last + EVERY_MIN_MS))
    }

    /// Starts a round, now: the id for each target's job. Nothing while one is under way.
    pub fn start(&mut self, now_ms: u64) -> Vec<u64> {
        if self.pending.is_some() || self.every_ms.is_none() {
            return Vec::new();
        }
        self.number += 1;
        self.last_ms = Some(now_ms);
        self.hurried = false;
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
    pub fn ended(&mut self, record: ControlRecord, now_ms: u64) -> Option<Round<H>> {
        let place = self.target_of(record.id)?;
        self.seen[place].take(record);
        let pending = self.pending.as_mut()?;
        pending.missing = pending.missing.without(Targets::NONE.with(place));
        pending.missing.is_empty().then(|| self.conclude(now_ms))
    }

    /// The target of job `id` could not even be tried, because its name has no address.
    pub fn unresolved(&mut self, id: u64, now_ms: u64) -> Option<Round<H>> {
        let target = self.target_of(id)?;
        let record = ControlRecord {
            id,
            target,
            verdict: Verdict::LocalNames,
            timing: proxy_shards::Timing::default(),
            learnt: None,
            own: None,
        };
        self.ended(record, now_ms)
    }

    /// Gives a round up that has been without an answer for too long.
    pub fn give_up(&mut self, now_ms: u64) -> Option<Round<H>> {
        let pending = self.pending?;
        if now_ms < pending.started_ms + self.patience_ms() {
            return None;
        }
        // A name that is looked up for too long, a shard that is stuck, or a process that was stopped:
        // all that is known is that this host was late.
        for place in pending.missing.iter() {
            self.seen[place].miss();
        }
        Some(self.conclude(now_ms))
    }

    /// Another policy is in force; the targets are to be tried anew. What was held says nothing
    /// about it and is given back. What the targets said is still known if they are the same.
    pub fn replace(&mut self, policy: Arc<ProbePolicy>, every: Option<Duration>) -> Vec<H> {
        let fresh = Control::new(policy, every);
        let old = std::mem::replace(self, fresh);
        self.number = old.number;
        if self.base.targets == old.base.targets {
            for (seen, old) in self.seen.iter_mut().zip(old.seen) {
                seen.remember(old);
            }
            self.learn();
        }
        old.held.into_iter().map(|held| held.what).collect()
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
