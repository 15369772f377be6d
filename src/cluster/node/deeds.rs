//! What a node wants done, and what becomes of the actions of the state that leads.

use super::Node;
use crate::cluster::{ClusterStat, Logged, Order, Publication};
use crate::config::Config;
use crate::coordinator::{Action, Lookup, Now};
use crate::snapshot::{Pool, Stale, Stat};
use crate::store::Image;
use std::sync::Arc;

/// What a node wants done.
#[derive(Debug)]
pub enum Deed {
    /// Have the bus carry this.
    Order(Order),
    /// Let readers see this.
    Publish {
        /// The same on all nodes.
        generation: u64,
        /// When the leader published it, in milliseconds since the Unix epoch.
        at_ms: u64,
        /// The alive.
        pool: Arc<Pool>,
        /// The figures.
        stat: Arc<Stat>,
        /// Whether the pool is the last good one, held.
        stale: bool,
    },
    /// Say that what readers see is not fresh, for this reason, since then in milliseconds since the
    /// Unix epoch.
    Stale(Stale, u64),
    /// Let readers see how the nodes fare.
    Show(Arc<ClusterStat>),
    /// Look a name up.
    Lookup(Lookup),
    /// Keep this across a restart of this node.
    Save(Image),
    /// Have the worker of this node probe by this configuration.
    Configure(Arc<Config>),
    /// Fetch the sources, as the reload of this number; or (`None`) leave that to the leader.
    Fetch(Option<u64>),
    /// Read the configuration again.
    Reload,
}

impl Node {
    /// What becomes of what the state wants done. Its lanes are those of the nodes, each of which goes
    /// by its own configuration, learns by itself what its targets say, and keeps its own pace.
    pub(super) fn act(&mut self, actions: Vec<Action>, now: Now, deeds: &mut Vec<Deed>) {
        for action in actions {
            match action {
                Action::Submit { jobs, .. } => deeds.push(Deed::Order(Order::Jobs(jobs))),
                Action::Control { job, .. } => deeds.push(Deed::Order(Order::Control(job))),
                Action::Lookup(lookup) => deeds.push(Deed::Lookup(lookup)),
                Action::Log(lines) => self.log(lines, deeds),
                Action::Save(image) => {
                    self.lines = 0;
                    let copy = Box::new(image.clone());
                    deeds.push(Deed::Order(Order::Checkpoint(copy)));
                    deeds.push(Deed::Save(image));
                }
                Action::Publish { pool, stat, stale } => {
                    self.generation += 1;
                    self.note_published(stat.clone(), now.unix_ms, now);
                    let publication = Publication {
                        generation: self.generation,
                        at_ms: now.unix_ms,
                        stat: stat.clone(),
                        stale,
                    };
                    self.log(vec![Logged::Published(Arc::new(publication))], deeds);
                    deeds.push(Deed::Publish {
                        generation: self.generation,
                        at_ms: now.unix_ms,
                        pool,
                        stat,
                        stale,
                    });
                }
                Action::Policy(_) | Action::Lanes(_) | Action::Pace(_) => {}
            }
        }
    }

    /// Lines that follow on others go with them.
    fn log(&mut self, lines: Vec<Logged>, deeds: &mut Vec<Deed>) {
        self.lines += lines.len();
        match deeds.last_mut() {
            Some(Deed::Order(Order::Log(before))) => before.extend(lines),
            _ => deeds.push(Deed::Order(Order::Log(lines))),
        }
    }
}
