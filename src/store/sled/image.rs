//! An image in a sled database.
//!
//! A save of little is one batch of what changed. sled keeps in memory all that a batch replaces
//! until it is through, five times what is stored; so a save of much goes to the other of two sides
//! in small batches, and the last of them makes that side the one that is read.

use super::Trouble;
use crate::store::Image;
use crate::store::chunk::{self, Mark, Meta};
use crate::store::entries::Packing;
use ::sled::{Batch, Db, IVec};

/// Most chunks that one batch writes or removes: a megabyte.
pub(super) const BATCH_CHUNKS: usize = 128;

/// Where an image stands. The side that has a meta record is the one that is read; the other one may
/// hold chunks of an older save, or of one that did not come to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    One,
    Other,
}

impl Side {
    pub(super) fn opposite(self) -> Side {
        match self {
            Side::One => Side::Other,
            Side::Other => Side::One,
        }
    }

    pub(super) fn meta_key(self) -> &'static [u8] {
        match self {
            Side::One => b"m",
            Side::Other => b"n",
        }
    }

    pub(super) fn chunk_key(self, number: u32) -> [u8; 5] {
        let [a, b, c, d] = number.to_be_bytes();
        match self {
            Side::One => [b'c', a, b, c, d],
            Side::Other => [b'd', a, b, c, d],
        }
    }

    /// The side that is read, with its meta record; nothing if nothing was saved.
    pub(super) fn in_use(db: &Db) -> Result<Option<(Side, IVec)>, Trouble> {
        for side in [Side::One, Side::Other] {
            if let Some(meta) = db.get(side.meta_key())? {
                return Ok(Some((side, meta)));
            }
        }
        Ok(None)
    }
}

/// Replaces the image that is stored; `known` are the marks of its chunks, as far as they are known.
/// The marks of the new ones.
pub(super) fn write(db: &Db, image: &Image, known: &[Mark]) -> Result<Vec<Mark>, Trouble> {
    let read = Side::in_use(db)?.map_or(Side::One, |(side, _)| side);
    let marks: Vec<Mark> = image.entries.chunks().map(Mark::of).collect();
    let is_new = |number: usize| known.get(number) != marks.get(number);
    let changed = (0..marks.len()).filter(|&number| is_new(number)).count();
    let mut batch = Batch::default();
    let side = if changed > BATCH_CHUNKS {
        write_chunks(db, read.opposite(), image)?;
        batch.remove(read.meta_key());
        read.opposite()
    } else {
        for (number, chunk) in image.entries.chunks().enumerate() {
            if is_new(number) {
                batch.insert(&read.chunk_key(number as u32), chunk);
            }
        }
        read
    };
    let count = image.entries.len() as u64;
    let meta = Meta::new(image.saved_at_ms, count, &marks, &image.targets);
    remove_from(db, side, meta.chunks, &mut batch)?;
    if marks.len() <= BATCH_CHUNKS {
        // So little never goes to the other side.
        remove_from(db, side.opposite(), 0, &mut batch)?;
    }
    batch.insert(side.meta_key(), meta.encode());
    db.apply_batch(batch)?;
    db.flush()?;
    Ok(marks)
}

/// Writes the chunks of `image` to a side that is not read.
pub(super) fn write_chunks(db: &Db, side: Side, image: &Image) -> Result<(), Trouble> {
    let mut chunks = (0..).zip(image.entries.chunks()).peekable();
    while chunks.peek().is_some() {
        let mut batch = Batch::default();
        for (number, chunk) in chunks.by_ref().take(BATCH_CHUNKS) {
            batch.insert(&side.chunk_key(number), chunk);
        }
        db.apply_batch(batch)?;
        // What was replaced leaves the memory only when it is on the disk.
        db.flush()?;
    }
    Ok(())
}

/// Has `batch` remove chunks of `side` from `number` on; what is too much for one batch is left to
/// the next save.
fn remove_from(db: &Db, side: Side, number: u32, batch: &mut Batch) -> Result<(), Trouble> {
    let surplus = db.range(side.chunk_key(number)..=side.chunk_key(u32::MAX));
    for key in surplus.keys().take(BATCH_CHUNKS) {
        batch.remove(key?);
    }
    Ok(())
}

/// The image that is stored, if there is any.
pub(super) fn read(db: &Db) -> Result<Option<(Image, Vec<Mark>)>, Trouble> {
    let Some((side, meta)) = Side::in_use(db)? else {
        return Ok(None);
    };
    let meta = Meta::decode(&meta).map_err(Trouble::Damaged)?;
    let (mut packing, mut marks) = (Packing::default(), Vec::new());
    for number in 0..meta.chunks {
        let damaged = |why: &str| Trouble::Damaged(format!("chunk {number} {why}"));
        let chunk = db.get(side.chunk_key(number))?;
        let chunk = chunk.ok_or_else(|| damaged("is missing"))?;
        let (mut older, mut count) = (Vec::new(), 0);
        let is_current = chunk::is_current(&chunk);
        let take = |entry| match is_current {
            true => count += 1,
            false => older.push(entry),
        };
        chunk::unpack(&chunk, take).map_err(|why| damaged(&why))?;
        match is_current {
            true => packing.append(&chunk, count),
            false => older.iter().for_each(|entry| packing.push(entry)),
        }
        marks.push(Mark::of(&chunk));
    }
    let entries = packing.finish();
    let count = entries.len() as u64;
    if Meta::new(meta.saved_at_ms, count, &marks, &meta.targets) != meta {
        let why = "the chunks are not of one save".to_owned();
        return Err(Trouble::Damaged(why));
    }
    let image = Image {
        saved_at_ms: meta.saved_at_ms,
        targets: meta.targets,
        entries,
    };
    Ok(Some((image, marks)))
}
