//! Text → candidates. Total: it reads any bytes, and counts what it skipped and why.
//!
//! Here the bytes are cut into lines, comments and runs without separators; `token` reads a run.

mod class;
mod endpoint;
mod skip;
mod token;

pub use skip::{Skip, Skipped, describe};

use super::address::AddressPolicy;
use super::unique::Unique;
use class::{CLASSES, Class};
use proxy_shards::{Candidate, Scheme};
use std::mem;
use token::Tokens;

/// Longest run of bytes without a separator that is looked at. A proxy with credentials of the
/// longest kind, every byte percent-encoded, has 1 800; nobody has seen one.
pub const RUN_BYTES_MAX: usize = 1024;

/// The UTF-8 form of U+FEFF, which some editors write at the start of a file.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// What a list held.
#[derive(Clone, Debug, Default)]
pub struct Parsed {
    /// Its candidates, unique, in order.
    pub candidates: Vec<Candidate>,
    /// What was skipped, by `skip as usize`.
    pub skipped: Skipped,
}

/// Reads a whole list that is in memory.
pub fn parse(bytes: &[u8], hint: Scheme, addresses: AddressPolicy) -> Parsed {
    let mut parser = Parser::new(hint, addresses);
    parser.push(bytes);
    parser.finish()
}

/// Reads a list piece by piece. It keeps each candidate once, and of the text at most
/// [`RUN_BYTES_MAX`] bytes, however long a line is.
#[derive(Debug)]
pub struct Parser {
    tokens: Tokens,
    unique: Unique,
    /// Candidates already given away by [`Parser::take`].
    taken: usize,
    skipped: Skipped,
    /// The start of a run whose end has not come yet.
    pending: Vec<u8>,
    place: Place,
    line: Line,
}

/// Where in the text the next byte stands.
#[derive(Clone, Copy, Debug)]
enum Place {
    /// Between two runs.
    Gap,
    /// In a run that may be a proxy.
    Run,
    /// In a run that is too long to be one.
    LongRun,
    /// In a comment, up to the end of the line.
    Comment,
}

/// What is known of the current line.
#[derive(Clone, Copy, Debug)]
struct Line {
    /// Whether there was a run outside of comments.
    text: bool,
    /// Whether one of them was a candidate or has been counted for a reason of its own.
    counted: bool,
    /// Whether a `#` here opens a comment: at the start of the line and after white space.
    after_space: bool,
}

impl Line {
    const START: Line = Line {
        text: false,
        counted: false,
        after_space: true,
    };
}

impl Parser {
    /// A parser for one list.
    pub fn new(hint: Scheme, addresses: AddressPolicy) -> Parser {
        Parser {
            tokens: Tokens::new(hint, addresses),
            unique: Unique::new(),
            taken: 0,
            skipped: Skipped::default(),
            pending: Vec::new(),
            place: Place::Gap,
            line: Line::START,
        }
    }

    /// Reads the next bytes; a line may be cut anywhere.
    pub fn push(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let used = match self.place {
                Place::Gap => self.gap(bytes),
                Place::Run => self.run(bytes),
                Place::LongRun => self.skip_to(bytes, |class| class != Class::Text),
                Place::Comment => self.skip_to(bytes, |class| class == Class::LineEnd),
            };
            bytes = &bytes[used..];
        }
    }

    /// Candidates found so far.
    pub fn found(&self) -> usize {
        self.unique.len()
    }

    /// What was skipped so far in this list.
    pub fn skipped(&self) -> &Skipped {
        &self.skipped
    }

    /// Takes the candidates found since the last call, keeping the memory of duplicates.
    pub fn take(&mut self) -> Vec<Candidate> {
        let new = self.unique.as_slice()[self.taken..].to_vec();
        self.taken = self.unique.len();
        new
    }

    /// Ends a list and starts the next one, without forgetting the candidates: what another list
    /// held before is a duplicate. Returns what was skipped in the list that ended.
    pub fn end_list(&mut self) -> Skipped {
        if matches!(self.place, Place::Run) {
            self.end_run(&[]);
        }
        self.end_line();
        self.place = Place::Gap;
        mem::take(&mut self.skipped)
    }

    /// Adds a list that was read elsewhere, as if it stood here.
    pub fn add(&mut self, list: Parsed) {
        for (sum, count) in self.skipped.iter_mut().zip(list.skipped) {
            *sum += count;
        }
        for candidate in list.candidates {
            if self.unique.insert(candidate).is_err() {
                self.skipped[Skip::Duplicate as usize] += 1;
            }
        }
    }

    /// Ends the list: the candidates that were not taken, and what was skipped.
    pub fn finish(mut self) -> Parsed {
        let skipped = self.end_list();
        let mut candidates = self.unique.into_vec();
        candidates.drain(..self.taken);
        Parsed {
            candidates,
            skipped,
        }
    }

    /// Reads separators, up to the start of a run or of a comment.
    fn gap(&mut self, bytes: &[u8]) -> usize {
        for (at, byte) in bytes.iter().enumerate() {
            match CLASSES[*byte as usize] {
                Class::Text => {
                    let comment = *byte == b'#' && self.line.after_space;
                    self.place = if comment { Place::Comment } else { Place::Run };
                    return at;
                }
                Class::Space => self.line.after_space = true,
                Class::Punctuation => self.line.after_space = false,
                Class::LineEnd => self.end_line(),
            }
        }
        bytes.len()
    }

    /// Reads a run, up to its end if that is here.
    fn run(&mut self, bytes: &[u8]) -> usize {
        let end = bytes
            .iter()
            .position(|byte| CLASSES[*byte as usize] != Class::Text);
        let length = end.unwrap_or(bytes.len());
        let room = RUN_BYTES_MAX - self.pending.len();
        if length > room {
            self.pending.extend_from_slice(&bytes[..room]);
            self.give_up_run();
            return room;
        }
        match end {
            Some(_) => self.end_run(&bytes[..length]),
            None => self.pending.extend_from_slice(bytes),
        }
        length
    }

    /// A run is complete: what is pending, then `rest`.
    fn end_run(&mut self, rest: &[u8]) {
        self.place = Place::Gap;
        if self.pending.is_empty() {
            return self.read(rest);
        }
        let mut whole = mem::take(&mut self.pending);
        whole.extend_from_slice(rest);
        self.read(&whole);
        whole.clear();
        self.pending = whole;
    }

    /// The run in `pending` is longer than any proxy.
    fn give_up_run(&mut self) {
        if self.opens_comment(&self.pending) {
            self.place = Place::Comment;
        } else {
            self.place = Place::LongRun;
            self.line.text = true;
            self.count(Skip::TooLong);
        }
        self.pending.clear();
    }

    fn read(&mut self, run: &[u8]) {
        if self.opens_comment(run) {
            self.place = Place::Comment;
            return;
        }
        let token = run.strip_prefix(BYTE_ORDER_MARK).unwrap_or(run);
        if token.is_empty() {
            return;
        }
        self.line.text = true;
        match self.tokens.read(token) {
            Ok(candidate) => match self.unique.insert(candidate) {
                Ok(_) => self.line.counted = true,
                Err(_) => self.count(Skip::Duplicate),
            },
            Err(Skip::Noise) => {} // counted once, at the end of a line that held nothing else
            Err(skip) => self.count(skip),
        }
    }

    /// Whether `run` starts its line with `//`, or with a `#` behind a byte order mark (any other `#`
    /// was seen before its run began).
    fn opens_comment(&self, run: &[u8]) -> bool {
        let run = run.strip_prefix(BYTE_ORDER_MARK).unwrap_or(run);
        let first = !self.line.text && self.line.after_space;
        first && (run.starts_with(b"//") || run.starts_with(b"#"))
    }

    fn count(&mut self, skip: Skip) {
        self.skipped[skip as usize] += 1;
        self.line.counted = true;
    }

    fn end_line(&mut self) {
        if self.line.text && !self.line.counted {
            self.skipped[Skip::Noise as usize] += 1;
        }
        self.line = Line::START;
    }

    /// Skips bytes up to one whose class is an end; what follows is a gap.
    fn skip_to(&mut self, bytes: &[u8], is_end: impl Fn(Class) -> bool) -> usize {
        let end = bytes
            .iter()
            .position(|byte| is_end(CLASSES[*byte as usize]));
        if end.is_some() {
            self.place = Place::Gap;
        }
        end.unwrap_or(bytes.len())
    }
}

#[cfg(test)]
mod tests;
