//! The jobs of one shard: waiting, under way, ended. Pure; it outlives the shard's executor, so
//! that a panic there loses no job.

use crate::conversation::{Plan, Way};
use crate::course::{Course, LOCAL_PAUSE, Next};
use crate::job::{Ended, Job, Record};
use crate::probe::Probe;
use crate::tally::Tally;
use crate::verdict::Verdict;
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// Executor panics during which a job may be under way before it is given up as `local_fault`.
pub(crate) const CRASHES_MAX: u8 = 2;

/// A job and what became of it so far.
#[derive(Debug)]
struct Task {
    job: Job,
    /// From its first probe on: the plan that it ends under, and how far it is.
    begun: Option<(Rc<Plan>, Course)>,
    crashes: u8,
    /// Added to the deadlines of its probes.
    grace: Duration,
}

impl Task {
    /// Its next probe, under `plan` if that is the first.
    fn probe(&mut self, plan: &Rc<Plan>) -> Probe {
        let begin = || (plan.clone(), Course::new(&self.job));
        let (plan, course) = self.begun.get_or_insert_with(begin);
        let (protocol, target) = course.at();
        let probe = Probe::through(plan, &self.job, Way::Proxy(protocol), target);
        probe.with_grace(self.grace)
    }

    /// A probe of it ended. A panic on the way leaves its course as it was, and the probe is made again.
    fn ended(&mut self, ended: &Ended) -> Next {
        let Some((plan, course)) = &mut self.begun else {
            return Next::Record;
        };
        let mut after = course.clone();
        let next = after.ended(&self.job, plan.policy(), ended);
        #[cfg(any(test, feature = "hooks"))]
        crate::hooks::panic_at(crate::hooks::Place::Record);
        *course = after;
        next
    }

    /// It ends here, for a reason of our own.
    fn cut(&mut self, verdict: Verdict) -> Record {
        if let Some((_, course)) = &mut self.begun {
            course.cut(&self.job, verdict);
        }
        self.record(verdict)
    }

    /// What it came to; `unprobed` if it never began.
    fn record(&self, unprobed: Verdict) -> Record {
        match &self.begun {
            Some((_, course)) => course.record(self.job.id),
            None => Record::unprobed(self.job.id, unprobed),
        }
    }
}

/// All jobs of one shard. A job is in exactly one of these places until its record is taken.
#[derive(Debug, Default)]
pub(crate) struct Jobs {
    waiting: VecDeque<Task>,
    /// After local trouble: again at their time. All pauses are equal, so the order is by time.
    paused: VecDeque<(Instant, Task)>,
    /// By lane.
    under_way: Vec<Option<Task>>,
    under_way_count: usize,
    ended: Vec<Record>,
    tally: Tally,
}

impl Jobs {
    /// Takes new jobs in.
    pub(crate) fn add(&mut self, jobs: Vec<Job>) {
        self.waiting.extend(jobs.into_iter().map(|job| Task {
            job,
            begun: None,
            crashes: 0,
            grace: Duration::ZERO,
        }));
    }

    /// The next probe for `lane`, which has none: under `plan`, unless its job began under another.
    pub(crate) fn start(&mut self, lane: usize, plan: &Rc<Plan>) -> Option<Probe> {
        // In line until it is under way: a panic on the way loses no job.
        let probe = self.waiting.front_mut()?.probe(plan);
        if self.under_way.len() <= lane {
            self.under_way.resize_with(lane + 1, || None);
        }
        let place = &mut self.under_way[lane];
        assert!(place.is_none(), "a lane has one job at a time");
        *place = self.waiting.pop_front();
        self.under_way_count += 1;
        Some(probe)
    }

    /// The probe of `lane`'s job ended: the job is recorded, or it waits for another one.
    pub(crate) fn end(&mut self, lane: usize, ended: &Ended, now: Instant) {
        let Some(task) = self.under_way.get_mut(lane).and_then(Option::as_mut) else {
            return;
        };
        // Under way until it is known what is next: a panic on the way loses no job.
        let next = task.ended(ended);
        let Some(task) = self.under_way[lane].take() else {
            return;
        };
        self.under_way_count -= 1;
        self.tally.record(ended.verdict, ended.timing.total_us);
        match next {
            Next::Probe => self.waiting.push_back(task),
            Next::ProbeLater => self.paused.push_back((now + LOCAL_PAUSE, task)),
            Next::Record => self.ended.push(task.record(ended.verdict)),
        }
    }

    /// The probe of `lane`'s job lost time to this host's own delays: those after it have so much more.
    pub(crate) fn make_up(&mut self, lane: usize, grace: Duration) {
        if let Some(Some(task)) = self.under_way.get_mut(lane) {
            task.grace = grace;
        }
    }

    /// Puts back in line what has paused long enough.
    pub(crate) fn resume(&mut self, now: Instant) {
        while self.paused.front().is_some_and(|(at, _)| *at <= now) {
            self.waiting
                .extend(self.paused.pop_front().map(|(_, task)| task));
        }
    }

    /// Ends every job that no lane has yet.
    pub(crate) fn cancel_waiting(&mut self) {
        let waiting = std::mem::take(&mut self.waiting);
        let paused = std::mem::take(&mut self.paused);
        let tasks = waiting
            .into_iter()
            .chain(paused.into_iter().map(|(_, task)| task));
        self.ended
            .extend(tasks.map(|mut task| task.cut(Verdict::LocalCancelled)));
    }

    /// The executor is gone: the probes under way are made again, unless
    /// their job was there too often.
    pub(crate) fn recover(&mut self) {
        for mut task in std::mem::take(&mut self.under_way).into_iter().flatten() {
            task.crashes += 1;
            if task.crashes > CRASHES_MAX {
                self.ended.push(task.cut(Verdict::LocalFault));
            } else {
                self.waiting.push_back(task);
            }
        }
        self.under_way_count = 0;
    }

    /// Jobs that no lane has yet.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.len() + self.paused.len()
    }

    /// Jobs that a lane could take now.
    pub(crate) fn ready(&self) -> usize {
        self.waiting.len()
    }

    /// Jobs that a lane has.
    pub(crate) fn under_way(&self) -> usize {
        self.under_way_count
    }

    /// Records not taken yet.
    pub(crate) fn unreported(&self) -> usize {
        self.ended.len()
    }

    /// How much there is to report: records, or counts of probes whose jobs go on, which count as one.
    pub(crate) fn news(&self) -> usize {
        self.ended.len().max(usize::from(!self.tally.is_empty()))
    }

    /// Whether there is nothing to do and nothing to report.
    pub(crate) fn is_empty(&self) -> bool {
        self.waiting() + self.under_way_count + self.unreported() == 0
    }

    /// Takes the records and counts since the last call.
    pub(crate) fn take_ended(&mut self) -> (Vec<Record>, Tally) {
        (
            std::mem::take(&mut self.ended),
            std::mem::take(&mut self.tally),
        )
    }
}

#[cfg(test)]
mod tests;
