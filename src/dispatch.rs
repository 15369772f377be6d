//! Tops the shards up: enough jobs that no shard idles, few enough that none has a long queue.

pub mod quota;
#[cfg(test)]
pub(crate) mod world;

use crossbeam_channel::Receiver;
use proxy_shards::{ControlJob, Engine, Job, ProbePolicy, Report};
use std::net::SocketAddr;
use std::num::{NonZeroU32, NonZeroUsize};
use std::sync::Arc;
use std::time::Duration;

/// The running shards as their user sees them: [`Engine`], or a simulation of it in tests.
pub trait Shards {
    /// Number of shards.
    fn shards(&self) -> usize;
    /// Lanes of one shard.
    fn lanes_per_shard(&self) -> usize;
    /// The shard that probes `address`, always the same one.
    fn shard_of(&self, address: SocketAddr) -> usize;
    /// Hands jobs to a shard. Never blocks; each job comes back in exactly one record.
    fn submit(&self, shard: usize, jobs: Vec<Job>);
    /// Reaches a target without a proxy, ahead of all jobs of `shard`; comes back in exactly one
    /// control record. Never blocks.
    fn control(&self, shard: usize, job: ControlJob);
    /// Where the reports arrive.
    fn reports(&self) -> &Receiver<Report>;
    /// Replaces the policy of the probes that start from now on.
    fn set_policy(&self, policy: Arc<ProbePolicy>);
    /// Grows or shrinks the lanes of all shards together.
    fn set_lanes(&self, lanes: NonZeroUsize);
    /// Begins at most so many connections a second from now on, all shards together.
    fn set_pace(&self, per_second: Option<NonZeroU32>);
    /// Stops within `grace`; the last reports are in the channel that it returns.
    fn stop(self, grace: Duration) -> Receiver<Report>;
}

impl Shards for Engine {
    fn shards(&self) -> usize {
        Engine::shards(self)
    }
    fn lanes_per_shard(&self) -> usize {
        Engine::lanes_per_shard(self)
    }
    fn shard_of(&self, address: SocketAddr) -> usize {
        Engine::shard_of(self, address)
    }
    fn submit(&self, shard: usize, jobs: Vec<Job>) {
        Engine::submit(self, shard, jobs);
    }
    fn control(&self, shard: usize, job: ControlJob) {
        Engine::control(self, shard, job);
    }
    fn reports(&self) -> &Receiver<Report> {
        Engine::reports(self)
    }
    fn set_policy(&self, policy: Arc<ProbePolicy>) {
        Engine::set_policy(self, policy);
    }
    fn set_lanes(&self, lanes: NonZeroUsize) {
        Engine::set_lanes(self, lanes);
    }
    fn set_pace(&self, per_second: Option<NonZeroU32>) {
        Engine::set_pace(self, per_second);
    }
    fn stop(self, grace: Duration) -> Receiver<Report> {
        Engine::stop(self, grace)
    }
}

/// Part of the lanes, as a divisor, that jobs may wait for before anything is known of their pace; and
/// the largest part that is kept free for proxies that are known to be alive.
const SLACK_PART: usize = 8;
const RESERVE_PART: usize = 4;

/// How many jobs each shard has, and how many more it may be given.
///
/// A shard holds at most one job for each lane and one batch that waits: the batch covers the time
/// until its reports have come back, and is what an urgent job may have to wait behind. If it is
/// [paced](Dispatch::paced), no more wait than twice what came back with the last report: behind quick
/// probes the next job is there, and behind those that last for their whole deadline nothing waits.
#[derive(Clone, Debug)]
pub struct Dispatch {
    outstanding: Vec<usize>,
    /// Jobs that came back with the last report, if that is the measure.
    pace: Option<Vec<usize>>,
    lanes_per_shard: usize,
    batch_size: usize,
}

impl Dispatch {
    /// Nothing is out yet. `batch_size` is the most that is handed over at once.
    pub fn new(shards: usize, lanes_per_shard: usize, batch_size: NonZeroUsize) -> Dispatch {
        Dispatch {
            outstanding: vec![0; shards],
            pace: None,
            lanes_per_shard,
            batch_size: batch_size.get(),
        }
    }

    /// The same, but no more jobs wait than twice as many as came back with the last report of their
    /// shard: many may end at once, and the next report comes only after a while.
    pub fn paced(self) -> Dispatch {
        Dispatch {
            pace: Some(vec![0; self.outstanding.len()]),
            ..self
        }
    }

    /// Changes the sizes; what is out stays out.
    pub fn resize(&mut self, lanes_per_shard: usize, batch_size: NonZeroUsize) {
        self.lanes_per_shard = lanes_per_shard;
        self.batch_size = batch_size.get();
    }

    /// Number of shards.
    pub fn shards(&self) -> usize {
        self.outstanding.len()
    }

    /// How many jobs `shard` may be given now, at most one batch.
    pub fn room(&self, shard: usize) -> usize {
        if self.lanes_per_shard == 0 {
            return 0; // no node is there that has any
        }
        let least = (self.lanes_per_shard / SLACK_PART).max(1);
        let full = self.lanes_per_shard + self.slack(shard, least);
        let free = full.saturating_sub(self.outstanding[shard]);
        free.min(self.batch_size)
    }

    /// How many jobs of proxies that are not known to be alive `shard` may have, if so many lanes are
    /// kept for those that are, of which it has at most a quarter; then nothing else waits in line
    /// before them.
    pub fn unproven_max(&self, shard: usize, kept: usize) -> usize {
        if kept == 0 {
            return self.lanes_per_shard + self.slack(shard, 0);
        }
        self.lanes_per_shard - kept.min(self.lanes_per_shard / RESERVE_PART)
    }

    /// How many jobs may wait in `shard`.
    fn slack(&self, shard: usize, least: usize) -> usize {
        let pace = self.pace.as_ref().map(|pace| (2 * pace[shard]).max(least));
        pace.map_or(self.batch_size, |pace| pace.min(self.batch_size))
    }

    /// `shard` was given `jobs`.
    pub fn took(&mut self, shard: usize, jobs: usize) {
        self.outstanding[shard] += jobs;
    }

    /// `jobs` of `shard` came back.
    pub fn ended(&mut self, shard: usize, jobs: usize) {
        self.outstanding[shard] = self.outstanding[shard].saturating_sub(jobs);
        if let Some(pace) = &mut self.pace {
            pace[shard] = jobs;
        }
    }

    /// Jobs that are out, on all shards.
    pub fn outstanding(&self) -> usize {
        self.outstanding.iter().sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dispatch(lanes: usize, batch: usize) -> Dispatch {
        Dispatch::new(2, lanes, NonZeroUsize::new(batch).unwrap())
    }

    fn fill(dispatch: &mut Dispatch, shard: usize) -> Vec<usize> {
        let mut batches = Vec::new();
        while dispatch.room(shard) > 0 {
            batches.push(dispatch.room(shard));
            dispatch.took(shard, dispatch.room(shard));
        }
        batches
    }

    #[test]
    fn a_shard_is_filled_to_its_lanes_and_one_batch_in_batches() {
        let mut dispatch = dispatch(25, 10);
        assert_eq!(fill(&mut dispatch, 0), [10, 10, 10, 5]);
        assert_eq!(dispatch.outstanding(), 35);
    }

    #[test]
    fn without_lanes_nothing_is_handed_over() {
        let dispatch = Dispatch::new(1, 0, NonZeroUsize::MIN).paced();
        assert_eq!(dispatch.room(0), 0);
    }

    #[test]
    fn a_full_shard_does_not_block_another() {
        let mut dispatch = dispatch(5, 10);
        fill(&mut dispatch, 0);
        assert_eq!((dispatch.room(0), dispatch.room(1)), (0, 10));
    }

    #[test]
    fn what_comes_back_makes_room() {
        let mut dispatch = dispatch(5, 10);
        fill(&mut dispatch, 1);
        dispatch.ended(1, 3);
        assert_eq!(dispatch.room(1), 3);
        dispatch.ended(1, 1000);
        assert_eq!(dispatch.outstanding(), 0);
    }

    #[test]
    fn a_paced_shard_has_twice_as_many_jobs_waiting_as_came_back_last() {
        let mut dispatch = Dispatch::new(1, 80, NonZeroUsize::new(100).unwrap()).paced();
        fill(&mut dispatch, 0);
        assert_eq!(dispatch.outstanding(), 90, "an eighth, as nothing is known");
        dispatch.ended(0, 30);
        fill(&mut dispatch, 0);
        assert_eq!(dispatch.outstanding(), 140);
        dispatch.ended(0, 1);
        assert_eq!((dispatch.room(0), dispatch.outstanding()), (0, 139));
    }

    #[test]
    fn lanes_are_kept_for_the_alive_up_to_a_quarter() {
        let mut dispatch = Dispatch::new(1, 80, NonZeroUsize::new(100).unwrap()).paced();
        let most = [0, 7, 20, 999].map(|wanted| dispatch.unproven_max(0, wanted));
        assert_eq!(most, [80, 73, 60, 60]);
        dispatch.ended(0, 5);
        assert_eq!([0, 7].map(|n| dispatch.unproven_max(0, n)), [90, 73]);
        let one_lane = Dispatch::new(1, 1, NonZeroUsize::new(1).unwrap()).paced();
        assert_eq!(one_lane.unproven_max(0, 9), 1);
    }

    #[test]
    fn fewer_lanes_give_no_room_until_enough_came_back() {
        let mut dispatch = dispatch(90, 10);
        fill(&mut dispatch, 0);
        dispatch.resize(20, NonZeroUsize::new(10).unwrap());
        assert_eq!(dispatch.room(0), 0);
        dispatch.ended(0, 75);
        assert_eq!(dispatch.room(0), 5);
    }
}
