//! The `cluster-reports` thread: while this node leads, reads what the workers report and what the
//! other nodes have to say, and trims both to what was not read.
//!
//! A report that was read and whose verdicts were not logged is lost with its leader, and nothing else
//! is: the next leader knows what was logged, and hands out the rest again. Trimming is fenced like a
//! write: a reader that was deposed while it waited has read what is for the next leader.

pub(super) mod tell;

use super::bus::hub::Inner;
use super::bus::link::{Line, Stop};
use super::keys::Keys;
use super::lease::millis;
use super::lease::reign::Reign;
use super::wire::Id;
use super::wire::entry::{self, Entry};
use super::wire::line::unpack_word;
use super::wire::report::{Head, unpack_head, unpack_records};
use super::{News, scripts};
use crossbeam_channel::Sender;
use proxy_shards::Report;
use redis::{RedisError, Value};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Reports that are read at once.
const READ_MAX: usize = 64;
/// How soon it is seen that this node leads, or that the coordinator has caught up.
const LOOK: Duration = Duration::from_millis(20);
/// News that wait for the coordinator; with more nothing is read.
const BACKLOG_MAX: usize = 1_024;

/// A node that has reported nothing for so long does nothing.
const SILENT: Duration = Duration::from_secs(5);

type Heads = HashMap<Box<str>, (Head, Instant)>;

/// What the thread works with.
pub(super) struct Reading {
    pub(super) keys: Keys,
    pub(super) node: Box<str>,
    pub(super) block: Duration,
    pub(super) reign: Arc<Reign>,
    pub(super) hub: Sender<Inner>,
    pub(super) backlog: Arc<AtomicUsize>,
    pub(super) line: Line,
    pub(super) stop: Stop,
}

/// Where one leader has come to.
#[derive(Default)]
struct Place {
    token: u64,
    reports: Id,
    words: Id,
    /// The last heads, by node, and when they came: a report tells the figures of all together.
    heads: Heads,
}

impl Reading {
    /// Runs until the bus stops.
    pub(super) fn run(mut self) {
        let mut place = Place::default();
        loop {
            let leads = self.reign.leads(Instant::now());
            let busy = self.backlog.load(Ordering::Relaxed) > BACKLOG_MAX;
            let Some(token) = leads.filter(|_| !busy) else {
                self.line.rested();
                if self.stop.wait(LOOK) {
                    return;
                }
                continue;
            };
            if place.token != token {
                place = Place {
                    token,
                    ..Place::default()
                };
            }
            if self.read(&mut place).is_err() && self.line.rest() || self.stop.is_now() {
                return;
            }
        }
    }

    fn read(&mut self, place: &mut Place) -> Result<(), RedisError> {
        let (keys, block) = (&self.keys, millis(self.block).max(1));
        let (reports, words) = (place.reports.to_string(), place.words.to_string());
        let answer: Value = self.line.ask(|redis| {
            let mut command = redis::cmd("XREAD");
            command.arg("COUNT").arg(READ_MAX).arg("BLOCK").arg(block);
            command.arg("STREAMS").arg(&keys.reports).arg(&keys.words);
            command.arg(reports).arg(words).query(redis)
        })?;
        for (stream, entries) in entry::of_streams(answer) {
            let Some(last) = entries.last().map(|entry| entry.id) else {
                continue;
            };
            let is_words = stream == keys.words.as_bytes();
            for entry in &entries {
                let news = match is_words {
                    true => word(entry),
                    false => report(entry, &mut place.heads),
                };
                let Some(news) = news else {
                    tracing::warn!(id = %entry.id, "a report of another format: another version works");
                    continue;
                };
                // The hub is gone when the bus stops.
                let _ = self.hub.send(Inner::Led(place.token, news));
            }
            match is_words {
                true => place.words = last,
                false => place.reports = last,
            }
            let value = format!("{}|{}", place.token, self.node);
            let _: i64 = self.line.ask(|redis| {
                let mut call = scripts::TRIM.key(&keys.leader);
                call.key(&stream[..]).arg(&value);
                call.arg(last.next().to_string()).invoke(redis)
            })?;
        }
        Ok(())
    }
}

fn word(entry: &Entry) -> Option<News> {
    match entry.field("w") {
        Some(bytes) => unpack_word(bytes).map(News::Heard),
        None => Some(News::Reload),
    }
}

fn report(entry: &Entry, heads: &mut Heads) -> Option<News> {
    let head = unpack_head(entry.field("h")?)?;
    let mut records = Vec::new();
    for packed in entry.all("r") {
        records.append(&mut unpack_records(packed)?);
    }
    let (tally, lag_us) = (head.tally.clone(), head.lag_us);
    let now = Instant::now();
    heads.retain(|_, (_, at)| now.duration_since(*at) < SILENT);
    heads.insert(head.node.clone(), (head, now));
    let sum = |of: fn(&Head) -> u64| {
        let of_each = heads.values().map(|(head, _)| of(head));
        of_each.fold(0, u64::saturating_add)
    };
    Some(News::Report(Box::new(Report {
        shard: 0,
        records,
        controls: Vec::new(),
        tally,
        in_flight: sum(|head| head.in_flight.into()) as usize,
        queued: sum(|head| head.queued.into()) as usize,
        lag_us,
        restarts: sum(|head| head.restarts),
    })))
}
