//! Jobs out, records in.

use super::event::{Action, Lookup, Now, Purpose};
use super::fresh::Family;
use super::reserve::Need;
use super::rounds::Held;
use super::state::{Route, State, to_ms};
use crate::control::Health;
use crate::ledger::{Change, Standing};
use crate::schedule::{Outcome, Ticket};
use crate::snapshot::ShardStat;
use proxy_shards::{Host, Job, Protocols, Record, Report, Targets, Verdict};
use std::net::{IpAddr, SocketAddr};

impl State {
    /// Hands every shard what is due, as far as it has room, and the resolver likewise; nothing while
    /// the targets do not answer.
    pub(super) fn feed(&mut self, now: Now, actions: &mut Vec<Action>) {
        if !self.may_probe() {
            return;
        }
        self.fed_ms = now.clock_ms;
        self.keep_lanes(now);
        if let Some(quota) = &mut self.quota {
            quota.pass(now.clock_ms);
        }
        for shard in 0..self.dispatch.shards() {
            loop {
                let jobs = self.jobs(shard, now);
                if jobs.is_empty() {
                    break;
                }
                self.dispatch.took(shard, jobs.len());
                if let Some(quota) = &mut self.quota {
                    quota.take(shard, jobs.len());
                }
                actions.push(Action::Submit { shard, jobs });
            }
        }
        while self.lookups.room(0) > 0
            && let Some(ticket) = self
                .schedule
                .next(self.resolver(), now.clock_ms, usize::MAX)
        {
            match self.ledger.candidate(ticket.index()).host {
                Host::Name(name) => {
                    let purpose = Purpose::Proxy(ticket.id());
                    self.lookups.took(0, 1);
                    actions.push(Action::Lookup(Lookup { purpose, name }));
                }
                Host::V4(_) | Host::V6(_) => self.turn_away(ticket, now),
            }
        }
    }

    /// At most one batch for `shard`.
    fn jobs(&mut self, shard: usize, now: Now) -> Vec<Job> {
        let room = self.dispatch.room(shard);
        let quota = self.quota.as_ref();
        let room = quota.map_or(room, |quota| room.min(quota.room(shard)));
        let unproven_max = self.unproven_max(shard);
        let mut jobs = Vec::new();
        while jobs.len() < room
            && let Some(ticket) = self.schedule.next(shard, now.clock_ms, unproven_max)
        {
            match self.job(ticket, now) {
                Some(job) => jobs.push(job),
                None => self.turn_away(ticket, now),
            }
        }
        jobs
    }

    /// How many jobs of a queue may be out whose proxies are not known to be alive.
    pub(super) fn unproven_max(&self, queue: usize) -> usize {
        if queue == self.resolver() {
            return usize::MAX;
        }
        self.dispatch.unproven_max(queue, self.reserve.of(queue))
    }

    /// Counts, now and then, what falls due of the alive.
    fn keep_lanes(&mut self, now: Now) {
        if !self.reserve.is_due(now.clock_ms) {
            return;
        }
        let interval = self.config.aggregator.interval;
        let silence_ms = to_ms(self.control.policy().timeout.min(interval)).max(1);
        let need = Need {
            hold_ms: self.publisher.latency_ms_p95().into(),
            silence_ms,
        };
        let until_ms = now.clock_ms + silence_ms;
        let shards = 0..self.dispatch.shards();
        let due = shards.map(|shard| self.schedule.due_soon(shard, until_ms));
        self.reserve.look(due, need, now.clock_ms);
    }

    /// The job of a ticket, if its address is known and may be dialled.
    fn job(&self, ticket: Ticket, now: Now) -> Option<Job> {
        let index = ticket.index();
        let candidate = self.ledger.candidate(index);
        let known = || self.names.fresh(index, now.clock_ms);
        let ip = candidate.host.ip().or_else(known)?;
        let addresses = &self.config.aggregator.addresses;
        let allowed = addresses.allows(ip) && addresses.allows_port(candidate.port);
        allowed.then(|| Job {
            id: ticket.id(),
            protocols: self.protocols(index),
            address: SocketAddr::new(ip, candidate.port),
            credentials: candidate.credentials,
        })
    }

    /// What is tried on a candidate: what works on one that is alive, unless a sweep looks for more.
    fn protocols(&self, index: u32) -> Protocols {
        let working = self.ledger.working(index);
        match working.is_empty() || self.schedule.is_in_sweep(index) {
            true => self.ledger.candidate(index).scheme.protocols(),
            false => working,
        }
    }

    /// A name goes to the resolver first; what may not be dialled is forgotten.
    fn turn_away(&mut self, ticket: Ticket, now: Now) {
        let Some(index) = self.schedule.back(ticket) else {
            return;
        };
        let candidate = self.ledger.candidate(index);
        if candidate.host.ip().is_none() && self.may_dial(&candidate) {
            let queue = self.resolver();
            self.schedule
                .put_back(index, queue, Outcome::Diverted, now.clock_ms);
        } else if self.schedule.remove(index) {
            self.forget(index);
        }
    }

    /// Takes in what a shard reports.
    pub(super) fn report(&mut self, report: Report, now: Now, actions: &mut Vec<Action>) {
        self.lanes.note(&report);
        let mut came_back = 0;
        for record in &report.records {
            came_back += usize::from(self.came_back(report.shard, record, now));
        }
        self.dispatch.ended(report.shard, came_back);
        if let Some(quota) = &mut self.quota {
            let probes = usize::try_from(report.tally.total()).unwrap_or(usize::MAX);
            quota.take(report.shard, probes.saturating_sub(came_back));
        }
        for record in report.controls {
            self.target_ended(record, now, actions);
        }
        if !report.tally.is_empty() {
            self.probes.merge(&report.tally);
            self.tell_of_lateness(&report.tally);
            self.publisher.note_figures();
        }
        let stat = ShardStat {
            in_flight: report.in_flight as u64,
            queued: report.queued as u64,
            lag_us: self.lags[report.shard].worst(report.lag_us, now.clock_ms),
            restarts: report.restarts,
        };
        if self.shards[report.shard] != stat {
            self.shards[report.shard] = stat;
            self.publisher.note_figures();
        }
    }

    /// Applies one record, or holds it; `false` if nothing was out under its id.
    fn came_back(&mut self, shard: usize, record: &Record, now: Now) -> bool {
        let Some(index) = self.schedule.back(Ticket::from_id(record.id)) else {
            return false;
        };
        if !self.control.is_on() {
            let (family, began_ms) = (self.family(index, now), self.schedule.handed_out_ms(index));
            let verdict = record.verdict;
            self.outage.note(verdict, family, began_ms, now.clock_ms);
        }
        let working = self.ledger.working(index);
        if self.schedule.is_outdated(index) {
            self.give_back(index, shard, now);
        } else if self.control.is_proof(record, working) || self.trusts_others() {
            let all = Targets::first(self.control.policy().targets.len());
            self.settle(index, shard, record, all, now);
        } else {
            let began_ms = self.schedule.handed_out_ms(index);
            let record = *record;
            let was_alive = self.ledger.standing(index) == Standing::Alive;
            if was_alive || record.verdict == Verdict::Alive {
                self.control.hurry();
            }
            self.control
                .hold(Held { shard, record }, began_ms, now.clock_ms);
            self.schedule.hold(index);
            self.publisher.note_figures();
        }
        true
    }

    /// Applies a record whose candidate is back; only the targets in `trusted` answered all the while.
    pub(super) fn settle(
        &mut self,
        index: u32,
        shard: usize,
        record: &Record,
        trusted: Targets,
        now: Now,
    ) {
        let change = self.ledger.apply(index, record, trusted, now.unix_ms);
        match change {
            Change::Local if self.may_never_pass(index, record.verdict, now) => {
                let outcome = Outcome::Untold(self.ledger.standing(index));
                let unjudged = self.schedule.progress().unjudged;
                self.put_back(index, shard, outcome, now);
                let is_left_out = self.schedule.progress().unjudged > unjudged;
                let has_no_way = record.verdict == Verdict::LocalNetwork;
                self.without_way += u64::from(is_left_out && has_no_way);
                return;
            }
            Change::Local => return self.give_back(index, shard, now),
            Change::Found => self.turns.found += 1,
            Change::Confirmed => self.turns.kept += 1,
            Change::Lost => self.turns.lost += 1,
            Change::Failed => {}
        }
        self.publisher.note(index, change, &self.ledger);
        if let Some(journal) = &mut self.journal {
            journal.judged(index);
        }
        self.saves.unsaved = true;
        let outcome = Outcome::Checked(self.ledger.standing(index));
        self.put_back(index, shard, outcome, now);
    }

    /// Whether a failure of this host may stay for ever: its CPUs are always late, or it has no way to
    /// some addresses, as to those of IPv6, while it reaches others.
    fn may_never_pass(&self, index: u32, verdict: Verdict, now: Now) -> bool {
        match verdict {
            Verdict::LocalLate => true,
            // It was held until the targets were seen to answer.
            Verdict::LocalNetwork if self.control.is_on() => self.control.health() == Health::Fine,
            Verdict::LocalNetwork => {
                let family = self.family(index, now);
                self.outage.is_of_one(family, now.clock_ms)
            }
            _ => false,
        }
    }

    /// The network that a candidate is in.
    fn family(&self, index: u32, now: Now) -> Family {
        match self.ledger.candidate(index).host {
            Host::V6(_) => Family::V6,
            Host::V4(_) => Family::V4,
            Host::Name(_) => match self.names.fresh(index, now.clock_ms) {
                Some(IpAddr::V6(_)) => Family::V6,
                Some(IpAddr::V4(_)) | None => Family::V4,
            },
        }
    }

    /// What came back says nothing about the candidate: it is tried again after a short pause.
    pub(super) fn give_back(&mut self, index: u32, shard: usize, now: Now) {
        let outcome = Outcome::Local(self.ledger.standing(index));
        self.put_back(index, shard, outcome, now);
    }

    /// A name was looked up: its candidate is due on the shard of its address, if it has one.
    pub(super) fn resolved(&mut self, id: u64, ip: Option<IpAddr>, now: Now, route: Route<'_>) {
        let Some(index) = self.schedule.back(Ticket::from_id(id)) else {
            return;
        };
        self.lookups.ended(0, 1);
        match ip {
            Some(ip) => {
                self.names.learn(index, ip, now.clock_ms);
                let address = SocketAddr::new(ip, self.ledger.candidate(index).port);
                self.put_back(index, route(address), Outcome::Diverted, now);
            }
            None => {
                let outcome = Outcome::NoAddress(self.ledger.standing(index));
                self.put_back(index, self.resolver(), outcome, now);
            }
        }
    }

    fn put_back(&mut self, index: u32, queue: usize, outcome: Outcome, now: Now) {
        if self.ledger.is_over(index) {
            self.schedule.remove(index);
            self.forget(index);
        } else {
            self.schedule.put_back(index, queue, outcome, now.clock_ms);
        }
    }

    /// Forgets a candidate that is off the schedule.
    pub(super) fn forget(&mut self, index: u32) {
        let alive = self.ledger.total_alive();
        let gone = self.journal.is_some().then(|| self.ledger.candidate(index));
        self.ledger.forget(index);
        self.names.forget(index);
        if let (Some(journal), Some(gone)) = (&mut self.journal, gone)
            && !self.ledger.is_known(index)
        {
            journal.forgotten(index, gone);
        }
        match self.ledger.total_alive() == alive {
            true => self.publisher.note_figures(),
            false => self.publisher.note_pool(),
        }
        self.saves.unsaved = true;
    }
}
