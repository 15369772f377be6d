//! Jobs out, records in.

use super::event::{Action, Lookup, Now};
use super::state::{Route, State};
use crate::ledger::Change;
use crate::schedule::{Outcome, Ticket};
use crate::snapshot::ShardStat;
use proxy_shards::{Host, Job, Record, Report};
use std::net::{IpAddr, SocketAddr};

/// Time from the end of a probe until its lane has another job, in milliseconds: its report waits up
/// to 100 ms, and so may the next job.
const HAND_OVER_MS: u128 = 200;

impl State {
    /// Hands every shard what is due, as far as it has room, and the resolver likewise.
    pub(super) fn feed(&mut self, now: Now, actions: &mut Vec<Action>) {
        self.fed_ms = now.clock_ms;
        for shard in 0..self.dispatch.shards() {
            loop {
                let jobs = self.jobs(shard, now);
                if jobs.is_empty() {
                    break;
                }
                self.dispatch.took(shard, jobs.len());
                actions.push(Action::Submit { shard, jobs });
            }
        }
        while self.lookups.room(0) > 0
            && let Some(ticket) = self
                .schedule
                .next(self.resolver(), now.clock_ms, usize::MAX)
        {
            match &self.ledger.candidate(ticket.index()).host {
                Host::Name(name) => {
                    let (id, name) = (ticket.id(), name.clone());
                    self.lookups.took(0, 1);
                    actions.push(Action::Lookup(Lookup { id, name }));
                }
                Host::V4(_) | Host::V6(_) => self.turn_away(ticket, now),
            }
        }
    }

    /// At most one batch for `shard`.
    fn jobs(&mut self, shard: usize, now: Now) -> Vec<Job> {
        let room = self.dispatch.room(shard);
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
        let wanted = self.lanes_wanted(self.schedule.proven(queue));
        self.dispatch.unproven_max(queue, wanted)
    }

    /// How many lanes `alive` proxies need to be checked once an interval: each holds one for as long
    /// as the slower of them take and until the next jobs come; and twice that, because they fall
    /// due in bursts.
    fn lanes_wanted(&self, alive: usize) -> usize {
        let held_ms = u128::from(self.publisher.latency_ms_p95()) + HAND_OVER_MS;
        let interval_ms = self.config.aggregator.interval.as_millis().max(1);
        let wanted = (2 * alive as u128 * held_ms).div_ceil(interval_ms);
        usize::try_from(wanted).map_or(alive, |wanted| wanted.min(alive))
    }

    /// The job of a ticket, if its address is known and may be dialled.
    fn job(&self, ticket: Ticket, now: Now) -> Option<Job> {
        let index = ticket.index();
        let candidate = self.ledger.candidate(index);
        let known = || self.names.fresh(index, now.clock_ms);
        let ip = candidate.host.ip().or_else(known)?;
        (self.allowed)(&self.config, ip).then(|| Job {
            id: ticket.id(),
            protocols: candidate.scheme.protocols(),
            address: SocketAddr::new(ip, candidate.port),
            credentials: candidate.credentials.clone(),
        })
    }

    /// A name goes to the resolver first; an address that may not be dialled is forgotten.
    fn turn_away(&mut self, ticket: Ticket, now: Now) {
        let Some(index) = self.schedule.back(ticket) else {
            return;
        };
        if self.ledger.candidate(index).host.ip().is_none() {
            let queue = self.resolver();
            self.schedule
                .put_back(index, queue, Outcome::Diverted, now.clock_ms);
        } else if self.schedule.remove(index) {
            self.forget(index);
        }
    }

    /// Takes in what a shard reports.
    pub(super) fn report(&mut self, report: &Report, now: Now) {
        let mut came_back = 0;
        for record in &report.records {
            came_back += usize::from(self.settle(report.shard, record, now));
        }
        self.dispatch.ended(report.shard, came_back);
        if !report.tally.is_empty() {
            self.probes.merge(&report.tally);
            self.publisher.note_figures();
        }
        let stat = ShardStat {
            in_flight: report.in_flight as u64,
            queued: report.queued as u64,
            restarts: report.restarts,
        };
        if self.shards[report.shard] != stat {
            self.shards[report.shard] = stat;
            self.publisher.note_figures();
        }
    }

    /// Applies one record; `false` if nothing was out under its id.
    fn settle(&mut self, shard: usize, record: &Record, now: Now) -> bool {
        let Some(index) = self.schedule.back(Ticket::from_id(record.id)) else {
            return false;
        };
        let change = self.ledger.apply(index, record, now.unix_ms);
        if change != Change::Local {
            self.publisher.note(change);
            self.saves.unsaved = true;
        }
        let standing = self.ledger.standing(index);
        let outcome = match change {
            Change::Local => Outcome::Local(standing),
            _ => Outcome::Checked(standing),
        };
        self.put_back(index, shard, outcome, now);
        true
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
        self.ledger.forget(index);
        self.names.forget(index);
        self.publisher.note_pool();
        self.saves.unsaved = true;
    }
}
