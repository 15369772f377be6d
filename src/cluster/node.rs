//! The coordinator of a node: it leads, by the same state as a node alone, or it follows. Events and
//! news in, deeds out, with the time as an argument.

mod deeds;
mod role;
mod upkeep;

pub use deeds::Deed;

use super::follower::Replica;
use super::{ClusterStat, News, NodeStat, Order, Publication};
use crate::config::{Cluster, Config};
use crate::coordinator::{Event, Fleet, Hearsay, Now, State, to_ms};
use crate::snapshot::Stat;
use crate::store::Image;
use fastrand::Rng;
use role::led;
use std::sync::Arc;
use tokio::sync::oneshot;

/// Leases without a publication after which what is served counts as stale.
const LEASES_SILENT: u64 = 3;
/// What a node starts with.
#[derive(Debug)]
pub struct NodeStart {
    /// The configuration in force.
    pub config: Arc<Config>,
    /// Which node of which cluster it is.
    pub cluster: Cluster,
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
    rng: Rng,
    /// `None` only while one role becomes the other.
    role: Option<Role>,
    fleet: Fleet,
    nodes: Vec<NodeStat>,
    leader: Option<Box<str>>,
    unlinked: Option<Box<str>>,
    /// When the nodes were as they are known, in milliseconds since the Unix epoch; only while the others
    /// cannot be heard.
    as_of_ms: u64,
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
            rng: Rng::with_seed(start.seed),
            role: Some(Role::Follows(Box::new(replica))),
            fleet: Fleet::default(),
            nodes: Vec::new(),
            leader: None,
            unlinked: None,
            as_of_ms: 0,
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
                Event::Save(answer) => replica.saves().ask(answer),
                Event::Saved(outcome) => replica.saves().ended(outcome),
                Event::Export(reply) => drop(reply.send(replica.copy(now))),
                // Whoever asked is told by the reply that goes: the leader keeps the ledger.
                Event::Import(_) => tracing::warn!(
                    "an import was refused: this node follows, and the node that leads keeps the ledger"
                ),
                Event::Beat(beat) => beat.answer(),
                // Of a time when this node led, or nothing that a follower acts upon.
                Event::Report(_) | Event::Source { .. } | Event::Resolved { .. } => {}
                Event::Checkpointed(_) => {}
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
            News::Link(unlinked) => self.link(unlinked, now),
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

    fn link(&mut self, unlinked: Option<Box<str>>, now: Now) {
        match (&self.unlinked, &unlinked) {
            (None, Some(why)) => {
                tracing::warn!(
                    %why,
                    "the other nodes cannot be heard: what was published last is served, marked stale, until \
                     they can"
                );
                self.as_of_ms = now.unix_ms;
            }
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
        self.generation = (*generation).max(self.generation.saturating_add(1));
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
}

#[cfg(test)]
mod tests;
