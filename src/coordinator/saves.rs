//! When the ledger is to be saved: at every interval in which it changed, at the end of the first
//! sweep, and when somebody asks; one save at a time.

use super::event::SaveOutcome;
use tokio::sync::oneshot;

/// Longest time between two saves of the first sweep, in milliseconds: until it is over, a crash costs
/// all that was learnt since the last one, and nothing before it is kept anywhere.
const FIRST_SWEEP_MS: u64 = 30_000;

/// What is known of the saves.
#[derive(Debug)]
pub(crate) struct Saves {
    /// Whether something changed since the last save began.
    pub(crate) unsaved: bool,
    is_running: bool,
    /// Whether the last of them is still on its way to the other nodes of a cluster.
    is_shared: bool,
    last_ms: u64,
    /// Whether the first sweep of this process is over.
    swept: bool,
    /// The next save does not wait for its interval.
    hurried: bool,
    /// Who waits for a save that has not begun.
    asked: Vec<oneshot::Sender<SaveOutcome>>,
    /// Who waits for the one that runs.
    answers: Vec<oneshot::Sender<SaveOutcome>>,
}

impl Saves {
    /// The first save is due one interval from now.
    pub(crate) fn new(now_ms: u64) -> Saves {
        Saves {
            unsaved: false,
            is_running: false,
            is_shared: false,
            last_ms: now_ms,
            swept: false,
            hurried: false,
            asked: Vec::new(),
            answers: Vec::new(),
        }
    }

    /// When the next save is due; `None` while one runs, or nothing changed and nobody asks. An interval
    /// of `u64::MAX` is without end: only who asks has a save made.
    pub(crate) fn due_at(&self, interval_ms: u64) -> Option<u64> {
        if self.is_running() {
            return None;
        }
        if !self.asked.is_empty() {
            return Some(self.last_ms);
        }
        if interval_ms == u64::MAX {
            return None;
        }
        if self.unsaved && self.hurried {
            return Some(self.last_ms);
        }
        let pause = match self.swept {
            true => interval_ms,
            false => interval_ms.min(FIRST_SWEEP_MS),
        };
        self.unsaved.then(|| self.last_ms.saturating_add(pause))
    }

    /// Somebody wants to know that all that is known by now is saved. A save that runs began before.
    pub(crate) fn ask(&mut self, answer: oneshot::Sender<SaveOutcome>) {
        self.asked.push(answer);
    }

    /// Whether somebody waits for a save that has not begun.
    pub(crate) fn is_asked(&self) -> bool {
        !self.asked.is_empty()
    }

    /// A sweep is over. What the first one found is saved at once.
    pub(crate) fn sweep_ended(&mut self) {
        self.hurried |= !std::mem::replace(&mut self.swept, true);
    }

    /// Whether one is under way, here or to the other nodes: there is never more than one image of each.
    pub(crate) fn is_running(&self) -> bool {
        self.is_running || self.is_shared
    }

    /// A save began.
    pub(crate) fn began(&mut self, now_ms: u64) {
        self.unsaved = false;
        self.hurried = false;
        self.is_running = true;
        self.last_ms = now_ms;
        self.answers.append(&mut self.asked);
    }

    /// It goes to the other nodes too. Who asked for it wants to know that it is on disk here.
    pub(crate) fn checkpoint_began(&mut self) {
        self.is_shared = true;
    }

    /// That ended.
    pub(crate) fn checkpointed(&mut self, outcome: SaveOutcome) {
        self.is_shared = false;
        self.unsaved |= outcome == SaveOutcome::Failed;
    }

    /// It ended; what could not be saved is tried again at the next interval.
    pub(crate) fn ended(&mut self, outcome: SaveOutcome) {
        self.is_running = false;
        self.unsaved |= outcome == SaveOutcome::Failed;
        for answer in self.answers.drain(..) {
            // Whoever asked may have gone away.
            let _ = answer.send(outcome);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_save_is_due_an_interval_after_the_last_began_if_something_changed() {
        let mut saves = Saves::new(100);
        assert_eq!(saves.due_at(50), None);
        saves.sweep_ended();
        saves.began(100);
        saves.ended(SaveOutcome::Saved);
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

    #[test]
    fn a_checkpoint_holds_back_the_next_save_and_answers_nobody() {
        let mut saves = Saves::new(0);
        let (ask, mut answer) = oneshot::channel();
        saves.ask(ask);
        saves.began(10);
        saves.checkpoint_began();
        saves.checkpointed(SaveOutcome::Saved);
        assert!(answer.try_recv().is_err(), "it is not on disk here");
        saves.ended(SaveOutcome::Failed);
        assert_eq!(answer.try_recv(), Ok(SaveOutcome::Failed));
        assert_eq!(saves.due_at(50), Some(60));
        saves.began(60);
        saves.checkpoint_began();
        saves.unsaved = true;
        saves.ended(SaveOutcome::Saved);
        assert_eq!(saves.due_at(50), None, "one image at a time");
        saves.checkpointed(SaveOutcome::Saved);
        assert_eq!(saves.due_at(50), Some(110));
    }

    #[test]
    fn the_first_sweep_is_saved_often_and_at_its_end() {
        let mut saves = Saves::new(1_000);
        saves.unsaved = true;
        assert_eq!(saves.due_at(300_000), Some(31_000));
        assert_eq!(
            saves.due_at(5_000),
            Some(6_000),
            "sooner if that is asked for"
        );
        saves.sweep_ended();
        assert_eq!(saves.due_at(300_000), Some(1_000), "overdue");
        saves.began(2_000);
        saves.ended(SaveOutcome::Saved);
        saves.unsaved = true;
        saves.sweep_ended();
        assert_eq!(saves.due_at(300_000), Some(302_000), "later ones wait");
    }

    #[test]
    fn who_asks_waits_for_a_save_that_began_after_that() {
        let mut saves = Saves::new(0);
        saves.began(10);
        let (ask, mut answer) = oneshot::channel();
        saves.ask(ask);
        assert_eq!(saves.due_at(50), None, "one at a time");
        saves.ended(SaveOutcome::Saved);
        assert!(answer.try_recv().is_err(), "that one began before");
        assert!(saves.due_at(50).is_some_and(|due| due <= 20));
        saves.began(20);
        saves.ended(SaveOutcome::Failed);
        assert_eq!(answer.try_recv(), Ok(SaveOutcome::Failed));
    }
}
