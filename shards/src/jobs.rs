//! The jobs of one shard: waiting, under way, ended. Pure; it outlives the shard's executor, so
//! that a panic there loses no job.

use crate::job::{Ended, Job, Record};
use crate::tally::Tally;
use crate::verdict::Verdict;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Probes that end in local trouble are made again this many times, after a pause.
const LOCAL_RETRIES: u8 = 3;
const LOCAL_PAUSE: Duration = Duration::from_millis(250);
/// Executor panics during which a job may be under way before it is given up as `local_fault`.
const CRASHES_MAX: u8 = 2;

/// A job and what became of it so far.
#[derive(Debug)]
struct Task {
    job: Job,
    attempts: u16,
    local_tries: u8,
    crashes: u8,
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
            attempts: 0,
            local_tries: 0,
            crashes: 0,
        }));
    }

    /// The next job for `lane`, which has none.
    pub(crate) fn start(&mut self, lane: usize) -> Option<Job> {
        let task = self.waiting.pop_front()?;
        let job = task.job.clone();
        if self.under_way.len() <= lane {
            self.under_way.resize_with(lane + 1, || None);
        }
        let before = self.under_way[lane].replace(task);
        assert!(before.is_none(), "a lane has one job at a time");
        self.under_way_count += 1;
        Some(job)
    }

    /// The probe of `lane`'s job ended: it is recorded, or it waits for another attempt.
    pub(crate) fn end(&mut self, lane: usize, ended: Ended, retries: u8, now: Instant) {
        let Some(mut task) = self.under_way.get_mut(lane).and_then(Option::take) else {
            return;
        };
        self.under_way_count -= 1;
        self.tally.record(ended.verdict, ended.timing.total_us);
        task.attempts += 1;
        let again = ended.verdict.is_worth_retrying();
        if again && ended.verdict.is_local() && task.local_tries < LOCAL_RETRIES {
            task.local_tries += 1;
            self.paused.push_back((now + LOCAL_PAUSE, task));
        } else if again
            && !ended.verdict.is_local()
            && task.attempts - u16::from(task.local_tries) <= u16::from(retries)
        {
            // Behind all others, so that it is not asked at once again and no lane waits for it.
            self.waiting.push_back(task);
        } else {
            self.record(&task, ended);
        }
    }

    fn record(&mut self, task: &Task, ended: Ended) {
        self.ended.push(Record {
            attempts: task.attempts.try_into().unwrap_or(u8::MAX),
            timing: ended.timing,
            ..Record::unprobed(task.job.id, ended.verdict)
        });
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
        for task in waiting
            .into_iter()
            .chain(paused.into_iter().map(|(_, task)| task))
        {
            self.record(&task, Ended::unprobed(Verdict::LocalCancelled));
        }
    }

    /// The executor is gone: what was under way starts over, unless it was there too often.
    pub(crate) fn recover(&mut self) {
        for mut task in std::mem::take(&mut self.under_way).into_iter().flatten() {
            task.crashes += 1;
            if task.crashes > CRASHES_MAX {
                self.record(&task, Ended::unprobed(Verdict::LocalFault));
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
mod tests {
    use super::*;
    use crate::{Protocol, Protocols};

    fn job(id: u64) -> Job {
        Job {
            id,
            protocols: Protocols::only(Protocol::Http),
            address: ([127, 0, 0, 1], 80).into(),
            credentials: None,
        }
    }

    fn ended(verdict: Verdict) -> Ended {
        Ended::unprobed(verdict)
    }

    /// Runs one job whose every probe ends with the next of `verdicts`; gives its record's verdict
    /// and attempts.
    fn check(verdicts: &[Verdict], retries: u8) -> (Verdict, u8) {
        let (mut jobs, mut now) = (Jobs::default(), Instant::now());
        jobs.add(vec![job(7)]);
        for &verdict in verdicts {
            jobs.start(0).expect("another attempt");
            jobs.end(0, ended(verdict), retries, now);
            now += LOCAL_PAUSE;
            jobs.resume(now);
        }
        assert!(jobs.start(0).is_none(), "no attempt too many");
        let (records, tally) = jobs.take_ended();
        assert_eq!((records.len(), tally.total()), (1, verdicts.len() as u64));
        (records[0].verdict, records[0].attempts)
    }

    #[test]
    fn a_refusal_is_never_retried() {
        assert_eq!(check(&[Verdict::Refused], 3), (Verdict::Refused, 1));
    }

    #[test]
    fn a_timeout_is_retried_as_often_as_asked() {
        use Verdict::ConnectTimeout;
        assert_eq!(check(&[ConnectTimeout], 0), (ConnectTimeout, 1));
        assert_eq!(
            check(&[ConnectTimeout, ConnectTimeout], 1),
            (ConnectTimeout, 2)
        );
        assert_eq!(
            check(&[ConnectTimeout, Verdict::Alive], 2),
            (Verdict::Alive, 2)
        );
    }

    #[test]
    fn the_most_retries_end_too() {
        let silence = [Verdict::ConnectTimeout; 256];
        assert_eq!(check(&silence, u8::MAX), (Verdict::ConnectTimeout, 255));
    }

    #[test]
    fn local_trouble_is_retried_after_a_pause_and_does_not_use_up_the_retries() {
        use Verdict::{LocalPorts, Reset};
        assert_eq!(
            check(&[LocalPorts, Reset, Verdict::Alive], 1),
            (Verdict::Alive, 3)
        );
        assert_eq!(check(&[LocalPorts; 4], 0), (LocalPorts, 4));
    }

    #[test]
    fn a_paused_job_is_not_ready_before_its_time() {
        let (mut jobs, now) = (Jobs::default(), Instant::now());
        jobs.add(vec![job(1)]);
        jobs.start(0);
        jobs.end(0, ended(Verdict::LocalMemory), 0, now);
        jobs.resume(now + LOCAL_PAUSE / 2);
        assert_eq!((jobs.ready(), jobs.waiting()), (0, 1));
    }

    #[test]
    fn a_panicked_executor_loses_and_doubles_no_job() {
        let mut jobs = Jobs::default();
        jobs.add((0..10).map(job).collect());
        for round in 0..=CRASHES_MAX {
            (0..4).for_each(|lane| drop(jobs.start(lane)));
            assert_eq!(jobs.under_way(), 4, "round {round}");
            jobs.recover();
        }
        while let Some(_job) = jobs.start(0) {
            jobs.end(0, ended(Verdict::Alive), 0, Instant::now());
        }
        let mut ids: Vec<u64> = jobs.take_ended().0.iter().map(|record| record.id).collect();
        ids.sort_unstable();
        assert_eq!(ids, (0..10).collect::<Vec<_>>());
    }

    #[test]
    fn a_job_under_way_in_every_crash_is_given_up_as_our_fault() {
        let mut jobs = Jobs::default();
        jobs.add(vec![job(1)]);
        for _ in 0..=CRASHES_MAX {
            jobs.start(0);
            jobs.recover();
        }
        assert_eq!(jobs.take_ended().0[0].verdict, Verdict::LocalFault);
    }

    #[test]
    fn cancelled_jobs_are_recorded_once_each() {
        let mut jobs = Jobs::default();
        jobs.add((0..3).map(job).collect());
        jobs.start(0);
        jobs.end(0, ended(Verdict::LocalPorts), 0, Instant::now());
        jobs.start(0);
        jobs.cancel_waiting();
        let records = jobs.take_ended().0;
        assert_eq!(records.len(), 2);
        assert!(
            records
                .iter()
                .all(|record| record.verdict == Verdict::LocalCancelled)
        );
        assert_eq!(jobs.under_way(), 1);
    }
}
