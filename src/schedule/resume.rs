//! A schedule that goes on where another one stopped.

use super::task::{Mark, Place};
use super::{Progress, Rules, Schedule, due_at_once};
use fastrand::Rng;

/// What is known of a candidate that waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// The sweep has not had its turn on it: due at once, after those with a smaller turn.
    Unswept {
        /// In milliseconds.
        turn_ms: u64,
    },
    /// It was checked since the sweep began, and is due after so many milliseconds.
    Swept {
        /// From now.
        due_ms: u64,
    },
}

impl Schedule {
    /// Hand-outs are numbered from here, before the first of them.
    pub fn number_from(&mut self, turn: u32) {
        self.first_turn = turn;
        self.tasks.iter_mut().for_each(|task| task.turn = turn);
    }

    /// All that waits is due when `find` says, and belongs to the sweep or does not any more; the
    /// sweep counts `done` that are not known here.
    pub fn resume(
        &mut self,
        now_ms: u64,
        done: Progress,
        mut find: impl FnMut(u32, Rules, &mut Rng) -> Found,
    ) {
        self.progress = done;
        self.sweep_held = 0;
        self.sweep_ms = now_ms;
        for (index, task) in (0u32..).zip(&mut self.tasks) {
            if task.place() != Place::Waiting {
                continue;
            }
            let found = find(index, self.rules, &mut self.rng);
            task.set(Mark::InSweep, matches!(found, Found::Unswept { .. }));
            task.due_ms = match found {
                Found::Unswept { turn_ms } => due_at_once(task.class(), now_ms + turn_ms),
                Found::Swept { due_ms } => now_ms + due_ms,
            }
            .min(super::DUE_MS_MAX);
            self.progress.total += u64::from(matches!(found, Found::Unswept { .. }));
        }
        self.rebuild();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::Standing;

    const RULES: Rules = Rules {
        interval_ms: 60_000,
        backoff_max_ms: 600_000,
    };

    #[test]
    fn what_was_swept_is_due_later_and_the_rest_at_once() {
        let mut schedule = Schedule::new(1, RULES, 7);
        let standings = [Standing::Alive, Standing::Dead { times: 1 }, Standing::New];
        for index in 0..6 {
            schedule.add_to_sweep(index, 0, standings[index as usize % 3], 500);
        }
        let before = Progress {
            total: 4,
            done: 4,
            ..Progress::default()
        };
        schedule.resume(1_000, before, |index, _, _| match index < 3 {
            true => Found::Swept { due_ms: 9_000 },
            false => Found::Unswept { turn_ms: 1 },
        });
        assert_eq!(
            schedule.progress(),
            Progress {
                total: 7,
                done: 4,
                ..Progress::default()
            }
        );
        let mut out: Vec<u32> = std::iter::from_fn(|| schedule.next(0, 1_001, usize::MAX))
            .map(|ticket| ticket.index())
            .collect();
        out.sort_unstable();
        assert_eq!(out, [3, 4, 5]);
        assert_eq!(schedule.due_at(0, usize::MAX), Some(10_000));
        assert!(schedule.is_in_sweep(4) && !schedule.is_in_sweep(1));
    }
}
