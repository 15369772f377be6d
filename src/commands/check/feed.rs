//! What each shard still has to be given, and where every candidate stands.

use super::list::List;
use crate::dispatch::{Dispatch, Shards};
use proxy_shards::Job;
use std::collections::{HashMap, VecDeque};
use std::num::NonZeroUsize;

/// Upper bound of the jobs handed to a shard at once.
const BATCH_SIZE: NonZeroUsize = NonZeroUsize::new(2_000).unwrap();
/// How often a candidate is probed again because the targets were down when it failed.
const TARGET_DOWN_MAX: u8 = 3;
/// How often because this host had no ports or memory for more, while there come to be fewer lanes:
/// the shard's own retries last 750 ms each time, so that the host has most of a minute.
const HOST_SHORT_MAX: u8 = 60;

/// How often because this host's CPUs were late, while there come to be fewer lanes: each time the
/// shard has made the probe four times, so that it may take as many timeouts.
const HOST_LATE_MAX: u8 = 10;

/// Why a candidate is probed again.
#[derive(Clone, Copy, Debug)]
pub(super) enum Again {
    /// The targets were down when it failed.
    TargetDown,
    /// This host had no ports or memory for more.
    HostShort,
    /// This host's CPUs were late.
    HostLate,
}

impl Again {
    fn most(self) -> u8 {
        match self {
            Again::TargetDown => TARGET_DOWN_MAX,
            Again::HostShort => HOST_SHORT_MAX,
            Again::HostLate => HOST_LATE_MAX,
        }
    }
}

/// Where one candidate stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stand {
    /// Not handed out, or back.
    Here,
    /// With a shard, since then, in milliseconds of the check.
    Out { began_ms: u64 },
}

/// A candidate that came back from its shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Back {
    /// Its index.
    pub(super) index: u32,
    /// When it was handed out, in milliseconds of the check.
    pub(super) began_ms: u64,
}

/// What each shard still has to be given, as indexes: a full shard never blocks another.
pub(super) struct Feed {
    queues: Vec<VecDeque<u32>>,
    dispatch: Dispatch,
    stands: Vec<Stand>,
    /// How often each was probed again, for each reason; few ever are.
    again: HashMap<u32, [u8; 3]>,
}

impl Feed {
    /// Deals `indexes`, of `count` candidates in all, out to the shards, evenly: nothing is checked
    /// twice here, so it does not matter which shard checks it, and lanes of one shard never idle
    /// while another has a queue.
    pub(super) fn new(
        shards: &impl Shards,
        count: usize,
        indexes: impl Iterator<Item = u32>,
    ) -> Feed {
        let mut queues = vec![VecDeque::new(); shards.shards()];
        let mut next = (0..queues.len()).cycle();
        for index in indexes {
            queues[next.next().unwrap_or_default()].push_back(index);
        }
        Feed {
            dispatch: Dispatch::new(shards.shards(), shards.lanes_per_shard(), BATCH_SIZE),
            queues,
            stands: vec![Stand::Here; count],
            again: HashMap::new(),
        }
    }

    /// Whether no candidate is with a shard or waits for one.
    pub(super) fn is_idle(&self) -> bool {
        self.dispatch.outstanding() == 0 && self.queues.iter().all(VecDeque::is_empty)
    }

    /// Hands every shard what it has room for.
    pub(super) fn top_up(&mut self, list: &List, shards: &impl Shards, now_ms: u64) {
        for shard in 0..self.queues.len() {
            self.top_up_one(shard, list, shards, now_ms);
        }
    }

    fn top_up_one(&mut self, shard: usize, list: &List, shards: &impl Shards, now_ms: u64) {
        loop {
            let queue = &mut self.queues[shard];
            let room = self.dispatch.room(shard).min(queue.len());
            let indexes: Vec<u32> = queue.drain(..room).collect();
            let jobs: Vec<Job> = indexes.iter().filter_map(|&i| job(list, i)).collect();
            if jobs.is_empty() {
                return;
            }
            for index in indexes {
                self.stands[index as usize] = Stand::Out { began_ms: now_ms };
            }
            self.dispatch.took(shard, jobs.len());
            shards.submit(shard, jobs);
        }
    }

    /// Jobs that are with the shards.
    pub(super) fn outstanding(&self) -> usize {
        self.dispatch.outstanding()
    }

    /// The shards have so many lanes each now.
    pub(super) fn resize(&mut self, lanes_per_shard: usize) {
        self.dispatch.resize(lanes_per_shard, BATCH_SIZE);
    }

    /// `jobs` of `shard` came back.
    pub(super) fn ended(&mut self, shard: usize, jobs: usize) {
        self.dispatch.ended(shard, jobs);
    }

    /// Takes the candidate of this job back; nothing if it is not out, which a stray record is.
    pub(super) fn back(&mut self, id: u64) -> Option<Back> {
        let index = u32::try_from(id).ok()?;
        let stand = self.stands.get_mut(index as usize)?;
        match std::mem::replace(stand, Stand::Here) {
            Stand::Here => None,
            Stand::Out { began_ms } => Some(Back { index, began_ms }),
        }
    }

    /// Has a candidate probed again; `false` if that was done often enough for this reason.
    pub(super) fn again(&mut self, index: u32, reason: Again) -> bool {
        let times = &mut self.again.entry(index).or_default()[reason as usize];
        if *times >= reason.most() {
            return false;
        }
        *times += 1;
        let shortest = self.queues.iter_mut().min_by_key(|queue| queue.len());
        if let Some(queue) = shortest {
            queue.push_back(index);
        }
        true
    }
}

fn job(list: &List, index: u32) -> Option<Job> {
    let candidate = list.candidate(index);
    Some(Job {
        id: index.into(),
        protocols: candidate.scheme.protocols(),
        // Only candidates with an address wait for a shard.
        address: list.address(candidate).ok()?,
        credentials: candidate.credentials.clone(),
    })
}
