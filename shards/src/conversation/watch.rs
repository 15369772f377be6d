//! Who looks on while a conversation goes, and what is shown.

use crate::rule::Rule;
use std::fmt;
use std::rc::Rc;

/// Sees what happens in conversations; only `explain` wants to.
pub trait Watch: fmt::Debug {
    /// Takes one note, in the order of what happens.
    fn note(&self, note: Note<'_>);
}

/// What is not to be seen on the wire. Bytes are raw: those of a peer must be escaped before they are
/// printed, and those that were sent may hold credentials for the proxy.
#[derive(Clone, Copy)]
pub enum Note<'a> {
    /// Said inside TLS.
    Sent(&'a [u8]),
    /// Heard inside TLS.
    Received(&'a [u8]),
    /// TLS stands: its version, cipher suite, and whether a session was resumed.
    Tls(&'a dyn fmt::Display),
    /// The rule that leads to the verdict, in one line of printable ASCII.
    Rule(&'a dyn fmt::Display),
}

/// A watch, if there is one. Without one a note costs a comparison.
#[derive(Default)]
pub(crate) struct Watched(Option<Rc<dyn Watch>>);

impl Watched {
    pub(super) fn by(watch: Rc<dyn Watch>) -> Watched {
        Watched(Some(watch))
    }

    /// Shows `note`.
    pub(crate) fn note(&self, note: Note<'_>) {
        if let Some(watch) = &self.0 {
            watch.note(note);
        }
    }

    /// Shows the rule that ended a conversation.
    pub(super) fn rule(&self, rule: &Rule) {
        self.note(Note::Rule(rule));
    }
}
