//! What the leader logs, and what it is asked and told on other nodes.

use super::{FORMAT, opened};
use crate::cluster::{Logged, Publication, Word};
use crate::ledger::Experience;
use crate::store::record::{self, Reader};
use std::sync::Arc;

/// How a publication becomes bytes, and bytes a publication: what is in it is no affair of the bus.
#[derive(Clone, Copy, Debug)]
pub struct Form {
    /// Packs it.
    pub encode: fn(&Publication) -> Vec<u8>,
    /// Unpacks it; `None`: it is not readable, and left out.
    pub decode: fn(&[u8]) -> Option<Publication>,
}

/// Where an entry of the log is full, in bytes; one publication may be longer.
const ENTRY_BYTES: usize = 64 * 1024;

const JUDGED: u8 = 1;
const FORGOTTEN: u8 = 2;
const PUBLISHED: u8 = 3;
/// Stands for no source: there are never so many.
const NO_SOURCE: u16 = u16::MAX;

/// Lines of the log as the entries of the stream, none longer than need be. What no list can hold is
/// left out, as in a store.
pub(crate) fn pack(lines: &[Logged], form: Form) -> Vec<Vec<u8>> {
    let mut entries = vec![vec![FORMAT]];
    for line in lines {
        if entries
            .last()
            .is_some_and(|entry| entry.len() >= ENTRY_BYTES)
        {
            entries.push(vec![FORMAT]);
        }
        if let Some(entry) = entries.last_mut() {
            put(line, form, entry);
        }
    }
    entries.retain(|entry| entry.len() > 1);
    entries
}

fn put(line: &Logged, form: Form, out: &mut Vec<u8>) {
    match line {
        Logged::Judged { entry, source } if record::is_storable(entry) => {
            out.push(JUDGED);
            out.extend(source.unwrap_or(NO_SOURCE).to_le_bytes());
            record::encode(entry, out);
        }
        Logged::Judged { .. } => {}
        Logged::Forgotten(candidate) => {
            out.push(FORGOTTEN);
            record::put_candidate(candidate, out);
        }
        Logged::Published(publication) => {
            let packed = (form.encode)(publication);
            out.push(PUBLISHED);
            out.extend((packed.len() as u32).to_le_bytes());
            out.extend(packed);
        }
    }
}

/// The lines of an entry; a publication that is not readable is left out.
pub(crate) fn unpack(bytes: &[u8], form: Form) -> Option<Vec<Logged>> {
    let mut reader = opened(bytes)?;
    let mut lines = Vec::new();
    while !reader.is_at_end() {
        lines.extend(line(&mut reader, form)?);
    }
    Some(lines)
}

fn line(reader: &mut Reader<'_>, form: Form) -> Option<Option<Logged>> {
    Some(match reader.u8()? {
        JUDGED => {
            let source = Some(reader.u16()?).filter(|&source| source != NO_SOURCE);
            let entry = Box::new(reader.entry()?);
            Some(Logged::Judged { entry, source })
        }
        FORGOTTEN => Some(Logged::Forgotten(reader.candidate()?)),
        PUBLISHED => {
            let length = usize::try_from(reader.u32()?).ok()?;
            let publication = (form.decode)(reader.take(length)?);
            publication.map(|publication| Logged::Published(Arc::new(publication)))
        }
        _ => return None,
    })
}

/// `format · host · port u16 · target · experience · client u64`.
pub(crate) fn pack_word(word: &Word) -> Vec<u8> {
    let mut out = vec![FORMAT];
    record::put_host(&word.host, &mut out);
    out.extend(word.port.to_le_bytes());
    // Names of targets have 64 characters at most, and never none.
    record::put_text(word.target.as_deref().unwrap_or_default(), &mut out);
    record::put_text(word.experience.label(), &mut out);
    out.extend(word.client.to_le_bytes());
    out
}

/// What a client said.
pub(crate) fn unpack_word(bytes: &[u8]) -> Option<Word> {
    let mut reader = opened(bytes)?;
    let (host, port) = (reader.host()?, reader.u16()?);
    let target = Some(reader.text()?).filter(|name| !name.is_empty());
    let target = target.map(Box::from);
    let label = reader.text()?;
    Some(Word {
        host,
        port,
        target,
        experience: Experience::ALL.into_iter().find(|e| e.label() == label)?,
        client: reader.u64()?,
    })
}
