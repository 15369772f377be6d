//! A coordinator with shards that answer at once, on a clock of its own.

use crate::answers::{INTERVAL_MS, REPORT_RECORDS, at, config, record, report};
use proxy_bench::harness::thread::cpu_of_this_thread;
use proxy_checker::coordinator::{Action, Event, Now, Start, State};
use proxy_checker::snapshot::Published;
use proxy_checker::sources::address::AddressPolicy;
use proxy_checker::sources::fetch::Fetched;
use proxy_checker::sources::parse::{Format, Reading, parse};
use proxy_checker::store::Image;
use proxy_shards::engine::shard_among;
use proxy_shards::{Job, Record, Scheme};
use std::collections::VecDeque;
use std::error::Error;
use std::fmt::Write;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// Lanes of all shards together.
const LANES: usize = 20_000;
/// Time in which a shard makes the probes of one report, in microseconds: 20 000 a second, about
/// what a CPU can do. It decides how many records share a publication.
const REPORT_US: u64 = 51_200;

/// What a pass over all candidates used.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Pass {
    pub(crate) records: u64,
    /// CPU time of everything that the coordinator did.
    pub(crate) spent: Duration,
    /// The longest that it did without looking up: what a report may have to wait.
    pub(crate) longest: Duration,
    pub(crate) publications: u64,
}

/// A coordinator, and all that it talks to.
pub(crate) struct House {
    state: State,
    published: Published,
    now_us: u64,
    jobs: Vec<VecDeque<Job>>,
    count: u32,
    pass: Pass,
}

impl House {
    /// A coordinator that has taken a list of `count` candidates in.
    pub(crate) fn new(shards: usize, count: u32) -> Result<House, Box<dyn Error>> {
        let mut config = config(Scheme::Http);
        // Every proxy is due again after the interval, whatever became of it.
        config.checker.backoff_max = Duration::ZERO;
        let start = Start {
            config: Arc::new(config),
            shards,
            lanes_per_shard: LANES.div_ceil(shards),
            descriptors: 20_000,
            restored: Image::default(),
            seed: 1,
        };
        let route = move |address| shard_among(address, shards);
        let mut house = House {
            state: State::new(start, at(0), &route),
            published: Published::empty(SystemTime::UNIX_EPOCH),
            now_us: 0,
            jobs: vec![VecDeque::new(); shards],
            count,
            pass: Pass::default(),
        };
        let reading = Reading {
            hint: Scheme::Http,
            format: Format::Auto,
            addresses: AddressPolicy::default(),
        };
        house.tell(Event::Source {
            reload: 1,
            source: 0,
            outcome: Ok(Fetched::List(parse(list(count).as_bytes(), reading))),
        })?;
        while house.state.wake_at(house.now()) <= house.now().clock_ms {
            house.tell(Event::Tick)?;
        }
        Ok(house)
    }

    /// Has every candidate probed once, all of them due by now; fails if one is not.
    pub(crate) fn pass(&mut self) -> Result<Pass, Box<dyn Error>> {
        // Taking the list in is no record's cost.
        self.pass = Pass::default();
        self.tell(Event::Tick)?;
        while self.report_all()? {}
        if self.pass.records != u64::from(self.count) {
            return Err(format!("{} of {} were probed", self.pass.records, self.count).into());
        }
        self.now_us += 2 * INTERVAL_MS * 1_000;
        Ok(self.pass)
    }

    /// One report of each shard that has jobs; `false` if none has.
    fn report_all(&mut self) -> Result<bool, Box<dyn Error>> {
        let shards = self.jobs.len();
        let mut reported = false;
        for shard in 0..shards {
            let count = self.jobs[shard].len().min(REPORT_RECORDS);
            if count == 0 {
                continue;
            }
            reported = true;
            let ended = self.jobs[shard].drain(..count);
            let records: Vec<Record> = ended.map(|job| record(&job)).collect();
            let report = report(shard, records, self.jobs[shard].len());
            self.pass.records += count as u64;
            self.now_us += REPORT_US / shards as u64;
            self.tell(Event::Report(report))?;
        }
        Ok(reported)
    }

    fn now(&self) -> Now {
        at(self.now_us / 1_000)
    }

    fn tell(&mut self, event: Event) -> Result<(), Box<dyn Error>> {
        let (now, shards) = (self.now(), self.jobs.len());
        let before = cpu_of_this_thread()?;
        let route = move |address| shard_among(address, shards);
        for action in self.state.handle(event, now, &route) {
            match action {
                Action::Submit { shard, jobs } => self.jobs[shard].extend(jobs),
                Action::Publish { pool, stat, stale } => {
                    self.pass.publications += 1;
                    self.published.publish(pool, stat, now.system(), stale);
                }
                Action::Save(_)
                | Action::Control { .. }
                | Action::Lookup(_)
                | Action::Policy(_)
                | Action::Lanes(_)
                | Action::Pace(_)
                | Action::Log(_) => {}
            }
        }
        let spent = cpu_of_this_thread()? - before;
        self.pass.spent += spent;
        self.pass.longest = self.pass.longest.max(spent);
        Ok(())
    }
}

/// So many public addresses, in no order.
fn list(count: u32) -> String {
    let mut text = String::new();
    for number in 0..count {
        let [_, b, c, d] = (number.wrapping_mul(0x9e_3779) & 0xff_ffff).to_be_bytes();
        let ip = Ipv4Addr::new([45, 62, 103, 185][usize::from(b) % 4], b, c, d);
        // Writing to a String cannot fail.
        let _ = writeln!(text, "http://{ip}:8080");
    }
    text
}
