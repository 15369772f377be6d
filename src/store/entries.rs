//! The entries of an image as they are stored: packed one behind the other into one piece of memory,
//! which goes back to the system as a whole. A million take tens of megabytes, not hundreds.

use super::chunk::{self, CHUNK_BYTES, HEAD_BYTES};
use super::record::{self, Reader};
use crate::ledger::Entry;
use std::fmt;

/// Entries in their order, as chunks: made from them at once, and read one by one. An entry that no
/// list can hold (see [`super::Store`]) is left out.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Entries {
    bytes: Vec<u8>,
    /// Where each chunk ends.
    ends: Vec<usize>,
    count: usize,
}

impl Entries {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Each of them, made anew from its bytes.
    pub fn iter(&self) -> impl Iterator<Item = Entry> + '_ {
        self.records().flat_map(|records| {
            let mut reader = Reader::new(records);
            // All of it was written by `record::encode`, so it ends at the end.
            std::iter::from_fn(move || reader.entry())
        })
    }

    /// How many chunks they stand in, for those who take them piece by piece.
    pub fn chunk_count(&self) -> usize {
        self.ends.len()
    }

    /// The entries of one chunk, made anew from its bytes.
    pub fn chunk_entries(&self, number: usize) -> impl Iterator<Item = Entry> + '_ {
        let mut reader = Reader::new(chunk::records(self.chunk(number)));
        std::iter::from_fn(move || reader.entry())
    }

    /// The chunks, as stores write them.
    pub(crate) fn chunks(&self) -> impl Iterator<Item = &[u8]> {
        (0..self.ends.len()).map(|number| self.chunk(number))
    }

    /// One of them.
    pub(crate) fn chunk(&self, number: usize) -> &[u8] {
        let start = number.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.bytes[start..self.ends[number]]
    }

    /// The records of each chunk, one behind the other.
    pub(super) fn records(&self) -> impl Iterator<Item = &[u8]> {
        self.chunks().map(chunk::records)
    }
}

/// Entries while they come in.
#[derive(Debug, Default)]
pub(crate) struct Packing {
    entries: Entries,
    /// Where the chunk that is not full begins.
    start: usize,
    /// Records in it.
    records: u16,
}

impl Packing {
    /// Adds an entry behind the others, if a list can hold it.
    pub(crate) fn push(&mut self, entry: &Entry) {
        if !record::is_storable(entry) {
            return;
        }
        let Packing {
            entries,
            start,
            records,
        } = self;
        if *records == 0 {
            *start = entries.bytes.len();
            entries.bytes.extend(chunk::HEAD);
        }
        record::encode(entry, &mut entries.bytes);
        *records += 1;
        entries.count += 1;
        if entries.bytes.len() - *start >= CHUNK_BYTES + HEAD_BYTES {
            self.seal();
        }
    }

    /// Adds a chunk as it was stored, in which there are `count` entries of the format of today.
    pub(crate) fn append(&mut self, chunk: &[u8], count: usize) {
        self.seal();
        self.entries.bytes.extend(chunk);
        self.entries.ends.push(self.entries.bytes.len());
        self.entries.count += count;
    }

    /// All that came in.
    pub(crate) fn finish(mut self) -> Entries {
        self.seal();
        self.entries
    }

    /// Ends the chunk that is not full, if there is one.
    fn seal(&mut self) {
        let records = std::mem::take(&mut self.records);
        if records > 0 {
            chunk::seal(&mut self.entries.bytes, self.start, records);
            self.entries.ends.push(self.entries.bytes.len());
        }
    }
}

impl FromIterator<Entry> for Entries {
    fn from_iter<I: IntoIterator<Item = Entry>>(all: I) -> Entries {
        let mut packing = Packing::default();
        all.into_iter().for_each(|entry| packing.push(&entry));
        packing.finish()
    }
}

impl From<Vec<Entry>> for Entries {
    fn from(entries: Vec<Entry>) -> Entries {
        entries.into_iter().collect()
    }
}

impl fmt::Debug for Entries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::contract::random_entries;

    #[test]
    fn entries_come_back_in_their_order_with_every_field() {
        for count in [0, 1, 3_000] {
            let all = random_entries(&mut fastrand::Rng::with_seed(1), count);
            let entries: Entries = all.iter().cloned().collect();
            assert_eq!((entries.len(), entries.is_empty()), (count, count == 0));
            assert!(entries.iter().eq(all));
        }
    }

    #[test]
    fn chunks_have_about_8_kilobytes() {
        let all = random_entries(&mut fastrand::Rng::with_seed(1), 3_000);
        let entries = Entries::from(all);
        let lengths: Vec<usize> = entries.chunks().map(<[u8]>::len).collect();
        let (last, full) = lengths.split_last().unwrap();
        assert!(full.len() > 5 && *last < 9_000);
        assert!(full.iter().all(|length| (8_192..9_000).contains(length)));
    }

    #[test]
    fn what_no_list_can_hold_is_left_out() {
        let mut all = random_entries(&mut fastrand::Rng::with_seed(2), 10);
        let rest = all[1..].to_vec();
        all[0].candidate.port = 0;
        assert!(Entries::from(all).iter().eq(rest));
    }

    #[test]
    fn one_that_was_never_alive_takes_27_bytes_and_its_part_of_the_head_of_a_chunk() {
        let candidate = |n: u32| proxy_shards::Candidate {
            scheme: proxy_shards::Scheme::Auto,
            host: proxy_shards::Host::V4(n.into()),
            port: 80,
            credentials: None,
        };
        let entries: Entries = (0..10_000).map(|n| Entry::new(candidate(n))).collect();
        let heads = 7 * entries.ends.len();
        assert_eq!(entries.bytes.len() - heads, 27 * 10_000);
    }
}
