//! A coordinator with shards that answer at once, on a clock of its own.

use proxy_checker::config::{Config, Location, Source};
use proxy_checker::coordinator::{Action, Event, Now, Start, State};
use proxy_checker::snapshot::Published;
use proxy_checker::sources::fetch::Fetched;
use proxy_checker::sources::parse::{Format, Parsed};
use proxy_checker::store::Image;
use proxy_shards::{
    Anonymity, Exit, Job, Protocol, Record, Report, Scheme, Tally, Targets, Timing, Verdict, Works,
};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// From one check of an alive proxy to the next, in milliseconds.
pub(crate) const INTERVAL_MS: u64 = 60_000;
/// Unix time of the start, in milliseconds.
const EPOCH_MS: u64 = 1_700_000_000_000;
const SHARDS: usize = 2;
const LANES_PER_SHARD: usize = 19_000;
/// Records in one report.
const REPORT_RECORDS: usize = 1_024;

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
        let mut config = Config::embedded();
        config.aggregator.interval = Duration::from_millis(INTERVAL_MS);
        config.aggregator.sources = vec![Source {
            url: "list".into(),
            location: Location::File("list".into()),
            hint: Scheme::Auto,
            format: Format::Auto,
        }];
        // Verdicts count as they come: nobody is there to be asked without a proxy.
        config.checker.control = None;
        config.checker.batch_size = NonZeroUsize::MIN.saturating_add(1_999);
        config.storage.persist_interval = Duration::MAX;
        let start = Start {
            config: Arc::new(config),
            shards: SHARDS,
            lanes_per_shard: LANES_PER_SHARD,
            allowed: |config, ip| config.aggregator.addresses.allows(ip),
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
            self.tell(Event::Report(Report {
                shard,
                records,
                controls: Vec::new(),
                tally: Tally::default(),
                in_flight: self.jobs[shard].len(),
                queued: 0,
                lag_us: 0,
                restarts: 0,
            }));
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
            | Action::Pace(_) => {}
        }
    }
}

fn at(ms: u64) -> Now {
    Now {
        clock_ms: ms,
        unix_ms: EPOCH_MS + ms,
    }
}

fn shard_of(address: SocketAddr) -> usize {
    usize::from(address.port()) % SHARDS
}

/// One in ten is alive, by HTTP and with an exit; the others refuse.
fn record(job: &Job) -> Record {
    let index = job.id as u32;
    if !is_alive(index) {
        return Record {
            attempts: 1,
            ..Record::unprobed(job.id, Verdict::Refused)
        };
    }
    let mut works = Works::default();
    works.set(Protocol::Http, Targets::first(1));
    let part = 20_000 + index % 700_000;
    Record {
        attempts: 1,
        works,
        first: Some(Protocol::Http),
        timing: Timing {
            total_us: 4 * part,
            connect_us: part,
            handshake_us: part,
            tls_us: part,
            first_byte_us: part,
        },
        exit: Some(Exit {
            ip: job.address.ip(),
            anonymity: Anonymity::Elite,
        }),
        ..Record::unprobed(job.id, Verdict::Alive)
    }
}

/// Whether the candidate of this index is alive.
pub(crate) fn is_alive(index: u32) -> bool {
    index % 10 == 3
}
