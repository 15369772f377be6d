//! An image as text: JSON Lines that come back without loss, and lists and tables for people.
//!
//! The first line is the [head](write::Head): the version, when the image was saved, the names of the
//! targets, and how many entries follow. Each further line is one entry. What is zero or nothing may
//! be left out; only `url` must be there. `docs/operations.md` has an example.

mod line;
mod people;
mod read;
mod write;

#[cfg(test)]
mod tests;

pub use people::{Form, Which, write_for_people};
pub use read::{Bad, Cut, Flaw, Reading, Unreadable, read};
pub use write::{write, write_with};

use flate2::bufread::MultiGzDecoder;
use std::io::{self, BufRead, BufReader, Read};

/// The version of the form.
const VERSION: u32 = 1;

/// The text of a file that may be compressed by gzip.
///
/// # Errors
/// Its first bytes cannot be read.
pub fn plain(file: impl Read + 'static) -> io::Result<Box<dyn BufRead>> {
    const GZIP: &[u8] = &[0x1f, 0x8b];
    let mut file = BufReader::with_capacity(64 << 10, file);
    match file.fill_buf()?.starts_with(GZIP) {
        true => Ok(Box::new(BufReader::new(MultiGzDecoder::new(file)))),
        false => Ok(Box::new(file)),
    }
}
