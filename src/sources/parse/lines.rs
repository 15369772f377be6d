//! Bytes → lines, of which only the end is kept: a line longer than [`LINE_BYTES_MAX`] is read in
//! pieces.

use super::class::{CELL, CLASSES, Class};
use super::list::List;
use super::row::{BYTE_ORDER_MARK, Origin, Row};
use std::mem;

/// Longest line that is looked at as a whole; of a longer one, so much is kept at a time.
pub(super) const LINE_BYTES_MAX: usize = 8 * 1024;

/// The lines of a list.
#[derive(Debug)]
pub(super) struct Lines {
    pub(super) list: List,
    /// What is there of the current line and has not been read.
    buffer: Vec<u8>,
    /// The line that is read in pieces.
    row: Option<Row>,
    /// Whether the end of a run that is too long to be a proxy has not come yet.
    long_run: bool,
    origin: Origin,
}

impl Lines {
    pub(super) fn new(list: List) -> Lines {
        Lines {
            list,
            buffer: Vec::new(),
            row: None,
            long_run: false,
            origin: Origin::Text,
        }
    }

    /// Whether nothing of the line is here.
    pub(super) fn at_start(&self) -> bool {
        self.buffer.is_empty() && self.row.is_none() && self.origin == Origin::Text
    }

    /// Whether there is nothing but white space, and perhaps a byte order mark, on the line so far.
    pub(super) fn is_blank(&self) -> bool {
        let is_blank = |byte: &u8| {
            let class = CLASSES[usize::from(*byte)];
            matches!(class, Class::Space | Class::Tab | Class::Cell)
        };
        let text = self.buffer.strip_prefix(BYTE_ORDER_MARK);
        self.row.is_none() && text.unwrap_or(&self.buffer).iter().all(is_blank)
    }

    /// Forgets what is there of the line.
    pub(super) fn clear(&mut self) {
        self.buffer.clear();
    }

    /// Where the rest of the line comes from.
    pub(super) fn set_origin(&mut self, origin: Origin) {
        self.origin = origin;
    }

    /// The border of a cell.
    pub(super) fn cell(&mut self, origin: Origin) {
        self.origin = origin;
        self.push(CELL);
    }

    /// The next byte of the line.
    pub(super) fn push(&mut self, byte: u8) {
        if self.row.as_ref().is_some_and(|row| row.comment) {
            return;
        }
        if self.long_run {
            if CLASSES[usize::from(byte)] == Class::Text {
                return;
            }
            self.long_run = false;
        }
        if self.buffer.len() == LINE_BYTES_MAX {
            self.read_piece();
        }
        self.buffer.push(byte);
    }

    /// Reads what is there, up to its last separator.
    fn read_piece(&mut self) {
        let row = self.row.get_or_insert_with(Row::new);
        let is_separator = |byte: &u8| CLASSES[usize::from(*byte)] != Class::Text;
        match self.buffer.iter().rposition(is_separator) {
            Some(last) => {
                row.read(&mut self.list, &self.buffer[..=last], self.origin);
                self.buffer.drain(..=last);
            }
            None => {
                self.long_run = row.long_run(&mut self.list, &self.buffer, self.origin);
                self.buffer.clear();
            }
        }
    }

    /// The line ends here.
    pub(super) fn end_line(&mut self) {
        let buffer = mem::take(&mut self.buffer);
        match self.row.take() {
            None => self.list.line(&buffer, self.origin),
            Some(mut row) => {
                row.read(&mut self.list, &buffer, self.origin);
                row.end(&mut self.list);
                self.list.end_row(&row, self.origin);
            }
        }
        self.buffer = buffer;
        self.buffer.clear();
        self.long_run = false;
        self.origin = Origin::Text;
    }

    /// The memory that the line takes.
    #[cfg(test)]
    pub(super) fn buffer_bytes(&self) -> usize {
        self.buffer.capacity()
    }
}
