//! An image as it stands in a Redis: a hash of chunks, and the record that holds them together.

use super::keys::{Keys, META};
use super::{Stored, Trouble};
use crate::store::Image;
use crate::store::changes::FEW_CHUNKS;
use crate::store::chunk::Mark;
use crate::store::file::parse;
use crate::store::reading::Reading;
use ::redis::{Connection, cmd};
use std::time::{Duration, Instant};

/// Chunks that one question asks for: half a megabyte.
const ASK_CHUNKS: u32 = 64;

/// How often an image is read anew because another one took its place meanwhile.
const READS_MAX: usize = 5;

/// Writes the whole image under a key of its own, which goes by itself after `keep` if nobody names
/// it anew.
pub(super) fn write_beside(
    link: &mut Connection,
    key: &str,
    image: &Image,
    meta: &[u8],
    keep: Duration,
    until: Instant,
) -> Result<(), Trouble> {
    let keep_ms = keep.as_millis() as u64;
    let mut begin = ::redis::pipe();
    begin.cmd("UNLINK").arg(key).ignore();
    begin.cmd("HSET").arg(key).arg(META).arg(meta).ignore();
    begin.cmd("PEXPIRE").arg(key).arg(keep_ms).ignore();
    begin.exec(link)?;
    let numbers: Vec<usize> = (0..image.entries.chunks().count()).collect();
    for piece in numbers.chunks(FEW_CHUNKS) {
        if Instant::now() > until {
            return Err(Trouble::Late);
        }
        let mut put = cmd("HSET");
        put.arg(key);
        for &number in piece {
            put.arg(number).arg(image.entries.chunk(number));
        }
        put.exec(link)?;
    }
    Ok(())
}

/// The image that is stored: ours, or else what the old service left.
pub(super) fn read(
    link: &mut Connection,
    keys: &Keys,
    until: Instant,
) -> Result<(Image, Stored), Trouble> {
    for _ in 0..READS_MAX {
        let meta = meta_of(link, keys)?;
        let Some(meta) = meta else {
            return Ok((read_old(link, keys)?, Stored::default()));
        };
        let read = read_chunks(link, keys, &meta, until)?;
        // Another image may have taken its place meanwhile: then this is none.
        if meta_of(link, keys)?.as_ref() == Some(&meta) {
            let (image, marks) = read.map_err(|why| Trouble::Damaged {
                key: keys.ledger.clone(),
                why,
            })?;
            return Ok((image, Stored { marks, meta }));
        }
    }
    Err(Trouble::Late)
}

/// The record that holds the image together; nothing if there is no image.
fn meta_of(link: &mut Connection, keys: &Keys) -> Result<Option<Vec<u8>>, Trouble> {
    let mut ask = ::redis::pipe();
    ask.cmd("HGET").arg(&keys.ledger).arg(META);
    ask.cmd("EXISTS").arg(&keys.ledger);
    match ask.query(link)? {
        (None, true) => Err(Trouble::Damaged {
            key: keys.ledger.clone(),
            why: "nothing of the last save is left".to_owned(),
        }),
        (meta, _) => Ok(meta),
    }
}

/// The image of this record, or why its chunks make none.
fn read_chunks(
    link: &mut Connection,
    keys: &Keys,
    meta: &[u8],
    until: Instant,
) -> Result<Result<(Image, Vec<Mark>), String>, Trouble> {
    let mut reading = match Reading::of(meta) {
        Ok(reading) => reading,
        Err(why) => return Ok(Err(why)),
    };
    let mut next = 0;
    while next < reading.chunks() {
        if Instant::now() > until {
            return Err(Trouble::Late);
        }
        let numbers = next..reading.chunks().min(next + ASK_CHUNKS);
        next = numbers.end;
        let mut ask = cmd("HMGET");
        ask.arg(&keys.ledger);
        for number in numbers {
            ask.arg(number);
        }
        let chunks: Vec<Option<Vec<u8>>> = ask.query(link)?;
        let mut taken = chunks.iter().map(|chunk| reading.take(chunk.as_deref()));
        if let Some(why) = taken.find_map(Result::err) {
            return Ok(Err(why));
        }
    }
    Ok(reading.finish())
}

/// What the old service left: one key with its snapshot.
fn read_old(link: &mut Connection, keys: &Keys) -> Result<Image, Trouble> {
    let old: Option<Vec<u8>> = cmd("GET").arg(&keys.snapshot).query(link)?;
    let image = old.map_or(Ok(Image::default()), |old| parse(&old));
    image.map_err(|why| Trouble::Damaged {
        key: keys.snapshot.clone(),
        why: format!("the old service's snapshot: {why}"),
    })
}
