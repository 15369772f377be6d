//! Tables whose first line names their columns: CSV, TSV and the rows of HTML tables.

use super::class::CELL;
use super::columns::{Role, role as role_of};
use super::record::Record;
use std::borrow::Cow;

/// What the columns of a table hold.
#[derive(Clone, Debug)]
pub(super) struct Table {
    separator: Separator,
    columns: Vec<Option<Role>>,
}

/// What stands between two columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Separator {
    Byte(u8),
    /// Any number of blanks.
    Blanks,
}

/// Columns beyond these are not looked at.
const COLUMNS_MAX: usize = 64;

/// In the order in which they are tried.
const SEPARATORS: &[Separator] = &[
    Separator::Byte(CELL),
    Separator::Byte(b'\t'),
    Separator::Byte(b';'),
    Separator::Byte(b','),
    Separator::Byte(b'|'),
    Separator::Blanks,
];

impl Table {
    /// The table that `line` is the head of: it names a host and something else of a proxy.
    pub(super) fn of(line: &[u8]) -> Option<Table> {
        SEPARATORS.iter().find_map(|separator| {
            let names = fields(line, *separator);
            let columns: Vec<Option<Role>> = names.map(|name| role_of(name.trim_ascii())).collect();
            let has = |wanted: &[Role]| columns.iter().flatten().any(|role| wanted.contains(role));
            let host = has(&[Role::Host, Role::Proxy]);
            let more = has(&[Role::Port, Role::Protocol, Role::User]);
            // Words of a sentence, unless each of them is the name of a column.
            let words = *separator == Separator::Blanks && columns.contains(&None);
            (host && more && !words).then_some(Table {
                separator: *separator,
                columns,
            })
        })
    }

    /// The parts that a line holds, if it is one of this table.
    pub(super) fn record(&self, line: &[u8]) -> Option<Record> {
        let mut record = Record::default();
        let mut count = 0;
        for (field, role) in fields(line, self.separator).zip(&self.columns) {
            count += 1;
            let Some(role) = role else { continue };
            let field = field.trim_ascii();
            let is_host = matches!(role, Role::Host | Role::Proxy | Role::Port);
            let is_name = role_of(field).is_some(); // of another table's column
            if is_host && (is_name || field.iter().any(|b| b.is_ascii_whitespace())) {
                return None;
            }
            record.set(*role, field);
        }
        let is_named =
            |role: &Option<Role>| matches!(role, Some(Role::Host | Role::Proxy | Role::Port));
        let needed = self.columns.iter().rposition(is_named)? + 1;
        (count >= needed && record.has_host()).then_some(record)
    }
}

/// The fields of a line. A field in double quotes may hold separators, and `""` for `"` (RFC 4180).
fn fields(line: &[u8], separator: Separator) -> impl Iterator<Item = Cow<'_, [u8]>> {
    let mut rest = Some(line);
    let next = move || match separator {
        Separator::Byte(byte) => {
            let text = rest?;
            let (field, left) = one_field(text, byte);
            rest = left;
            Some(field)
        }
        Separator::Blanks => {
            let text = rest?.trim_ascii_start();
            let end = text.iter().position(u8::is_ascii_whitespace);
            rest = end.map(|end| text[end..].trim_ascii_start());
            rest = rest.filter(|left| !left.is_empty());
            Some(Cow::Borrowed(&text[..end.unwrap_or(text.len())]))
        }
    };
    std::iter::from_fn(next).take(COLUMNS_MAX)
}

/// The first field, and what follows its separator.
fn one_field(text: &[u8], separator: u8) -> (Cow<'_, [u8]>, Option<&[u8]>) {
    let start = match separator {
        b'\t' => text,
        _ => text.trim_ascii_start(),
    };
    if let Some(quoted) = start.strip_prefix(b"\"")
        && separator != CELL
        && let Some((field, left)) = quoted_field(quoted, separator)
    {
        return (Cow::Owned(field), left);
    }
    match text.iter().position(|b| *b == separator) {
        Some(at) => (Cow::Borrowed(&text[..at]), Some(&text[at + 1..])),
        None => (Cow::Borrowed(text), None),
    }
}

/// A field behind its opening quote; `None` if it is not closed before a separator or the end.
fn quoted_field(mut text: &[u8], separator: u8) -> Option<(Vec<u8>, Option<&[u8]>)> {
    let mut field = Vec::new();
    loop {
        let quote = text.iter().position(|b| *b == b'"')?;
        field.extend_from_slice(&text[..quote]);
        text = &text[quote + 1..];
        if let Some(left) = text.strip_prefix(b"\"") {
            field.push(b'"');
            text = left;
            continue;
        }
        let text = match separator {
            b'\t' => text,
            _ => text.trim_ascii_start(),
        };
        return match text.split_first() {
            None => Some((field, None)),
            Some((byte, left)) if *byte == separator => Some((field, Some(left))),
            Some(_) => None,
        };
    }
}
