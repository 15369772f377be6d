//! Images that are taken in while the service runs: in pieces, so that none holds up the reports.

use super::event::{Import, Now};
use super::state::{Route, State};
use crate::ledger::{Entry, Imported};
use crate::store::{Merged, merge};
use std::collections::VecDeque;

/// Chunks of an image, of some 8 KB each, that are taken in before reports have their turn again.
const PIECE_CHUNKS: usize = 32;

/// The images that wait to be taken in.
#[derive(Debug, Default)]
pub(super) struct Imports(VecDeque<Importing>);

/// One that is being taken in.
#[derive(Debug)]
struct Importing {
    import: Import,
    /// Its next chunk.
    chunk: usize,
    merged: Merged,
}

impl Imports {
    pub(super) fn add(&mut self, import: Import) {
        self.0.push_back(Importing {
            import,
            chunk: 0,
            merged: Merged::default(),
        });
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl State {
    /// Takes in the next piece of the images that wait, and answers when one is done.
    pub(super) fn take_in_imports(&mut self, now: Now, route: Route<'_>) {
        let Some(mut importing) = self.imports.0.pop_front() else {
            return;
        };
        let image = &importing.import.image;
        // Looked at for each piece: a reload may come in between.
        let places = merge::places(&image.targets, self.ledger.targets());
        if importing.chunk == 0 && image.asked.policy != self.asked.policy {
            // It answers another question: until it is checked here, a restart must not take it for
            // checked since everything was due.
            self.asked.since_ms = now.unix_ms.saturating_add(1);
            self.asked.over_ms = 0;
        }
        let end = (importing.chunk + PIECE_CHUNKS).min(image.entries.chunk_count());
        for chunk in importing.chunk..end {
            for mut entry in image.entries.chunk_entries(chunk) {
                merge::renumber(&mut entry, &places);
                self.take_in_entry(&entry, &mut importing.merged, now, route);
            }
        }
        importing.chunk = end;
        self.publisher.note_pool();
        if end < image.entries.chunk_count() {
            self.imports.0.push_front(importing);
        } else {
            // Whoever asked may have gone away.
            let _ = importing.import.reply.send(importing.merged);
        }
    }

    /// What is new or newer is due at once, as its standing says.
    fn take_in_entry(&mut self, entry: &Entry, merged: &mut Merged, now: Now, route: Route<'_>) {
        if !self.may_dial(&entry.candidate) {
            merged.refused += 1;
            return;
        }
        match self.ledger.import(entry) {
            Imported::Kept => merged.kept += 1,
            Imported::Added(index) => {
                merged.added += 1;
                self.begin(index, false, now, route);
            }
            Imported::Updated(index) => {
                merged.updated += 1;
                self.saves.unsaved = true;
                let in_sweep = self.schedule.is_in_sweep(index);
                // What is out is put where it belongs when it is back.
                if self.schedule.remove(index) {
                    self.begin(index, in_sweep, now, route);
                }
            }
        }
    }
}
