//! An image in a sled database.
//!
//! A save of little is one batch of what changed. sled keeps in memory all that a batch replaces
//! until it is through, five times what is stored; so a save of much goes to the other of two sides
//! in small batches, and the last of them makes that side the one that is read. And it keeps every
//! value that it has seen, whatever the size of its cache, because it looks for what to evict only
//! after some 16 000 accesses: that is why the database is closed between the parts of much.

use super::Trouble;
use crate::store::Image;
use crate::store::changes::{Changes, FEW_CHUNKS};
use crate::store::chunk::{Mark, Meta, unpack};
use crate::store::reading::Reading;
use ::sled::{Batch, Db, IVec};

/// Most chunks that one batch writes or removes: a megabyte.
pub(super) const BATCH_CHUNKS: usize = FEW_CHUNKS;

/// A page of sled, in bytes: sixteen values of about 8 KB.
const PAGE_BYTES: u64 = 16 * 8_500;

/// Batches of one part: what sled may keep in memory.
const PART_BATCHES: usize = 8;

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

/// How an image replaces the one that is stored.
pub(super) struct Plan<'a> {
    image: &'a Image,
    marks: Vec<Mark>,
    /// The side that is read until then.
    read: Side,
    /// The side that is read from then on.
    side: Side,
    /// What is to be written of it: numbers of chunks.
    new: Vec<u32>,
}

impl<'a> Plan<'a> {
    /// `known` are the marks of the chunks that are stored, as far as they are known.
    pub(super) fn new(db: &Db, image: &'a Image, known: &[Mark]) -> Result<Plan<'a>, Trouble> {
        let in_use = Side::in_use(db)?;
        // It may be another than the one that was written last: its folder was replaced, or begun anew.
        let is_of = |meta: &[u8]| Meta::decode(meta).is_ok_and(|meta| meta.is_of(known));
        let known = match &in_use {
            Some((_, meta)) if is_of(meta) => known,
            _ => &[],
        };
        let read = in_use.map_or(Side::One, |(side, _)| side);
        let changes = Changes::since(known, image);
        let is_much = changes.are_many();
        let all = 0..changes.count();
        Ok(Plan {
            image,
            read,
            side: if is_much { read.opposite() } else { read },
            new: if is_much { all.collect() } else { changes.new },
            marks: changes.marks,
        })
    }

    /// Whether it goes to the other side, part by part.
    pub(super) fn is_much(&self) -> bool {
        self.side != self.read
    }

    /// What is written before the end, to the side that is not read yet.
    pub(super) fn parts(&self) -> impl Iterator<Item = &[u32]> {
        let parts = if self.is_much() { &self.new[..] } else { &[] };
        parts.chunks(PART_BATCHES * BATCH_CHUNKS)
    }

    /// Writes a part.
    pub(super) fn write(&self, db: &Db, part: &[u32]) -> Result<(), Trouble> {
        for numbers in part.chunks(BATCH_CHUNKS) {
            let mut batch = Batch::default();
            self.put(numbers, &mut batch);
            db.apply_batch(batch)?;
            // What was replaced leaves the memory only when it is on the disk.
            db.flush()?;
        }
        Ok(())
    }

    /// Makes the image the one that is read. The marks of its chunks.
    pub(super) fn conclude(self, db: &Db) -> Result<Vec<Mark>, Trouble> {
        let mut batch = Batch::default();
        match self.is_much() {
            true => batch.remove(self.read.meta_key()),
            false => self.put(&self.new, &mut batch),
        }
        let meta = Meta::of(self.image, &self.marks);
        remove_from(db, self.side, meta.chunks, &mut batch)?;
        if self.marks.len() <= BATCH_CHUNKS {
            // So little never goes to the other side.
            remove_from(db, self.side.opposite(), 0, &mut batch)?;
        }
        batch.insert(self.side.meta_key(), meta.encode());
        db.apply_batch(batch)?;
        db.flush()?;
        Ok(self.marks)
    }

    fn put(&self, numbers: &[u32], batch: &mut Batch) {
        for &number in numbers {
            let chunk = self.image.entries.chunk(number as usize);
            batch.insert(&self.side.chunk_key(number), chunk);
        }
    }
}

/// What a save of an image may write, in bytes, where chunks with the marks `known` are stored: a page is
/// written anew for each of its values that is.
pub(super) fn bytes_written(image: &Image, known: &[Mark]) -> u64 {
    let all = 2 * image
        .entries
        .chunks()
        .map(|chunk| chunk.len() as u64)
        .sum::<u64>();
    let changes = Changes::since(known, image);
    match changes.are_many() {
        true => all,
        false => all.min(changes.new.len() as u64 * 2 * PAGE_BYTES),
    }
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
    let mut reading = Reading::of(&meta).map_err(Trouble::Damaged)?;
    for number in 0..reading.chunks() {
        let chunk = db.get(side.chunk_key(number))?;
        reading.take(chunk.as_deref()).map_err(Trouble::Damaged)?;
    }
    reading.finish().map(Some).map_err(Trouble::Damaged)
}

/// Whether the chunks with these marks are stored, each of them sound, and no others.
pub(super) fn holds(db: &Db, known: &[Mark]) -> Result<bool, Trouble> {
    let Some((side, meta)) = Side::in_use(db)? else {
        return Ok(known.is_empty());
    };
    if !Meta::decode(&meta).is_ok_and(|meta| meta.is_of(known)) {
        return Ok(false);
    }
    for (number, mark) in (0..).zip(known) {
        let chunk = db.get(side.chunk_key(number))?;
        let is_it = |chunk: &[u8]| Mark::of(chunk) == *mark && unpack(chunk, drop).is_ok();
        if !chunk.is_some_and(|chunk| is_it(&chunk)) {
            return Ok(false);
        }
    }
    Ok(true)
}
