//! The order of the questions: the targets without a proxy, then each protocol on each target; and
//! what the answers make of the proxy.

use super::diary::{Diary, What};
use super::mask::Mask;
use super::story::{Attempt, Story, is_of_the_address, labels, most_telling};
use super::talk::{Outcome, Talk};
use crate::commands::check::direct::Addresses;
use crate::commands::probe::Probing;
use proxy_shards::conversation::{Finding, Plan, Way};
use proxy_shards::target::Learnt;
use proxy_shards::{Candidate, ProbePolicy, Protocol, Target, Targets, Timing, Verdict, Works};
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;

const LEARNT: &str = "what the target says without a proxy is expected of the proxy";
const NOT_TRIED: &str = "the targets were not reached without a proxy: a failure may be theirs";
const NO_TARGET: &str = "the target does not answer without a proxy either: a failure says nothing about the proxy; look at this host's network, choose another target, or give --no-control-probe if only proxies can reach it";

/// One proxy, the targets, and how what happens is written down.
pub(super) struct Inquiry {
    pub(super) candidate: Candidate,
    /// Where it is dialled.
    pub(super) address: SocketAddr,
    pub(super) targets: Addresses,
    pub(super) mask: Mask,
    pub(super) diary: Rc<Diary>,
    /// Makes a plan whose conversations are written into the diary.
    pub(super) compile: fn(Arc<ProbePolicy>, Rc<Diary>) -> Rc<Plan>,
}

impl Inquiry {
    /// Finds everything out. Whether the proxy is alive, and the story.
    pub(super) fn story(&self, probing: Probing) -> (bool, Story) {
        let mut policy = Arc::new(probing.policy);
        let (mut direct, mut notes) = (Vec::new(), Vec::new());
        let mut targets_answer = true;
        if probing.control.is_some() {
            let (reached, learnt) = self.without_proxy(&mut policy, &mut direct);
            targets_answer = policy.require.is_met(reached, policy.targets.len());
            if learnt {
                notes.push(LEARNT.into());
            }
        } else {
            notes.push(NOT_TRIED.into());
        }
        let mut attempts = Vec::new();
        let (works, worst) = self.through_proxy(&policy, &mut attempts);
        let enough = works.enough(policy.require, policy.targets.len());
        let alive = !enough.is_empty();
        let verdict = match (alive, targets_answer) {
            (true, _) => Verdict::Alive,
            (false, true) => worst,
            (false, false) => Verdict::LocalTarget,
        };
        if !targets_answer {
            notes.push(NO_TARGET.into());
        }
        let story = Story {
            proxy: self.masked_url(),
            address: self.address.to_string(),
            verdict: verdict.label(),
            protocols: labels(enough.in_order(self.candidate.port)),
            direct,
            attempts,
            notes,
        };
        (alive, story)
    }

    fn masked_url(&self) -> String {
        let Candidate {
            scheme,
            credentials,
            ..
        } = &self.candidate;
        let secret = if credentials.is_some() { "***@" } else { "" };
        let (scheme, address) = (scheme.label(), self.candidate.address());
        format!("{scheme}://{secret}{address}")
    }

    /// Reaches the targets; which were reached, and whether something was learnt of them, which is
    /// in the policy from then on.
    fn without_proxy(
        &self,
        policy: &mut Arc<ProbePolicy>,
        told: &mut Vec<Attempt>,
    ) -> (Targets, bool) {
        let plan = (self.compile)(policy.clone(), self.diary.clone());
        let mut said: Vec<Option<Learnt>> = vec![None; policy.targets.len()];
        let (mut own, mut reached) = (Vec::new(), Targets::NONE);
        for (target, said) in said.iter_mut().enumerate() {
            let outcome = self.reach(&plan, target, told);
            if outcome.verdict == Verdict::Alive {
                reached = reached.with(target);
                *said = outcome.finding.learnt.map(|learnt| *learnt);
                own.extend(outcome.finding.exit.map(|exit| exit.ip));
            }
        }
        let learns = policy.targets.iter().any(Target::learns);
        let learnt = learns && said.iter().any(Option::is_some);
        *policy = Arc::new(policy.knowing(&said, &own));
        (reached, learnt)
    }

    /// Reaches one target, at its second address if no connection stands to the first.
    fn reach(&self, plan: &Rc<Plan>, target: usize, told: &mut Vec<Attempt>) -> Outcome {
        let mut targets = self.targets.clone();
        let Some(first) = targets.of(target) else {
            return self.unresolved(&plan.policy().targets[target], told);
        };
        let outcome = self.attempt(plan, target, Way::Direct, first, told);
        targets.turn(Targets::NONE);
        match targets.of(target) {
            Some(second) if second != first && is_of_the_address(outcome.verdict) => {
                self.attempt(plan, target, Way::Direct, second, told)
            }
            _ => outcome,
        }
    }

    /// A target whose name has no address cannot be tried.
    fn unresolved(&self, target: &Target, told: &mut Vec<Attempt>) -> Outcome {
        let outcome = Outcome {
            verdict: Verdict::LocalNames,
            timing: Timing::default(),
            finding: Finding::default(),
        };
        self.diary.begin();
        let rule = What::Rule(format!("{} has no address", target.host));
        self.diary.write(rule);
        self.tell(told, Way::Direct, target, "not found".into(), &outcome);
        outcome
    }

    /// Tries each protocol on each target, until the address itself is found wanting. What works,
    /// and of what failed that which says most.
    fn through_proxy(
        &self,
        policy: &Arc<ProbePolicy>,
        told: &mut Vec<Attempt>,
    ) -> (Works, Verdict) {
        let plan = (self.compile)(policy.clone(), self.diary.clone());
        let mut works = Works::default();
        let mut failures = Vec::new();
        let protocols = self.candidate.scheme.protocols();
        'protocols: for protocol in protocols.in_order(self.candidate.port) {
            // One port speaks HTTP with TLS or without.
            let other = match protocol {
                Protocol::Http => Some(Protocol::Https),
                Protocol::Https => Some(Protocol::Http),
                Protocol::Socks4 | Protocol::Socks5 => None,
            };
            if other.is_some_and(|other| !works.by(other).is_empty()) {
                continue;
            }
            for target in 0..policy.targets.len() {
                let way = Way::Proxy(protocol);
                let outcome = self.attempt(&plan, target, way, self.address, told);
                if outcome.verdict == Verdict::Alive {
                    works.set(protocol, works.by(protocol).with(target));
                    continue;
                }
                failures.push(outcome.verdict);
                if is_of_the_address(outcome.verdict) {
                    break 'protocols;
                }
            }
        }
        let worst = most_telling(&failures).unwrap_or(Verdict::LocalFault);
        (works, worst)
    }

    fn attempt(
        &self,
        plan: &Rc<Plan>,
        target: usize,
        way: Way,
        address: SocketAddr,
        told: &mut Vec<Attempt>,
    ) -> Outcome {
        let credentials = self.candidate.credentials.as_deref();
        let talk = Talk {
            plan,
            target,
            way,
            credentials: credentials.filter(|_| way != Way::Direct),
            address,
        };
        let outcome = talk.over_tcp(&self.diary);
        let target = &plan.policy().targets[target];
        self.tell(told, way, target, address.to_string(), &outcome);
        outcome
    }

    /// Takes what is in the diary for an attempt that has ended.
    fn tell(
        &self,
        told: &mut Vec<Attempt>,
        way: Way,
        target: &Target,
        address: String,
        outcome: &Outcome,
    ) {
        let entries = self.diary.take();
        told.push(Attempt::new(
            way, target, address, outcome, entries, &self.mask,
        ));
    }
}
