//! A coordinator over the [`World`] of simulated shards: as many of them and as many candidates as a
//! real service has.

use super::{EPOCH_MS, config, list};
use crate::config::Config;
use crate::coordinator::{Action, Event, Now, Purpose, Start, State};
use crate::dispatch::world::{Fate, World};
use crate::snapshot::Published;
use crate::sources::fetch::Fetched;
use crate::store::Image;
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

/// A service, its shards, and what readers see.
pub(crate) struct Service {
    pub(crate) state: State,
    pub(crate) world: World,
    pub(crate) published: Published,
    /// When the first proxy was served.
    pub(crate) first_ms: Option<u64>,
    count: u32,
}

/// A usual service: batches as they are by default, the target tried every five seconds.
pub(crate) fn configuration() -> Config {
    let mut config = config(&["a"]);
    config.checker.batch_size = NonZeroUsize::new(2_000).unwrap();
    config.checker.control = Some(Duration::from_secs(5));
    config
}

/// The shard of an address, as even and as random as the engine's.
fn route(shards: usize) -> impl Fn(SocketAddr) -> usize {
    use std::hash::{DefaultHasher, Hash, Hasher};
    move |address| {
        let mut hasher = DefaultHasher::new();
        address.hash(&mut hasher);
        (hasher.finish() % shards as u64) as usize
    }
}

impl Service {
    /// A service whose one source lists `count` candidates, at the start.
    pub(crate) fn new(count: u32, shards: usize, lanes: usize, fate: Fate) -> Service {
        Service::of(configuration(), count, shards, lanes, fate)
    }

    /// The same, by another configuration.
    pub(crate) fn of(
        config: Config,
        count: u32,
        shards: usize,
        lanes: usize,
        fate: Fate,
    ) -> Service {
        let now = Now {
            clock_ms: 0,
            unix_ms: EPOCH_MS,
        };
        let start = Start {
            config: Arc::new(config),
            shards,
            lanes_per_shard: lanes / shards,
            descriptors: 20_000,
            restored: Image::default(),
            seed: 7,
        };
        let mut service = Service {
            state: State::new(start, now, &route(shards)),
            world: World::new(shards, lanes / shards, fate),
            published: Published::empty(now.system()),
            first_ms: None,
            count,
        };
        service.tell(Event::Tick);
        service.deliver();
        service
    }

    /// Everything is due.
    pub(crate) fn reload(&mut self) {
        let reload = self.state.sweep.id + 1;
        let config = self.state.config.clone();
        self.tell(Event::Configure { reload, config });
        self.deliver();
    }

    fn deliver(&mut self) {
        self.tell(Event::Source {
            reload: self.state.sweep.id,
            source: 0,
            outcome: Ok(Fetched::List(list(0..self.count))),
        });
    }

    /// Lets time pass until then, or until `over` says so.
    pub(crate) fn run(&mut self, until_ms: u64, over: impl Fn(&Service) -> bool) {
        while self.now().clock_ms < until_ms && !over(self) {
            let wake = self.state.wake_at(self.now()).max(self.now().clock_ms);
            let event = match self.world.next(wake.min(until_ms).saturating_mul(1_000)) {
                Some(report) => Event::Report(report),
                None => Event::Tick,
            };
            self.tell(event);
        }
    }

    pub(crate) fn now(&self) -> Now {
        let clock_ms = self.world.now_us / 1_000;
        Now {
            clock_ms,
            unix_ms: EPOCH_MS + clock_ms,
        }
    }

    fn tell(&mut self, event: Event) {
        let now = self.now();
        let shards = self.world.shards();
        for action in self.state.handle(event, now, &route(shards)) {
            match action {
                Action::Submit { shard, jobs } => self.world.submit(shard, jobs),
                Action::Control { shard, job } => self.world.control(shard, job),
                Action::Publish { pool, stat, stale } => {
                    if !pool.proxies().is_empty() {
                        self.first_ms.get_or_insert(now.clock_ms);
                    }
                    self.published.publish(pool, stat, now.system(), stale);
                }
                Action::Lookup(lookup) => {
                    let ip = Some(IpAddr::from([192, 0, 2, 1]));
                    if let Purpose::Target { .. } = lookup.purpose {
                        let purpose = lookup.purpose;
                        self.tell(Event::Resolved { purpose, ip });
                    }
                }
                Action::Policy(_) | Action::Lanes(_) | Action::Pace(_) => {}
                Action::Save(_) | Action::Log(_) => {}
            }
        }
    }
}

/// The number of the candidate that a job is for.
pub(crate) fn number_of(job: &proxy_shards::Job) -> u32 {
    super::number(job.address.ip())
}
