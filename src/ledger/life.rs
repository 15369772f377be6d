//! What is kept of a candidate that was alive once: most never are.

use super::entry::{Check, Entry, HISTORY_MAX};
use proxy_shards::{Exit, Protocols, Require, TARGETS_MAX, Timing, Verdict, Works};
use slab::Slab;
use std::num::NonZeroU32;

/// What is kept of a candidate that was alive once, but for its history: a publication reads this of
/// every alive one, wherever it stands.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Life {
    /// When it was last alive, in milliseconds since the Unix epoch; 0: that is not known.
    pub(super) alive_at_ms: u64,
    pub(super) timing: Timing,
    pub(super) works: Works,
    /// The protocols by which it reached any target when it was last alive, whatever the targets are
    /// called now.
    pub(super) spoke: Protocols,
    pub(super) exit: Option<Exit>,
}

impl Life {
    pub(super) fn new(entry: &Entry) -> Life {
        Life {
            alive_at_ms: entry.alive_at_ms,
            works: entry.works,
            spoke: entry.works.enough(Require::Any, TARGETS_MAX),
            timing: entry.timing,
            exit: entry.exit,
        }
    }
}

/// The last checks of a candidate, field by field, so that no byte is lost between them.
#[derive(Debug)]
pub(super) struct History {
    at_s: [u32; HISTORY_MAX],
    total_us: [u32; HISTORY_MAX],
    verdicts: [Verdict; HISTORY_MAX],
    length: u8,
    /// The place of the next one: the oldest one's, once there are enough.
    next: u8,
}

impl Default for History {
    fn default() -> History {
        History {
            at_s: [0; HISTORY_MAX],
            total_us: [0; HISTORY_MAX],
            verdicts: [Verdict::Alive; HISTORY_MAX],
            length: 0,
            next: 0,
        }
    }
}

impl History {
    pub(super) fn new(checks: &[Check]) -> History {
        let mut history = History::default();
        let newest = checks.len().saturating_sub(HISTORY_MAX);
        checks[newest..]
            .iter()
            .for_each(|check| history.note(*check));
        history
    }

    /// Adds a check, in the place of the oldest if there are enough.
    pub(super) fn note(&mut self, check: Check) {
        let place = usize::from(self.next);
        self.at_s[place] = check.at_s;
        self.total_us[place] = check.total_us;
        self.verdicts[place] = check.verdict;
        self.next = ((place + 1) % HISTORY_MAX) as u8;
        self.length = (self.length + 1).min(HISTORY_MAX as u8);
    }

    /// The checks, the oldest first.
    pub(super) fn checks(&self) -> impl Iterator<Item = Check> + '_ {
        let (length, next) = (usize::from(self.length), usize::from(self.next));
        let places = (next + HISTORY_MAX - length)..(next + HISTORY_MAX);
        places.map(|place| place % HISTORY_MAX).map(|place| Check {
            at_s: self.at_s[place],
            total_us: self.total_us[place],
            verdict: self.verdicts[place],
        })
    }
}

/// Where a life is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LifeId(NonZeroU32);

/// Every life, one behind the other, and each one's history at the same place apart from it.
#[derive(Debug, Default)]
pub(super) struct Lives {
    lives: Slab<Life>,
    histories: Slab<History>,
}

impl Lives {
    /// Keeps a life. Lives are fewer than candidates, which are fewer than 2³².
    pub(super) fn add(&mut self, life: Life, history: History) -> LifeId {
        let place = self.lives.insert(life);
        let same = self.histories.insert(history);
        debug_assert_eq!(place, same, "both are added and removed together");
        LifeId(NonZeroU32::MIN.saturating_add(place as u32))
    }

    pub(super) fn get(&self, id: LifeId) -> &Life {
        &self.lives[id.place()]
    }

    pub(super) fn get_mut(&mut self, id: LifeId) -> &mut Life {
        &mut self.lives[id.place()]
    }

    pub(super) fn history(&self, id: LifeId) -> &History {
        &self.histories[id.place()]
    }

    pub(super) fn history_mut(&mut self, id: LifeId) -> &mut History {
        &mut self.histories[id.place()]
    }

    pub(super) fn remove(&mut self, id: LifeId) {
        self.lives.remove(id.place());
        self.histories.remove(id.place());
    }

    /// Each of them, whoever's it is.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Life> {
        self.lives.iter_mut().map(|(_, life)| life)
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.lives.len()
    }
}

impl LifeId {
    fn place(self) -> usize {
        self.0.get() as usize - 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_checks_are_kept_in_their_order() {
        let check = |n: u32| Check {
            at_s: n,
            total_us: 10 * n,
            verdict: Verdict::ALL[n as usize % Verdict::COUNT],
        };
        let mut history = History::default();
        for n in 0..50u32 {
            let kept = n.saturating_sub(HISTORY_MAX as u32)..n;
            assert!(history.checks().eq(kept.map(check)), "{n}");
            history.note(check(n));
        }
    }

    #[test]
    fn a_life_is_56_bytes_its_history_148_and_so_are_their_places() {
        assert_eq!((size_of::<Life>(), size_of::<Option<Life>>()), (56, 56));
        let history = (size_of::<History>(), size_of::<Option<History>>());
        assert_eq!(history, (148, 148));
    }

    #[test]
    fn a_place_is_used_again() {
        let mut lives = Lives::default();
        let life = |alive_at_ms| Life {
            alive_at_ms,
            ..Life::default()
        };
        let [a, b] = [1, 2].map(|at| lives.add(life(at), History::default()));
        lives.remove(a);
        assert_eq!(
            (lives.add(life(3), History::default()), lives.len()),
            (a, 2)
        );
        assert_eq!([a, b].map(|id| lives.get(id).alive_at_ms), [3, 2]);
    }
}
