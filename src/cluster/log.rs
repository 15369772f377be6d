//! The `cluster-log` thread: appends what the leader judged and published to the log, writes its
//! checkpoints, and carries words to the leader. A checkpoint goes out a piece at a time, so the log
//! never waits for all of it.

pub(super) mod follow;

use super::bus::hub::Inner;
use super::bus::link::Line;
use super::checkpoint::{Saving, Step};
use super::keys::Keys;
use super::lease::reign::Reign;
use super::wire::Id;
use super::wire::line::{Form, pack, pack_word};
use super::{Logged, Word, scripts};
use crate::store::Image;
use crate::store::keeper::Kept;
use crossbeam_channel::{Receiver, Sender};
use redis::RedisError;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Entries of the log at most, whatever the checkpoints do: 256 MB, for each has 64 KiB.
const ENTRIES_MAX: usize = 4_096;
/// Words that wait for a leader at most.
const WORDS_MAX: usize = 1_024;
/// How often a word is tried to be said.
const WORD_TRIES: u32 = 5;
const DEPOSED: &str =
    "this node does not lead the cluster any more: the new leader keeps the checkpoint";

/// What is to be written.
pub(super) enum Write {
    /// Under this token.
    Log(u64, Vec<Logged>),
    Checkpoint(u64, Box<Image>),
    /// A checkpoint of a node that does not lead.
    Refused,
    /// What the leader is to hear; without a word it is to reload.
    Word(Option<Word>),
}

/// What the thread works with.
pub(super) struct Writing<K> {
    pub(super) keys: Keys,
    pub(super) node: Box<str>,
    pub(super) lease: Duration,
    pub(super) reign: Arc<Reign>,
    pub(super) form: Form,
    pub(super) writes: Receiver<Write>,
    pub(super) hub: Sender<Inner>,
    pub(super) kept: K,
    pub(super) line: Line,
}

/// Where the log of one leader ends.
#[derive(Clone, Copy, Default)]
struct End {
    token: u64,
    /// Its last entry, of whatever leader.
    last: Id,
    /// Checkpoints under this token.
    images: u64,
}

impl<K: FnMut(Kept)> Writing<K> {
    /// Runs until nobody can write any more.
    pub(super) fn run(mut self) {
        let mut end = End::default();
        let mut next = None;
        while let Some(write) = next.take().or_else(|| self.writes.recv().ok()) {
            match write {
                Write::Checkpoint(token, image) => next = self.save(token, &image, &mut end),
                other => self.write(other, &mut end),
            }
        }
    }

    fn write(&mut self, write: Write, end: &mut End) {
        match write {
            Write::Log(token, lines) => {
                if self.enter(token, end) {
                    self.append(&pack(&lines, self.form), end);
                }
            }
            Write::Word(word) => self.say(word.as_ref()),
            Write::Refused | Write::Checkpoint(..) => (self.kept)(Kept::Saved(Err(DEPOSED.into()))),
        }
    }

    /// Whether this node leads under `token`; then `end` is that of its log.
    fn enter(&self, token: u64, end: &mut End) -> bool {
        let hold = self.reign.hold(Instant::now());
        let hold = hold.filter(|hold| hold.token == token);
        if let Some(hold) = hold
            && end.token != token
        {
            *end = End {
                token,
                last: hold.last,
                images: 0,
            };
        }
        hold.is_some()
    }

    /// Appends entries as a whole, as often as it takes.
    fn append(&mut self, entries: &[Vec<u8>], end: &mut End) {
        let first = Id {
            token: end.token,
            number: if end.last.token == end.token {
                end.last.number + 1
            } else {
                1
            },
        };
        if entries.is_empty() {
            return;
        }
        let (token, before) = (end.token, end.last.to_string());
        let appended = self.insist(token, |redis, keys, value| {
            let mut call = scripts::APPEND.key(&keys.leader);
            call.key(&keys.log).arg(value).arg(token);
            call.arg(first.number).arg(&before).arg(ENTRIES_MAX);
            for entry in entries {
                call.arg(&entry[..]);
            }
            call.invoke(redis)
        });
        if appended {
            end.last = Id {
                number: first.number + entries.len() as u64 - 1,
                ..first
            };
        }
    }

    /// Has something done that only a leader may, until it is done or this node leads no more: which it
    /// does not if it could not write for a lease, as into a Redis without memory, because the log must
    /// not have a hole, nor what waits for it grow.
    fn insist(
        &mut self,
        token: u64,
        ask: impl Fn(&mut redis::Connection, &Keys, &str) -> Result<i64, RedisError>,
    ) -> bool {
        let value = format!("{token}|{}", self.node);
        let began = Instant::now();
        while self.reign.holds(token, Instant::now()) {
            let keys = &self.keys;
            match self.line.ask(|redis| ask(redis, keys, &value)) {
                Ok(1) => return true,
                Ok(_) => self.resign(token),
                Err(_) if began.elapsed() > self.lease => self.resign(token),
                Err(_) if self.line.rest() => return false,
                Err(_) => {}
            }
        }
        self.line.rested();
        false
    }

    fn resign(&self, token: u64) {
        tracing::warn!(
            token,
            "this node cannot write what a leader has to: it follows"
        );
        self.reign.end(token);
        // The hub is gone when the bus stops.
        let _ = self.hub.send(Inner::Wake);
    }

    /// Writes a checkpoint, and between its pieces what else there is to write. What it found instead
    /// and has to wait: another checkpoint.
    fn save(&mut self, token: u64, image: &Image, end: &mut End) -> Option<Write> {
        if !self.enter(token, end) {
            (self.kept)(Kept::Saved(Err(DEPOSED.into())));
            return None;
        }
        end.images += 1;
        // All that was logged before it came is in the log by now.
        let mut saving = Saving::new(self.keys.image(token, end.images), image, end.last);
        let mut later = None;
        loop {
            let step = saving.step();
            let done = self.insist(token, |redis, keys, value| {
                saving.ask(&step, redis, keys, value)
            });
            match (done, step) {
                (false, _) => {
                    (self.kept)(Kept::Saved(Err(DEPOSED.into())));
                    return later;
                }
                (true, Step::Switch) => {
                    (self.kept)(Kept::Saved(Ok(image.saved_at_ms)));
                    return later;
                }
                (true, Step::Chunks(_)) => saving.advance(),
            }
            while later.is_none()
                && let Ok(write) = self.writes.try_recv()
            {
                match write {
                    Write::Checkpoint(..) => later = Some(write),
                    other => self.write(other, end),
                }
            }
        }
    }

    /// Best effort: a word that does not get through in some tries is lost.
    fn say(&mut self, word: Option<&Word>) {
        let packed = word.map(pack_word);
        for _ in 0..WORD_TRIES {
            let keys = &self.keys;
            let said: Result<String, RedisError> = self.line.ask(|redis| {
                let mut command = redis::cmd("XADD");
                command
                    .arg(&keys.words)
                    .arg("MAXLEN")
                    .arg(WORDS_MAX)
                    .arg("*");
                match &packed {
                    Some(word) => command.arg("w").arg(&word[..]),
                    None => command.arg("reload").arg(1),
                };
                command.query(redis)
            });
            if said.is_ok() || self.line.rest() {
                return;
            }
        }
        self.line.rested();
    }
}
