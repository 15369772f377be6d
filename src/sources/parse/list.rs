//! What a list has given so far: candidates, counts of what was skipped, the table that is open.

use super::record::Record;
use super::row::{BYTE_ORDER_MARK, Origin, Row};
use super::table::Table;
use super::token::Tokens;
use super::{Format, Skip, Skipped};
use crate::sources::unique::Unique;
use proxy_shards::{Candidate, Host, Scheme};
use std::net::Ipv4Addr;

/// What a list has given so far.
#[derive(Debug)]
pub(super) struct List {
    pub(super) tokens: Tokens,
    pub(super) format: Format,
    pub(super) unique: Unique,
    pub(super) skipped: Skipped,
    /// How often something was found or skipped.
    pub(super) events: u64,
    table: Option<Table>,
}

impl List {
    pub(super) fn new(tokens: Tokens, format: Format) -> List {
        List {
            tokens,
            format,
            unique: Unique::new(),
            skipped: Skipped::default(),
            events: 0,
            table: None,
        }
    }

    /// Keeps a candidate, or counts it if it is here already.
    pub(super) fn keep(&mut self, candidate: Candidate) {
        match self.unique.insert(candidate) {
            Ok(_) => self.events += 1,
            Err(_) => self.count(Skip::Duplicate),
        }
    }

    /// Counts something that was skipped.
    pub(super) fn count(&mut self, skip: Skip) {
        self.skipped[skip as usize] += 1;
        self.events += 1;
    }

    /// Whether a line named the columns of those that follow.
    pub(super) fn is_in_table(&self) -> bool {
        self.table.is_some()
    }

    /// The line that most lists are made of.
    pub(super) fn clean_line(&mut self, scheme: Option<Scheme>, ip: Ipv4Addr, port: u16) {
        let scheme = scheme.unwrap_or(self.tokens.hint());
        match self.tokens.admit(scheme, Host::V4(ip), port, None) {
            Ok(candidate) => self.keep(candidate),
            Err(skip) => self.count(skip),
        }
    }

    /// Reads a whole line.
    pub(super) fn line(&mut self, line: &[u8], origin: Origin) {
        let line = line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(line);
        if let Some(record) = self.table.as_ref().and_then(|table| table.record(line)) {
            return self.record(&record);
        }
        let mut row = Row::new();
        row.read(self, line, origin);
        row.end(self);
        let nothing = row.text && !row.counted;
        if nothing
            && self.format.reads_headers()
            && let Some(table) = Table::of(line)
        {
            self.table = Some(table);
            return;
        }
        self.end_row(&row, origin);
    }

    /// A line that was read in pieces has ended.
    pub(super) fn end_row(&mut self, row: &Row, origin: Origin) {
        // A JSON value without a proxy is counted once, when it ends.
        if row.text && !row.counted && origin != Origin::Json {
            self.count(Skip::Noise);
        }
    }

    /// Reads a proxy whose parts have names.
    pub(super) fn record(&mut self, record: &Record) {
        match record.read(&mut self.tokens) {
            Ok(candidates) => candidates.into_iter().for_each(|c| self.keep(c)),
            Err(Skip::Noise) => {}
            Err(skip) => self.count(skip),
        }
    }

    /// The next list begins.
    pub(super) fn end(&mut self) -> Skipped {
        self.table = None;
        std::mem::take(&mut self.skipped)
    }
}
