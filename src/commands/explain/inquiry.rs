//! The order of the questions: the targets without a proxy, then the proxy, in the course that a
//! shard takes; and what the answers make of it.

use super::diary::{Diary, What};
use super::mask::Mask;
use super::story::{Attempt, Story, labels};
use super::talk::Talk;
use crate::commands::check::direct::Addresses;
use crate::commands::probe::Probing;
use proxy_shards::conversation::{Plan, Way};
use proxy_shards::course::{Course, LOCAL_PAUSE, Next};
use proxy_shards::target::Learnt;
use proxy_shards::{Candidate, Ended, Job, ProbePolicy, Record, Target, Targets, Verdict};
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::thread;

const LEARNT: &str = "what the target says without a proxy is expected of the proxy";
const NOT_TRIED: &str = "the targets were not reached without a proxy: a failure may be theirs";
const NO_TARGET: &str = "the target does not answer without a proxy either: a failure says nothing about the proxy; look at this host's network, choose another target, or give --no-control-probe if only proxies can reach it";

const NEEDLESS: &str = "not tried, as in a check, because of what the others ended in";

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
        let record = self.through_proxy(&policy, &mut attempts);
        let enough = record.works.enough(policy.require, policy.targets.len());
        let alive = record.verdict == Verdict::Alive;
        let verdict = match alive || targets_answer {
            true => record.verdict,
            false => Verdict::LocalTarget,
        };
        notes.extend(self.untried(&attempts));
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

    /// The protocols that were not tried.
    fn untried(&self, attempts: &[Attempt]) -> Option<String> {
        let protocols = self.candidate.scheme.protocols();
        let order = labels(protocols.in_order(self.candidate.port));
        let untried = |label: &&str| attempts.iter().all(|attempt| attempt.way != *label);
        let untried: Vec<&str> = order.into_iter().filter(untried).collect();
        (!untried.is_empty()).then(|| format!("{NEEDLESS}: {}", untried.join(", ")))
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
            let ended = self.reach(&plan, target, told);
            if ended.verdict == Verdict::Alive {
                reached = reached.with(target);
                *said = ended.learnt.map(|learnt| *learnt);
                own.extend(ended.exit.map(|exit| exit.ip));
            }
        }
        let learns = policy.targets.iter().any(Target::learns);
        let learnt = learns && said.iter().any(Option::is_some);
        *policy = Arc::new(policy.knowing(&said, &own));
        (reached, learnt)
    }

    /// Reaches one target, at its second address if no connection stands to the first.
    fn reach(&self, plan: &Rc<Plan>, target: usize, told: &mut Vec<Attempt>) -> Ended {
        let mut targets = self.targets.clone();
        let Some(first) = targets.of(target) else {
            return self.unresolved(&plan.policy().targets[target], told);
        };
        let ended = self.attempt(plan, target, Way::Direct, first, told);
        let connected = ended.timing.connect_us > 0;
        targets.turn(Targets::NONE);
        match targets.of(target) {
            Some(second) if second != first && !connected => {
                self.attempt(plan, target, Way::Direct, second, told)
            }
            _ => ended,
        }
    }

    /// A target whose name has no address cannot be tried.
    fn unresolved(&self, target: &Target, told: &mut Vec<Attempt>) -> Ended {
        let ended = Ended::unprobed(Verdict::LocalNames);
        self.diary.begin(Way::Direct);
        let rule = What::Rule(format!("{} has no address", target.host));
        self.diary.write(rule);
        self.tell(told, Way::Direct, target, "not found".into(), &ended);
        ended
    }

    /// Probes the proxy as a shard does: what is tried, in which order and how often, and what all of
    /// it says in the end.
    fn through_proxy(&self, policy: &Arc<ProbePolicy>, told: &mut Vec<Attempt>) -> Record {
        let plan = (self.compile)(policy.clone(), self.diary.clone());
        let job = Job {
            id: 0,
            protocols: self.candidate.scheme.protocols(),
            address: self.address,
            credentials: self.candidate.credentials.clone(),
        };
        let mut course = Course::new(&job);
        loop {
            let (protocol, target) = course.at();
            let way = Way::Proxy(protocol);
            let ended = self.attempt(&plan, target, way, self.address, told);
            match course.ended(&job, policy, &ended) {
                Next::Probe => {}
                Next::ProbeLater => thread::sleep(LOCAL_PAUSE),
                Next::Record => return course.record(job.id),
            }
        }
    }

    fn attempt(
        &self,
        plan: &Rc<Plan>,
        target: usize,
        way: Way,
        address: SocketAddr,
        told: &mut Vec<Attempt>,
    ) -> Ended {
        let credentials = self.candidate.credentials.as_deref();
        let talk = Talk {
            plan,
            target,
            way,
            credentials: credentials.filter(|_| way != Way::Direct),
            address,
        };
        let ended = talk.over_tcp(&self.diary);
        let target = &plan.policy().targets[target];
        self.tell(told, way, target, address.to_string(), &ended);
        ended
    }

    /// Takes what is in the diary for an attempt that has ended.
    fn tell(
        &self,
        told: &mut Vec<Attempt>,
        way: Way,
        target: &Target,
        address: String,
        ended: &Ended,
    ) {
        let entries = self.diary.take();
        told.push(Attempt::new(
            way, target, address, ended, entries, &self.mask,
        ));
    }
}
