//! The `cluster-nodes` thread: says what this node does, and hears what the others do.

use super::bus::hub::Inner;
use super::bus::link::{Line, Stop};
use super::keys::Keys;
use super::lease::reign::Reign;
use super::lease::worth::Worth;
use super::lease::{id, millis};
use super::log::follow::Position;
use super::wire::Id;
use super::wire::node::{known, pack, process, unpack};
use super::worker::end::WorkerStat;
use super::{News, NodeStat, scripts};
use crossbeam_channel::Sender;
use redis::RedisError;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// The nodes are told at most this often.
const TELL: Duration = Duration::from_secs(1);

/// Said instead of figures by who has nothing to say.
const LISTENS: &str = "-";

/// What the thread works with.
pub(super) struct Nodes {
    pub(super) keys: Keys,
    pub(super) node: Box<str>,
    /// Tells this process from another of the same name; that of the one that began later is larger.
    pub(super) process: u64,
    /// Whether it has said something under its name.
    pub(super) said: bool,
    pub(super) lease: Duration,
    pub(super) reign: Arc<Reign>,
    /// What this node knows, next to the others.
    pub(super) worth: Arc<Worth>,
    pub(super) position: Arc<Position>,
    /// The end of the log, as it was last heard.
    pub(super) end: Id,
    /// What the leader probes by.
    pub(super) leaders: Arc<AtomicU64>,
    pub(super) worker: Arc<WorkerStat>,
    pub(super) hub: Sender<Inner>,
    pub(super) line: Line,
    pub(super) stop: Stop,
}

impl Nodes {
    /// Runs until the bus stops; then the others see at once that this node is gone.
    pub(super) fn run(mut self) {
        let period = (self.lease / 4).min(TELL);
        let (mut told, mut told_at) = (Vec::new(), None::<Instant>);
        let (mut heard, mut heard_at) = (Vec::new(), Instant::now());
        let mut swept = Instant::now();
        loop {
            let said = pack(&self.figures(), self.worth.known(), self.process);
            // What is said under its name is for the other one to say.
            let is_refused = self.worker.is_namesake();
            let exchanged = self.exchange(if is_refused { LISTENS } else { &said });
            match exchanged {
                Ok(nodes) => (heard, heard_at) = (nodes, Instant::now()),
                Err(_) => self.worth.unheard(),
            }
            let nodes = aged(&heard, heard_at.elapsed());
            let may_tell = told_at.is_none_or(|at| at.elapsed() >= TELL);
            if may_tell && differ(&nodes, &told, self.lease) {
                told_at = Some(Instant::now());
                told.clone_from(&nodes);
                // The hub is gone when the bus stops.
                let _ = self.hub.send(Inner::News(News::Nodes(nodes)));
            }
            if swept.elapsed() >= self.lease {
                swept = Instant::now();
                self.sweep();
            }
            if self.stop.wait(period) {
                break;
            }
        }
        if !self.worker.is_namesake() {
            // Best effort: others miss it after a lease anyway.
            let _ = self.exchange("");
        }
    }

    fn figures(&self) -> NodeStat {
        let worker = self.worker.get();
        NodeStat {
            lanes: worker.lanes,
            in_flight: worker.in_flight,
            taken: worker.taken,
            lag: self.lag(),
            idle_because: worker.idle_because,
            version: env!("CARGO_PKG_VERSION").into(),
            ..NodeStat::default()
        }
    }

    /// Entries of the log that were not read: of those of a leader before the last none are counted.
    fn lag(&self) -> u64 {
        if self.reign.hold(Instant::now()).is_some() {
            return 0;
        }
        match self.position.get() {
            Some(at) if at.token == self.end.token => self.end.number.saturating_sub(at.number),
            _ => self.end.number,
        }
    }

    fn exchange(&mut self, figures: &str) -> Result<Vec<NodeStat>, RedisError> {
        let (keys, node, silence) = (&self.keys, &self.node, millis(self.lease));
        let answer: Vec<Vec<u8>> = self.line.ask(|redis| {
            let mut call = scripts::NODES.key(&keys.nodes);
            call.key(&keys.leader).key(&keys.policy).key(&keys.log);
            call.arg(&**node).arg(figures).arg(silence).invoke(redis)
        })?;
        let text = |place: usize| {
            let bytes = answer.get(place).map(Vec::as_slice);
            std::str::from_utf8(bytes.unwrap_or_default()).unwrap_or_default()
        };
        let leader = text(0).split_once('|').map(|(_, name)| name);
        self.leaders
            .store(text(1).parse().unwrap_or(0), Ordering::Release);
        self.end = id(text(2));
        self.meet(process(answer.get(3).map_or(&[], Vec::as_slice)));
        self.said = true;
        let all = answer.get(4..).unwrap_or_default().chunks_exact(3);
        let others = all.clone().filter(|of| *of[0] != *node.as_bytes());
        let most = others.map(|of| known(&of[2])).max().unwrap_or(0);
        self.worth.heard(most, Instant::now());
        let mut nodes: Vec<NodeStat> = all
            .map(|of| {
                let name = String::from_utf8_lossy(&of[0]);
                let silent = std::str::from_utf8(&of[1])
                    .ok()
                    .and_then(|ms| ms.parse().ok());
                let leads = leader == Some(&*name);
                unpack(&name, silent.unwrap_or(0), leads, &of[2])
            })
            .collect();
        nodes.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(nodes)
    }

    /// This process spoke last under the name of this node. Of two that live the one that began later
    /// takes no jobs. What the process before this one said is not answered, so once is no proof.
    fn meet(&self, last: Option<u64>) {
        let is_later = last.is_some_and(|last| last < self.process);
        self.worker.set_namesake(self.said && is_later);
    }

    /// Removes consumers that are no nodes any more, if this node leads.
    fn sweep(&mut self) {
        let Some(token) = self.reign.leads(Instant::now()) else {
            return;
        };
        let (keys, value) = (&self.keys, format!("{token}|{}", self.node));
        let _: Result<i64, RedisError> = self.line.ask(|redis| {
            let mut call = scripts::SWEEP.key(&keys.leader);
            call.key(&keys.jobs)
                .key(&keys.nodes)
                .arg(&value)
                .invoke(redis)
        });
    }
}

/// The nodes as they were heard so long ago: while Redis is away all are silent, and nobody counts for
/// us how long.
fn aged(heard: &[NodeStat], ago: Duration) -> Vec<NodeStat> {
    let aged = heard.iter().map(|node| NodeStat {
        silent_ms: node.silent_ms.saturating_add(millis(ago)),
        ..node.clone()
    });
    aged.collect()
}

/// Whether there is something to tell: silence within what is usual says nothing.
fn differ(now: &[NodeStat], before: &[NodeStat], lease: Duration) -> bool {
    let usual = millis(lease / 2);
    let known = |node: &NodeStat| NodeStat {
        silent_ms: node.silent_ms.max(usual),
        ..node.clone()
    };
    !now.iter().map(known).eq(before.iter().map(known))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn while_nobody_is_heard_the_figures_age_and_that_is_told() {
        let lease = Duration::from_secs(4);
        let node = NodeStat {
            name: "a".into(),
            silent_ms: 300,
            ..NodeStat::default()
        };
        let told = aged(&[node], Duration::ZERO);
        let soon = aged(&told, Duration::from_millis(1_500));
        assert!(!differ(&soon, &told, lease), "silence as usual");
        let late = aged(&told, Duration::from_secs(7));
        assert_eq!(late[0].silent_ms, 7_300);
        assert!(differ(&late, &told, lease));
    }
}
