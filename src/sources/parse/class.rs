//! Which bytes separate the runs of a line.

/// What stands between two cells of an HTML row or two elements of a JSON array, once those are
/// lines of text: the unit separator.
pub(super) const CELL: u8 = 0x1f;

/// What a byte does to the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// Part of a run.
    Text,
    /// Separates, and lets a `#` open a comment.
    Space,
    /// The same, and separates columns.
    Tab,
    /// Separates columns.
    Column,
    /// Separates cells.
    Cell,
    /// Separates.
    Quote,
}

/// The class of each byte. Another separator is another entry. Line ends are not here: lines are cut
/// before they are read.
pub(super) const CLASSES: [Class; 256] = {
    let mut classes = [Class::Text; 256];
    let mut space: &[u8] = b" \x0b\x0c\0\r\n";
    while let [byte, rest @ ..] = space {
        classes[*byte as usize] = Class::Space;
        space = rest;
    }
    let mut columns: &[u8] = b",;|";
    while let [byte, rest @ ..] = columns {
        classes[*byte as usize] = Class::Column;
        columns = rest;
    }
    let mut quotes: &[u8] = b"\"'`<>";
    while let [byte, rest @ ..] = quotes {
        classes[*byte as usize] = Class::Quote;
        quotes = rest;
    }
    classes[b'\t' as usize] = Class::Tab;
    classes[CELL as usize] = Class::Cell;
    classes
};

/// What lies between two runs of a line.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Gap {
    /// White space other than tabs.
    pub(super) space: bool,
    /// A comma, semicolon, bar or tab.
    pub(super) column: bool,
    /// The border of a cell.
    pub(super) cell: bool,
    /// A colon that stands alone.
    pub(super) colon: bool,
    /// Whether its last byte is white space.
    pub(super) ends_in_space: bool,
}

impl Gap {
    /// The start of a line.
    pub(super) const START: Gap = Gap {
        space: false,
        column: false,
        cell: false,
        colon: false,
        ends_in_space: true,
    };

    /// Adds a byte that is not text.
    pub(super) fn add(&mut self, class: Class) {
        self.ends_in_space = matches!(class, Class::Space | Class::Tab);
        self.space |= class == Class::Space;
        self.column |= matches!(class, Class::Column | Class::Tab);
        self.cell |= class == Class::Cell;
    }

    /// Whether what follows begins a column of its own.
    pub(super) fn is_border(self) -> bool {
        self.cell || self.column && !self.space
    }
}
