//! The `cluster-follow` thread: reads the checkpoint and then the log, as long as another node writes
//! it, and brings a node that is about to lead up to its end.
//!
//! Each entry names the one before it. Where that is not the one that was read last, something is
//! missing – it was trimmed, or Redis forgot – and the checkpoint is read again. After a reign of its
//! own a node reads it again too: what it judged last and could not log any more must not stay.

use crate::cluster::News;
use crate::cluster::bus::hub::Inner;
use crate::cluster::bus::link::{Line, Stop};
use crate::cluster::checkpoint::{self, Loaded};
use crate::cluster::keys::Keys;
use crate::cluster::lease::millis;
use crate::cluster::lease::reign::{Hold, Phase, Reign};
use crate::cluster::lease::worth::Worth;
use crate::cluster::wire::Id;
use crate::cluster::wire::entry::{self, Entry};
use crate::cluster::wire::line::{Form, unpack};
use crossbeam_channel::Sender;
use redis::{RedisError, Value};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Entries that are read at once: four megabytes at most.
const READ_MAX: usize = 64;
/// News that wait for the coordinator; with more nothing is read.
const BACKLOG_MAX: usize = 256;
const LOOK: Duration = Duration::from_millis(20);

/// How far this node has followed, for those who tell it.
#[derive(Debug, Default)]
pub(crate) struct Position(Mutex<Option<Id>>);

impl Position {
    fn set(&self, at: Option<Id>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = at;
    }

    /// The last entry that was read; nothing while there is a gap.
    pub(crate) fn get(&self) -> Option<Id> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the thread works with.
pub(crate) struct Following {
    pub(crate) keys: Keys,
    pub(crate) block: Duration,
    pub(crate) reign: Arc<Reign>,
    pub(crate) form: Form,
    pub(crate) hub: Sender<Inner>,
    pub(crate) backlog: Arc<AtomicUsize>,
    pub(crate) ready: Arc<AtomicBool>,
    pub(crate) worth: Arc<Worth>,
    pub(crate) position: Arc<Position>,
    /// Where the checkpoint ends that was read last, and that one if the log goes on only behind a gap
    /// there: it is of no use to read it again.
    pub(crate) loaded: Option<Id>,
    pub(crate) useless: Option<Id>,
    pub(crate) line: Line,
    pub(crate) stop: Stop,
}

impl Following {
    /// Runs until the bus stops.
    pub(crate) fn run(mut self) {
        loop {
            let is_late = self.backlog.load(Ordering::Relaxed) > BACKLOG_MAX;
            let hold = self.reign.hold(Instant::now());
            let is_over = match (is_late, hold) {
                (false, None) => self.follow(None),
                (false, Some(hold)) if hold.phase == Phase::Rising => self.follow(Some(hold)),
                (_, Some(hold)) if hold.phase != Phase::Rising => {
                    // What is logged now is our own.
                    self.position.set(None);
                    self.stop.wait(LOOK)
                }
                _ => self.stop.wait(LOOK),
            };
            if is_over {
                return;
            }
        }
    }

    /// One step towards the end of the log; `true` as soon as the bus stops.
    fn follow(&mut self, rising: Option<Hold>) -> bool {
        let step = match self.position.get() {
            None => self.load(),
            Some(at) => self.read(at, rising),
        };
        let Ok(found) = step else {
            return self.line.rest();
        };
        if let Some(hold) = rising {
            let at = self.position.get();
            // Without an entry to follow, or a checkpoint, what is known already has to do.
            let has_all = at.is_some_and(|at| at >= hold.last) || !found;
            if has_all {
                self.reign.advance(hold.token, Phase::Ready);
                self.tell(Inner::CaughtUp(hold.token));
            }
        } else if !found && self.position.get().is_none() {
            return self.stop.wait(self.block);
        }
        self.stop.is_now()
    }

    /// Reads the checkpoint; `false` if there is none.
    fn load(&mut self) -> Result<bool, RedisError> {
        let loaded = checkpoint::load(&mut self.line, &self.keys, self.useless)?;
        let found = match loaded {
            Loaded::Image(image, at) => {
                self.position.set(Some(at));
                self.loaded = Some(at);
                self.worth.in_touch();
                self.tell(Inner::News(News::Checkpoint(image)));
                true
            }
            Loaded::Nothing => false,
            Loaded::Unreadable(why) => {
                tracing::error!(%why, "the checkpoint in Redis cannot be read; this node goes on with what it knows");
                false
            }
        };
        self.ready.store(true, Ordering::Release);
        Ok(found)
    }

    /// Reads what was logged after `at`; `false` if there was nothing.
    fn read(&mut self, at: Id, rising: Option<Hold>) -> Result<bool, RedisError> {
        let keys = &self.keys;
        // Who is to lead does not wait: nobody else appends.
        let block = rising.is_none().then(|| millis(self.block).max(1));
        let answer: Value = self.line.ask(|redis| {
            let mut command = redis::cmd("XREAD");
            command.arg("COUNT").arg(READ_MAX);
            if let Some(block) = block {
                command.arg("BLOCK").arg(block);
            }
            command.arg("STREAMS").arg(&keys.log).arg(at.to_string());
            command.query(redis)
        })?;
        let streams = entry::of_streams(answer).into_iter();
        let entries: Vec<Entry> = streams.flat_map(|(_, entries)| entries).collect();
        let mut at = at;
        for entry in &entries {
            let before = entry.field("p").and_then(|p| std::str::from_utf8(p).ok());
            if before.and_then(|text| text.parse().ok()) != Some(at) {
                tracing::info!(id = %entry.id, "the log has a gap here: the checkpoint is read again");
                self.position.set(None);
                self.useless = self.loaded.filter(|&loaded| loaded == at);
                return Ok(self.useless.is_none());
            }
            at = entry.id;
            self.position.set(Some(at));
            match entry.field("d").and_then(|bytes| unpack(bytes, self.form)) {
                Some(lines) => self.tell(Inner::News(News::Log(lines))),
                None => {
                    tracing::warn!(id = %entry.id, "a log entry of another format is left out: another version leads");
                }
            }
        }
        Ok(!entries.is_empty())
    }

    fn tell(&self, inner: Inner) {
        // The hub is gone when the bus stops.
        let _ = self.hub.send(inner);
    }
}
