//! What the worker knows, and what it does about it: events in, with the time as an argument.

use super::Settings;
use super::book::{Book, Out};
use super::end::{Figures, Said, Task, WorkerEnd};
use super::targets::{Held, Targets};
use crate::cluster::bus::policy::fingerprint;
use crate::cluster::jobs::take::Taken;
use crate::cluster::wire::report::Head;
use crate::commands::check::direct;
use crate::commands::check::names::Found;
use crate::control::{Health, Round};
use crate::dispatch::quota::Quota;
use crate::dispatch::{Dispatch, Shards};
use crate::lanes::Lanes;
use crate::usage::Meter;
use crossbeam_channel::Sender;
use proxy_shards::{ControlJob, ControlRecord, Job, Protocols, Record, Report, Verdict};
use std::collections::{HashMap, VecDeque};

/// Tells probes of targets for the coordinator of this node from the worker's own.
const ASKED: u64 = 1 << 63;

/// The worker, but for its shards.
pub(super) struct State {
    end: WorkerEnd,
    settings: Settings,
    fingerprint: u64,
    book: Book,
    /// Jobs whose shard had no room yet, by shard.
    waiting: Vec<VecDeque<Job>>,
    dispatch: Dispatch,
    quota: Option<Quota>,
    targets: Targets,
    lanes: Lanes,
    meter: Meter,
    /// Jobs that the bus took for it, since the start.
    received: u64,
    /// Probes of targets that the coordinator asked for: its number for each of ours.
    asked: HashMap<u64, u64>,
    asked_count: u64,
    /// When something else was last learnt of the targets: what failed before says nothing.
    relearnt_ms: u64,
    /// When another policy came into force: nothing from before says anything.
    changed_ms: u64,
    /// What is told with the next report.
    head: Head,
    /// In flight, waiting and restarts of each shard.
    shards: Vec<(usize, usize, u64)>,
}

impl State {
    pub(super) fn new(
        shards: &impl Shards,
        end: WorkerEnd,
        settings: Settings,
        descriptors: u64,
        lookups: Sender<Found>,
    ) -> State {
        let (count, per_shard) = (shards.shards(), shards.lanes_per_shard());
        let policy = settings.policy.clone();
        shards.set_policy(policy.clone());
        shards.set_pace(settings.connects_per_second);
        end.fingerprint.set(&policy);
        State {
            fingerprint: fingerprint(&policy),
            book: Book::default(),
            waiting: vec![VecDeque::new(); count],
            dispatch: Dispatch::new(count, per_shard, settings.batch_size).paced(),
            quota: quota(&settings, count, 0),
            targets: Targets::new(policy, settings.control, lookups),
            lanes: Lanes::new(count, per_shard, descriptors, settings.wish, 0),
            meter: Meter::start(),
            received: 0,
            asked: HashMap::new(),
            asked_count: 0,
            relearnt_ms: 0,
            changed_ms: 0,
            head: Head::default(),
            shards: vec![(0, 0, 0); count],
            settings,
            end,
        }
    }

    /// Takes in what the bus gives.
    pub(super) fn task(&mut self, shards: &impl Shards, task: Task) {
        match task {
            Task::Taken(taken) => self.taken(shards, taken),
            Task::Lost(lost) => self.book.lose(&lost),
            Task::Void(token) => self.book.lose_all_of(token),
            Task::Control(job) => {
                self.asked_count += 1;
                let id = ASKED | self.asked_count;
                self.asked.insert(id, job.id);
                let shard = job.target % shards.shards().max(1);
                shards.control(shard, ControlJob { id, ..job });
            }
        }
    }

    fn taken(&mut self, shards: &impl Shards, taken: Taken) {
        self.received += taken.jobs.len() as u64;
        let is_ours = taken.policy == self.fingerprint;
        for job in self.book.add(taken) {
            match is_ours {
                true => self.waiting[shards.shard_of(job.address)].push_back(job),
                false => self.give_up(job.id, Verdict::LocalCancelled),
            }
        }
    }

    /// A job that no shard has ends without a probe.
    fn give_up(&mut self, number: u64, verdict: Verdict) {
        if let Some(out) = self.book.back(number) {
            self.book.end_unprobed(out, verdict);
        }
    }

    fn give_up_waiting(&mut self, verdict: Verdict) {
        let waiting: Vec<Job> = self
            .waiting
            .iter_mut()
            .flat_map(|queue| queue.drain(..))
            .collect();
        for job in waiting {
            self.give_up(job.id, verdict);
        }
    }

    /// Takes in what a shard reports.
    pub(super) fn report(&mut self, shards: &impl Shards, report: Report, now_ms: u64) {
        self.lanes.note(&report);
        self.dispatch.ended(report.shard, report.records.len());
        if let Some(quota) = &mut self.quota {
            let probes = usize::try_from(report.tally.total()).unwrap_or(usize::MAX);
            quota.take(report.shard, probes.saturating_sub(report.records.len()));
        }
        self.head.tally.merge(&report.tally);
        self.head.lag_us = self.head.lag_us.max(report.lag_us);
        self.shards[report.shard] = (report.in_flight, report.queued, report.restarts);
        for record in &report.records {
            if let Some(out) = self.book.back(record.id) {
                self.take(out, record, now_ms);
            }
        }
        let mut asked = Vec::new();
        for control in report.controls {
            if let Some(id) = self.asked.remove(&control.id) {
                asked.push(ControlRecord { id, ..control });
            } else if let Some(round) = self.targets.control.ended(control, now_ms) {
                self.conclude(shards, round, now_ms);
            }
        }
        if !asked.is_empty() {
            self.end.tell_controls(asked);
        }
    }

    /// A record counts, is held, or is void.
    fn take(&mut self, out: Out, record: &Record, now_ms: u64) {
        let control = &mut self.targets.control;
        let alive = record.verdict == Verdict::Alive;
        match () {
            () if out.began_ms < self.changed_ms => {
                self.book.end_unprobed(out, Verdict::LocalCancelled);
            }
            () if !alive && out.began_ms < self.relearnt_ms => {
                self.book.end_unprobed(out, Verdict::LocalTarget);
            }
            () if control.is_proof(record, Protocols::NONE) => self.book.end(out, *record),
            () => {
                let record = *record;
                if alive {
                    control.hurry();
                }
                control.hold(Held { out, record }, out.began_ms, now_ms);
            }
        }
    }

    fn conclude(&mut self, shards: &impl Shards, round: Round<Held>, now_ms: u64) {
        self.targets.turn(&round, now_ms);
        if let Some(policy) = round.policy {
            shards.set_policy(policy);
        }
        let control = &self.targets.control;
        match (control.health(), round.changed_from) {
            (Health::Down, Some(_)) => {
                let missing = direct::missing(control);
                tracing::warn!(
                    "the targets do not answer without a proxy: {missing}; this node takes no jobs until they do"
                );
            }
            (Health::Fine, Some(Health::Down)) => {
                tracing::info!("the targets answer again: this node takes jobs");
            }
            _ => {}
        }
        let is_down = control.health() == Health::Down;
        if round.relearnt {
            self.relearnt_ms = now_ms;
        }
        let all = proxy_shards::Targets::first(control.policy().targets.len());
        for (held, trusted) in round.settled {
            // A failure while one of several targets was away may be that one's.
            match held.record.verdict == Verdict::Alive || trusted == all {
                true => self.book.end(held.out, held.record),
                false => self.book.end_unprobed(held.out, Verdict::LocalTarget),
            }
        }
        for held in round.void {
            self.book.end_unprobed(held.out, Verdict::LocalTarget);
        }
        if is_down {
            self.give_up_waiting(Verdict::LocalTarget);
        }
    }

    /// Other settings are in force.
    pub(super) fn set(&mut self, shards: &impl Shards, settings: Settings, now_ms: u64) {
        let policy = settings.policy.clone();
        let held = self.targets.replace(policy.clone(), settings.control);
        for held in held {
            self.book.end_unprobed(held.out, Verdict::LocalCancelled);
        }
        if fingerprint(&policy) != self.fingerprint {
            self.fingerprint = fingerprint(&policy);
            self.changed_ms = now_ms;
            self.give_up_waiting(Verdict::LocalCancelled);
        }
        self.end.fingerprint.set(&policy);
        shards.set_policy(self.targets.control.policy().clone());
        shards.set_pace(settings.connects_per_second);
        shards.set_lanes(self.lanes.set_wish(settings.wish, now_ms));
        self.lanes.granted(shards.lanes_per_shard());
        self.dispatch
            .resize(shards.lanes_per_shard(), settings.batch_size);
        self.quota = quota(&settings, shards.shards(), now_ms);
        self.settings = settings;
    }

    /// The names of the targets were looked up.
    pub(super) fn found(&mut self, found: &Found) {
        self.targets.found(found);
    }

    /// What there is to do after every event.
    pub(super) fn tend(&mut self, shards: &impl Shards, now_ms: u64) {
        self.govern(shards, now_ms);
        let is_idle =
            self.dispatch.outstanding() == 0 && self.waiting.iter().all(VecDeque::is_empty);
        if let Some(round) = self.targets.reach(shards, is_idle, now_ms) {
            self.conclude(shards, round, now_ms);
        }
        self.top_up(shards, now_ms);
        self.tell();
    }

    fn govern(&mut self, shards: &impl Shards, now_ms: u64) {
        if let Some(percent) = self.meter.look() {
            self.lanes.note_cpu(percent);
        }
        let Some(change) = self.lanes.look(self.dispatch.outstanding(), now_ms) else {
            return;
        };
        shards.set_lanes(change.lanes);
        self.lanes.granted(shards.lanes_per_shard());
        self.dispatch
            .resize(shards.lanes_per_shard(), self.settings.batch_size);
        if let Some(news) = change.news {
            let (lanes, wanted) = (change.lanes, self.lanes.stat().wanted);
            tracing::warn!(lanes, wanted, "{}", news.text());
        }
    }

    /// Hands the shards what they have room for, and allows the bus to take what they have left.
    fn top_up(&mut self, shards: &impl Shards, now_ms: u64) {
        if let Some(quota) = &mut self.quota {
            quota.pass(now_ms);
        }
        let mut room = 0;
        if self.targets.control.allows_probes() {
            for shard in 0..self.waiting.len() {
                while self.hand_over(shards, shard, now_ms) > 0 {}
                room += self.room(shard);
            }
            let waiting: usize = self.waiting.iter().map(VecDeque::len).sum();
            room = room.saturating_sub(waiting);
        }
        self.end.credit.allow(self.received, room as u64);
    }

    /// Hands one batch over; how many jobs that were.
    fn hand_over(&mut self, shards: &impl Shards, shard: usize, now_ms: u64) -> usize {
        let count = self.room(shard).min(self.waiting[shard].len());
        if count > 0 {
            let jobs: Vec<Job> = self.waiting[shard].drain(..count).collect();
            self.book.begin(&jobs, now_ms);
            self.dispatch.took(shard, count);
            if let Some(quota) = &mut self.quota {
                quota.take(shard, count);
            }
            shards.submit(shard, jobs);
        }
        count
    }

    fn room(&self, shard: usize) -> usize {
        let room = self.dispatch.room(shard);
        self.quota
            .as_ref()
            .map_or(room, |quota| room.min(quota.room(shard)))
    }

    /// Reports what ended, and says how this node does.
    fn tell(&mut self) {
        let (in_flight, queued, restarts) = self.shards.iter().fold((0, 0, 0), |sum, shard| {
            (sum.0 + shard.0, sum.1 + shard.1, sum.2 + shard.2)
        });
        let control = &self.targets.control;
        let is_down = control.health() == Health::Down;
        self.end.stat.set(Figures {
            lanes: (self.lanes.stat().per_shard as usize * self.shards.len()) as u64,
            in_flight: in_flight as u64,
            taken: self.book.left(),
            idle_because: is_down.then(|| {
                let missing = direct::missing(control);
                format!("its targets do not answer without a proxy: {missing}").into()
            }),
            is_foreign: false,
            is_namesake: false,
        });
        if self.book.has_ended() {
            let narrow = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
            let mut head = std::mem::take(&mut self.head);
            (head.in_flight, head.queued) = (narrow(in_flight), narrow(queued));
            head.restarts = restarts;
            let parts = self.book.take_ended();
            // The bus has ended if nobody listens.
            let _ = self.end.said.send(Said { head, parts });
        }
    }

    /// The shards have stopped: what they finished counts if it needs nobody to vouch for it, and the
    /// rest is given back.
    pub(super) fn give_back(mut self, rest: impl Iterator<Item = Report>) {
        for report in rest {
            self.head.tally.merge(&report.tally);
            for record in report
                .records
                .iter()
                .filter(|r| r.verdict == Verdict::Alive)
            {
                if self.targets.control.is_proof(record, Protocols::NONE)
                    && let Some(out) = self.book.back(record.id)
                    && out.began_ms >= self.changed_ms
                {
                    self.book.end(out, *record);
                }
            }
        }
        let every = None;
        let policy = self.settings.policy.clone();
        for held in self.targets.control.replace(policy, every) {
            self.book.end_unprobed(held.out, Verdict::LocalCancelled);
        }
        for out in self.book.all_out() {
            self.book.end_unprobed(out, Verdict::LocalCancelled);
        }
        self.shards.fill((0, 0, 0));
        self.tell();
    }
}

fn quota(settings: &Settings, shards: usize, now_ms: u64) -> Option<Quota> {
    let pace = settings.connects_per_second?;
    Some(Quota::new(pace, shards, now_ms))
}
