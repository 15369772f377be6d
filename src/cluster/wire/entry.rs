//! Entries of streams as Redis answers them.

use super::Id;
use redis::Value;

/// One entry.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Entry {
    /// Its id, as Redis has it.
    pub(crate) id: Id,
    fields: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Entry {
    /// The first field of this name.
    pub(crate) fn field<'a>(&'a self, name: &'a str) -> Option<&'a [u8]> {
        self.all(name).next()
    }

    /// Every field of this name.
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        let named = move |(field, value): &'a (Vec<u8>, Vec<u8>)| {
            (field == name.as_bytes()).then_some(&value[..])
        };
        self.fields.iter().filter_map(named)
    }
}

/// The entries of each stream in an answer of `XREAD` or `XREADGROUP`, by its key.
pub(crate) fn of_streams(answer: Value) -> Vec<(Vec<u8>, Vec<Entry>)> {
    let stream = |value: Value| {
        let mut parts = items(value).into_iter();
        Some((bytes(parts.next()?)?, of(parts.next()?)))
    };
    items(answer).into_iter().filter_map(stream).collect()
}

/// The entries of an array of them; those that were deleted are left out.
pub(crate) fn of(array: Value) -> Vec<Entry> {
    let entry = |value: Value| {
        let mut parts = items(value).into_iter();
        let id = text(parts.next()?)?.parse().ok()?;
        let mut flat = items(parts.next()?).into_iter();
        let mut fields = Vec::new();
        while let (Some(name), Some(value)) = (flat.next(), flat.next()) {
            fields.push((bytes(name)?, bytes(value)?));
        }
        Some(Entry { id, fields })
    };
    items(array).into_iter().filter_map(entry).collect()
}

/// The parts of an answer that is an array.
pub(crate) fn items(value: Value) -> Vec<Value> {
    match value {
        Value::Array(items) => items,
        _ => Vec::new(),
    }
}

/// The bytes of an answer that is a text.
pub(crate) fn bytes(value: Value) -> Option<Vec<u8>> {
    match value {
        Value::BulkString(bytes) => Some(bytes),
        Value::SimpleString(text) => Some(text.into_bytes()),
        _ => None,
    }
}

/// The same in UTF-8.
pub(crate) fn text(value: Value) -> Option<String> {
    String::from_utf8(bytes(value)?).ok()
}
