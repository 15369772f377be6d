//! The `cluster-hub` thread: puts what the other threads hear into the one order that the coordinator
//! relies on, and lets a leader's orders pass only while it leads. It never waits for Redis, so a node
//! follows in time even if nothing answers any more.
//!
//! News go over a channel without room: that [`News::Leads`] is offered proves that the coordinator
//! has taken everything before it, and with it that it follows. So what a leader ordered before is in
//! the channel of orders by then, and is dropped there; nothing of an old reign passes for the new.

use super::link::{Stop, Who};
use crate::cluster::lease::reign::{Phase, Reign};
use crate::cluster::log::Write;
use crate::cluster::worker::end::Task;
use crate::cluster::{Logged, News, Order, Word};
use crossbeam_channel::{Receiver, Sender, at, bounded, never, select};
use proxy_shards::{ControlRecord, Job, Report, Tally};
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Instant;

/// What the threads of the bus tell the hub.
pub(crate) enum Inner {
    /// The reign has changed: look at it.
    Wake,
    /// Who leads, if that is another node.
    Leader(Option<Box<str>>),
    /// All that was logged before this token was delivered.
    CaughtUp(u64),
    /// For the coordinator, whoever leads.
    News(News),
    /// For the coordinator, if it leads under this token.
    Led(u64, News),
    /// This node's worker reached targets for the leader.
    Controls(Vec<ControlRecord>),
    /// Whether the connection of a thread answers.
    Link(Who, Option<Box<str>>),
}

/// What waits to be written at most, if words are to be added to it: clients of a node that cannot reach
/// Redis may say more and more.
const WORDS_MAX: usize = 1_024;

/// Where a leader's jobs go, with its token.
pub(crate) type Handing = Sender<(u64, Vec<Job>)>;

/// What the coordinator of this node does, as far as it knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Follows,
    /// That it leads is among the news that it has not taken yet.
    Rises(u64),
    Leads(u64),
}

pub(crate) struct Hub {
    pub(crate) reign: Arc<Reign>,
    pub(crate) news: Sender<News>,
    pub(crate) inbox: Receiver<Inner>,
    pub(crate) orders: Receiver<Order>,
    pub(crate) jobs: Handing,
    pub(crate) writes: Sender<Write>,
    pub(crate) tasks: Sender<Task>,
    /// News that wait, for those who would make more of them.
    pub(crate) backlog: Arc<AtomicUsize>,
    /// Orders that were dropped: those that only a leader may give, and words that nobody would hear.
    pub(crate) dropped: Arc<AtomicU64>,
    /// All that was ordered is to be passed on, and then no more.
    pub(crate) finish: Stop,
}

/// What changes while it runs.
struct State {
    hub: Hub,
    role: Role,
    leader: Option<Box<str>>,
    queue: VecDeque<News>,
    links: [Option<Box<str>>; Who::COUNT],
    /// Why the link is down, as was said last.
    unlinked: Option<Box<str>>,
}

impl Hub {
    /// Runs until nobody can give orders any more, or nobody takes news.
    pub(crate) fn run(self) {
        // A channel that nobody reads, for a select that has nothing to send.
        let (mute, _unread) = bounded(0);
        let (news, inbox, orders) = (self.news.clone(), self.inbox.clone(), self.orders.clone());
        let finish = self.finish.0.clone();
        let mut state = State {
            hub: self,
            role: Role::Follows,
            leader: None,
            queue: VecDeque::from([News::Follows { leader: None }]),
            links: Default::default(),
            unlinked: None,
        };
        loop {
            state.look(Instant::now());
            if let (Role::Rises(_), Some(News::Leads { .. })) = (state.role, state.queue.front()) {
                orders.try_iter().for_each(|order| state.obey(order));
            }
            let waiting = state.queue.len() + inbox.len();
            state.hub.backlog.store(waiting, Ordering::Relaxed);
            let out = if state.queue.is_empty() { &mute } else { &news };
            let end = state.hub.reign.until().map_or_else(never, at);
            select! {
                send(out, state.take()) -> sent => match sent {
                    Ok(()) => state.taken(),
                    Err(_) => return,
                },
                recv(inbox) -> inner => match inner {
                    Ok(inner) => state.hear(inner),
                    Err(_) => return,
                },
                recv(orders) -> order => match order {
                    Ok(order) => state.obey(order),
                    Err(_) => return,
                },
                recv(end) -> _ => {}
                recv(finish) -> _ => {
                    orders.try_iter().for_each(|order| state.obey(order));
                    return;
                }
            }
        }
    }
}

impl State {
    /// Sees whether the reign is over.
    fn look(&mut self, now: Instant) {
        if let Some(token) = self.hub.reign.lapse(now) {
            tracing::warn!(
                token,
                "the lease could not be renewed in time: this node follows"
            );
        }
        let (Role::Rises(token) | Role::Leads(token)) = self.role else {
            return;
        };
        if self.hub.reign.holds(token, now) {
            return;
        }
        self.queue.retain(|news| !is_for_leader(news));
        if let Role::Leads(_) = self.role {
            self.leader = None;
            // Ahead of all that waits: none of it matters more.
            self.queue.push_front(News::Follows { leader: None });
        }
        self.role = Role::Follows;
    }

    /// What is offered to the coordinator.
    fn take(&mut self) -> News {
        // Only evaluated where the queue was seen to hold something.
        let news = self.queue.pop_front();
        news.unwrap_or(News::Link(None))
    }

    /// The coordinator took what stood first.
    fn taken(&mut self) {
        if let Role::Rises(token) = self.role
            && !self.queue.iter().any(|n| matches!(n, News::Leads { .. }))
        {
            self.role = Role::Leads(token);
            self.hub.reign.advance(token, Phase::Leading);
        }
    }

    fn hear(&mut self, inner: Inner) {
        match inner {
            Inner::Wake => {}
            Inner::Leader(leader) if self.role == Role::Follows => {
                if self.leader != leader {
                    self.leader.clone_from(&leader);
                    self.queue.push_back(News::Follows { leader });
                }
            }
            Inner::Leader(_) => {}
            Inner::CaughtUp(token) => {
                if self.role == Role::Follows && self.hub.reign.holds(token, Instant::now()) {
                    self.role = Role::Rises(token);
                    self.queue.push_back(News::Leads { token });
                }
            }
            Inner::News(news) => {
                if let News::Nodes(_) = news {
                    // Only the last are of use to one who comes late.
                    self.queue.retain(|old| !matches!(old, News::Nodes(_)));
                }
                self.queue.push_back(news);
            }
            Inner::Led(token, news) => {
                if self.role == Role::Leads(token) {
                    self.queue.push_back(news);
                }
            }
            Inner::Controls(controls) => {
                if let Role::Leads(_) = self.role {
                    self.queue.push_back(News::Report(Box::new(only(controls))));
                }
            }
            Inner::Link(who, why) => self.link(who, why),
        }
    }

    /// The link is down as long as one of the connections is.
    fn link(&mut self, who: Who, why: Option<Box<str>>) {
        self.links[who as usize] = why;
        let why = self.links.iter().flatten().next();
        if why == self.unlinked.as_ref() {
            return;
        }
        self.unlinked = why.cloned();
        match why {
            Some(why) => tracing::warn!("the cluster's Redis cannot be used: {why}"),
            None => tracing::info!("the cluster's Redis answers again"),
        }
        self.queue.push_back(News::Link(why.cloned()));
    }

    fn obey(&mut self, order: Order) {
        // None of the receivers ends before this thread.
        match (order, self.role) {
            (Order::Jobs(jobs), Role::Leads(token)) => drop(self.hub.jobs.send((token, jobs))),
            (Order::Log(lines), Role::Leads(token)) => self.log(token, lines),
            (Order::Checkpoint(image), Role::Leads(token)) => {
                drop(self.hub.writes.send(Write::Checkpoint(token, image)));
            }
            (Order::Checkpoint(_), _) => {
                self.drop_one();
                drop(self.hub.writes.send(Write::Refused));
            }
            (Order::Jobs(_) | Order::Log(_), _) => self.drop_one(),
            (Order::Control(job), _) => drop(self.hub.tasks.send(Task::Control(job))),
            (Order::Reload, Role::Leads(_)) => self.queue.push_back(News::Reload),
            (Order::Heard(word), Role::Leads(_)) => self.queue.push_back(News::Heard(word)),
            (Order::Reload, _) => self.say(None),
            (Order::Heard(word), _) => self.say(Some(word)),
        }
    }

    fn log(&self, token: u64, lines: Vec<Logged>) {
        if !lines.is_empty() {
            drop(self.hub.writes.send(Write::Log(token, lines)));
        }
    }

    /// Has the leader hear a word, or reload, unless so much waits that it would come late, or never.
    fn say(&self, word: Option<Word>) {
        if self.hub.writes.len() >= WORDS_MAX {
            return self.drop_one();
        }
        drop(self.hub.writes.send(Write::Word(word)));
    }

    fn drop_one(&self) {
        self.hub.dropped.fetch_add(1, Ordering::Relaxed);
    }
}

/// Whether only a leader may hear it.
fn is_for_leader(news: &News) -> bool {
    match news {
        News::Leads { .. } | News::Report(_) | News::Reload | News::Heard(_) => true,
        News::Checkpoint(_) | News::Log(_) | News::Follows { .. } => false,
        News::Nodes(_) | News::Link(_) => false,
    }
}

/// A report of probes without a proxy alone.
fn only(controls: Vec<ControlRecord>) -> Report {
    Report {
        shard: 0,
        records: Vec::new(),
        controls,
        tally: Tally::default(),
        in_flight: 0,
        queued: 0,
        lag_us: 0,
        restarts: 0,
    }
}

#[cfg(test)]
mod tests;
