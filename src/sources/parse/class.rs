//! Which bytes separate the runs of a list.

/// What a byte does to the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// Part of a run.
    Text,
    /// Separates, and lets a `#` open a comment.
    Space,
    /// Separates.
    Punctuation,
    /// Separates, and ends the line.
    LineEnd,
}

/// The class of each byte. Another separator is another entry.
pub(super) const CLASSES: [Class; 256] = {
    let mut classes = [Class::Text; 256];
    let mut space: &[u8] = b" \t\x0b\x0c\0";
    while let [byte, rest @ ..] = space {
        classes[*byte as usize] = Class::Space;
        space = rest;
    }
    let mut punctuation: &[u8] = b",;|\"'`<>";
    while let [byte, rest @ ..] = punctuation {
        classes[*byte as usize] = Class::Punctuation;
        punctuation = rest;
    }
    classes[b'\n' as usize] = Class::LineEnd;
    classes[b'\r' as usize] = Class::LineEnd;
    classes
};
