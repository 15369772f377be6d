//! The coordinator of a node: it leads, by the same state as a node alone, or it follows. Events and
//! news in, deeds out, with the time as an argument.

mod deeds;

pub use deeds::Deed;

use super::follower::Replica;
use super::{ClusterStat, News, NodeStat, Order, Publication};
use crate::config::{Cluster, Config};
use crate::coordinator::{Allowed, Before, Event, Fleet, Hearsay, Now, Start, State, to_ms};
use crate::snapshot::{Stale, Stat};
use crate::store::Image;
use fastrand::Rng;
use std::sync::Arc;
use tokio::sync::oneshot;

/// How far on, at least, a new leader begins to count publications, and never below its token: what the
/// one before published and nobody heard of any more has another number than all that follows. Tokens
/// are times in milliseconds, and nobody publishes a thousand times in a second.
const GENERATIONS_SKIPPED: u64 = 1_000;
/// Leases without a publication after which what is served counts as stale.
const LEASES_SILENT: u64 = 3;
/// Lines of the log, at least, before a checkpoint is made ahead of its time; with a larger ledger, as
/// many as that has candidates: so the log is never much longer than what it leads to.
const LINES_MIN: usize = 65_536;

/// What a node starts with.
#[derive(Debug)]
pub struct NodeStart {
    /// The configuration in force.
    pub config: Arc<Config>,
    /// Which node of which cluster it is.
    pub cluster: Cluster,
    /// Which addresses may be dialled.
    pub allowed: Allowed,
    /// What this node knew when its last process ended.
    pub restored: Image,
    /// Decides the jitter.
    pub seed: u64,
}

/// What a node is to the others.
#[derive(Debug)]
enum Role {
    Leads(Box<State>),
    Follows(Box<Replica>),
}

/// One node's coordinator.
#[derive(Debug)]
pub struct Node {
    config: Arc<Config>,
    cluster: Cluster,
    allowed: Allowed,
    rng: Rng,
    /// `None` only while one role becomes the other.
    role: Option<Role>,
    fleet: Fleet,
    nodes: Vec<NodeStat>,
    leader: Option<Box<str>>,
    unlinked: Option<Box<str>>,
    /// What was shown of the cluster last.
    shown: Option<Arc<ClusterStat>>,
    /// Of what was published last, here or by the leader.
    generation: u64,
    stat: Option<Arc<Stat>>,
    /// When that was, on the clock that never goes back.
    published_ms: u64,
    /// The same, as the leader has it, in milliseconds since the Unix epoch.
    published_at_ms: u64,
    is_stale: bool,
    /// Of the log, since the last checkpoint.
    lines: usize,
    stopping: bool,
}

impl Node {
    /// Follows, and knows what was restored.
    pub fn new(start: NodeStart, now: Now) -> Node {
        let replica = Replica::new(&start.config, &start.restored, now);
        Node {
            config: start.config,
            cluster: start.cluster,
            allowed: start.allowed,
            rng: Rng::with_seed(start.seed),
            role: Some(Role::Follows(Box::new(replica))),
            fleet: Fleet::default(),
            nodes: Vec::new(),
            leader: None,
            unlinked: None,
            shown: None,
            generation: 0,
            stat: None,
            published_ms: now.clock_ms,
            published_at_ms: 0,
            is_stale: false,
            lines: 0,
            stopping: false,
        }
    }

    /// What is to be done first: what was restored is served.
    pub fn begin(&mut self, now: Now) -> Vec<Deed> {
        let mut deeds = Vec::new();
        if let Some(Role::Follows(replica)) = &mut self.role
            && let Some((pool, stat)) = replica.own(now)
        {
            self.generation = 1;
            deeds.push(Deed::Publish {
                generation: 1,
                at_ms: now.unix_ms,
                pool,
                stat: Arc::new(stat),
                stale: false,
            });
        }
        self.show(&mut deeds);
        deeds
    }

    /// Takes one event of this node in and says what is to be done, in this order.
    pub fn handle(&mut self, event: Event, now: Now) -> Vec<Deed> {
        let mut deeds = Vec::new();
        self.stopping |= matches!(event, Event::Stop);
        if let Event::Configure { config, .. } = &event {
            self.config = config.clone();
            deeds.push(Deed::Configure(config.clone()));
        }
        match &mut self.role {
            Some(Role::Leads(state)) => {
                let actions = match event {
                    Event::Configure { reload, config } => {
                        let config = led(&config);
                        let event = Event::Configure { reload, config };
                        let mut actions = state.handle(event, now, &|_| 0);
                        state.set_fleet(self.fleet, now);
                        actions.extend(state.handle(Event::Tick, now, &|_| 0));
                        actions
                    }
                    event => state.handle(event, now, &|_| 0),
                };
                self.act(actions, now, &mut deeds);
            }
            Some(Role::Follows(replica)) => match event {
                Event::Configure { config, .. } => {
                    replica.configure(&config);
                    deeds.push(Deed::Order(Order::Reload));
                }
                Event::Asked(question) => replica.answer(question, &self.config, now),
                Event::Heard(said) => {
                    let word = replica.hear(said, now);
                    deeds.extend(word.map(|word| Deed::Order(Order::Heard(word))));
                }
                Event::Saved(outcome) => replica.saves().ended(outcome),
                Event::Beat(beat) => beat.answer(),
                // Of a time when this node led, or nothing that a follower acts upon.
                Event::Report(_) | Event::Source { .. } | Event::Resolved { .. } => {}
                Event::Used { .. } | Event::Tick | Event::Stop => {}
            },
            None => {}
        }
        self.tend(now, &mut deeds);
        deeds
    }

    /// Takes in what the bus says, likewise.
    pub fn hear(&mut self, news: News, now: Now) -> Vec<Deed> {
        let mut deeds = Vec::new();
        match news {
            News::Leads { token } => self.lead(token, now, &mut deeds),
            News::Follows { leader } => {
                self.follow(now, &mut deeds);
                if let Some(leader) = leader.as_deref().filter(|_| leader != self.leader) {
                    tracing::info!(leader, "this node follows");
                }
                self.leader = leader;
            }
            News::Checkpoint(image) => {
                if let Some(Role::Follows(replica)) = &mut self.role {
                    replica.checkpoint(&image);
                }
            }
            News::Log(lines) => self.take_log(lines, now, &mut deeds),
            News::Report(report) => self.tell_state(Event::Report(*report), now, &mut deeds),
            News::Nodes(nodes) => self.count(nodes, now, &mut deeds),
            News::Link(unlinked) => self.link(unlinked),
            News::Reload if self.leads() => deeds.push(Deed::Reload),
            News::Reload => {}
            News::Heard(word) => {
                let (reply, _) = oneshot::channel();
                let said = Hearsay {
                    host: word.host,
                    port: word.port,
                    target: word.target,
                    experience: word.experience,
                    client: word.client,
                    reply,
                };
                self.tell_state(Event::Heard(said), now, &mut deeds);
            }
        }
        self.tend(now, &mut deeds);
        deeds
    }

    /// When [`Event::Tick`] is due, on the clock of [`Now::clock_ms`], unless something else comes
    /// first.
    pub fn wake_at(&self, now: Now) -> u64 {
        let silent_ms = self.published_ms + LEASES_SILENT * self.lease_ms() + 1;
        let wake = match &self.role {
            Some(Role::Leads(state)) => {
                let beat = self.published_ms + self.lease_ms();
                Some(state.wake_at(now).min(beat))
            }
            Some(Role::Follows(replica)) => {
                let save = replica.save_due_at(&self.config);
                let silent = (!self.is_stale && self.generation > 0).then_some(silent_ms);
                save.into_iter().chain(silent).min()
            }
            None => None,
        };
        wake.unwrap_or(now.clock_ms + 1_000)
    }

    /// What is to be done last: what is known is saved, here and for the others.
    pub fn finish(&mut self, now: Now) -> Vec<Deed> {
        let mut deeds = Vec::new();
        match &mut self.role {
            Some(Role::Leads(state)) => {
                let actions = state.finish(now);
                self.act(actions, now, &mut deeds);
            }
            Some(Role::Follows(replica)) => deeds.push(Deed::Save(replica.image(now))),
            None => {}
        }
        deeds
    }

    /// Whether this node leads.
    pub fn leads(&self) -> bool {
        matches!(self.role, Some(Role::Leads(_)))
    }

    fn lease_ms(&self) -> u64 {
        to_ms(self.cluster.lease)
    }

    /// Goes on where the leader before stopped.
    fn lead(&mut self, token: u64, now: Now, deeds: &mut Vec<Deed>) {
        self.follow(now, deeds); // a second time under another token is a new beginning
        let Some(Role::Follows(replica)) = self.role.take() else {
            return;
        };
        let (image, before) = replica.succeed(now);
        self.generation = token.max(self.generation + GENERATIONS_SKIPPED);
        deeds.push(Deed::Order(Order::Checkpoint(Box::new(image.clone()))));
        self.lines = 0;
        let start = Start {
            config: led(&self.config),
            shards: 1,
            lanes_per_shard: 0,
            descriptors: u64::MAX,
            allowed: self.allowed,
            restored: image,
            seed: self.rng.u64(..),
        };
        let mut state = State::new(start, now, &|_| 0);
        state.take_over(before, self.rng.u32(..), now);
        state.set_fleet(self.fleet, now);
        tracing::info!(token, candidates = state.known(), "this node leads");
        deeds.push(Deed::Fetch(Some(state.sweep_id())));
        let actions = state.publish_anyway(now);
        self.role = Some(Role::Leads(Box::new(state)));
        self.leader = Some(self.cluster.node.clone());
        self.act(actions, now, deeds);
        self.tell_state(Event::Tick, now, deeds);
    }

    /// Leads no longer, if it did: nothing of what is out comes back, and what is served stays.
    fn follow(&mut self, now: Now, deeds: &mut Vec<Deed>) {
        let state = match self.role.take() {
            Some(Role::Leads(state)) => state,
            other => {
                self.role = other;
                return;
            }
        };
        tracing::warn!("this node leads no longer, and follows");
        let (ledger, publisher) = state.hand_on();
        let before = Before {
            stat: self.stat.clone(),
            publisher,
        };
        let replica = Replica::of(&self.config, ledger, before, now);
        self.role = Some(Role::Follows(Box::new(replica)));
        self.leader = None;
        deeds.push(Deed::Fetch(None));
    }

    fn link(&mut self, unlinked: Option<Box<str>>) {
        match (&self.unlinked, &unlinked) {
            (None, Some(why)) => tracing::warn!(
                %why,
                "the other nodes cannot be heard: what was published last is served, marked stale, until \
                 they can"
            ),
            (Some(_), None) => tracing::info!("the other nodes can be heard again"),
            (None, None) | (Some(_), Some(_)) => {}
        }
        self.unlinked = unlinked;
    }

    fn take_log(&mut self, lines: Vec<super::Logged>, now: Now, deeds: &mut Vec<Deed>) {
        let Some(Role::Follows(replica)) = &mut self.role else {
            return;
        };
        let Some(seen) = replica.follow(lines, now) else {
            return;
        };
        let Publication {
            generation,
            at_ms,
            stat,
            stale,
        } = &*seen.publication;
        if *generation <= self.generation && *at_ms <= self.published_at_ms {
            return; // published already: by this node, when it led
        }
        self.generation = (*generation).max(self.generation + 1);
        self.note_published(stat.clone(), *at_ms, now);
        deeds.push(Deed::Publish {
            generation: self.generation,
            at_ms: *at_ms,
            pool: seen.pool,
            stat: stat.clone(),
            stale: *stale,
        });
    }

    fn note_published(&mut self, stat: Arc<Stat>, at_ms: u64, now: Now) {
        self.stat = Some(stat);
        self.published_at_ms = at_ms;
        self.published_ms = now.clock_ms;
        self.is_stale = false;
    }

    fn tell_state(&mut self, event: Event, now: Now, deeds: &mut Vec<Deed>) {
        if let Some(Role::Leads(state)) = &mut self.role {
            let actions = state.handle(event, now, &|_| 0);
            self.act(actions, now, deeds);
        }
    }

    /// Counts who takes jobs.
    fn count(&mut self, nodes: Vec<NodeStat>, now: Now, deeds: &mut Vec<Deed>) {
        let at_work = || nodes.iter().filter(|node| node.idle_because.is_none());
        let lanes: u64 = at_work().map(|node| node.lanes).sum();
        let fleet = Fleet {
            lanes: usize::try_from(lanes).unwrap_or(usize::MAX),
            nodes: u32::try_from(at_work().count()).unwrap_or(u32::MAX),
            others: at_work().any(|node| node.name != self.cluster.node && node.lanes > 0),
        };
        self.nodes = nodes;
        if fleet == std::mem::replace(&mut self.fleet, fleet) {
            return;
        }
        if let Some(Role::Leads(state)) = &mut self.role {
            state.set_fleet(fleet, now);
        }
        self.tell_state(Event::Tick, now, deeds);
    }

    /// What is due by time: a sign of life, a save, that nothing was heard for too long.
    fn tend(&mut self, now: Now, deeds: &mut Vec<Deed>) {
        let silent_ms = now.clock_ms.saturating_sub(self.published_ms);
        let lease_ms = self.lease_ms();
        match &mut self.role {
            Some(Role::Leads(state)) if !self.stopping => {
                let mut actions = Vec::new();
                if silent_ms >= lease_ms {
                    actions = state.publish_anyway(now);
                }
                let is_long = self.lines >= state.known().max(LINES_MIN);
                if is_long {
                    state.save_early(now, &mut actions);
                }
                self.act(actions, now, deeds);
            }
            Some(Role::Leads(_)) | None => {}
            Some(Role::Follows(replica)) => {
                let due = replica.save_due_at(&self.config);
                if !self.stopping && due.is_some_and(|due| due <= now.clock_ms) {
                    deeds.push(Deed::Save(replica.image(now)));
                }
                let is_silent = silent_ms > LEASES_SILENT * lease_ms || self.unlinked.is_some();
                if is_silent && !self.is_stale && self.generation > 0 {
                    self.is_stale = true;
                    deeds.push(Deed::Stale(Stale::Cluster, now.unix_ms));
                }
            }
        }
        self.show(deeds);
    }

    /// Shows how the nodes fare, if that is news.
    fn show(&mut self, deeds: &mut Vec<Deed>) {
        // Who led when the others were last heard may not do so any more.
        let known = self.leads() || self.unlinked.is_none();
        let leader = self.leader.as_ref().filter(|_| known);
        let stat = ClusterStat {
            node: self.cluster.node.clone(),
            leads: self.leads(),
            leader: leader.cloned(),
            nodes: self.nodes.clone(),
            unlinked: self.unlinked.clone(),
        };
        if self.shown.as_deref() != Some(&stat) {
            let stat = Arc::new(stat);
            self.shown = Some(stat.clone());
            deeds.push(Deed::Show(stat));
        }
    }
}

/// The configuration as the state of a leader has it: the lanes of each node are governed there.
fn led(config: &Config) -> Arc<Config> {
    let mut led = config.clone();
    led.checker.adaptive = false;
    Arc::new(led)
}

#[cfg(test)]
mod tests;
