//! The probes without a proxy of one shard: waiting, under way, ended. Pure; like the jobs they
//! outlive the shard's executor, so that a panic there loses none.

use crate::job::{ControlJob, ControlRecord, Ended};
use crate::jobs::CRASHES_MAX;
use crate::verdict::Verdict;
use crate::works::TARGETS_MAX;
use std::collections::VecDeque;
use std::time::Duration;

/// So many at once, in slots of their own: every target of a policy, so that one which is silent
/// does not hold up the others.
pub(crate) const CONTROLS_AT_ONCE: usize = TARGETS_MAX;

/// Times that a target is asked again, each time with more time, because this host was late.
const LATE_MAX: u8 = 3;

/// A control job, the executor panics that it was under way in, and what this host's own delays cost.
#[derive(Clone, Copy, Debug)]
struct Task {
    job: ControlJob,
    crashes: u8,
    late: u8,
    /// Added to the deadlines of its probe.
    grace: Duration,
}

impl Task {
    fn new(job: ControlJob) -> Task {
        Task {
            job,
            crashes: 0,
            late: 0,
            grace: Duration::ZERO,
        }
    }
}

/// All control jobs of one shard. Each is in exactly one of these places until its record is taken.
#[derive(Debug, Default)]
pub(crate) struct Controls {
    waiting: VecDeque<Task>,
    under_way: [Option<Task>; CONTROLS_AT_ONCE],
    ended: Vec<ControlRecord>,
}

impl Controls {
    /// Takes a new job in.
    pub(crate) fn add(&mut self, job: ControlJob) {
        self.waiting.push_back(Task::new(job));
    }

    /// The next job, and its place among those under way; nothing if there is none or too many are
    /// under way. A job for a target that is not among the `targets` of the policy ends here.
    pub(crate) fn start(&mut self, targets: usize) -> Option<(usize, ControlJob)> {
        let place = self.under_way.iter().position(Option::is_none)?;
        while let Some(task) = self.waiting.pop_front() {
            if task.job.target < targets {
                self.under_way[place] = Some(task);
                return Some((place, task.job));
            }
            self.record(task.job, Ended::unprobed(Verdict::LocalFault));
        }
        None
    }

    /// What is added to the deadlines of the job at `place`.
    pub(crate) fn grace(&self, place: usize) -> Duration {
        self.under_way[place].map_or(Duration::ZERO, |task| task.grace)
    }

    /// The probe of the job at `place` lost time to this host's own delays, and says nothing of the target:
    /// it is made again, with so much more. `false`: that was done often enough.
    pub(crate) fn again(&mut self, place: usize, grace: Duration) -> bool {
        let late = self.under_way[place].map_or(LATE_MAX, |task| task.late);
        if late >= LATE_MAX {
            return false;
        }
        self.waiting
            .extend(self.under_way[place].take().map(|task| Task {
                late: late + 1,
                grace,
                ..task
            }));
        true
    }

    /// The probe of the job at `place` ended.
    pub(crate) fn end(&mut self, place: usize, ended: Ended) {
        if let Some(task) = self.under_way[place].take() {
            self.record(task.job, ended);
        }
    }

    /// Ends every job that is not under way.
    pub(crate) fn cancel_waiting(&mut self) {
        while let Some(task) = self.waiting.pop_front() {
            self.record(task.job, Ended::unprobed(Verdict::LocalCancelled));
        }
    }

    /// The executor is gone: what was under way starts over, unless it was there too often.
    pub(crate) fn recover(&mut self) {
        for mut task in std::mem::take(&mut self.under_way).into_iter().flatten() {
            task.crashes += 1;
            if task.crashes > CRASHES_MAX {
                self.record(task.job, Ended::unprobed(Verdict::LocalFault));
            } else {
                self.waiting.push_back(task);
            }
        }
    }

    /// Whether there are records that were not taken yet.
    pub(crate) fn has_ended(&self) -> bool {
        !self.ended.is_empty()
    }

    /// Whether there is nothing to do and nothing to report.
    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
            && self.ended.is_empty()
            && self.under_way.iter().all(Option::is_none)
    }

    /// Takes the records since the last call.
    pub(crate) fn take_ended(&mut self) -> Vec<ControlRecord> {
        std::mem::take(&mut self.ended)
    }

    fn record(&mut self, job: ControlJob, ended: Ended) {
        self.ended.push(ControlRecord {
            id: job.id,
            target: job.target,
            verdict: ended.verdict,
            timing: ended.timing,
            learnt: ended.learnt.map(|learnt| *learnt),
            own: ended.exit.map(|exit| exit.ip),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TARGETS: usize = 2;

    fn job(id: u64) -> ControlJob {
        ControlJob {
            id,
            target: id as usize % TARGETS,
            address: ([127, 0, 0, 1], 80).into(),
        }
    }

    fn controls(count: u64) -> Controls {
        let mut controls = Controls::default();
        (0..count).for_each(|id| controls.add(job(id)));
        controls
    }

    fn ids(records: &[ControlRecord]) -> Vec<u64> {
        let mut ids: Vec<u64> = records.iter().map(|record| record.id).collect();
        ids.sort_unstable();
        ids
    }

    #[test]
    fn as_many_as_a_policy_has_targets_are_under_way_and_the_others_wait() {
        let mut controls = controls(CONTROLS_AT_ONCE as u64 + 1);
        for place in 0..CONTROLS_AT_ONCE {
            assert_eq!(controls.start(TARGETS), Some((place, job(place as u64))));
        }
        assert_eq!(controls.start(TARGETS), None);
        controls.end(3, Ended::unprobed(Verdict::Alive));
        let last = job(CONTROLS_AT_ONCE as u64);
        assert_eq!(controls.start(TARGETS), Some((3, last)));
        assert_eq!(ids(&controls.take_ended()), [3]);
    }

    #[test]
    fn a_target_that_the_policy_does_not_have_is_our_fault() {
        let mut controls = controls(3);
        assert_eq!(controls.start(1), Some((0, job(0))));
        assert_eq!(controls.start(1), Some((1, job(2))));
        let ended = controls.take_ended();
        assert_eq!(
            (ids(&ended), ended[0].verdict),
            (vec![1], Verdict::LocalFault)
        );
    }

    #[test]
    fn each_comes_back_once_through_panics_and_a_stop() {
        let mut controls = controls(20);
        let mut ended = Vec::new();
        for _ in 0..=CRASHES_MAX {
            while controls.start(TARGETS).is_some() {}
            controls.recover();
            ended.extend(controls.take_ended());
        }
        assert!(controls.start(TARGETS).is_some());
        controls.cancel_waiting();
        ended.extend(controls.take_ended());
        assert!(!controls.is_empty() && !controls.has_ended());
        let left = (0..CONTROLS_AT_ONCE).find(|&place| controls.under_way[place].is_some());
        controls.end(left.unwrap(), Ended::unprobed(Verdict::Refused));
        ended.extend(controls.take_ended());
        assert!(controls.is_empty());
        assert_eq!(ids(&ended), (0..20).collect::<Vec<_>>());
    }

    #[test]
    fn one_that_lost_its_time_is_asked_again_with_more_of_it_and_not_for_ever() {
        let (mut controls, grace) = (controls(1), Duration::from_secs(2));
        for time in 0..LATE_MAX {
            let (place, job) = controls.start(TARGETS).expect("once more");
            assert_eq!(job.id, 0);
            assert_eq!(controls.grace(place) == grace, time > 0);
            assert!(controls.again(place, grace), "time {time}");
        }
        let (place, _) = controls.start(TARGETS).expect("the last time");
        assert!(!controls.again(place, grace));
        controls.end(place, Ended::unprobed(Verdict::LocalLate));
        assert_eq!(ids(&controls.take_ended()), [0]);
        assert!(controls.is_empty());
    }

    #[test]
    fn one_that_is_under_way_in_every_panic_is_given_up() {
        let mut controls = controls(1);
        for _ in 0..=CRASHES_MAX {
            controls.start(TARGETS).expect("once more");
            controls.recover();
        }
        assert_eq!(controls.start(TARGETS), None);
        assert_eq!(controls.take_ended()[0].verdict, Verdict::LocalFault);
    }
}
