//! The image as a sequence of chunks of about 8 KB, each with a format version and a CRC, and one
//! meta record that holds them together.
//!
//! Chunk: `format u8 · records u16 · records · crc u32`. Meta: `format u8 · saved_at_ms u64 ·
//! entries u64 · chunks u32 · digest u32 · policy u64 · since_ms u64 · over_ms u64 ·
//! targets u8 [name] · crc u32`.
//! The digest covers the CRCs of all chunks in their order, so chunks of two different saves never pass
//! for one image. Before format 3 a meta record did not know the policy and its times, and one that ends
//! before the targets does not know them either.

use super::record::{self, Reader};
use super::{Asked, Image};
use crate::ledger::Entry;

/// The format of chunks in this version.
const FORMAT: u8 = 2;

/// The one before, whose records are those of [`record::first`]; it is read and never written.
const FORMAT_FIRST: u8 = 1;

/// The format of the meta record in this version; those before are read and never written.
const META_FORMAT: u8 = 3;

/// Since when a meta record says what was asked.
const META_FORMAT_ASKED: u8 = 3;

/// Where a chunk is full, in bytes of records.
pub(super) const CHUNK_BYTES: usize = 8 * 1024;

/// Bytes of a chunk before its records.
pub(super) const HEAD_BYTES: usize = HEAD.len();

/// The same of a chunk of which the number of records is not known yet.
pub(super) const HEAD: [u8; 3] = [FORMAT, 0, 0];

/// Bytes of a chunk behind its records.
const CRC_BYTES: usize = 4;

/// What tells a chunk from another one without its bytes: its CRC and its length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    crc: u32,
    length: usize,
}

impl Mark {
    /// The mark of a packed chunk. Its CRC is the one that it ends with: a CRC over bytes that end
    /// with their own CRC is the same for all.
    pub(crate) fn of(chunk: &[u8]) -> Mark {
        let crc = chunk.last_chunk::<4>().copied().unwrap_or_default();
        Mark {
            crc: u32::from_le_bytes(crc),
            length: chunk.len(),
        }
    }
}

/// What holds the chunks together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Meta {
    pub(crate) saved_at_ms: u64,
    pub(crate) entries: u64,
    pub(crate) chunks: u32,
    digest: u32,
    pub(crate) asked: Asked,
    pub(crate) targets: Vec<Box<str>>,
}

impl Meta {
    /// The meta record of an image whose chunks have these marks.
    pub(crate) fn of(image: &Image, marks: &[Mark]) -> Meta {
        Meta {
            saved_at_ms: image.saved_at_ms,
            entries: image.entries.len() as u64,
            // 4 294 967 295 chunks would be 32 TiB.
            chunks: u32::try_from(marks.len()).unwrap_or(u32::MAX),
            digest: digest(marks),
            asked: image.asked,
            targets: image.targets.clone(),
        }
    }

    /// Whether it holds together chunks with these marks.
    pub(crate) fn is_of(&self, marks: &[Mark]) -> bool {
        self.chunks as usize == marks.len() && self.digest == digest(marks)
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![META_FORMAT];
        bytes.extend(self.saved_at_ms.to_le_bytes());
        bytes.extend(self.entries.to_le_bytes());
        bytes.extend(self.chunks.to_le_bytes());
        bytes.extend(self.digest.to_le_bytes());
        bytes.extend(self.asked.policy.to_le_bytes());
        bytes.extend(self.asked.since_ms.to_le_bytes());
        bytes.extend(self.asked.over_ms.to_le_bytes());
        record::put_targets(&self.targets, &mut bytes);
        sealed(bytes)
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Meta, String> {
        let (format, mut reader) =
            opened(bytes, META_FORMAT).map_err(|why| format!("the meta record {why}"))?;
        let read = (|| {
            Some(Meta {
                saved_at_ms: reader.u64()?,
                entries: reader.u64()?,
                chunks: reader.u32()?,
                digest: reader.u32()?,
                asked: match format < META_FORMAT_ASKED {
                    true => Asked::default(),
                    false => Asked {
                        policy: reader.u64()?,
                        since_ms: reader.u64()?,
                        over_ms: reader.u64()?,
                    },
                },
                targets: reader.targets()?,
            })
        })();
        read.filter(|_| reader.is_at_end())
            .ok_or_else(|| "the meta record has another length".to_owned())
    }
}

fn digest(marks: &[Mark]) -> u32 {
    let mut digest = crc32fast::Hasher::new();
    for mark in marks {
        digest.update(&mark.crc.to_le_bytes());
    }
    digest.finalize()
}

/// Ends a chunk that begins at `start` with [`HEAD`] and `count` records: writes their number and
/// the CRC.
pub(super) fn seal(bytes: &mut Vec<u8>, start: usize, count: u16) {
    bytes[start + 1..start + HEAD_BYTES].copy_from_slice(&count.to_le_bytes());
    let crc = crc32fast::hash(&bytes[start..]);
    bytes.extend(crc.to_le_bytes());
}

/// The records of a chunk that was sealed here.
pub(super) fn records(chunk: &[u8]) -> &[u8] {
    &chunk[HEAD_BYTES..chunk.len() - CRC_BYTES]
}

/// Whether a chunk is of the format of this version.
pub(crate) fn is_current(chunk: &[u8]) -> bool {
    chunk.first() == Some(&FORMAT)
}

/// Gives `take` the entries of a chunk, of this format or the one before, one by one.
pub(crate) fn unpack(bytes: &[u8], mut take: impl FnMut(Entry)) -> Result<(), String> {
    let (format, mut reader) = opened(bytes, FORMAT)?;
    let count = reader.u16().ok_or("is too short")?;
    for _ in 0..count {
        let entry = match format {
            FORMAT_FIRST => reader.first_entry(),
            _ => reader.entry(),
        };
        take(entry.ok_or("holds a record that cannot be read")?);
    }
    match reader.is_at_end() {
        true => Ok(()),
        false => Err("is longer than its records".to_owned()),
    }
}

/// `bytes` with their CRC behind them.
pub(super) fn sealed(mut bytes: Vec<u8>) -> Vec<u8> {
    let crc = crc32fast::hash(&bytes);
    bytes.extend(crc.to_le_bytes());
    bytes
}

/// The format version, and what lies between it and the CRC, if both are right.
fn opened(bytes: &[u8], newest: u8) -> Result<(u8, Reader<'_>), String> {
    let (body, crc) = bytes.split_last_chunk::<4>().ok_or("is too short")?;
    if crc32fast::hash(body) != u32::from_le_bytes(*crc) {
        return Err("is damaged: its CRC differs".to_owned());
    }
    let mut reader = Reader::new(body);
    match reader.u8() {
        Some(format) if (FORMAT_FIRST..=newest).contains(&format) => Ok((format, reader)),
        Some(other) => Err(format!(
            "has format {other}; this version reads {FORMAT_FIRST} to {newest}, so a newer one may \
             have written it"
        )),
        None => Err("is too short".to_owned()),
    }
}

/// A whole image as the first format had it: chunks and the meta record.
#[cfg(test)]
pub(super) fn packed_first(saved_at_ms: u64, entries: &[Entry]) -> (Vec<Vec<u8>>, Vec<u8>) {
    let pack = |entries: &[Entry]| {
        let mut bytes = vec![FORMAT_FIRST];
        bytes.extend((entries.len() as u16).to_le_bytes());
        for entry in entries {
            record::first::encode(entry, &mut bytes);
        }
        sealed(bytes)
    };
    let chunks: Vec<_> = entries.chunks(200).map(pack).collect();
    let marks: Vec<_> = chunks.iter().map(|chunk| Mark::of(chunk)).collect();
    let image = Image {
        saved_at_ms,
        entries: entries.to_vec().into(),
        ..Image::default()
    };
    let mut meta = Meta::of(&image, &marks).encode();
    // What was asked came later; the CRC is made anew.
    meta.truncate(meta.len() - 24 - CRC_BYTES);
    meta[0] = FORMAT_FIRST;
    (chunks, sealed(meta))
}

#[cfg(test)]
mod tests;
