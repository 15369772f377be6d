//! How many lanes are kept for the alive, so that none of them waits until the silent have had
//! their time.

use crate::schedule::DueSoon;

/// Time from the end of a probe until its lane has another job, in milliseconds.
const HAND_OVER_MS: u64 = 20;
/// How long a count holds, in milliseconds.
const LOOK_EVERY_MS: u64 = 100;

/// The lanes that each shard keeps.
#[derive(Debug, Default)]
pub(super) struct Reserve {
    looked_ms: Option<u64>,
    lanes: Vec<usize>,
}

/// What decides on it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Need {
    /// As long as the slower of the alive hold a lane, in milliseconds.
    pub(super) hold_ms: u64,
    /// As long as a silent proxy holds one, in milliseconds; no longer than an interval, in which
    /// each of the alive falls due once.
    pub(super) silence_ms: u64,
}

impl Reserve {
    /// Whether it is time to count anew.
    pub(super) fn is_due(&self, now_ms: u64) -> bool {
        self.looked_ms
            .is_none_or(|looked| looked + LOOK_EVERY_MS <= now_ms)
    }

    /// Counts anew what falls due of each shard in the time that a silent one holds a lane.
    pub(super) fn look(&mut self, due: impl Iterator<Item = DueSoon>, need: Need, now_ms: u64) {
        self.looked_ms = Some(now_ms);
        self.lanes.clear();
        self.lanes.extend(due.map(|due| need.lanes(due)));
    }

    /// The lanes that `shard` keeps.
    pub(super) fn of(&self, shard: usize) -> usize {
        self.lanes.get(shard).copied().unwrap_or(0)
    }
}

impl Need {
    /// A lane that is given to a silent proxy now is back when its time has passed. What falls due
    /// until then needs lanes: an alive one for as long as the slower of them take, one that failed
    /// just now perhaps for the whole time. Together they keep this many busy.
    fn lanes(self, due: DueSoon) -> usize {
        let hold_ms = (self.hold_ms + HAND_OVER_MS).min(self.silence_ms);
        let busy_ms = due.alive as u64 * hold_ms;
        busy_ms.div_ceil(self.silence_ms) as usize + due.urgent
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lanes(alive: usize, urgent: usize, hold_ms: u64, silence_ms: u64) -> usize {
        let need = Need {
            hold_ms,
            silence_ms,
        };
        need.lanes(DueSoon { urgent, alive })
    }

    #[test]
    fn the_alive_that_fall_due_share_the_lanes_that_are_kept() {
        assert_eq!(lanes(0, 0, 500, 15_000), 0);
        assert_eq!(lanes(1, 0, 500, 15_000), 1);
        assert_eq!(lanes(1_250, 0, 580, 15_000), 50);
        assert_eq!(lanes(7, 0, 99_000, 15_000), 7, "none needs more than one");
    }

    #[test]
    fn one_that_just_failed_may_hold_a_lane_for_the_whole_time() {
        assert_eq!(lanes(0, 3, 500, 15_000), 3);
    }

    #[test]
    fn what_falls_due_is_counted_again_after_a_while() {
        let mut reserve = Reserve::default();
        assert!(reserve.is_due(0) && reserve.of(1) == 0);
        let need = Need {
            hold_ms: 500,
            silence_ms: 1_000,
        };
        let due = |urgent| DueSoon { urgent, alive: 0 };
        reserve.look([due(4), due(7)].into_iter(), need, 1_000);
        assert_eq!([0, 1, 2].map(|shard| reserve.of(shard)), [4, 7, 0]);
        assert!(!reserve.is_due(1_099) && reserve.is_due(1_100));
    }
}
