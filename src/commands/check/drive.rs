//! The loop of a check: keeps every shard topped up, turns what comes back into rows, and knows
//! when it is over.

use super::list::List;
use super::progress::{self, Counts};
use super::rows::Rows;
use crate::dispatch::{Dispatch, Shards};
use crossbeam_channel::{Receiver, select, tick};
use indicatif::ProgressBar;
use proxy_shards::{Job, Record, Report, Verdict};
use std::io::{self, Write};
use std::num::NonZeroUsize;
use std::time::Duration;
use std::vec;

/// Rows wait for their reader at most this long.
const FLUSH_EVERY: Duration = Duration::from_millis(100);
/// Upper bound of the jobs handed to a shard at once.
const BATCH_SIZE: NonZeroUsize = NonZeroUsize::new(2_000).unwrap();

/// How a check came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// Every candidate has its verdict.
    Complete,
    /// A signal came first.
    Interrupted,
    /// The shards are gone, which is a bug; candidates without a verdict are `local_fault`.
    Lost,
}

/// A check under way: what has ended, and where its rows go.
pub(super) struct Check<'a, W: Write> {
    list: &'a List,
    rows: Rows<W>,
    bar: ProgressBar,
    counts: Counts,
    /// By index: whether the candidate has its verdict.
    ended: Vec<bool>,
}

impl<'a, W: Write> Check<'a, W> {
    pub(super) fn new(list: &'a List, rows: Rows<W>, bar: ProgressBar) -> Check<'a, W> {
        Check {
            list,
            rows,
            bar,
            counts: Counts::default(),
            ended: vec![false; list.len()],
        }
    }

    /// Takes the verdict of one candidate; a second one for it would be a second row.
    fn end(&mut self, record: &Record) -> io::Result<()> {
        let Ok(index) = u32::try_from(record.id) else {
            return Ok(());
        };
        match self.ended.get_mut(index as usize) {
            Some(ended @ false) => *ended = true,
            Some(true) | None => return Ok(()),
        }
        self.counts.add(record.verdict);
        self.rows.push(self.list, index, record)
    }

    /// Gives every candidate that has none yet the same verdict, unprobed.
    pub(super) fn end_rest(&mut self, verdict: Verdict) -> io::Result<()> {
        for index in 0..self.ended.len() {
            self.end(&Record::unprobed(index as u64, verdict))?;
        }
        Ok(())
    }

    fn absorb(&mut self, report: &Report) -> io::Result<()> {
        report
            .records
            .iter()
            .try_for_each(|record| self.end(record))
    }

    fn tick(&mut self) -> io::Result<()> {
        progress::show(&self.bar, &self.counts);
        self.rows.flush()
    }

    /// Writes what waited for the end, with the bar out of the way.
    pub(super) fn finish(self) -> io::Result<Counts> {
        self.bar.finish_and_clear();
        self.rows.finish(self.list)?;
        Ok(self.counts)
    }

    fn complete(&self) -> bool {
        self.counts.total() == self.ended.len() as u64
    }
}

/// What each shard still has to be given, as indexes: a full shard never blocks another.
struct Waiting {
    by_shard: Vec<vec::IntoIter<u32>>,
    dispatch: Dispatch,
}

impl Waiting {
    /// Deals the candidates out to the shards, evenly: nothing is checked twice here, so it does not
    /// matter which shard checks it, and lanes of one shard never idle while another has a queue.
    /// Those that cannot be dialled have their verdict at once.
    fn new<W: Write>(check: &mut Check<'_, W>, shards: &impl Shards) -> io::Result<Waiting> {
        let mut by_shard = vec![Vec::new(); shards.shards()];
        let mut next = (0..by_shard.len()).cycle();
        for (index, candidate) in check.list.iter() {
            match check.list.address(candidate) {
                Ok(_) => by_shard[next.next().unwrap_or_default()].push(index),
                Err(verdict) => check.end(&Record::unprobed(index.into(), verdict))?,
            }
        }
        Ok(Waiting {
            by_shard: by_shard.into_iter().map(Vec::into_iter).collect(),
            dispatch: Dispatch::new(shards.shards(), shards.lanes_per_shard(), BATCH_SIZE),
        })
    }

    /// Hands `shard` what it has room for.
    fn top_up(&mut self, shard: usize, list: &List, shards: &impl Shards) {
        loop {
            let room = self.dispatch.room(shard);
            let indexes = self.by_shard[shard].by_ref().take(room);
            let jobs: Vec<Job> = indexes.filter_map(|index| job(list, index)).collect();
            if jobs.is_empty() {
                return;
            }
            self.dispatch.took(shard, jobs.len());
            shards.submit(shard, jobs);
        }
    }
}

fn job(list: &List, index: u32) -> Option<Job> {
    let candidate = list.candidate(index);
    Some(Job {
        id: index.into(),
        protocols: candidate.scheme.protocols(),
        // Only candidates with an address wait for a shard.
        address: list.address(candidate).ok()?,
        credentials: candidate.credentials.clone(),
    })
}

/// Probes every candidate, until each has its verdict or an interrupt comes. The shards have ended
/// when it returns, and every candidate has exactly one verdict. `Err`: rows could not be written.
pub(super) fn drive<W: Write>(
    shards: impl Shards,
    check: &mut Check<'_, W>,
    interrupts: &Receiver<()>,
) -> io::Result<End> {
    let end = probe_all(&shards, check, interrupts);
    // Also after an error: probes under way end here, not behind our back.
    let rest = shards.stop(Duration::ZERO);
    let end = end?;
    for report in rest.try_iter() {
        check.absorb(&report)?;
    }
    match end {
        End::Complete => {}
        End::Interrupted => check.end_rest(Verdict::LocalCancelled)?,
        End::Lost => check.end_rest(Verdict::LocalFault)?,
    }
    Ok(end)
}

fn probe_all<W: Write>(
    shards: &impl Shards,
    check: &mut Check<'_, W>,
    interrupts: &Receiver<()>,
) -> io::Result<End> {
    let mut waiting = Waiting::new(check, shards)?;
    for shard in 0..shards.shards() {
        waiting.top_up(shard, check.list, shards);
    }
    let ticks = tick(FLUSH_EVERY);
    while !check.complete() {
        select! {
            recv(shards.reports()) -> report => {
                let Ok(report) = report else {
                    return Ok(End::Lost);
                };
                waiting.dispatch.ended(report.shard, report.records.len());
                waiting.top_up(report.shard, check.list, shards);
                check.absorb(&report)?;
            }
            recv(ticks) -> _ => check.tick()?,
            recv(interrupts) -> _ => return Ok(End::Interrupted),
        }
    }
    Ok(End::Complete)
}
