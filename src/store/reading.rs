//! An image while it is read back, chunk by chunk: one rule for every store that keeps chunks.

use super::Image;
use super::chunk::{self, Mark, Meta};
use super::entries::Packing;

/// A meta record, and the chunks that were read of what it holds together.
#[derive(Debug)]
pub(crate) struct Reading {
    meta: Meta,
    packing: Packing,
    marks: Vec<Mark>,
}

impl Reading {
    /// Begins with the meta record.
    ///
    /// # Errors
    /// It cannot be read; the text says why, as do those of the other functions.
    pub(crate) fn of(meta: &[u8]) -> Result<Reading, String> {
        Ok(Reading {
            meta: Meta::decode(meta)?,
            packing: Packing::default(),
            marks: Vec::new(),
        })
    }

    /// How many chunks there must be.
    pub(crate) fn chunks(&self) -> u32 {
        self.meta.chunks
    }

    /// Takes the next chunk, in the order of their numbers; `None` if the store has none of that
    /// number.
    pub(crate) fn take(&mut self, chunk: Option<&[u8]>) -> Result<(), String> {
        let damaged = |why: &str| format!("chunk {} {why}", self.marks.len());
        let chunk = chunk.ok_or_else(|| damaged("is missing"))?;
        let (mut older, mut count) = (Vec::new(), 0);
        let is_current = chunk::is_current(chunk);
        let take = |entry| match is_current {
            true => count += 1,
            false => older.push(entry),
        };
        chunk::unpack(chunk, take).map_err(|why| damaged(&why))?;
        match is_current {
            true => self.packing.append(chunk, count),
            false => older.iter().for_each(|entry| self.packing.push(entry)),
        }
        self.marks.push(Mark::of(chunk));
        Ok(())
    }

    /// The image, and the marks of the chunks that are stored.
    pub(crate) fn finish(self) -> Result<(Image, Vec<Mark>), String> {
        let Reading {
            meta,
            packing,
            marks,
        } = self;
        let image = Image {
            saved_at_ms: meta.saved_at_ms,
            asked: meta.asked,
            targets: meta.targets.clone(),
            entries: packing.finish(),
        };
        match Meta::of(&image, &marks) == meta {
            true => Ok((image, marks)),
            false => Err("the chunks are not of one save".to_owned()),
        }
    }
}
