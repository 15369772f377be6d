//! The `io` thread: fetches the sources, resolves names, watches the configuration file, reloads.
//!
//! One tokio current-thread runtime. It never touches the ledger: what it finds out goes to the
//! coordinator as events.

mod beside;
mod names;
mod readings;
mod reloads;
mod round;
mod watch;

#[cfg(test)]
mod tests;

use crate::api::{Accepted, ReloadRequest};
use crate::config::{Config, Source};
use crate::coordinator::{Event, LOOKUPS_MAX, Lookup, Purpose};
use crate::operator::{self, Door};
use crate::sources::fetch::Fetched;
use crossbeam_channel::Sender;
use names::Resolver;
use proxy_shards::TARGETS_MAX;
use readings::{Reading, Readings};
use reloads::{Place, Reloads};
use round::{Occasion, Round};
use std::future::poll_fn;
use std::io;
use std::net::IpAddr;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::thread::{self, JoinHandle};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};
use watch::Watch;

/// How often the configuration file is looked at.
const WATCH_PERIOD: Duration = Duration::from_secs(1);
/// Longest time that the configuration may take to be read: whoever asked by HTTP waits for 5 s.
const READ_WITHIN: Duration = Duration::from_secs(4);
/// Threads for what blocks: lookups, the configuration file, images for the operator, and looks at its socket.
const BLOCKING_THREADS: usize = LOOKUPS_MAX.get() + 2 * TARGETS_MAX + operator::CONNECTIONS_MAX + 5;

/// What came of fetching a source; the text of a failure is fit to be shown.
pub type Outcome = Result<Fetched, Box<str>>;
/// Fetches sources side by side and sends each outcome, with its place, as soon as it is there.
pub type FetchAll =
    Arc<dyn Fn(Vec<Source>, mpsc::Sender<(usize, Outcome)>) -> Fetching + Send + Sync>;
/// Whether an address may be dialled under a configuration.
pub type Allowed = fn(&Config, IpAddr) -> bool;
/// Whether the sources are fetched on this node, and as which reload.
pub type Leads = tokio::sync::watch::Receiver<Option<u64>>;
/// A fetch of all sources under way.
pub type Fetching = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A configuration that is valid, and what fetches its sources.
#[derive(Clone)]
pub struct Plan {
    /// The configuration.
    pub config: Arc<Config>,
    /// Fetches its sources; remembers what they said of their last list.
    pub fetch: FetchAll,
}

/// Where a reload gets its configuration, and who else wants to know of it.
pub trait Reload: Send + Sync + 'static {
    /// Reads and validates the configuration; may block.
    ///
    /// # Errors
    /// Everything that is wrong with it, in words.
    fn read(&self) -> Result<Plan, String>;
    /// This configuration is valid. What waits for no list is in force from now on: keys, limits.
    /// Gives the keys whose change takes a restart.
    fn accepted(&self, plan: &Plan) -> Vec<&'static str>;
    /// All of this configuration is in force from now on.
    fn applied(&self, id: u64, plan: &Plan);
    /// The configuration could not be used; nothing has changed.
    fn refused(&self, why: &str);
}

/// What the thread starts with.
pub struct Start {
    /// The configuration in force: its sources are fetched at once, if they are at all.
    pub plan: Plan,
    /// Where the next ones come from.
    pub reload: Arc<dyn Reload>,
    /// The file whose change is a reload, if there is one.
    pub watched: Option<PathBuf>,
    /// Which addresses names may resolve to.
    pub allowed: Allowed,
    /// Where reloads are asked for.
    pub requests: mpsc::Receiver<ReloadRequest>,
    /// Names to be looked up.
    pub lookups: mpsc::UnboundedReceiver<Lookup>,
    /// The coordinator.
    pub events: Sender<Event>,
    /// Where the operator's commands come in, if they can.
    pub operator: Option<Door>,
    /// Whether the sources are fetched here, and as which reload: of the nodes of a cluster only one
    /// does. A node alone does at once, as reload 1.
    pub leads: Leads,
}

/// Starts the `io` thread, which ends when `shutdown` is ready. What `beside` gives goes on beside it, on
/// the same runtime, and ends with it; if it panics it is begun again.
///
/// # Errors
/// The runtime or the thread cannot be made.
pub fn spawn<F: Future<Output = ()> + Send + 'static>(
    start: Start,
    beside: impl Fn() -> F + Send + 'static,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<JoinHandle<()>> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(BLOCKING_THREADS)
        .build()?;
    let mut start = start;
    // Here, for what was read a moment ago is what is compared with.
    let watch = start.watched.take().map(Watch::new);
    thread::Builder::new().name("io".into()).spawn(move || {
        if let Some(door) = start.operator.take() {
            runtime.spawn(door.serve(start.events.clone()));
        }
        runtime.spawn(beside::again_and_again(beside, beside::PAUSE));
        runtime.block_on(Io::new(start, watch).run(shutdown));
        // A lookup that hangs must not hold up the end.
        runtime.shutdown_background();
    })
}

/// The thread's own state.
struct Io {
    plan: Plan,
    /// The reload whose configuration is in force.
    id: u64,
    reload: Arc<dyn Reload>,
    readings: Readings,
    allowed: Allowed,
    requests: mpsc::Receiver<ReloadRequest>,
    lookups: mpsc::UnboundedReceiver<Lookup>,
    events: Sender<Event>,
    resolver: Resolver,
    /// For the names of targets, which must not wait behind those of proxies.
    target_resolver: Resolver,
    reloads: Reloads<Plan>,
    /// The fetches under way, the oldest first: each source is in one of them at most, so that one
    /// which is slow delays no other.
    rounds: Vec<Round>,
    /// By source: whether its last fetch failed.
    failing: Vec<bool>,
    /// When the sources are fetched again by themselves.
    fetch_at: Instant,
    leads: Leads,
    is_leading: bool,
}

impl Io {
    fn new(mut start: Start, watch: Option<Watch>) -> Io {
        let leads = *start.leads.borrow_and_update();
        Io {
            plan: start.plan,
            id: leads.unwrap_or(1),
            readings: Readings::new(start.reload.clone(), watch, READ_WITHIN),
            reload: start.reload,
            allowed: start.allowed,
            requests: start.requests,
            lookups: start.lookups,
            events: start.events,
            resolver: Resolver::new(names::system, LOOKUPS_MAX.get()),
            target_resolver: Resolver::new(names::system, 2 * TARGETS_MAX),
            reloads: Reloads::started(),
            rounds: Vec::new(),
            failing: Vec::new(),
            fetch_at: Instant::now(),
            leads: start.leads,
            is_leading: leads.is_some(),
        }
    }

    async fn run(mut self, shutdown: impl Future<Output = ()>) {
        tokio::pin!(shutdown);
        let mut watching = interval(WATCH_PERIOD);
        watching.set_missed_tick_behavior(MissedTickBehavior::Delay);
        self.fetch(Occasion::Reload);
        loop {
            let fetch_at = self.fetch_at;
            tokio::select! {
                () = &mut shutdown => return,
                Some(request) = self.requests.recv() => self.readings.ask(request),
                reading = self.readings.next() => self.answer(reading),
                Some(lookup) = self.lookups.recv() => self.look_up(lookup),
                (round, next) = next(&mut self.rounds) => self.fetched(round, next),
                () = sleep_until(fetch_at) => self.fetch(Occasion::Interval),
                Ok(()) = self.leads.changed() => self.follow_or_lead(),
                _ = watching.tick() => self.readings.look(),
            }
        }
    }

    /// Says what came of the validation, and starts the reload or lets it wait.
    fn answer(&mut self, Reading { outcome, asked }: Reading) {
        let outcome = match outcome {
            Ok(plan) => Ok(self.accept(plan)),
            Err(why) => {
                self.reload.refused(&why);
                Err(why)
            }
        };
        for reply in asked {
            // Whoever asked may have gone away.
            let _ = reply.send(outcome.clone());
        }
    }

    fn accept(&mut self, plan: Plan) -> Accepted {
        let needs_restart = self.reload.accepted(&plan);
        let id = match self.reloads.accept(plan) {
            Place::Waits { id } => id,
            Place::Starts { id, plan } => {
                self.apply(id, plan);
                id
            }
        };
        Accepted { id, needs_restart }
    }

    fn apply(&mut self, id: u64, plan: Plan) {
        self.reload.applied(id, &plan);
        (self.id, self.plan) = (id, plan);
        self.tell(Event::Configure {
            reload: id,
            config: self.plan.config.clone(),
        });
        self.fetch(Occasion::Reload);
    }

    /// Another node leads now, or this one does: then the lists are fetched at once, as the reload
    /// that is in force there.
    fn follow_or_lead(&mut self) {
        let leads = *self.leads.borrow_and_update();
        self.is_leading = leads.is_some();
        if let Some(id) = leads {
            self.id = id;
            self.reloads.count_from(id);
        }
        let is_reload = |round: &Round| round.occasion == Occasion::Reload;
        let is_reload = std::mem::take(&mut self.rounds).iter().any(is_reload);
        self.fetch(match is_reload {
            true => Occasion::Reload,
            false => Occasion::Interval,
        });
    }

    /// Begins a round: a reload of all sources, and those under way are given up; an interval of those
    /// that are not still being fetched, those that failed last after the others. On a node that
    /// follows there is none, and what would have begun one is over.
    fn fetch(&mut self, occasion: Occasion) {
        let aggregator = &self.plan.config.aggregator;
        self.fetch_at = Instant::now() + aggregator.interval;
        if occasion == Occasion::Reload || self.failing.len() != aggregator.sources.len() {
            self.failing = vec![false; aggregator.sources.len()];
        }
        if occasion == Occasion::Reload || !self.is_leading {
            self.rounds.clear();
        }
        if !self.is_leading {
            if occasion == Occasion::Reload
                && let Some((id, plan)) = self.reloads.ended()
            {
                self.apply(id, plan);
            }
            return;
        }
        let is_free = |place: &usize| !self.rounds.iter().any(|round| round.waits_for(*place));
        let mut places: Vec<usize> = (0..aggregator.sources.len()).filter(is_free).collect();
        places.sort_by_key(|&place| self.failing[place]);
        if occasion == Occasion::Reload || !places.is_empty() {
            let round = Round::begin(occasion, &self.plan.fetch, &aggregator.sources, places);
            self.rounds.push(round);
        }
    }

    /// Hands a list on; after the last of a reload, the reload that waited starts.
    fn fetched(&mut self, round: usize, next: Option<(usize, Outcome)>) {
        let Some((source, outcome)) = next else {
            let over = self.rounds.remove(round);
            if over.occasion == Occasion::Reload
                && let Some((id, plan)) = self.reloads.ended()
            {
                self.apply(id, plan);
            }
            return;
        };
        self.note(source, &outcome);
        self.tell(Event::Source {
            reload: self.id,
            source,
            outcome,
        });
    }

    /// Logs when a source begins to fail, and when it gives a list again.
    fn note(&mut self, source: usize, outcome: &Outcome) {
        let url = &self.plan.config.aggregator.sources[source].url;
        let failed_before = std::mem::replace(&mut self.failing[source], outcome.is_err());
        match outcome {
            Err(error) if !failed_before => {
                tracing::warn!(source = %url, %error, "a source gave no list");
            }
            Ok(_) if failed_before => tracing::info!(source = %url, "a source gives a list again"),
            _ => {}
        }
    }

    fn look_up(&self, Lookup { purpose, name }: Lookup) {
        let resolver = match purpose {
            Purpose::Proxy(_) => self.resolver.clone(),
            Purpose::Target { .. } => self.target_resolver.clone(),
        };
        let events = self.events.clone();
        let (allowed, config) = (self.allowed, self.plan.config.clone());
        tokio::spawn(async move {
            let ip = match purpose {
                Purpose::Proxy(_) => resolver.resolve(name, 0, |ip| allowed(&config, ip)).await,
                Purpose::Target { turn, .. } => resolver.resolve(name, turn, |_| true).await,
            };
            // The coordinator is gone: the process ends.
            let _ = events.send(Event::Resolved { purpose, ip });
        });
    }

    fn tell(&self, event: Event) {
        // The coordinator is gone: the process ends.
        let _ = self.events.send(event);
    }
}

/// The next outcome of any round, and which round that is; waits for ever while there is none.
async fn next(rounds: &mut [Round]) -> (usize, Option<(usize, Outcome)>) {
    poll_fn(|cx| {
        let ready =
            rounds
                .iter_mut()
                .enumerate()
                .find_map(|(number, round)| match round.poll_next(cx) {
                    Poll::Ready(next) => Some((number, next)),
                    Poll::Pending => None,
                });
        ready.map_or(Poll::Pending, Poll::Ready)
    })
    .await
}
