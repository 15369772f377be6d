//! Text → candidates. Total: it reads any bytes, and counts what it skipped and why.

use super::address::AddressPolicy;
use crate::config::ProtocolHint;
use proxy_shards::Candidate;

/// Why a piece of a list is not a candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Skip {
    /// Already read from this list.
    Duplicate,
    /// Looks like a proxy, but the host is neither an address nor a name.
    BadHost,
    /// The port is missing, 0 or above 65535.
    BadPort,
    /// The scheme names no proxy protocol.
    BadScheme,
    /// The credentials cannot be decoded.
    BadCredentials,
    /// The address is not public and not allowed.
    NotPublic,
    /// A run of bytes too long to be a proxy.
    TooLong,
    /// Anything else on a line that held no candidate.
    Noise,
}

/// What a list held.
#[derive(Clone, Debug, Default)]
pub struct Parsed {
    /// Its candidates, unique, in order.
    pub candidates: Vec<Candidate>,
    /// What was skipped, by `skip as usize`.
    pub skipped: [u64; 8],
}

/// Reads a list piece by piece, in bounded memory.
#[derive(Debug)]
pub struct Parser {}

impl Parser {
    /// A parser for one list.
    pub fn new(_hint: ProtocolHint, _addresses: AddressPolicy) -> Parser {
        todo!()
    }
    /// Reads the next bytes; a line may be cut anywhere.
    pub fn push(&mut self, _bytes: &[u8]) {
        todo!()
    }
    /// Candidates found so far.
    pub fn found(&self) -> usize {
        todo!()
    }
    /// Takes the candidates found since the last call, keeping the memory of duplicates.
    pub fn take(&mut self) -> Vec<Candidate> {
        todo!()
    }
    /// Ends the list.
    pub fn finish(self) -> Parsed {
        todo!()
    }
}
