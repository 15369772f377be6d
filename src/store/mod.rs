//! The ledger across restarts: one trait, one backend a file, one contract test for all.

pub mod keeper;

use crate::ledger::Entry;

/// What is saved and loaded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Image {
    /// When it was saved, in milliseconds since the Unix epoch.
    pub saved_at_ms: u64,
    /// The ledger, in its own order.
    pub entries: Vec<Entry>,
}

/// Why a store failed; the text names the place and the remedy.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {}

/// Keeps the ledger across restarts.
pub trait Store: Send {
    /// What was saved last; empty if nothing was.
    fn load(&mut self) -> Result<Image, StoreError>;
    /// Replaces what is saved. After `Ok` it survives a crash of the process and of the machine.
    fn save(&mut self, image: &Image) -> Result<(), StoreError>;
}
