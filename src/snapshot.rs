//! The immutable set of alive proxies that readers see, and the only `ArcSwap`.

mod history;
mod spread;

pub use history::{POINTS_MAX, Point, STEP_SECONDS};
pub use spread::Spread;

use crate::cluster::ClusterStat;
use crate::lanes::LaneStat;
use arc_swap::ArcSwap;
use proxy_shards::{Candidate, Exit, Protocol, Tally, Targets, Verdict};
use std::sync::Arc;
use std::time::SystemTime;

/// One alive proxy.
#[derive(Clone, Debug)]
pub struct Proxy {
    /// Where it is, as its list has it.
    pub candidate: Candidate,
    /// What it was seen to speak. One that speaks several protocols is served under each.
    pub protocol: Protocol,
    /// The targets that it reached, by their place in [`Stat::targets`].
    pub targets: Targets,
    /// Those of them that turn it away, as enough clients said lately.
    pub banned_at: Targets,
    /// Its address towards the target, and what that gives away, if a judge said so.
    pub exit: Option<Exit>,
    /// Milliseconds of its last check, from SYN to verified answer.
    pub latency_ms: u32,
    /// When that check ended.
    pub last_check: SystemTime,
    /// The first source that lists it: an index into [`Stat::sources`].
    pub source: Option<u16>,
}

/// The alive proxies, in a stable order, with an index for each protocol.
#[derive(Clone, Debug, Default)]
pub struct Pool {
    proxies: Vec<Proxy>,
    by_protocol: [Vec<u32>; Protocol::ALL.len()],
}

impl Pool {
    /// Builds the indexes.
    pub fn new(proxies: Vec<Proxy>) -> Pool {
        let mut pool = Pool::default();
        proxies.into_iter().for_each(|proxy| pool.push(proxy));
        pool
    }

    /// An empty pool in the memory of this one.
    pub fn cleared(mut self) -> Pool {
        self.proxies.clear();
        self.by_protocol.iter_mut().for_each(Vec::clear);
        self
    }

    /// For how many proxies there is memory.
    pub fn capacity(&self) -> usize {
        self.proxies.capacity()
    }

    /// Whether there is memory for more proxies than there are.
    #[cfg(test)]
    pub(crate) fn has_room(&self) -> bool {
        self.proxies.capacity() > self.proxies.len()
    }

    /// Adds a proxy behind the others.
    pub fn push(&mut self, proxy: Proxy) {
        self.by_protocol[proxy.protocol as usize].push(self.proxies.len() as u32);
        self.proxies.push(proxy);
    }

    /// Every alive proxy.
    pub fn proxies(&self) -> &[Proxy] {
        &self.proxies
    }

    /// Indexes into [`Pool::proxies`] of those that speak `protocol`.
    pub fn of(&self, protocol: Protocol) -> &[u32] {
        &self.by_protocol[protocol as usize]
    }
}

/// What is known of one source.
#[derive(Clone, Debug, Default)]
pub struct SourceStat {
    /// Its name wherever it is shown, without what is secret; see `Source`.
    pub url: Box<str>,
    /// Candidates in its last good list.
    pub found: u64,
    /// The alive among them that no source before it lists.
    pub alive: u64,
    /// Pieces of that list that were skipped.
    pub skipped: u64,
    /// Why the last fetch failed; empty if it did not.
    pub error: Box<str>,
    /// Fetches that failed since the last good one.
    pub failures: u32,
    /// When the last good list was fetched.
    pub fetched_at: Option<SystemTime>,
}

/// Progress of the sweep: everything due since the last reload, checked once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sweep {
    /// Number of the sweep, from 1; 0 before the first.
    pub id: u64,
    /// Candidates that belong to it.
    pub total: u64,
    /// Those of them that have had their turn.
    pub done: u64,
    /// Those of these of which nothing could be told, because of this host.
    pub unjudged: u64,
    /// When it started.
    pub started: Option<SystemTime>,
    /// When it was complete.
    pub finished: Option<SystemTime>,
}

/// Gauges of one shard, from its last report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ShardStat {
    /// Probes under way.
    pub in_flight: u64,
    /// Jobs that wait for a lane.
    pub queued: u64,
    /// How late it came to its own tick at worst, in microseconds.
    pub lag_us: u32,
    /// Restarts after a panic.
    pub restarts: u64,
}

/// What is known of one target.
#[derive(Clone, Debug, Default)]
pub struct TargetStat {
    /// Its name.
    pub name: Box<str>,
    /// How the last probe without a proxy ended; `None` before the first, or if there are none.
    pub control: Option<Verdict>,
    /// Milliseconds that this probe took.
    pub latency_ms: u32,
    /// Alive candidates that reach it.
    pub reached: u64,
}

/// Why the snapshot is stale.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stale {
    /// The targets cannot be reached without a proxy either, or this host has no network.
    Control,
    /// The targets answer, and yet nothing is alive any more.
    NothingAlive,
    /// The other nodes cannot be heard, or none of them leads; only ever said by a node of its own
    /// snapshot.
    Cluster,
}

impl Stale {
    /// The one word for this reason in JSON and logs.
    pub const fn label(self) -> &'static str {
        match self {
            Stale::Control => "target_unreachable",
            Stale::NothingAlive => "nothing_alive",
            Stale::Cluster => "cluster_unreachable",
        }
    }

    /// The reason that a word stands for.
    pub fn from_label(label: &str) -> Option<Stale> {
        let all = [Stale::Control, Stale::NothingAlive, Stale::Cluster];
        all.into_iter().find(|reason| reason.label() == label)
    }
}

/// What checks made of the alive, since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Turns {
    /// Candidates that were not alive before, and are.
    pub found: u64,
    /// Those that were, and still are.
    pub kept: u64,
    /// Those that were, and are not any more.
    pub lost: u64,
}

/// The figures that go with a snapshot.
#[derive(Clone, Debug, Default)]
pub struct Stat {
    /// Unique candidates known.
    pub total_scraped: u64,
    /// Candidates whose last verdict is alive.
    pub total_alive: u64,
    /// Candidates whose last verdict is anything else that is theirs.
    pub total_dead: u64,
    /// When the last verdict arrived.
    pub last_check: Option<SystemTime>,
    /// Candidates by last verdict, `verdict as usize`.
    pub verdicts: [u64; Verdict::COUNT],
    /// What checks made of the alive.
    pub turns: Turns,
    /// Probes since the start, retries included.
    pub probes: Tally,
    /// Sources in the order of the configuration.
    pub sources: Vec<SourceStat>,
    /// The current sweep.
    pub sweep: Sweep,
    /// The targets, in the order of the configuration.
    pub targets: Vec<TargetStat>,
    /// Why the snapshot is stale, if it is, and since when.
    pub stale: Option<(Stale, SystemTime)>,
    /// Verdicts that wait until the targets have answered without a proxy.
    pub held: u64,
    /// How many lanes there are, and are wanted.
    pub lanes: LaneStat,
    /// The shards.
    pub shards: Vec<ShardStat>,
    /// Median latency of the alive, in milliseconds.
    pub latency_ms_p50: u32,
    /// 95th percentile of the latency of the alive, in milliseconds.
    pub latency_ms_p95: u32,
    /// The latency of the alive, counted by ranges.
    pub latency_spread: Spread,
}

impl Stat {
    /// What of the figures is told of each proxy: the names of the targets, and the sources.
    fn names(&self) -> impl Iterator<Item = Option<&str>> {
        let targets = self.targets.iter().map(|target| Some(&*target.name));
        let sources = self.sources.iter().map(|source| Some(&*source.url));
        targets.chain([None]).chain(sources)
    }
}

/// What readers see: immutable and consistent in itself.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// Grows with every publication; 0 is the empty one before the first. The same on all nodes of a
    /// cluster.
    pub generation: u64,
    /// Grows whenever what can be listed is another: the pool, or what targets or sources are called.
    pub listing: u64,
    /// When it was published.
    pub published: SystemTime,
    /// The alive proxies; shared with the generation before if they did not change.
    pub pool: Arc<Pool>,
    /// The figures.
    pub stat: Arc<Stat>,
    /// Whether it is the last good one, held while verdicts cannot be trusted.
    pub stale: bool,
    /// The figures of the hour before it was published; see [`Snapshot::history_until`].
    pub history: Arc<[Point]>,
    /// The nodes as this one sees them, if it is one of several.
    pub cluster: Option<Arc<ClusterStat>>,
}

/// Where the coordinator publishes and everyone else reads.
#[derive(Debug)]
pub struct Published {
    current: ArcSwap<Snapshot>,
}

impl Published {
    /// Generation 0: nothing is known yet.
    pub fn empty(now: SystemTime) -> Published {
        let nothing = Snapshot {
            generation: 0,
            listing: 0,
            published: now,
            pool: Arc::default(),
            stat: Arc::default(),
            stale: false,
            history: Arc::default(),
            cluster: None,
        };
        Published {
            current: ArcSwap::from_pointee(nothing),
        }
    }

    /// The snapshot of this moment. A request calls it once and keeps what it got.
    pub fn load(&self) -> Arc<Snapshot> {
        self.current.load_full()
    }

    /// Replaces the snapshot; only the coordinator does. The generation is the next one.
    pub fn publish(&self, pool: Arc<Pool>, stat: Arc<Stat>, now: SystemTime, stale: bool) {
        self.publish_as(0, pool, stat, now, stale);
    }

    /// The same under this generation, or the next one if that is larger: generations only grow.
    pub fn publish_as(
        &self,
        generation: u64,
        pool: Arc<Pool>,
        stat: Arc<Stat>,
        now: SystemTime,
        stale: bool,
    ) {
        let last = self.current.load();
        let generation = generation.max(last.generation.saturating_add(1));
        let is_same = Arc::ptr_eq(&last.pool, &pool) && last.stat.names().eq(stat.names());
        let listing = last.listing + u64::from(!is_same);
        self.current.store(Arc::new(Snapshot {
            generation,
            listing,
            history: last.history_until(now),
            published: now,
            pool,
            stat,
            stale,
            cluster: last.cluster.clone(),
        }));
    }

    /// Says something else of what is published, which stays what it is: that it is not fresh any
    /// more, or how the nodes fare. Only the coordinator does.
    pub fn amend(&self, change: impl FnOnce(&mut Snapshot)) {
        let mut snapshot = Snapshot::clone(&self.current.load());
        change(&mut snapshot);
        self.current.store(Arc::new(snapshot));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listing_is_another_only_when_the_pool_or_a_name_is() {
        let published = Published::empty(SystemTime::UNIX_EPOCH);
        let publish = |pool: &Arc<Pool>, stat: Stat| {
            published.publish(
                Arc::clone(pool),
                Arc::new(stat),
                SystemTime::UNIX_EPOCH,
                false,
            );
            published.load().listing
        };
        let named = |target: &str, source: &str| Stat {
            targets: vec![TargetStat {
                name: target.into(),
                ..TargetStat::default()
            }],
            sources: vec![SourceStat {
                url: source.into(),
                ..SourceStat::default()
            }],
            ..Stat::default()
        };
        let (first, second) = (Arc::default(), Arc::default());
        assert_eq!(publish(&first, named("a", "b")), 1);
        let figures = Stat {
            total_dead: 7,
            ..named("a", "b")
        };
        assert_eq!(publish(&first, figures), 1);
        assert_eq!(publish(&second, named("a", "b")), 2);
        assert_eq!(publish(&second, named("c", "b")), 3);
        assert_eq!(publish(&second, named("c", "d")), 4);
        assert_eq!(published.load().generation, 5);
    }

    #[test]
    fn a_generation_may_be_said_and_never_falls() {
        let published = Published::empty(SystemTime::UNIX_EPOCH);
        let publish = |generation| {
            let (pool, stat) = (Arc::default(), Arc::default());
            published.publish_as(generation, pool, stat, SystemTime::UNIX_EPOCH, false);
            published.load().generation
        };
        assert_eq!([7, 8, 3, 8, 20].map(publish), [7, 8, 9, 10, 20]);
        let last = u64::MAX; // another node may say anything
        assert_eq!([last, 0, 5].map(publish), [last, last, last]);
    }

    #[test]
    fn what_is_amended_is_still_what_was_published() {
        let published = Published::empty(SystemTime::UNIX_EPOCH);
        published.publish_as(5, Arc::default(), Arc::default(), SystemTime::now(), false);
        let before = published.load();
        published.amend(|snapshot| snapshot.stale = true);
        let after = published.load();
        assert_eq!((after.generation, after.listing), (5, before.listing));
        assert!(after.stale && !before.stale && Arc::ptr_eq(&after.pool, &before.pool));
    }

    #[test]
    fn a_published_proxy_is_at_most_88_bytes() {
        assert!(size_of::<Proxy>() <= 88, "{}", size_of::<Proxy>());
    }
}
