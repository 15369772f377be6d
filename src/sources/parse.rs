//! Text → candidates. Total: it reads any bytes, and counts what it skipped and why.
//!
//! Each part of a list is read as what it looks like, so files may be mixed. Bytes go through
//! `markup`, which takes out tags, to `lines`; where a line begins JSON, `json` takes over. A `row`
//! (a line, an HTML row, a JSON array) is cut into runs without separators, and `token` reads one.
//! Where columns or keys have names, a `table` or `json` fills a `record` instead. What they find
//! goes to the `list`. The rules in words: `docs/formats.md`.

mod class;
mod columns;
mod endpoint;
mod format;
mod json;
mod lines;
mod list;
mod markup;
mod record;
mod row;
mod skip;
mod table;
mod token;
mod words;

pub use format::{Format, UnknownFormat};
pub use skip::{Skip, Skipped, describe};

use super::address::AddressPolicy;
use crate::candidates::Candidates;
use class::{CLASSES, Class};
use endpoint::{leading_clean, leading_scheme};
use json::{Flow, Json};
use lines::{LINE_BYTES_MAX, Lines};
use list::List;
use markup::{Markup, Passed};
use proxy_shards::{Candidate, Scheme};
use row::Origin;
use std::time::Duration;
use token::Tokens;

/// Longest run of bytes without a separator that is looked at. A proxy with credentials of the
/// longest kind, every byte percent-encoded, has 1 800; nobody has seen one.
pub const RUN_BYTES_MAX: usize = 1024;

/// How a list is read.
#[derive(Clone, Debug)]
pub struct Reading {
    /// The protocol of what names none.
    pub hint: Scheme,
    /// Which forms are looked for.
    pub format: Format,
    /// Which addresses are kept.
    pub addresses: AddressPolicy,
}

/// What a list held.
#[derive(Clone, Debug, Default)]
pub struct Parsed {
    /// Its candidates, unique, in order.
    pub candidates: Candidates,
    /// What was skipped, by `skip as usize`.
    pub skipped: Skipped,
    /// Bytes of the text, as far as whoever read it has counted them.
    pub bytes: u64,
    /// How long it took to come in; zero where nobody has measured it.
    pub took: Duration,
}

/// Reads a whole list that is in memory.
pub fn parse(bytes: &[u8], reading: Reading) -> Parsed {
    let mut parser = Parser::new(reading);
    parser.push(bytes);
    parser.finish()
}

/// Reads a list piece by piece. It keeps each candidate once, and of the text a few kilobytes,
/// however long a line or a document is.
#[derive(Debug)]
pub struct Parser {
    lines: Lines,
    markup: Markup,
    /// Whether the text stands in a row of an HTML table.
    in_row: bool,
    /// A bracket at the start of a line: what follows says whether it begins JSON.
    opened: Option<Opened>,
    json: Option<Json>,
    /// Whether the line holds text that is no JSON, where only JSON is read.
    aside: bool,
    /// Candidates already given away by [`Parser::take`].
    taken: usize,
}

#[derive(Clone, Copy, Debug)]
struct Opened {
    bracket: u8,
    /// What stands behind it so far.
    gap: Option<u8>,
}

impl Parser {
    /// A parser for one list.
    pub fn new(reading: Reading) -> Parser {
        let tokens = Tokens::new(reading.hint, reading.addresses);
        Parser {
            lines: Lines::new(List::new(tokens, reading.format)),
            markup: Markup::default(),
            in_row: false,
            opened: None,
            json: None,
            aside: false,
            taken: 0,
        }
    }

    /// Reads the next bytes; a line may be cut anywhere.
    pub fn push(&mut self, mut bytes: &[u8]) {
        while let Some((&byte, rest)) = bytes.split_first() {
            bytes = match self.whole_line(bytes) {
                Some(length) => &bytes[length..],
                None => {
                    self.byte(byte);
                    rest
                }
            };
        }
    }

    /// Candidates found so far.
    pub fn found(&self) -> usize {
        self.lines.list.unique.len()
    }

    /// What was skipped so far in this list.
    pub fn skipped(&self) -> &Skipped {
        &self.lines.list.skipped
    }

    /// Takes the candidates found since the last call, keeping the memory of duplicates.
    pub fn take(&mut self) -> Vec<Candidate> {
        let unique = &self.lines.list.unique;
        let new = unique.candidates().iter_from(self.taken).collect();
        self.taken = unique.len();
        new
    }

    /// Ends a list and starts the next one, without forgetting the candidates: what another list
    /// held before is a duplicate. Returns what was skipped in the list that ended.
    pub fn end_list(&mut self) -> Skipped {
        if let Some(mut json) = self.json.take() {
            json.cut(&mut self.lines);
        }
        self.not_json();
        self.lines.end_line();
        self.end_aside();
        self.markup.reset();
        self.in_row = false;
        self.lines.list.end()
    }

    /// Adds a list that was read elsewhere, as if it stood here.
    pub fn add(&mut self, list: Parsed) {
        let here = &mut self.lines.list;
        for (sum, count) in here.skipped.iter_mut().zip(list.skipped) {
            *sum += count;
        }
        list.candidates.into_iter().for_each(|c| here.keep(c));
    }

    /// Ends the list: the candidates that were not taken, and what was skipped.
    pub fn finish(mut self) -> Parsed {
        let skipped = self.end_list();
        let mut candidates = self.lines.list.unique.into_candidates();
        candidates.drop_first(self.taken);
        Parsed {
            candidates,
            skipped,
            ..Parsed::default()
        }
    }

    /// Reads a line that is here whole and is nothing but text, and gives its length. This is for
    /// speed alone: byte by byte the same comes out.
    fn whole_line(&mut self, bytes: &[u8]) -> Option<usize> {
        let format = self.lines.list.format;
        let ready = self.json.is_none() && self.opened.is_none() && !self.in_row;
        if !(ready && self.lines.at_start() && self.markup.is_text() && format.reads_text()) {
            return None;
        }
        let (scheme, behind) = match self.lines.list.is_in_table() {
            true => (None, bytes), // its columns may say more
            false => leading_scheme(bytes),
        };
        if let Some((ip, port, [b'\n' | b'\r', rest @ ..])) = leading_clean(behind) {
            self.lines.list.clean_line(scheme, ip, port);
            return Some(bytes.len() - rest.len());
        }
        let first = bytes
            .iter()
            .find(|b| CLASSES[usize::from(**b)] == Class::Text);
        if format.reads_json() && matches!(first, Some(b'[' | b'{' | b'\xef')) {
            return None;
        }
        let tags = format.reads_tags();
        let is_end = |b: &u8| matches!(b, b'\n' | b'\r') || tags && self.markup.is_special(*b);
        let end = bytes.iter().take(LINE_BYTES_MAX + 1).position(is_end)?;
        if !matches!(bytes[end], b'\n' | b'\r') {
            return None;
        }
        self.lines.list.line(&bytes[..end], Origin::Text);
        Some(end + 1)
    }

    fn byte(&mut self, byte: u8) {
        if let Some(json) = &mut self.json {
            match json.byte(byte, &mut self.lines) {
                Flow::More => return,
                Flow::Ended => return self.json = None,
                Flow::Broken => {
                    let back = self.json.take().map(Json::taken_back);
                    back.into_iter().flatten().for_each(|byte| self.byte(byte));
                }
            }
        }
        if !self.lines.list.format.reads_tags() {
            return self.text(byte);
        }
        match self.markup.pass(byte) {
            Passed::Nothing => {}
            Passed::Byte => self.text(byte),
            Passed::Held => {
                let held = self.markup.held().to_vec();
                held.into_iter().for_each(|byte| self.text(byte));
                self.byte(byte);
            }
            Passed::Space => self.text(b' '),
            Passed::SpaceAgain => {
                self.text(b' ');
                self.byte(byte);
            }
            Passed::Colon => self.text(b':'),
            Passed::Cell => {
                self.not_json();
                self.lines.cell(Origin::Cells);
            }
            Passed::Row { opens } => {
                self.not_json();
                self.lines.end_line();
                self.in_row = opens;
            }
            Passed::Block if self.in_row => self.text(b' '),
            Passed::Block => self.text(b'\n'),
        }
    }

    /// A byte of text: tags are taken out.
    fn text(&mut self, byte: u8) {
        let format = self.lines.list.format;
        if let Some(opened) = self.opened.take() {
            return self.behind_bracket(opened, byte);
        }
        let bracket = matches!(byte, b'[' | b'{');
        if bracket && format.reads_json() && (!format.reads_text() || self.lines.is_blank()) {
            let gap = None;
            self.opened = Some(Opened { bracket: byte, gap });
            return;
        }
        match byte {
            _ if !format.reads_text() => self.beside(byte),
            b'\n' | b'\r' if self.in_row => self.lines.push(b' '),
            b'\n' | b'\r' => self.lines.end_line(),
            _ => self.lines.push(byte),
        }
    }

    /// The byte behind a bracket says whether it begins JSON.
    fn behind_bracket(&mut self, opened: Opened, byte: u8) {
        let Opened { bracket, gap } = opened;
        match (bracket, byte) {
            (_, b'\n' | b'\r') => {
                self.opened = Some(Opened {
                    bracket,
                    gap: Some(b'\n'),
                })
            }
            (_, b' ' | b'\t') => {
                let gap = gap.or(Some(b' '));
                self.opened = Some(Opened { bracket, gap });
            }
            (b'{', b'"' | b'}') | (b'[', b'"' | b'{' | b'[' | b']') => {
                self.lines.clear();
                let mut json = Json::new(&self.lines);
                json.byte(bracket, &mut self.lines);
                let flow = json.byte(byte, &mut self.lines);
                self.json = (flow == Flow::More).then_some(json);
            }
            _ => {
                self.opened = Some(opened);
                self.not_json();
                self.text(byte);
            }
        }
    }

    /// What began with a bracket was text.
    fn not_json(&mut self) {
        let Some(Opened { bracket, gap }) = self.opened.take() else {
            return;
        };
        match self.lines.list.format.reads_text() {
            true => self.lines.push(bracket),
            false => self.beside(bracket),
        }
        if let Some(gap) = gap {
            self.text(gap);
        }
    }

    /// A byte outside of JSON, where only JSON is read.
    fn beside(&mut self, byte: u8) {
        match CLASSES[usize::from(byte)] {
            _ if matches!(byte, b'\n' | b'\r') => self.end_aside(),
            class => self.aside |= class == Class::Text,
        }
    }

    fn end_aside(&mut self) {
        if std::mem::take(&mut self.aside) {
            self.lines.list.count(Skip::Noise);
        }
    }
}

#[cfg(test)]
mod tests;
