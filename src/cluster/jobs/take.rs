//! The `cluster-take` thread: takes as many jobs as this node's worker has room for, and those of
//! nodes that were not heard for longer than a lease.

use crate::cluster::bus::link::{Line, Stop, lacks_group};
use crate::cluster::bus::policy::Fingerprint;
use crate::cluster::keys::{GROUP, Keys};
use crate::cluster::lease::millis;
use crate::cluster::reports::tell::Owned;
use crate::cluster::wire::entry::{self, Entry};
use crate::cluster::wire::{Id, JOBS_MAX, unpack_jobs};
use crate::cluster::worker::end::{Credit, Task, WorkerStat};
use crossbeam_channel::Sender;
use proxy_shards::Job;
use redis::{RedisError, Value};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Entries that are taken at once: 4 096 jobs.
const ENTRIES_MAX: u64 = 64;
/// How soon it is seen that the worker has room again, at the latest.
const LOOK: Duration = Duration::from_millis(50);

/// An entry that this node owns.
#[derive(Clone, Debug)]
pub(crate) struct Taken {
    /// Which.
    pub(crate) id: Id,
    /// All its jobs, by their places.
    pub(crate) jobs: Vec<Job>,
    /// Bits of those that were reported before, by whoever had the entry.
    pub(crate) done: u64,
    /// The fingerprint of the policy that they are to be probed by.
    pub(crate) policy: u64,
}

/// What the thread works with.
pub(crate) struct Taking {
    pub(crate) keys: Keys,
    pub(crate) node: Box<str>,
    pub(crate) lease: Duration,
    pub(crate) block: Duration,
    pub(crate) fingerprint: Arc<Fingerprint>,
    /// What the leader said; 0: nothing yet.
    pub(crate) leaders: Arc<AtomicU64>,
    pub(crate) credit: Arc<Credit>,
    pub(crate) stat: Arc<WorkerStat>,
    pub(crate) owned: Arc<Owned>,
    pub(crate) tasks: Sender<Task>,
    pub(crate) line: Line,
    pub(crate) stop: Stop,
}

impl Taking {
    /// Runs until the bus stops.
    pub(crate) fn run(mut self) {
        let mut claimed = Instant::now();
        // Where the search for what others left goes on.
        let mut cursor = "0-0".to_owned();
        while !self.stop.is_now() {
            let entries = self.room().div_ceil(JOBS_MAX as u64).min(ENTRIES_MAX);
            if entries == 0 || !self.suits() {
                self.line.rested();
                if self.credit.wait(LOOK, &self.stop) {
                    return;
                }
                continue;
            }
            let taken = match claimed.elapsed() >= self.lease / 4 {
                true => {
                    claimed = Instant::now();
                    self.claim(entries, &mut cursor)
                }
                false => self.take(entries),
            };
            match taken {
                Ok(taken) => taken.into_iter().for_each(|entry| self.pass_on(entry)),
                Err(error) if lacks_group(&error) => self.make_group(),
                Err(_) if self.line.rest() => return,
                Err(_) => {}
            }
        }
    }

    /// Jobs that the worker has room for.
    fn room(&self) -> u64 {
        self.credit.room()
    }

    /// Whether the leader has jobs probed as this node does, and means this node by its name.
    fn suits(&self) -> bool {
        let leaders = self.leaders.load(Ordering::Acquire);
        let suits = leaders == 0 || leaders == self.fingerprint.get();
        self.stat.set_foreign(!suits);
        suits && !self.stat.is_namesake()
    }

    fn take(&mut self, entries: u64) -> Result<Vec<(Entry, u64)>, RedisError> {
        let (keys, node, block) = (&self.keys, &self.node, millis(self.block).max(1));
        let answer: Value = self.line.ask(|redis| {
            let mut command = redis::cmd("XREADGROUP");
            command.arg("GROUP").arg(GROUP).arg(&**node);
            command.arg("COUNT").arg(entries).arg("BLOCK").arg(block);
            command.arg("STREAMS").arg(&keys.jobs).arg(">");
            command.query(redis)
        })?;
        let streams = entry::of_streams(answer);
        let entries = streams.into_iter().flat_map(|(_, entries)| entries);
        Ok(entries.map(|entry| (entry, 0)).collect())
    }

    /// Takes what nobody renewed for a lease. Nobody else can report on it from then on, so which of
    /// its jobs were reported is known.
    fn claim(
        &mut self,
        entries: u64,
        cursor: &mut String,
    ) -> Result<Vec<(Entry, u64)>, RedisError> {
        let (keys, node, idle) = (&self.keys, &self.node, millis(self.lease));
        let answer: Value = self.line.ask(|redis| {
            let mut command = redis::cmd("XAUTOCLAIM");
            command.arg(&keys.jobs).arg(GROUP).arg(&**node).arg(idle);
            command.arg(&*cursor).arg("COUNT").arg(entries);
            command.query(redis)
        })?;
        let mut parts = entry::items(answer).into_iter();
        *cursor = parts.next().and_then(entry::text).unwrap_or("0-0".into());
        let claimed = entry::of(parts.next().unwrap_or_default());
        if claimed.is_empty() {
            return Ok(Vec::new());
        }
        tracing::info!(
            entries = claimed.len(),
            "took jobs of a node that is not heard any more"
        );
        let done: Vec<Option<String>> = self.line.ask(|redis| {
            let mut command = redis::cmd("HMGET");
            command.arg(&keys.done);
            for entry in &claimed {
                command.arg(entry.id.to_string());
            }
            command.query(redis)
        })?;
        let bits = done.iter().map(|done| done.as_deref().map_or(0, bits));
        Ok(claimed.into_iter().zip(bits).collect())
    }

    fn pass_on(&mut self, (entry, done): (Entry, u64)) {
        let Some(jobs) = entry.field("j").and_then(unpack_jobs) else {
            // It is not renewed, so a node that can read it will claim it.
            tracing::error!(id = %entry.id, "jobs of another format: another version leads");
            return;
        };
        let fingerprint = entry.field("p").and_then(|p| std::str::from_utf8(p).ok());
        let fingerprint = fingerprint.and_then(|text| text.parse::<u64>().ok());
        let taken = Taken {
            id: entry.id,
            done,
            policy: fingerprint.unwrap_or(0),
            jobs,
        };
        self.credit.took(taken.jobs.len() as u64);
        self.owned.add(taken.id);
        // The worker is gone when the bus stops.
        let _ = self.tasks.send(Task::Taken(taken));
    }

    fn make_group(&mut self) {
        let keys = &self.keys;
        // That it is there already is as good.
        let _: Result<(), RedisError> = self.line.ask(|redis| {
            let mut command = redis::cmd("XGROUP");
            command
                .arg("CREATE")
                .arg(&keys.jobs)
                .arg(GROUP)
                .arg("0")
                .arg("MKSTREAM");
            match command.query(redis) {
                Err(error) if error.code() == Some("BUSYGROUP") => Ok(()),
                other => other,
            }
        });
    }
}

/// The bits that a report left: two signed halves, the low one first.
fn bits(text: &str) -> u64 {
    let half = |half: &str| half.parse::<i32>().unwrap_or(0) as u32;
    let (low, high) = text.split_once(',').unwrap_or_default();
    u64::from(half(high)) << 32 | u64::from(half(low))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bits_of_what_was_reported_are_read_from_two_signed_halves() {
        assert_eq!(bits("0,0"), 0);
        assert_eq!(bits("1,2"), 2 << 32 | 1);
        assert_eq!(bits("-1,-2147483648"), 1 << 63 | 0xffff_ffff);
        assert_eq!(bits(""), 0);
    }
}
