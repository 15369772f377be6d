//! What both benches put around the service's own coordinator: a clock, a configuration with one
//! source, and shards that answer at once.

use proxy_checker::config::{Config, Location, Source};
use proxy_checker::coordinator::Now;
use proxy_checker::sources::parse::Format;
use proxy_shards::{
    Anonymity, Exit, Job, Protocol, Record, Report, Scheme, Tally, Targets, Timing, Verdict, Works,
};
use std::num::NonZeroUsize;
use std::time::Duration;

/// From one check of an alive proxy to the next, in milliseconds.
pub(crate) const INTERVAL_MS: u64 = 60_000;
/// Records in one report of a shard that has enough to do.
pub(crate) const REPORT_RECORDS: usize = 1_024;
/// Unix time of the start, in milliseconds.
const EPOCH_MS: u64 = 1_700_000_000_000;
/// Most jobs that a shard is given at once.
const BATCH: NonZeroUsize = NonZeroUsize::new(2_000).unwrap();

/// So many milliseconds after the start.
pub(crate) fn at(ms: u64) -> Now {
    Now {
        clock_ms: ms,
        unix_ms: EPOCH_MS + ms,
    }
}

/// One source, and nothing is saved. Verdicts count as they come: nobody is there to be asked
/// without a proxy.
pub(crate) fn config(hint: Scheme) -> Config {
    let mut config = Config::embedded();
    config.aggregator.interval = Duration::from_millis(INTERVAL_MS);
    config.aggregator.sources = vec![Source {
        url: "list".into(),
        location: Location::File("list".into()),
        hint,
        format: Format::Auto,
    }];
    config.checker.control = None;
    config.checker.batch_size = BATCH;
    config.storage.persist_interval = Duration::MAX;
    config
}

/// One in ten is alive, by HTTP and with an exit; the others refuse.
pub(crate) fn record(job: &Job) -> Record {
    let index = job.id as u32;
    if index % 10 != 3 {
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
            total_us: 3 * part,
            connect_us: part,
            first_byte_us: part,
            ..Timing::default()
        },
        exit: Some(Exit {
            ip: job.address.ip(),
            anonymity: Anonymity::Elite,
        }),
        ..Record::unprobed(job.id, Verdict::Alive)
    }
}

/// A report as a shard sends it.
pub(crate) fn report(shard: usize, records: Vec<Record>, in_flight: usize) -> Report {
    let mut tally = Tally::default();
    for record in &records {
        tally.record(record.verdict, record.timing.total_us);
    }
    Report {
        shard,
        records,
        controls: Vec::new(),
        tally,
        in_flight,
        queued: 0,
        lag_us: 0,
        restarts: 0,
    }
}
