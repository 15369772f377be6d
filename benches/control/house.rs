//! A coordinator with shards that answer at once, on a clock of its own.

use crate::answers::{REPORT_RECORDS, at, config, record, report};
use proxy_checker::coordinator::{Action, Event, Now, Start, State};
use proxy_checker::snapshot::Published;
use proxy_checker::sources::fetch::Fetched;
use proxy_checker::sources::parse::Parsed;
use proxy_checker::store::Image;
use proxy_shards::{Job, Scheme};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::SystemTime;

const SHARDS: usize = 2;
const LANES_PER_SHARD: usize = 19_000;

/// A coordinator, and all that it talks to.
pub(crate) struct House {
    state: State,
    pub(crate) published: Published,
    now_ms: u64,
    jobs: [VecDeque<Job>; SHARDS],
    pub(crate) images: Vec<Image>,
    pub(crate) records: u64,
    pub(crate) publications: u64,
}

impl House {
    /// One source and nothing known.
    pub(crate) fn new() -> House {
        let start = Start {
            config: Arc::new(config(Scheme::Auto)),
            shards: SHARDS,
            lanes_per_shard: LANES_PER_SHARD,
            descriptors: 20_000,
            restored: Image::default(),
            seed: 1,
        };
        House {
            state: State::new(start, at(0), &shard_of),
            published: Published::empty(SystemTime::UNIX_EPOCH),
            now_ms: 0,
            jobs: Default::default(),
            images: Vec::new(),
            records: 0,
            publications: 0,
        }
    }

    /// The source delivers.
    pub(crate) fn deliver(&mut self, list: Parsed) {
        self.tell(Event::Source {
            reload: 1,
            source: 0,
            outcome: Ok(Fetched::List(list)),
        });
        while self.state.wake_at(at(self.now_ms)) == self.now_ms {
            self.tell(Event::Tick);
        }
    }

    /// Everything that is due within `ms` from now is checked, each report a little later than the
    /// one before.
    pub(crate) fn pass(&mut self, ms: u64) {
        let end = self.now_ms + ms;
        while self.now_ms < end {
            if !self.report() {
                let wake = self.state.wake_at(at(self.now_ms));
                self.now_ms = wake.clamp(self.now_ms + 1, end);
                self.tell(Event::Tick);
            }
        }
    }

    /// Takes one step of `ms` with nothing but time in it.
    pub(crate) fn tick(&mut self, ms: u64) {
        self.now_ms += ms;
        self.tell(Event::Tick);
    }

    /// One report of each shard that has jobs; `false` if none has.
    pub(crate) fn report(&mut self) -> bool {
        let mut reported = false;
        for shard in 0..SHARDS {
            let count = self.jobs[shard].len().min(REPORT_RECORDS);
            if count == 0 {
                continue;
            }
            reported = true;
            let records = self.jobs[shard]
                .drain(..count)
                .map(|job| record(&job))
                .collect();
            self.records += count as u64;
            self.now_ms += 1;
            let left = self.jobs[shard].len();
            self.tell(Event::Report(report(shard, records, left)));
        }
        reported
    }

    /// The end: what is known is to be saved.
    pub(crate) fn finish(&mut self) {
        let now = at(self.now_ms);
        for action in self.state.finish(now) {
            self.perform(action, now);
        }
    }

    fn tell(&mut self, event: Event) {
        let now = at(self.now_ms);
        for action in self.state.handle(event, now, &shard_of) {
            self.perform(action, now);
        }
    }

    fn perform(&mut self, action: Action, now: Now) {
        match action {
            Action::Submit { shard, jobs } => self.jobs[shard].extend(jobs),
            Action::Publish { pool, stat, stale } => {
                self.publications += 1;
                self.published.publish(pool, stat, now.system(), stale);
            }
            Action::Save(image) => self.images.push(image),
            Action::Control { .. }
            | Action::Lookup(_)
            | Action::Policy(_)
            | Action::Lanes(_)
            | Action::Pace(_)
            | Action::Log(_) => {}
        }
    }
}

fn shard_of(address: SocketAddr) -> usize {
    usize::from(address.port()) % SHARDS
}
