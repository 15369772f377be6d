//! Reports through the one channel that all shards share.

use crate::answers::{REPORT_RECORDS, report};
use crossbeam_channel::unbounded;
use proxy_bench::harness::Result;
use proxy_bench::harness::thread::cpu_of_this_thread;
use proxy_shards::{Record, Report, Verdict};
use std::sync::Barrier;
use std::thread;
use std::time::Duration;

/// Reports that each shard sends.
const REPORTS: usize = 100;

/// CPU time of handing reports over, each with as many records as a busy shard's.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Handed {
    /// In a shard, in microseconds a report.
    pub(crate) send_us: f64,
    /// In the coordinator.
    pub(crate) take_us: f64,
}

/// Hands reports of so many shards over, all of them sending at once, as fast as they can.
pub(crate) fn hand_over(shards: usize) -> Result<Handed> {
    let (sender, receiver) = unbounded::<Report>();
    let begin = Barrier::new(shards + 1);
    let (sent, taken) = thread::scope(|scope| {
        let send = |shard: usize| {
            let (sender, begin) = (sender.clone(), &begin);
            scope.spawn(move || -> Result<Duration> {
                let reports: Vec<_> = (0..REPORTS).map(|_| full(shard)).collect();
                begin.wait();
                let before = cpu_of_this_thread()?;
                for report in reports {
                    // The other end is there until all were taken.
                    let _ = sender.send(report);
                }
                Ok(cpu_of_this_thread()? - before)
            })
        };
        let sending: Vec<_> = (0..shards).map(send).collect();
        begin.wait();
        let take = || -> Result<Duration> {
            let before = cpu_of_this_thread()?;
            let reports: Vec<_> = receiver.iter().take(shards * REPORTS).collect();
            // Their records are freed afterwards: that is the coordinator's bench's.
            let spent = cpu_of_this_thread()? - before;
            assert_eq!(reports.len(), shards * REPORTS, "all of them come");
            Ok(spent)
        };
        let taken = take();
        let joined = sending.into_iter().map(|thread| {
            thread
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        });
        (joined.sum::<Result<Duration>>(), taken)
    });
    let each_us = |time: Duration| time.as_secs_f64() * 1e6 / (shards * REPORTS) as f64;
    Ok(Handed {
        send_us: each_us(sent?),
        take_us: each_us(taken?),
    })
}

fn full(shard: usize) -> Report {
    let records = vec![Record::unprobed(0, Verdict::Refused); REPORT_RECORDS];
    report(shard, records, 0)
}
