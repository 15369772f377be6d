//! What the operator's commands ask of the running service: save, export, import.
//!
//! They come in on a Unix socket beside the store, never over the network: whoever may ask here may
//! read every credential. Only the owner of the process and root are answered. HTTP/1, so that
//! `curl --unix-socket` can do what the commands do.

mod body;
pub mod client;
mod door;
mod server;
mod socket;

#[cfg(test)]
mod tests;

pub use door::Door;
pub use server::CONNECTIONS_MAX;
pub use socket::{answered, place};

use crate::store::Merged;
use crate::store::text::{Bad, Cut, Flaw};
use serde::{Deserialize, Serialize};

/// What came of an import: the answer of the service, and what the command prints.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Imported {
    /// What became of the entries.
    #[serde(flatten)]
    pub merged: Merged,
    /// Lines that were no entries.
    pub bad_lines: u64,
    /// The first of them.
    pub bad: Vec<Bad>,
    /// The file had fewer lines than its head said.
    pub cut: Option<Cut>,
}

impl Imported {
    /// The first bad lines in words.
    pub fn bad_in_words(&self) -> impl Iterator<Item = String> + '_ {
        let words = |bad: &Bad| {
            let flaw: Flaw = bad.flaw;
            format!("line {}: {flaw}", bad.line)
        };
        self.bad.iter().map(words)
    }
}
