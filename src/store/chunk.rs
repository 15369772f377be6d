//! The image as a sequence of chunks of about 8 KB, each with a format version and a CRC, and one
//! meta record that holds them together.
//!
//! Chunk: `format u8 · records u16 · records · crc u32`. Meta: `format u8 · saved_at_ms u64 ·
//! entries u64 · chunks u32 · digest u32 · crc u32`. The digest covers the CRCs of all chunks in
//! their order, so chunks of two different saves never pass for one image.

use super::Image;
use super::record::{self, RECORD_BYTES_MIN, Reader};
use crate::ledger::Entry;

/// The format of this version.
const FORMAT: u8 = 1;

/// Where a chunk is full, in bytes.
const CHUNK_BYTES: usize = 8 * 1024;

/// What tells a chunk from another one without its bytes: its CRC and its length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    crc: u32,
    length: usize,
}

impl Mark {
    /// The mark of a packed chunk. Its CRC is the one that it ends with: a CRC over bytes that end
    /// with their own CRC is the same for all.
    pub(super) fn of(chunk: &[u8]) -> Mark {
        let crc = chunk.last_chunk::<4>().copied().unwrap_or_default();
        Mark {
            crc: u32::from_le_bytes(crc),
            length: chunk.len(),
        }
    }
}

/// What holds the chunks together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Meta {
    pub(super) saved_at_ms: u64,
    pub(super) entries: u64,
    pub(super) chunks: u32,
    digest: u32,
}

impl Meta {
    /// The meta record of an image with `entries` entries in chunks with these marks.
    pub(super) fn new(saved_at_ms: u64, entries: u64, marks: &[Mark]) -> Meta {
        let mut digest = crc32fast::Hasher::new();
        for mark in marks {
            digest.update(&mark.crc.to_le_bytes());
        }
        Meta {
            saved_at_ms,
            entries,
            // 4 294 967 295 chunks would be 32 TiB.
            chunks: u32::try_from(marks.len()).unwrap_or(u32::MAX),
            digest: digest.finalize(),
        }
    }

    pub(super) fn encode(self) -> Vec<u8> {
        let mut bytes = vec![FORMAT];
        bytes.extend(self.saved_at_ms.to_le_bytes());
        bytes.extend(self.entries.to_le_bytes());
        bytes.extend(self.chunks.to_le_bytes());
        bytes.extend(self.digest.to_le_bytes());
        seal(bytes)
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Meta, String> {
        let mut reader = opened(bytes).map_err(|why| format!("the meta record {why}"))?;
        let read = (|| {
            Some(Meta {
                saved_at_ms: reader.u64()?,
                entries: reader.u64()?,
                chunks: reader.u32()?,
                digest: reader.u32()?,
            })
        })();
        read.filter(|_| reader.is_at_end())
            .ok_or_else(|| "the meta record has another length".to_owned())
    }
}

/// Packs the storable entries of an image; also says how many those are.
pub(super) fn pack(image: &Image) -> (Vec<Vec<u8>>, u64) {
    let mut chunks = Vec::new();
    let mut chunk = Chunk::default();
    let mut entries = 0;
    for entry in image.entries.iter().filter(|e| record::is_storable(e)) {
        if chunk.records.len() >= CHUNK_BYTES {
            chunks.push(std::mem::take(&mut chunk).encode());
        }
        record::encode(entry, &mut chunk.records);
        chunk.count += 1;
        entries += 1;
    }
    if chunk.count > 0 {
        chunks.push(chunk.encode());
    }
    (chunks, entries)
}

/// Appends the entries of one chunk to `entries`.
pub(super) fn unpack(bytes: &[u8], entries: &mut Vec<Entry>) -> Result<(), String> {
    let mut reader = opened(bytes)?;
    let count = reader.u16().ok_or("is too short")?;
    // The bytes that are there bound what is allocated, whatever the count says.
    entries.reserve(usize::from(count).min(bytes.len() / RECORD_BYTES_MIN));
    for _ in 0..count {
        entries.push(reader.entry().ok_or("holds a record that cannot be read")?);
    }
    match reader.is_at_end() {
        true => Ok(()),
        false => Err("is longer than its records".to_owned()),
    }
}

#[derive(Default)]
struct Chunk {
    records: Vec<u8>,
    count: u16,
}

impl Chunk {
    fn encode(self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.records.len() + 7);
        bytes.push(FORMAT);
        bytes.extend(self.count.to_le_bytes());
        bytes.extend(self.records);
        seal(bytes)
    }
}

fn seal(mut bytes: Vec<u8>) -> Vec<u8> {
    let crc = crc32fast::hash(&bytes);
    bytes.extend(crc.to_le_bytes());
    bytes
}

/// What lies between the format version and the CRC, if both are right.
fn opened(bytes: &[u8]) -> Result<Reader<'_>, String> {
    let (body, crc) = bytes.split_last_chunk::<4>().ok_or("is too short")?;
    if crc32fast::hash(body) != u32::from_le_bytes(*crc) {
        return Err("is damaged: its CRC differs".to_owned());
    }
    let mut reader = Reader::new(body);
    match reader.u8() {
        Some(FORMAT) => Ok(reader),
        Some(other) => Err(format!(
            "has format {other}; this version reads {FORMAT}, so a newer one may have written it"
        )),
        None => Err("is too short".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::contract::random_image;

    fn unpacked(chunks: &[Vec<u8>]) -> Vec<Entry> {
        let mut entries = Vec::new();
        for chunk in chunks {
            unpack(chunk, &mut entries).unwrap();
        }
        entries
    }

    #[test]
    fn packed_entries_come_back_in_chunks_of_about_8_kilobytes() {
        let image = random_image(&mut fastrand::Rng::with_seed(1), 3_000);
        let (chunks, count) = pack(&image);
        assert_eq!((unpacked(&chunks), count), (image.entries, 3_000));
        let (last, full) = chunks.split_last().unwrap();
        assert!(full.len() > 5 && last.len() < 9_000);
        assert!(full.iter().all(|c| (8_192..9_000).contains(&c.len())));
    }

    #[test]
    fn a_check_of_one_candidate_changes_one_chunk() {
        let mut image = random_image(&mut fastrand::Rng::with_seed(2), 3_000);
        let before = pack(&image).0;
        let entry = &mut image.entries[1_500];
        (entry.verdict, entry.timing.total_us, entry.failures) = (None, u32::MAX, 9);
        let after = pack(&image).0;
        let pairs = before.iter().zip(&after);
        let changed = pairs.filter(|(b, a)| Mark::of(b) != Mark::of(a)).count();
        assert_eq!((changed, before.len()), (1, after.len()));
    }

    #[test]
    fn no_flipped_bit_goes_unnoticed() {
        let image = random_image(&mut fastrand::Rng::with_seed(3), 20);
        let chunk = pack(&image).0.remove(0);
        let meta = Meta::new(1, 2, &[Mark::of(&chunk)]).encode();
        for bit in 0..chunk.len() * 8 {
            let mut bytes = chunk.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(unpack(&bytes, &mut Vec::new()).is_err(), "{bit}");
        }
        for bit in 0..meta.len() * 8 {
            let mut bytes = meta.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(Meta::decode(&bytes).is_err(), "{bit}");
        }
    }

    #[test]
    fn bytes_with_a_right_crc_and_a_wrong_content_are_refused() {
        let mut random = fastrand::Rng::with_seed(4);
        for _ in 0..2_000 {
            let noise: Vec<u8> = (0..random.usize(..200)).map(|_| random.u8(..)).collect();
            let bytes = seal([&[FORMAT][..], &noise].concat());
            let _ = unpack(&bytes, &mut Vec::new());
            let _ = Meta::decode(&bytes);
        }
        let many = seal(vec![FORMAT, 0xff, 0xff]);
        assert!(unpack(&many, &mut Vec::new()).is_err());
    }

    #[test]
    fn a_newer_format_is_named() {
        let error = unpack(&seal(vec![9, 0, 0]), &mut Vec::new()).unwrap_err();
        assert!(error.contains("format 9"), "{error}");
    }

    #[test]
    fn marks_tell_chunks_apart_and_their_order_counts() {
        let image = random_image(&mut fastrand::Rng::with_seed(5), 1_000);
        let marks: Vec<Mark> = pack(&image).0.iter().map(|c| Mark::of(c)).collect();
        let swapped: Vec<Mark> = marks.iter().rev().copied().collect();
        assert!(marks.len() > 2 && marks[0].crc != marks[1].crc);
        assert_ne!(Meta::new(0, 1_000, &marks), Meta::new(0, 1_000, &swapped));
    }
}
