//! What the worker and the bus of one node share: jobs in, reports out, room and figures.

use crate::cluster::bus::hub::Inner;
use crate::cluster::bus::link::Stop;
use crate::cluster::bus::policy::Fingerprint;
use crate::cluster::jobs::take::Taken;
use crate::cluster::wire::Id;
use crate::cluster::wire::report::Head;
use crossbeam_channel::{Receiver, Sender, after, bounded, select};
use proxy_shards::{ControlJob, ControlRecord, Record};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// What the bus gives the worker.
#[derive(Clone, Debug)]
pub(crate) enum Task {
    /// An entry was taken.
    Taken(Taken),
    /// These entries are not ours any more: what comes of them is of no use.
    Lost(Vec<Id>),
    /// Nor is any of this token.
    Void(u64),
    /// To be reached without a proxy, for this node's coordinator.
    Control(ControlJob),
}

/// Some of the jobs of one entry ended.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    pub(crate) id: Id,
    /// Their bits.
    pub(crate) bits: u64,
    /// Whether no job of the entry is left.
    pub(crate) is_last: bool,
    pub(crate) records: Vec<Record>,
}

/// What the worker reports.
#[derive(Clone, Debug, Default)]
pub(crate) struct Said {
    pub(crate) head: Head,
    pub(crate) parts: Vec<Part>,
}

/// The worker's end of the bus.
pub struct WorkerEnd {
    pub(crate) tasks: Receiver<Task>,
    pub(crate) said: Sender<Said>,
    pub(crate) credit: Arc<Credit>,
    pub(crate) stat: Arc<WorkerStat>,
    pub(crate) hub: Sender<Inner>,
    pub(crate) fingerprint: Arc<Fingerprint>,
}

impl WorkerEnd {
    /// How probes without a proxy fared that the coordinator of this node asked for.
    pub(crate) fn tell_controls(&self, controls: Vec<ControlRecord>) {
        // The hub is gone when the bus stops.
        let _ = self.hub.send(Inner::Controls(controls));
    }
}

/// For how many jobs the worker has room: what it was given and what it allows, both counted since the
/// start, so that neither side has to wait for the other.
#[derive(Debug)]
pub(crate) struct Credit {
    taken: AtomicU64,
    allowed: AtomicU64,
    bell: (Sender<()>, Receiver<()>),
}

impl Default for Credit {
    fn default() -> Credit {
        Credit {
            taken: AtomicU64::new(0),
            allowed: AtomicU64::new(0),
            bell: bounded(1),
        }
    }
}

impl Credit {
    /// Jobs that may be taken now.
    pub(crate) fn room(&self) -> u64 {
        let allowed = self.allowed.load(Ordering::Acquire);
        allowed.saturating_sub(self.taken.load(Ordering::Acquire))
    }

    /// So many were taken.
    pub(crate) fn took(&self, jobs: u64) {
        self.taken.fetch_add(jobs, Ordering::AcqRel);
    }

    /// The worker has had `received` jobs since the start, and has room for so many more.
    pub(crate) fn allow(&self, received: u64, room: u64) {
        self.allowed.store(received + room, Ordering::Release);
        if room > 0 {
            // That it has rung already is as good.
            let _ = self.bell.0.try_send(());
        }
    }

    /// Waits until more is allowed, for so long at most; `true` as soon as the bus stops.
    pub(crate) fn wait(&self, time: Duration, stop: &Stop) -> bool {
        let (bell, over) = (&self.bell.1, after(time));
        select! {
            recv(bell) -> _ => stop.is_now(),
            recv(over) -> _ => stop.is_now(),
            recv(stop.0) -> _ => true,
        }
    }
}

/// What the worker says of itself.
#[derive(Debug, Default)]
pub(crate) struct WorkerStat(Mutex<Figures>);

/// The figures.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Figures {
    pub(crate) lanes: u64,
    pub(crate) in_flight: u64,
    /// Jobs that it has taken and not finished.
    pub(crate) taken: u64,
    /// Why it takes none.
    pub(crate) idle_because: Option<Box<str>>,
    /// Whether its policy is not the leader's, which the bus finds out.
    pub(super) is_foreign: bool,
    /// Whether another process has the name of this node, likewise.
    pub(super) is_namesake: bool,
}

const FOREIGN: &str = "its configuration probes otherwise than the leader's: give all nodes the same targets, expectations and mode";

const NAMESAKE: &str = "another process is this node too: give each node a cluster.node of its own";

impl WorkerStat {
    fn with<T>(&self, with: impl FnOnce(&mut Figures) -> T) -> T {
        with(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The worker's own figures.
    pub(crate) fn set(&self, figures: Figures) {
        self.with(|old| {
            let (is_foreign, is_namesake) = (old.is_foreign, old.is_namesake);
            *old = figures;
            (old.is_foreign, old.is_namesake) = (is_foreign, is_namesake);
        });
    }

    /// Whether the leader has jobs probed otherwise; said once in the log.
    pub(crate) fn set_foreign(&self, is_foreign: bool) {
        let before = self.with(|old| std::mem::replace(&mut old.is_foreign, is_foreign));
        match (before, is_foreign) {
            (false, true) => tracing::warn!("this node takes no jobs: {FOREIGN}"),
            (true, false) => tracing::info!("this node takes jobs: it probes as the leader does"),
            _ => {}
        }
    }

    /// Whether another process, which began before this one, has the same name; said once in the log.
    pub(crate) fn set_namesake(&self, is_namesake: bool) {
        let before = self.with(|old| std::mem::replace(&mut old.is_namesake, is_namesake));
        match (before, is_namesake) {
            (false, true) => tracing::error!("this node takes no jobs: {NAMESAKE}"),
            (true, false) => tracing::info!("this node takes jobs: its name is its own"),
            _ => {}
        }
    }

    /// Whether it is so.
    pub(crate) fn is_namesake(&self) -> bool {
        self.with(|figures| figures.is_namesake)
    }

    /// What other nodes are told.
    pub(crate) fn get(&self) -> Figures {
        let mut figures = self.with(|figures| figures.clone());
        if figures.is_namesake {
            figures.idle_because = Some(NAMESAKE.into());
        }
        if figures.is_foreign && figures.idle_because.is_none() {
            figures.idle_because = Some(FOREIGN.into());
        }
        figures
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_taken_and_not_received_yet_leaves_no_room() {
        let credit = Credit::default();
        assert_eq!(credit.room(), 0);
        credit.allow(0, 100);
        credit.took(64);
        assert_eq!(credit.room(), 36);
        // The worker has received none of them yet, and has still room for 100.
        credit.allow(0, 100);
        assert_eq!(credit.room(), 36);
        credit.allow(64, 36);
        assert_eq!(credit.room(), 36);
        credit.allow(64, 0);
        credit.took(64);
        assert_eq!(credit.room(), 0);
    }

    #[test]
    fn a_node_of_another_policy_says_why_it_is_idle() {
        let stat = WorkerStat::default();
        stat.set_foreign(true);
        stat.set(Figures::default());
        assert_eq!(stat.get().idle_because.as_deref(), Some(FOREIGN));
        stat.set_foreign(false);
        assert_eq!(stat.get().idle_because, None);
    }
}
