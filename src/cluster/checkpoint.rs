//! The checkpoint in Redis: the chunks of an image as the stores pack them, in a hash of its own, and a
//! record that names it. The record is replaced last, in one piece, so readers have the old image or
//! the new one as a whole.

use super::bus::link::Line;
use super::keys::Keys;
use super::scripts;
use super::wire::Id;
use crate::store::Image;
use crate::store::chunk::{Mark, Meta};
use crate::store::reading::Reading;
use redis::{Connection, RedisError};
use std::ops::Range;

/// Chunks that are written or read at once: half a megabyte.
const CHUNKS_MAX: usize = 64;
/// How long an image stays that is not read yet, in milliseconds after its last piece.
const UNREAD_MS: u64 = 60_000;

/// An image that is being written.
pub(super) struct Saving<'a> {
    key: String,
    image: &'a Image,
    /// The last entry of the log that it holds.
    at: Id,
    chunks: usize,
    written: usize,
}

/// What is next.
pub(super) enum Step {
    Chunks(Range<usize>),
    /// It is the checkpoint from then on.
    Switch,
}

impl<'a> Saving<'a> {
    /// `image`, which holds all that was logged up to `at`, goes to `key`.
    pub(super) fn new(key: String, image: &'a Image, at: Id) -> Saving<'a> {
        Saving {
            key,
            image,
            at,
            chunks: image.entries.chunks().count(),
            written: 0,
        }
    }

    /// What is next.
    pub(super) fn step(&self) -> Step {
        match self.written < self.chunks {
            true => Step::Chunks(self.written..self.chunks.min(self.written + CHUNKS_MAX)),
            false => Step::Switch,
        }
    }

    /// The chunks of the last step are written.
    pub(super) fn advance(&mut self) {
        self.written = self.chunks.min(self.written + CHUNKS_MAX);
    }

    /// Has a step done, in the name of the leader `value`.
    pub(super) fn ask(
        &self,
        step: &Step,
        redis: &mut Connection,
        keys: &Keys,
        value: &str,
    ) -> Result<i64, RedisError> {
        match step {
            Step::Chunks(numbers) => {
                let mut call = scripts::CHUNKS.key(&keys.leader);
                call.key(&self.key).arg(value).arg(UNREAD_MS);
                for number in numbers.clone() {
                    call.arg(number).arg(self.image.entries.chunk(number));
                }
                call.invoke(redis)
            }
            Step::Switch => {
                let marks: Vec<Mark> = self.image.entries.chunks().map(Mark::of).collect();
                let meta = Meta::of(self.image, &marks);
                let mut call = scripts::SWITCH.key(&keys.leader);
                call.key(&keys.checkpoint).key(&self.key).key(&keys.log);
                call.arg(value).arg(meta.encode());
                call.arg(self.at.to_string())
                    .arg(self.at.next().to_string());
                call.invoke(redis)
            }
        }
    }
}

/// What reading the checkpoint came to.
pub(super) enum Loaded {
    /// It, and the last entry of the log that it holds.
    Image(Box<Image>, Id),
    /// There is none.
    Nothing,
    /// There is one that cannot be read, for this reason.
    Unreadable(String),
}

/// Reads the checkpoint, unless it is the one that ends at `useless`. If another one takes its place
/// meanwhile, that one is read.
///
/// # Errors
/// Redis cannot be asked.
pub(super) fn load(
    line: &mut Line,
    keys: &Keys,
    useless: Option<Id>,
) -> Result<Loaded, RedisError> {
    loop {
        let named_now = named(line, keys)?;
        let Some((image, meta, at)) = named_now.filter(|(.., at)| at.parse().ok() != useless)
        else {
            return Ok(Loaded::Nothing);
        };
        let read = match Reading::of(&meta) {
            Ok(begun) => read(line, &image, begun)?,
            Err(why) => Err(why),
        };
        let is_same = named(line, keys)?.is_some_and(|(now, ..)| now == image);
        match read {
            Ok(read) if is_same => {
                return Ok(Loaded::Image(
                    Box::new(read),
                    at.parse().unwrap_or_default(),
                ));
            }
            Err(why) if is_same => return Ok(Loaded::Unreadable(why)),
            // It was replaced while it was read.
            _ => {}
        }
    }
}

/// The key, the meta record and the place in the log of the checkpoint.
fn named(line: &mut Line, keys: &Keys) -> Result<Option<(String, Vec<u8>, String)>, RedisError> {
    let parts: (Option<String>, Option<Vec<u8>>, Option<String>) = line.ask(|redis| {
        let mut command = redis::cmd("HMGET");
        command
            .arg(&keys.checkpoint)
            .arg("image")
            .arg("meta")
            .arg("at");
        command.query(redis)
    })?;
    Ok(match parts {
        (Some(image), Some(meta), Some(at)) => Some((image, meta, at)),
        _ => None,
    })
}

fn read(
    line: &mut Line,
    key: &str,
    mut reading: Reading,
) -> Result<Result<Image, String>, RedisError> {
    let numbers: Vec<u32> = (0..reading.chunks()).collect();
    for numbers in numbers.chunks(CHUNKS_MAX) {
        let chunks: Vec<Option<Vec<u8>>> = line.ask(|redis| {
            let mut command = redis::cmd("HMGET");
            command.arg(key).arg(numbers).query(redis)
        })?;
        let taken = chunks
            .iter()
            .try_for_each(|chunk| reading.take(chunk.as_deref()));
        if let Err(why) = taken {
            return Ok(Err(why));
        }
    }
    Ok(reading.finish().map(|(image, _marks)| image))
}
