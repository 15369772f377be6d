//! Stored records of every form that there is or was: what can be read is written in each form of
//! today and comes back the same, and nothing is read that could not have been written.
//!
//! Input: which form (a digit), and bytes of that. Where a form ends with its CRC, that is made here:
//! what a fuzzer changes would never get past it.

use super::chunk::{self, Mark, Meta};
use super::file::form::{self, Written};
use super::reading::Reading;
use super::text::{self, Form, Which};
use super::{Asked, Entries, Image, merge, record};
use crate::ledger::{Entry, HISTORY_MAX, Imported, Ledger};
use crate::schedule::Rules;
use proxy_shards::TARGETS_MAX;
use std::io::Cursor;

/// Images with more entries are only read: a compressed one may hold very many.
const ENTRIES_MAX: usize = 1_000;

pub(crate) fn store(bytes: &[u8]) {
    let Some((form, rest)) = bytes.split_first() else {
        return;
    };
    let image = match form.wrapping_sub(b'0') % 6 {
        0 => sealed(chunk::HEAD[0], rest),
        1 => sealed(1, rest),
        2 => meta(rest),
        3 => file(rest),
        4 => lines(rest),
        _ => as_it_stands(rest),
    };
    if let Some(image) = image {
        check(&image);
        take_in(&image);
    }
}

/// A chunk of this format with these records behind their number, and the meta record that it needs.
fn sealed(format: u8, bytes: &[u8]) -> Option<Image> {
    let chunk = chunk::sealed([&[format], bytes].concat());
    let mut entries = Vec::new();
    chunk::unpack(&chunk, |entry| entries.push(entry)).ok()?;
    for entry in &entries {
        assert!(record::is_storable(entry), "{entry:?}");
        assert!(entry.history.len() <= HISTORY_MAX);
    }
    let image = Image {
        entries: entries.into(),
        ..Image::default()
    };
    let meta = Meta::of(&image, &[Mark::of(&chunk)]).encode();
    let mut reading = Reading::of(&meta).expect("it was encoded just now");
    reading.take(Some(&chunk)).expect("it was read just now");
    let (read, marks) = reading.finish().expect("they belong together");
    assert_eq!(marks, [Mark::of(&chunk)]);
    assert_eq!(read.entries.len(), image.entries.len());
    assert!(read.entries.iter().eq(image.entries.iter()));
    Some(image)
}

fn meta(bytes: &[u8]) -> Option<Image> {
    let meta = Meta::decode(&chunk::sealed(bytes.to_vec())).ok()?;
    assert!(meta.targets.len() <= TARGETS_MAX, "{meta:?}");
    assert_eq!(Meta::decode(&meta.encode()), Ok(meta.clone()));
    Some(Image {
        saved_at_ms: meta.saved_at_ms,
        asked: meta.asked,
        targets: meta.targets,
        entries: Entries::default(),
    })
}

/// The file of the `file` store, ours or the old service's.
fn file(bytes: &[u8]) -> Option<Image> {
    match form::parse(bytes) {
        Ok(image) => Some(image),
        Err(why) => {
            assert!(!why.chars().any(char::is_control), "{why:?}");
            form::parse(&resealed(bytes)?).ok()
        }
    }
}

/// The same file with the CRC that it must have, if it can be read but for that.
fn resealed(bytes: &[u8]) -> Option<Vec<u8>> {
    let crc = form::crc_of(bytes)?;
    let mut file: serde_json::Value = serde_json::from_slice(bytes).ok()?;
    *file.get_mut("ledger")?.get_mut("crc32")? = crc.into();
    serde_json::to_vec(&file).ok()
}

/// An export, as it is imported: by the command, and by the service on the operator's socket.
fn lines(bytes: &[u8]) -> Option<Image> {
    let plain = text::plain(Cursor::new(bytes.to_vec())).ok()?;
    let reading = match text::read(plain) {
        Ok(reading) => reading,
        Err(why) => {
            let why = why.to_string();
            assert!(!why.chars().any(char::is_control), "{why:?}");
            return None;
        }
    };
    assert!(reading.bad.len() as u64 <= reading.bad_lines);
    let found = reading.image.entries.len() as u64 + reading.bad_lines;
    // A file that is compressed has more lines than bytes, but not without end.
    assert!(found <= 1_100 * bytes.len() as u64, "{found} lines");
    Some(reading.image).filter(|image| image.entries.len() <= ENTRIES_MAX)
}

/// A chunk and a meta record whose CRC is right only by chance.
fn as_it_stands(bytes: &[u8]) -> Option<Image> {
    let mut count = 0;
    let _ = chunk::unpack(bytes, |_| count += 1);
    assert!(count <= bytes.len());
    let mut reading = Reading::of(bytes).ok()?;
    reading.take(Some(bytes)).ok()?;
    let (image, _) = reading.finish().ok()?;
    // Packed anew: what stands in unused places, and where chunks end, is another's.
    let entries = image.entries.iter().collect();
    Some(Image { entries, ..image })
}

/// An image comes back from every form in which it is written today.
fn check(image: &Image) {
    assert_eq!(image.entries.iter().count(), image.entries.len());
    let marks: Vec<Mark> = image.entries.chunks().map(Mark::of).collect();
    let meta = Meta::of(image, &marks).encode();
    let mut reading = Reading::of(&meta).expect("it was encoded just now");
    for chunk in image.entries.chunks() {
        reading.take(Some(chunk)).expect("it was packed just now");
    }
    let (packed, _) = reading.finish().expect("they belong together");
    assert_eq!(&packed, image, "from chunks");
    let json = serde_json::to_vec(&Written::of(image)).expect("into a Vec");
    assert_eq!(form::parse(&json).as_ref(), Ok(image), "from a file");
    let mut exported = Vec::new();
    text::write(image, &mut exported).expect("into a Vec");
    let back = text::read(Cursor::new(&exported)).expect("it was written just now");
    assert_eq!((back.bad_lines, back.cut), (0, None));
    assert_eq!(&back.image, image, "from an export");
    for (form, which) in [(Form::Txt, Which::Alive), (Form::Csv, Which::All)] {
        text::write_for_people(image, form, which, &mut Vec::new()).expect("into a Vec");
    }
}

/// An image is taken in: into nothing, into itself, and as the ledger of a process that starts with it.
fn take_in(image: &Image) {
    let (merged, counts) = merge::merge(&Image::default(), image);
    let told = counts.added + counts.updated + counts.kept;
    assert!(told <= image.entries.len() as u64 && merged.entries.len() <= image.entries.len());
    let (again, counts) = merge::merge(&merged, image);
    assert_eq!(
        (counts.added, again.entries.len()),
        (0, merged.entries.len())
    );

    let mut ledger = Ledger::new(1);
    for entry in image.entries.iter() {
        ledger.restore(entry);
    }
    assert_eq!(ledger.len(), merged.entries.len());
    assert_eq!(ledger.alive_indexes().count() as u64, ledger.total_alive());
    let rules = Rules {
        interval_ms: 60_000,
        backoff_max_ms: 3_600_000,
    };
    let mut random = fastrand::Rng::with_seed(1);
    for index in ledger.indexes() {
        let entry = ledger.entry(index);
        let left = rules.left_ms(ledger.standing(index), entry.checked_at_ms, &mut random);
        assert!(
            left <= 2 * rules.backoff_max_ms,
            "{entry:?} waits {left} ms"
        );
        assert_eq!(entry.candidate, ledger.candidate(index));
    }
    let kept: Vec<Entry> = ledger.entries().collect();
    let saved = Image {
        saved_at_ms: 1,
        asked: Asked::default(),
        targets: image.targets.clone(),
        entries: kept.clone().into(),
    };
    assert_eq!(
        saved.entries.len(),
        kept.len(),
        "what is known can be saved"
    );
    let mut after = Ledger::new(1);
    for entry in saved.entries.iter() {
        assert!(
            matches!(after.import(&entry), Imported::Added(_)),
            "{entry:?}"
        );
    }
    assert!(after.entries().eq(kept), "what was saved is what was known");
    assert!(ledger.alive().count() <= 4 * ledger.len());
}
