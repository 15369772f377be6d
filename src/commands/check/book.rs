//! A check as its reader sees it: which candidates have their verdict, counted and as rows.

use super::list::List;
use super::occupation::Occupation;
use super::progress::{self, Counts};
use super::rows::Rows;
use indicatif::ProgressBar;
use proxy_shards::{Record, Report, Verdict};
use std::io::{self, Write};
use std::time::Duration;

/// A check under way: what has ended, and where its rows go.
pub(super) struct Check<'a, W: Write> {
    pub(super) list: &'a List,
    rows: Rows<W>,
    pub(super) bar: ProgressBar,
    counts: Counts,
    occupation: Occupation,
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
            occupation: Occupation::default(),
            ended: vec![false; list.len()],
        }
    }

    /// Takes the verdict of one candidate; a second one for it would be a second row.
    pub(super) fn end(&mut self, record: &Record) -> io::Result<()> {
        let Ok(index) = u32::try_from(record.id) else {
            return Ok(());
        };
        match self.ended.get_mut(index as usize) {
            Some(ended @ false) => *ended = true,
            Some(true) | None => return Ok(()),
        }
        self.counts.add(record.verdict);
        self.counts.add_protocols(self.rows.protocols(record));
        self.rows.push(self.list, index, record)
    }

    /// A shard says what its lanes did.
    pub(super) fn note(&mut self, report: &Report) {
        self.occupation.note(report);
    }

    /// There were so many lanes for `span`.
    pub(super) fn had(&mut self, lanes: usize, span: Duration) {
        self.occupation.had(lanes, span);
    }

    /// Gives every candidate that has none yet the same verdict, unprobed.
    pub(super) fn end_rest(&mut self, verdict: Verdict) -> io::Result<()> {
        for index in 0..self.ended.len() {
            self.end(&Record::unprobed(index as u64, verdict))?;
        }
        Ok(())
    }

    /// Gives those that cannot be dialled their verdict; the indexes of the others.
    pub(super) fn end_undiallable(&mut self) -> io::Result<Vec<u32>> {
        let list = self.list;
        let mut diallable = Vec::with_capacity(list.len());
        for (index, candidate) in list.iter() {
            match list.address(candidate) {
                Ok(_) => diallable.push(index),
                Err(verdict) => self.end(&Record::unprobed(index.into(), verdict))?,
            }
        }
        Ok(diallable)
    }

    pub(super) fn tick(&mut self) -> io::Result<()> {
        progress::show(&self.bar, &self.counts);
        self.rows.flush()
    }

    /// Writes what waited for the end, with the bar out of the way.
    pub(super) fn finish(self) -> io::Result<(Counts, Occupation)> {
        self.bar.finish_and_clear();
        self.rows.finish(self.list)?;
        Ok((self.counts, self.occupation))
    }

    pub(super) fn complete(&self) -> bool {
        self.counts.total() == self.ended.len() as u64
    }
}
