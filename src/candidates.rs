//! Many candidates in little memory: the usual one – IPv4, no credentials – is eight bytes.

use proxy_shards::{Candidate, Host, Scheme};
use slab::Slab;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::net::Ipv4Addr;
use std::vec;

/// A candidate in eight bytes: the usual one itself, of any other its place among the [`Others`].
///
/// The usual one is `scheme u8 << 48 | port u16 << 32 | ip u32`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Short(u64);

/// The rest is a place among the others.
const ELSEWHERE: u64 = 1 << 63;
/// The bits that are the address: all but those of the scheme.
const ADDRESS: u64 = (1 << 48) - 1;

impl Short {
    /// The usual candidate in its short form; `None` of another.
    fn of(candidate: &Candidate) -> Option<Short> {
        match (&candidate.host, &candidate.credentials) {
            (Host::V4(ip), None) => {
                let (scheme, port) = (candidate.scheme as u64, u64::from(candidate.port));
                Some(Short(scheme << 48 | port << 32 | u64::from(ip.to_bits())))
            }
            _ => None,
        }
    }

    fn read(self) -> Read {
        match self.0 & ELSEWHERE {
            0 => Read::Usual(Candidate {
                scheme: Scheme::ALL[(self.0 >> 48) as usize],
                host: Host::V4(Ipv4Addr::from_bits(self.0 as u32)),
                port: (self.0 >> 32) as u16,
                credentials: None,
            }),
            _ => Read::Other((self.0 & !ELSEWHERE) as usize),
        }
    }
}

/// What a short form stands for.
enum Read {
    Usual(Candidate),
    /// What stands at this place.
    Other(usize),
}

/// The candidates that are not usual, for short forms to stand for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Others(Slab<Candidate>);

impl Others {
    /// The short form of a candidate, which is kept here if it is not usual.
    pub(crate) fn shorten(&mut self, candidate: Candidate) -> Short {
        let short = Short::of(&candidate);
        short.unwrap_or_else(|| Short(ELSEWHERE | self.0.insert(candidate) as u64))
    }

    /// What `short` stands for.
    pub(crate) fn candidate(&self, short: Short) -> Candidate {
        match short.read() {
            Read::Usual(candidate) => candidate,
            Read::Other(place) => self.0[place].clone(),
        }
    }

    /// The same for the last time: `short` stands for nothing from now on.
    pub(crate) fn take(&mut self, short: Short) -> Candidate {
        match short.read() {
            Read::Usual(candidate) => candidate,
            Read::Other(place) => self.0.remove(place),
        }
    }

    /// Whether `short` stands for `candidate`.
    pub(crate) fn is(&self, short: Short, candidate: &Candidate) -> bool {
        match (Short::of(candidate), short.read()) {
            (Some(usual), _) => usual == short,
            (None, Read::Other(place)) => self.0[place] == *candidate,
            (None, Read::Usual(_)) => false,
        }
    }

    /// Whether `short` stands for `candidate`, whatever the schemes of the two.
    pub(crate) fn is_beside(&self, short: Short, candidate: &Candidate) -> bool {
        match (Short::of(candidate), short.read()) {
            (Some(usual), _) => (usual.0 ^ short.0) & (ELSEWHERE | ADDRESS) == 0,
            (None, Read::Other(place)) => {
                let other = &self.0[place];
                other.port == candidate.port
                    && other.host == candidate.host
                    && other.credentials == candidate.credentials
            }
            (None, Read::Usual(_)) => false,
        }
    }

    /// Feeds `hasher` with what `short` stands for, as [`hash`] does.
    pub(crate) fn hash(&self, short: Short, hasher: &mut impl Hasher) {
        match short.0 & ELSEWHERE {
            0 => hasher.write_u64(short.0 & ADDRESS),
            elsewhere => hash(&self.0[(short.0 ^ elsewhere) as usize], hasher),
        }
    }
}

/// Feeds `hasher` with the host, the port and the credentials of a candidate, not with its scheme:
/// what is listed under several schemes is found at once. Of the usual candidate that is one write
/// of eight bytes.
pub(crate) fn hash(candidate: &Candidate, hasher: &mut impl Hasher) {
    if let Some(short) = Short::of(candidate) {
        return hasher.write_u64(short.0 & ADDRESS);
    }
    hasher.write_u16(candidate.port);
    candidate.host.hash(hasher);
    candidate.credentials.hash(hasher);
}

/// Candidates in an order.
#[derive(Clone, Default)]
pub struct Candidates {
    shorts: Vec<Short>,
    others: Others,
}

impl Candidates {
    /// Adds one at the end.
    pub fn push(&mut self, candidate: Candidate) {
        self.shorts.push(self.others.shorten(candidate));
    }

    /// The one at `place`.
    pub fn get(&self, place: usize) -> Option<Candidate> {
        let short = self.shorts.get(place)?;
        Some(self.others.candidate(*short))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.shorts.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.shorts.is_empty()
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = Candidate> + '_ {
        self.iter_from(0)
    }

    /// Those from `place` on.
    pub fn iter_from(&self, place: usize) -> impl Iterator<Item = Candidate> + '_ {
        let shorts = self.shorts.get(place..).unwrap_or_default();
        shorts.iter().map(|&short| self.others.candidate(short))
    }

    /// Forgets the first `count`.
    pub fn drop_first(&mut self, count: usize) {
        for short in self.shorts.drain(..count) {
            drop(self.others.take(short));
        }
    }

    pub(crate) fn is(&self, place: u32, candidate: &Candidate) -> bool {
        self.others.is(self.shorts[place as usize], candidate)
    }

    pub(crate) fn hash(&self, place: u32, hasher: &mut impl Hasher) {
        self.others.hash(self.shorts[place as usize], hasher);
    }
}

impl FromIterator<Candidate> for Candidates {
    fn from_iter<I: IntoIterator<Item = Candidate>>(all: I) -> Candidates {
        let mut candidates = Candidates::default();
        all.into_iter().for_each(|one| candidates.push(one));
        candidates
    }
}

impl PartialEq for Candidates {
    fn eq(&self, other: &Candidates) -> bool {
        self.len() == other.len() && self.iter().eq(other.iter())
    }
}

impl Eq for Candidates {}

impl fmt::Debug for Candidates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl IntoIterator for Candidates {
    type Item = Candidate;
    type IntoIter = IntoIter;

    fn into_iter(self) -> IntoIter {
        IntoIter {
            shorts: self.shorts.into_iter(),
            others: self.others,
        }
    }
}

/// [`Candidates`], one by one.
#[derive(Clone, Debug)]
pub struct IntoIter {
    shorts: vec::IntoIter<Short>,
    others: Others,
}

impl Iterator for IntoIter {
    type Item = Candidate;

    fn next(&mut self) -> Option<Candidate> {
        let short = self.shorts.next()?;
        Some(self.others.take(short))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.shorts.size_hint()
    }
}

impl ExactSizeIterator for IntoIter {}

#[cfg(test)]
mod tests;
