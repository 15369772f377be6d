//! When the ledger is to be saved: at every interval in which it changed, one save at a time.

use super::event::SaveOutcome;

/// What is known of the saves.
#[derive(Debug)]
pub(crate) struct Saves {
    /// Whether something changed since the last save began.
    pub(crate) unsaved: bool,
    is_running: bool,
    last_ms: u64,
}

impl Saves {
    /// The first save is due one interval from now.
    pub(crate) fn new(now_ms: u64) -> Saves {
        Saves {
            unsaved: false,
            is_running: false,
            last_ms: now_ms,
        }
    }

    /// When the next save is due; `None` while one runs or nothing changed.
    pub(crate) fn due_at(&self, interval_ms: u64) -> Option<u64> {
        let due = self.last_ms.saturating_add(interval_ms);
        (self.unsaved && !self.is_running).then_some(due)
    }

    /// Whether one is under way.
    pub(crate) fn is_running(&self) -> bool {
        self.is_running
    }

    /// A save began.
    pub(crate) fn began(&mut self, now_ms: u64) {
        self.unsaved = false;
        self.is_running = true;
        self.last_ms = now_ms;
    }

    /// It ended; what could not be saved is tried again at the next interval.
    pub(crate) fn ended(&mut self, outcome: SaveOutcome) {
        self.is_running = false;
        self.unsaved |= outcome == SaveOutcome::Failed;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_save_is_due_an_interval_after_the_last_began_if_something_changed() {
        let mut saves = Saves::new(100);
        assert_eq!(saves.due_at(50), None);
        saves.unsaved = true;
        assert_eq!(saves.due_at(50), Some(150));
        saves.began(160);
        saves.unsaved = true;
        assert_eq!(saves.due_at(50), None, "one at a time");
        saves.ended(SaveOutcome::Saved);
        assert_eq!(saves.due_at(50), Some(210));
    }

    #[test]
    fn a_save_that_failed_is_tried_again_though_nothing_changed() {
        let mut saves = Saves::new(0);
        saves.began(10);
        saves.ended(SaveOutcome::Failed);
        assert_eq!(saves.due_at(50), Some(60));
    }
}
