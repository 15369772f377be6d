//! The `cluster-tell` thread: appends what this node's worker reports, and renews the entries that it
//! has. What could not be appended is tried again as it was, so that Redis can tell whether it was.

use crate::cluster::bus::link::{Line, Stop};
use crate::cluster::keys::Keys;
use crate::cluster::scripts;
use crate::cluster::wire::Id;
use crate::cluster::wire::report::{Head, pack_head, pack_records};
use crate::cluster::worker::end::{Part, Said, Task};
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};
use redis::RedisError;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Parts that are reported at once, and entries that are renewed at once.
const PARTS_MAX: usize = 256;
/// Reports that may wait for the leader; with more the workers wait.
const REPORTS_MAX: usize = 4_096;
/// Pause while there are so many.
const FULL_PAUSE: Duration = Duration::from_millis(50);

/// The entries that this node has.
#[derive(Debug, Default)]
pub(crate) struct Owned(Mutex<BTreeSet<Id>>);

impl Owned {
    fn lock(&self) -> MutexGuard<'_, BTreeSet<Id>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn add(&self, id: Id) {
        self.lock().insert(id);
    }

    fn remove(&self, ids: impl IntoIterator<Item = Id>) {
        let mut owned = self.lock();
        for id in ids {
            owned.remove(&id);
        }
    }

    fn all(&self) -> Vec<Id> {
        self.lock().iter().copied().collect()
    }
}

/// What the thread works with.
pub(crate) struct Telling {
    pub(crate) keys: Keys,
    pub(crate) node: Box<str>,
    pub(crate) lease: Duration,
    pub(crate) owned: Arc<Owned>,
    pub(crate) said: Receiver<Said>,
    pub(crate) tasks: Sender<Task>,
    pub(crate) line: Line,
    pub(crate) stop: Stop,
}

/// How a report ended.
enum Told {
    Counted,
    /// It is none any more: its leader leads no more.
    Void,
    Stopped,
}

impl Telling {
    /// Runs until the worker has ended and all that it said is told, or until the bus stops.
    pub(crate) fn run(mut self) {
        let mut kept = Instant::now();
        loop {
            let pause = (self.lease / 3).saturating_sub(kept.elapsed());
            match self.said.recv_timeout(pause) {
                Ok(said) => {
                    if self.tell(said, &mut kept) {
                        return;
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            self.keep(&mut kept);
            if self.stop.is_now() {
                return;
            }
        }
    }

    /// Tells what the worker said, those of one token together; `true` if the bus stops meanwhile.
    fn tell(&mut self, said: Said, kept: &mut Instant) -> bool {
        let mut head = Head {
            node: self.node.clone(),
            ..said.head
        };
        for parts in said.parts.chunk_by(|a, b| a.id.token == b.id.token) {
            for parts in parts.chunks(PARTS_MAX) {
                let token = parts[0].id.token;
                match self.append(token, &head, parts, kept) {
                    Told::Counted => {}
                    Told::Void => {
                        let void = self.owned.all();
                        self.owned
                            .remove(void.into_iter().filter(|id| id.token == token));
                        self.give(Task::Void(token));
                    }
                    Told::Stopped => return true,
                }
                // Counted once.
                head.tally = proxy_shards::Tally::default();
            }
        }
        false
    }

    /// Appends parts, as often as it takes.
    fn append(&mut self, token: u64, head: &Head, parts: &[Part], kept: &mut Instant) -> Told {
        let packed: Vec<Vec<u8>> = parts
            .iter()
            .map(|part| pack_records(&part.records))
            .collect();
        loop {
            let (keys, node) = (&self.keys, &self.node);
            let answer: Result<Vec<String>, RedisError> = self.line.ask(|redis| {
                let mut call = scripts::REPORT.key(&keys.leader);
                call.key(&keys.jobs).key(&keys.done).key(&keys.reports);
                call.arg(token)
                    .arg(&**node)
                    .arg(REPORTS_MAX)
                    .arg(pack_head(head));
                for (part, records) in parts.iter().zip(&packed) {
                    let (low, high) = (part.bits & 0xffff_ffff, part.bits >> 32);
                    call.arg(part.id.to_string()).arg(low).arg(high);
                    call.arg(u8::from(part.is_last)).arg(&records[..]);
                }
                call.invoke(redis)
            });
            let stopped = match answer.as_deref() {
                Ok([said, lost @ ..]) if said == "ok" => {
                    let lost: Vec<Id> = lost.iter().filter_map(|id| id.parse().ok()).collect();
                    let ended = parts.iter().filter(|part| part.is_last);
                    self.owned.remove(ended.map(|part| part.id));
                    self.lose(lost);
                    return Told::Counted;
                }
                Ok([said, ..]) if said == "full" => self.stop.wait(FULL_PAUSE),
                Ok(_) => return Told::Void,
                Err(_) => self.line.rest(),
            };
            if stopped {
                return Told::Stopped;
            }
            self.keep(kept);
        }
    }

    /// Renews what this node has, every third of a lease.
    fn keep(&mut self, kept: &mut Instant) {
        if kept.elapsed() < self.lease / 3 {
            return;
        }
        let owned = self.owned.all();
        if owned.is_empty() {
            self.line.rested();
        }
        for ids in owned.chunks(PARTS_MAX) {
            let (keys, node) = (&self.keys, &self.node);
            let lost: Result<Vec<String>, RedisError> = self.line.ask(|redis| {
                let mut call = scripts::KEEP.key(&keys.jobs);
                call.arg(&**node);
                for id in ids {
                    call.arg(id.to_string());
                }
                call.invoke(redis)
            });
            match lost {
                Ok(lost) => self.lose(lost.iter().filter_map(|id| id.parse().ok()).collect()),
                // Tried again soon; what is not renewed in time is another node's.
                Err(_) => return,
            }
        }
        *kept = Instant::now();
    }

    fn lose(&mut self, lost: Vec<Id>) {
        if !lost.is_empty() {
            self.owned.remove(lost.iter().copied());
            self.give(Task::Lost(lost));
        }
    }

    fn give(&self, task: Task) {
        // The worker is gone when the bus stops.
        let _ = self.tasks.send(task);
    }
}
