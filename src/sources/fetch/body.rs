//! A list while it arrives: parsed piece by piece, counted after decompression, never whole in
//! memory.

use super::error::{FetchError, LooksLike, escaped};
use crate::sources::parse::{Parsed, Parser, Skip};
use std::time::Duration;

/// How much of a list without proxies is shown.
const FIRST_BYTES_MAX: usize = 40;

/// A list while it arrives.
#[derive(Debug)]
pub(super) struct Body {
    parser: Parser,
    bytes: u64,
    bytes_max: u64,
    first: Vec<u8>,
}

impl Body {
    /// A list of at most `bytes_max` bytes, to be read by `parser`.
    pub(super) fn new(parser: Parser, bytes_max: u64) -> Body {
        Body {
            parser,
            bytes: 0,
            bytes_max,
            first: Vec::new(),
        }
    }

    /// Reads the next piece.
    pub(super) fn push(&mut self, piece: &[u8]) -> Result<(), FetchError> {
        let missing = FIRST_BYTES_MAX - self.first.len();
        self.first
            .extend_from_slice(&piece[..missing.min(piece.len())]);
        let room = self.bytes_max - self.bytes;
        if piece.len() as u64 > room {
            self.parser.push(&piece[..room as usize]);
            return Err(FetchError::TooLarge {
                bytes_max: self.bytes_max,
                found: self.parser.found(),
            });
        }
        self.parser.push(piece);
        self.bytes += piece.len() as u64;
        Ok(())
    }

    /// Why a list that is not complete after `after` gives nothing.
    pub(super) fn timed_out(&self, after: Duration) -> FetchError {
        FetchError::TimedOut {
            after,
            bytes: self.bytes,
            found: self.parser.found(),
        }
    }

    /// The list is complete.
    pub(super) fn finish(self) -> Result<Parsed, FetchError> {
        let mut parsed = self.parser.finish();
        parsed.bytes = self.bytes;
        if parsed.candidates.is_empty() {
            debug_assert_eq!(parsed.skipped[Skip::Duplicate as usize], 0);
            return Err(FetchError::NothingFound {
                bytes: self.bytes,
                first: escaped(&self.first, FIRST_BYTES_MAX),
                looks_like: LooksLike::of(&self.first),
                skipped: parsed.skipped,
            });
        }
        Ok(parsed)
    }
}
