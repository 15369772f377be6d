//! An image to JSON Lines.

use super::VERSION;
use super::line::Line;
use crate::store::{Asked, Image};
use serde::{Deserialize, Serialize};
use std::io::{self, Write};

/// The first line.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Head {
    /// The version of the form.
    pub(super) proxy_checker_ledger: u32,
    /// When the image was saved or copied, in milliseconds since the Unix epoch.
    #[serde(default)]
    pub(super) saved_at_ms: u64,
    /// What all of them were asked.
    #[serde(default)]
    pub(super) asked: Asked,
    /// The names of the targets.
    #[serde(default)]
    pub(super) targets: Vec<Box<str>>,
    /// How many lines follow, so that a file that was cut is known for one.
    pub(super) entries: u64,
}

/// Writes an image. It holds credentials: see to it who can read `out`.
///
/// # Errors
/// `out` takes no more.
pub fn write(image: &Image, out: &mut impl Write) -> io::Result<()> {
    write_with(image, out, || Ok(()))
}

/// The same, and does `between` after each few hundred entries.
///
/// # Errors
/// `out` takes no more, or `between` fails.
pub fn write_with(
    image: &Image,
    out: &mut impl Write,
    mut between: impl FnMut() -> io::Result<()>,
) -> io::Result<()> {
    let head = Head {
        proxy_checker_ledger: VERSION,
        saved_at_ms: image.saved_at_ms,
        asked: image.asked,
        targets: image.targets.clone(),
        entries: image.entries.len() as u64,
    };
    put(&head, out)?;
    for chunk in 0..image.entries.chunk_count() {
        for entry in image.entries.chunk_entries(chunk) {
            put(&Line::of(&entry, &image.targets), out)?;
        }
        between()?;
    }
    Ok(())
}

fn put(line: &impl Serialize, out: &mut impl Write) -> io::Result<()> {
    serde_json::to_writer(&mut *out, line)?;
    out.write_all(b"\n")
}
