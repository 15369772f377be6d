//! The image as a sequence of chunks of about 8 KB, each with a format version and a CRC, and one
//! meta record that holds them together.
//!
//! Chunk: `format u8 · records u16 · records · crc u32`. Meta: `format u8 · saved_at_ms u64 ·
//! entries u64 · chunks u32 · digest u32 · targets u8 [name] · crc u32`. The digest covers the CRCs of
//! all chunks in their order, so chunks of two different saves never pass for one image. A meta record
//! that ends before the targets does not know them.

use super::Image;
use super::record::{self, RECORD_BYTES_MIN, Reader};
use crate::ledger::Entry;

/// The format of this version.
const FORMAT: u8 = 2;

/// The one before, whose records are those of [`record::first`]; it is read and never written.
const FORMAT_FIRST: u8 = 1;

/// Where a chunk is full, in bytes of records.
const CHUNK_BYTES: usize = 8 * 1024;

/// Bytes of a chunk before its records.
const HEAD_BYTES: usize = 3;

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
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Meta {
    pub(super) saved_at_ms: u64,
    pub(super) entries: u64,
    pub(super) chunks: u32,
    digest: u32,
    pub(super) targets: Vec<Box<str>>,
}

impl Meta {
    /// The meta record of an image with `entries` entries in chunks with these marks, whose bits
    /// stand for `targets`.
    pub(super) fn new(
        saved_at_ms: u64,
        entries: u64,
        marks: &[Mark],
        targets: &[Box<str>],
    ) -> Meta {
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
            targets: targets.to_vec(),
        }
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![FORMAT];
        bytes.extend(self.saved_at_ms.to_le_bytes());
        bytes.extend(self.entries.to_le_bytes());
        bytes.extend(self.chunks.to_le_bytes());
        bytes.extend(self.digest.to_le_bytes());
        record::put_targets(&self.targets, &mut bytes);
        seal(bytes)
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Meta, String> {
        let (_, mut reader) = opened(bytes).map_err(|why| format!("the meta record {why}"))?;
        let read = (|| {
            Some(Meta {
                saved_at_ms: reader.u64()?,
                entries: reader.u64()?,
                chunks: reader.u32()?,
                digest: reader.u32()?,
                targets: reader.targets()?,
            })
        })();
        read.filter(|_| reader.is_at_end())
            .ok_or_else(|| "the meta record has another length".to_owned())
    }
}

/// Packs the storable entries of an image, one chunk after the other, so that whoever writes them
/// need not have them all in memory.
pub(super) struct Packer<'a> {
    rest: std::iter::Peekable<Storable<'a>>,
    entries: u64,
}

type Storable<'a> = std::iter::Filter<std::slice::Iter<'a, Entry>, fn(&&Entry) -> bool>;

impl<'a> Packer<'a> {
    pub(super) fn new(image: &'a Image) -> Packer<'a> {
        let storable: fn(&&Entry) -> bool = |entry| record::is_storable(entry);
        Packer {
            rest: image.entries.iter().filter(storable).peekable(),
            entries: 0,
        }
    }

    /// Entries packed so far.
    pub(super) fn entries(&self) -> u64 {
        self.entries
    }
}

impl Iterator for Packer<'_> {
    type Item = Vec<u8>;

    fn next(&mut self) -> Option<Vec<u8>> {
        self.rest.peek()?;
        let mut bytes = Vec::with_capacity(CHUNK_BYTES + CHUNK_BYTES / 8);
        bytes.extend([FORMAT, 0, 0]);
        let mut count: u16 = 0;
        while bytes.len() < CHUNK_BYTES + HEAD_BYTES
            && let Some(entry) = self.rest.next()
        {
            record::encode(entry, &mut bytes);
            count += 1;
        }
        bytes[1..HEAD_BYTES].copy_from_slice(&count.to_le_bytes());
        self.entries += u64::from(count);
        Some(seal(bytes))
    }
}

/// Appends the entries of one chunk to `entries`.
pub(super) fn unpack(bytes: &[u8], entries: &mut Vec<Entry>) -> Result<(), String> {
    let (format, mut reader) = opened(bytes)?;
    let count = reader.u16().ok_or("is too short")?;
    // The bytes that are there bound what is allocated, whatever the count says.
    entries.reserve(usize::from(count).min(bytes.len() / RECORD_BYTES_MIN));
    for _ in 0..count {
        let entry = match format {
            Format::First => reader.first_entry(),
            Format::Now => reader.entry(),
        };
        entries.push(entry.ok_or("holds a record that cannot be read")?);
    }
    match reader.is_at_end() {
        true => Ok(()),
        false => Err("is longer than its records".to_owned()),
    }
}

/// How records are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    First,
    Now,
}

fn seal(mut bytes: Vec<u8>) -> Vec<u8> {
    let crc = crc32fast::hash(&bytes);
    bytes.extend(crc.to_le_bytes());
    bytes
}

/// What lies between the format version and the CRC, if both are right.
fn opened(bytes: &[u8]) -> Result<(Format, Reader<'_>), String> {
    let (body, crc) = bytes.split_last_chunk::<4>().ok_or("is too short")?;
    if crc32fast::hash(body) != u32::from_le_bytes(*crc) {
        return Err("is damaged: its CRC differs".to_owned());
    }
    let mut reader = Reader::new(body);
    match reader.u8() {
        Some(FORMAT) => Ok((Format::Now, reader)),
        Some(FORMAT_FIRST) => Ok((Format::First, reader)),
        Some(other) => Err(format!(
            "has format {other}; this version reads {FORMAT_FIRST} and {FORMAT}, so a newer one \
             may have written it"
        )),
        None => Err("is too short".to_owned()),
    }
}

/// A whole image as the first format had it: chunks and the meta record.
#[cfg(test)]
pub(super) fn packed_first(image: &Image) -> (Vec<Vec<u8>>, Vec<u8>) {
    let pack = |entries: &[Entry]| {
        let mut bytes = vec![FORMAT_FIRST];
        bytes.extend((entries.len() as u16).to_le_bytes());
        for entry in entries {
            record::first::encode(entry, &mut bytes);
        }
        seal(bytes)
    };
    let chunks: Vec<_> = image.entries.chunks(200).map(pack).collect();
    let marks: Vec<_> = chunks.iter().map(|chunk| Mark::of(chunk)).collect();
    let meta = Meta::new(image.saved_at_ms, image.entries.len() as u64, &marks, &[]);
    let mut meta = meta.encode();
    meta.truncate(meta.len() - 4);
    meta[0] = FORMAT_FIRST;
    (chunks, seal(meta))
}

#[cfg(test)]
mod tests;
