//! The loop around a node's coordinator: its own events, the news of the bus, and the time.

use super::{Deed, News, Node, NodeStart, Order};
use crate::api::{ReloadHandle, ReloadRequest};
use crate::config::Config;
use crate::coordinator::{Clock, Event, Now, Outlets, STOP_GRACE};
use crossbeam_channel::{Receiver, Sender, select};
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::sync::watch;

/// Tells a worker by which configuration it probes from now on.
pub type Configure = Box<dyn Fn(&Arc<Config>) + Send>;

/// The bus and the worker of this node, as its coordinator has them.
pub struct Link {
    /// What is to be carried.
    pub orders: Sender<Order>,
    /// What was carried here.
    pub news: Receiver<News>,
    /// Tells the worker by which configuration it probes from now on.
    pub configure: Configure,
    /// Ends both, within that time; what was ordered before is carried, if it can be.
    pub stop: Box<dyn FnOnce(Duration) + Send>,
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link").finish_non_exhaustive()
    }
}

/// Where the deeds of a node go.
#[derive(Debug)]
pub struct Outside {
    /// As those of a node alone.
    pub outlets: Outlets,
    /// Whether this node fetches the sources, and as which reload.
    pub fetch: watch::Sender<Option<u64>>,
    /// Where reloads are asked for.
    pub reload: ReloadHandle,
}

/// Runs until [`Event::Stop`], or until nobody can send events any more; then hands over the last
/// image and ends the bus. `begun` is called when what was restored is published.
pub fn run(
    link: Link,
    start: NodeStart,
    events: &Receiver<Event>,
    outside: &Outside,
    begun: impl FnOnce(),
) {
    let clock = Clock::start();
    let mut node = Node::new(start, clock.now());
    perform(node.begin(clock.now()), &link, outside);
    begun();
    loop {
        let now = clock.now();
        let wake_ms = node.wake_at(now).saturating_sub(now.clock_ms);
        let mut stops = false;
        let deeds = select! {
            recv(link.news) -> news => match news {
                Ok(news) => node.hear(news, clock.now()),
                Err(_) => {
                    tracing::error!("the bus of the cluster ended by itself; stopping. Please report this as a bug");
                    stops = true;
                    node.handle(Event::Stop, clock.now())
                }
            },
            recv(events) -> event => {
                let event = event.unwrap_or(Event::Stop);
                stops = matches!(event, Event::Stop);
                node.handle(event, clock.now())
            }
            default(Duration::from_millis(wake_ms)) => node.handle(Event::Tick, clock.now()),
        };
        perform(deeds, &link, outside);
        if stops {
            break;
        }
    }
    perform(node.finish(clock.now()), &link, outside);
    (link.stop)(STOP_GRACE);
}

/// A receiver that is gone has ended with the process.
fn perform(deeds: Vec<Deed>, link: &Link, outside: &Outside) {
    let Outlets {
        published,
        lookups,
        images,
    } = &outside.outlets;
    for deed in deeds {
        match deed {
            Deed::Order(order) => drop(link.orders.send(order)),
            Deed::Publish {
                generation,
                at_ms,
                pool,
                stat,
                stale,
            } => {
                published.publish_as(generation, pool, stat, unix(at_ms), stale);
            }
            Deed::Stale(reason, since_ms) => published.amend(|snapshot| {
                let stat = Arc::make_mut(&mut snapshot.stat);
                stat.stale = Some((reason, unix(since_ms)));
                snapshot.stale = true;
            }),
            Deed::Show(cluster) => published.amend(|snapshot| snapshot.cluster = Some(cluster)),
            Deed::Lookup(lookup) => drop(lookups.send(lookup)),
            Deed::Save(image) => drop(images.send(image)),
            Deed::Configure(config) => (link.configure)(&config),
            Deed::Fetch(reload) => drop(outside.fetch.send_replace(reload)),
            // A full channel means that a reload waits already: this one is merged into it.
            Deed::Reload => drop(outside.reload.try_send(ReloadRequest { reply: None })),
        }
    }
}

fn unix(ms: u64) -> SystemTime {
    Now {
        clock_ms: 0,
        unix_ms: ms,
    }
    .system()
}
