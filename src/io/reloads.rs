//! One reload runs, one waits, more are merged into the one that waits.

/// What becomes of a reload that was accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place<P> {
    /// It starts now.
    Starts {
        /// Its number.
        id: u64,
        /// What it does.
        plan: P,
    },
    /// It starts when the one that runs has ended.
    Waits {
        /// Its number: that of the one that waited already, if one did.
        id: u64,
    },
}

/// The reloads under way.
#[derive(Debug)]
pub(super) struct Reloads<P> {
    last_id: u64,
    is_running: bool,
    waiting: Option<(u64, P)>,
}

impl<P> Reloads<P> {
    /// Reload 1, the start, is running.
    pub(super) fn started() -> Reloads<P> {
        Reloads {
            last_id: 1,
            is_running: true,
            waiting: None,
        }
    }

    /// A reload with a valid configuration. The newest plan is the one that waits.
    pub(super) fn accept(&mut self, plan: P) -> Place<P> {
        if let Some((id, waiting)) = &mut self.waiting {
            *waiting = plan;
            return Place::Waits { id: *id };
        }
        self.last_id += 1;
        let id = self.last_id;
        if self.is_running {
            self.waiting = Some((id, plan));
            return Place::Waits { id };
        }
        self.is_running = true;
        Place::Starts { id, plan }
    }

    /// Numbers go on from `id`, if they are not beyond it.
    pub(super) fn count_from(&mut self, id: u64) {
        self.last_id = self.last_id.max(id);
    }

    /// The one that runs has ended: the one that waited starts, if one did.
    pub(super) fn ended(&mut self) -> Option<(u64, P)> {
        let next = self.waiting.take();
        self.is_running = next.is_some();
        next
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_runs_one_waits_and_more_are_merged_into_it() {
        let mut reloads = Reloads::started();
        assert_eq!(reloads.accept('a'), Place::Waits { id: 2 });
        assert_eq!(reloads.accept('b'), Place::Waits { id: 2 });
        assert_eq!(reloads.accept('c'), Place::Waits { id: 2 });
        assert_eq!(reloads.ended(), Some((2, 'c')));
        assert_eq!(reloads.accept('d'), Place::Waits { id: 3 });
        assert_eq!(reloads.ended(), Some((3, 'd')));
        assert_eq!(reloads.ended(), None);
        assert_eq!(reloads.accept('e'), Place::Starts { id: 4, plan: 'e' });
    }
}
