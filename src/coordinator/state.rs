//! What the coordinator knows: events in, actions out, with the time as an argument.

use super::asked;
use super::event::{Action, Event, Now, Purpose};
use super::fresh::{Freshness, Outage};
use super::heard::Allowance;
use super::imports::Imports;
use super::journal::Journal;
use super::lately::Lately;
use super::names::Names;
use super::publication::Turn;
use super::publish::Publisher;
use super::reload::turn_ms;
use super::reserve::Reserve;
use super::rounds::{Door, Held, doors, every};
use super::saves::Saves;
use super::sources::Origins;
use super::sweeps::begun;
use crate::config::{Backend, Config, Storage};
use crate::control::Control;
use crate::dispatch::Dispatch;
use crate::dispatch::quota::Quota;
use crate::lanes::{Lanes, Wish};
use crate::ledger::Ledger;
use crate::schedule::{Rules, Schedule};
use crate::snapshot::{ShardStat, Sweep, Turns};
use crate::store::{Asked, Image};
use proxy_shards::{Candidate, Tally, Targets};
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

/// The shard of an address.
pub type Route<'a> = &'a dyn Fn(SocketAddr) -> usize;

/// Host names that are looked up at once; as many wait in the resolver's own queue.
pub const LOOKUPS_MAX: NonZeroUsize = NonZeroUsize::new(64).unwrap();
/// Shortest time between two hand-outs for which nothing but time has passed, in milliseconds.
const FEED_PAUSE_MS: u64 = 20;

/// What the coordinator starts with.
#[derive(Debug)]
pub struct Start {
    /// The configuration in force; its sources are fetched as reload 1.
    pub config: Arc<Config>,
    /// Number of shards.
    pub shards: usize,
    /// Lanes of each.
    pub lanes_per_shard: usize,
    /// The soft RLIMIT_NOFILE, which bounds the lanes of each.
    pub descriptors: u64,
    /// What was known when the last process ended.
    pub restored: Image,
    /// Decides the jitter.
    pub seed: u64,
}

/// The ledger, the schedule, and what is out.
#[derive(Debug)]
pub struct State {
    pub(super) config: Arc<Config>,
    pub(super) ledger: Ledger,
    pub(super) schedule: Schedule,
    pub(super) dispatch: Dispatch,
    pub(super) lanes: Lanes,
    pub(super) reserve: Reserve,
    /// What each shard may be handed, where connections keep a pace.
    pub(super) quota: Option<Quota>,
    /// Names that are being looked up: a shard of its own, as it were.
    pub(super) lookups: Dispatch,
    pub(super) names: Names,
    /// Whether the targets answer, and the verdicts that wait for it.
    pub(super) control: Control<Held>,
    /// Where each target is.
    pub(super) doors: Vec<Door>,
    /// The targets that did not answer when that was last logged.
    pub(super) missing: Targets,
    pub(super) outage: Outage,
    /// That the network is gone was told.
    pub(super) offline: bool,
    /// Candidates of the sweep to which this host has no way.
    pub(super) without_way: u64,
    pub(super) freshness: Freshness,
    pub(super) heard: Allowance,
    /// What was last logged of a pool of which nothing is alive.
    pub(super) turn: Option<Turn>,
    pub(super) origins: Origins,
    pub(super) imports: Imports,
    pub(super) publisher: Publisher,
    pub(super) saves: Saves,
    /// Where what is known is kept. Another place takes a restart, whatever a reload says.
    storage: Storage,
    pub(super) sweep: Sweep,
    /// The sweep of which it was last logged that this host is late.
    pub(super) late_in: u64,
    /// What the candidates are asked, and since when.
    pub(super) asked: Asked,
    /// The host's clock as it was last seen, in milliseconds since the Unix epoch.
    pub(super) unix_ms: u64,
    pub(super) probes: Tally,
    pub(super) turns: Turns,
    pub(super) shards: Vec<ShardStat>,
    pub(super) lags: Vec<Lately>,
    pub(super) fed_ms: u64,
    /// Whether other nodes vouch for what they report, though the targets do not answer here.
    pub(super) vouched: bool,
    /// What the other nodes are to be told; a node alone keeps none.
    pub(super) journal: Option<Journal>,
    stopping: bool,
}

impl State {
    /// Everything restored is known, and due when it would have been; everything at once if the
    /// policy is another one or not known. Nothing is out yet.
    pub fn new(start: Start, now: Now, route: Route<'_>) -> State {
        let Start { config, shards, .. } = start;
        let mut origins = Origins::default();
        origins.replace(&config.aggregator.sources);
        let mut state = State {
            ledger: Ledger::new(origins.all.len()),
            schedule: Schedule::new(shards + 1, rules(&config), start.seed),
            dispatch: Dispatch::new(shards, start.lanes_per_shard, config.checker.batch_size)
                .paced(),
            quota: quota(&config, shards, now),
            lanes: Lanes::new(
                shards,
                start.lanes_per_shard,
                start.descriptors,
                Wish::from(&config.checker),
                now.clock_ms,
            ),
            reserve: Reserve::default(),
            lookups: Dispatch::new(1, LOOKUPS_MAX.get(), LOOKUPS_MAX),
            names: Names::default(),
            control: Control::new(config.checker.policy.clone(), every(&config)),
            doors: doors(&config.checker.policy),
            missing: Targets::NONE,
            outage: Outage::default(),
            offline: false,
            without_way: 0,
            freshness: Freshness::default(),
            heard: Allowance::default(),
            turn: None,
            origins,
            imports: Imports::default(),
            publisher: Publisher::default(),
            saves: Saves::new(now.clock_ms),
            storage: config.storage.clone(),
            sweep: begun(1, now),
            late_in: 0,
            asked: asked::now(&config, now),
            unix_ms: now.unix_ms,
            probes: Tally::default(),
            turns: Turns::default(),
            shards: vec![ShardStat::default(); shards],
            lags: vec![Lately::default(); shards],
            fed_ms: 0,
            vouched: false,
            journal: None,
            stopping: false,
            config,
        };
        state.restore(&start.restored, now, route);
        state.mind_the_clock_of_before(now);
        state.ledger.set_quorum(state.config.api.report_quorum);
        state.tell_of_begin();
        state
    }

    /// Takes one event in and says what is to be done, in this order.
    pub fn handle(&mut self, event: Event, now: Now, route: Route<'_>) -> Vec<Action> {
        let mut actions = Vec::new();
        self.ledger.pass(now.clock_ms);
        self.mind_the_clock(now);
        self.ledger.expect_lists(!self.origins.are_complete());
        self.look_again_at_waiting(now); // before those that come only now
        match event {
            Event::Report(report) => self.report(report, now, &mut actions),
            Event::Configure { reload, config } => {
                self.configure(reload, config, now, &mut actions);
            }
            Event::Source {
                reload,
                source,
                outcome,
            } if reload == self.sweep.id => self.source(source, outcome, now),
            // A list of a configuration that is no longer in force.
            Event::Source { .. } => {}
            Event::Resolved { purpose, ip } => match purpose {
                Purpose::Proxy(id) => self.resolved(id, ip, now, route),
                Purpose::Target { id, .. } => self.target_resolved(id, ip, now, &mut actions),
            },
            Event::Asked(question) => self.answer(question, now),
            Event::Heard(said) => self.hear(said, now),
            Event::Save(answer) => self.saves.ask(answer),
            Event::Saved(outcome) => self.saves.ended(outcome),
            Event::Checkpointed(outcome) => self.saves.checkpointed(outcome),
            // Whoever asked may have gone away.
            Event::Export(reply) => drop(reply.send(self.copy(now))),
            Event::Import(import) => self.imports.add(import),
            Event::Used { cpu_percent } => self.lanes.note_cpu(cpu_percent),
            Event::Beat(beat) => beat.answer(),
            Event::Stop => self.stopping = true,
            Event::Tick => {}
        }
        self.take_in(now, route);
        self.take_in_imports(now, route);
        if !self.stopping {
            self.tend(now, &mut actions);
            self.govern(now, &mut actions);
        }
        self.note_sweep(now);
        self.publish(now, &mut actions);
        if !self.stopping {
            self.feed(now, &mut actions);
            self.save(now, &mut actions);
        }
        actions
    }

    /// When [`Event::Tick`] is due, on the clock of [`Now::clock_ms`], unless something else comes
    /// first.
    pub fn wake_at(&self, now: Now) -> u64 {
        if self.origins.has_intake() || !self.imports.is_empty() {
            return now.clock_ms;
        }
        let publish = self.publisher.due_at(&self.ledger);
        let save = self.save_due_at();
        let rooms = (0..self.dispatch.shards()).map(|shard| self.dispatch.room(shard));
        let rooms = rooms.chain([self.lookups.room(0)]).enumerate();
        let due = rooms
            .filter(|&(_, room)| room > 0)
            .filter_map(|(queue, _)| self.schedule.due_at(queue, self.unproven_max(queue)))
            .min()
            .map(|due| due.max(self.fed_ms + FEED_PAUSE_MS));
        let due = due.filter(|_| self.may_probe());
        let round = self.round_due_at();
        let [due, round, save] = [due, round, save].map(|due| due.filter(|_| !self.stopping));
        let stale_end = self.freshness.ends_at(self.stale_max_ms());
        let stale_end = stale_end.filter(|_| self.may_probe());
        let busy = !self.stopping && self.dispatch.outstanding() > 0;
        let look = self.lanes.due_at().filter(|_| busy);
        let heard = self.heard.due_at().filter(|_| !self.stopping);
        let wakes = [publish, save, due, round, stale_end, look, heard];
        let wakes = wakes.into_iter().flatten();
        wakes.min().unwrap_or(now.clock_ms + 1_000)
    }

    /// What is to be done last, when every job has come back: publish and save.
    pub fn finish(&mut self, now: Now) -> Vec<Action> {
        let mut actions = Vec::new();
        self.note_sweep(now);
        self.note_freshness(now);
        self.tell_nodes(&mut actions);
        actions.push(self.publication(now));
        self.save_now(now, &mut actions);
        actions
    }

    /// Jobs that are out.
    pub fn outstanding(&self) -> usize {
        self.dispatch.outstanding()
    }

    pub(super) fn may_dial(&self, candidate: &Candidate) -> bool {
        let addresses = &self.config.aggregator.addresses;
        addresses.allows_proxy(&candidate.host, candidate.port)
    }

    /// A candidate that is new to the schedule is due at once.
    pub(super) fn begin(&mut self, index: u32, in_sweep: bool, now: Now, route: Route<'_>) {
        let queue = self.queue(index, route);
        let standing = self.ledger.standing(index);
        if in_sweep {
            let due_ms = now.clock_ms + turn_ms(self.ledger.verdict(index));
            self.schedule.add_to_sweep(index, queue, standing, due_ms);
        } else {
            self.schedule.add(index, queue, standing, now.clock_ms);
        }
        self.saves.unsaved = true;
    }

    /// Where a candidate waits.
    pub(super) fn queue(&self, index: u32, route: Route<'_>) -> usize {
        let candidate = self.ledger.candidate(index);
        match candidate.host.ip() {
            Some(ip) => route(SocketAddr::new(ip, candidate.port)),
            None => self.resolver(),
        }
    }

    /// The queue of the candidates whose name has to be looked up.
    pub(super) fn resolver(&self) -> usize {
        self.dispatch.shards()
    }

    fn save(&mut self, now: Now, actions: &mut Vec<Action>) {
        let due = self.save_due_at();
        if due.is_some_and(|due| due <= now.clock_ms) {
            self.save_now(now, actions);
        }
    }

    pub(super) fn image(&mut self, now: Now) -> Image {
        self.saves.began(now.clock_ms);
        self.copy(now)
    }

    /// All that is known, as it is now.
    fn copy(&self, now: Now) -> Image {
        Image {
            saved_at_ms: now.unix_ms,
            asked: self.asked,
            targets: self.ledger.targets().to_vec(),
            entries: self.ledger.entries().collect(),
        }
    }

    pub(super) fn stale_max_ms(&self) -> u64 {
        to_ms(self.config.snapshot.stale_max)
    }

    /// When the next save is due; where nothing is kept, only if somebody asks.
    pub(super) fn save_due_at(&self) -> Option<u64> {
        let backup = self.storage.backup.as_ref();
        // What a leader saves is the checkpoint of all nodes too.
        let is_kept = backup.is_some() || self.journal.is_some();
        let is_kept = is_kept || self.storage.backend != Backend::Memory;
        if !is_kept && !self.saves.is_asked() {
            return None;
        }
        let interval = self.config.storage.persist_interval;
        // A backup is a copy of what is saved.
        let every = backup.map_or(interval, |backup| backup.every);
        self.saves.due_at(to_ms(interval.min(every)))
    }
}

pub(super) fn quota(config: &Config, shards: usize, now: Now) -> Option<Quota> {
    let pace = config.checker.connects_per_second;
    pace.map(|pace| Quota::new(pace, shards, now.clock_ms))
}

pub(crate) fn rules(config: &Config) -> Rules {
    Rules {
        interval_ms: to_ms(config.aggregator.interval),
        backoff_max_ms: to_ms(config.checker.backoff_max),
    }
}

pub(crate) fn to_ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
