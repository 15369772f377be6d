//! Hands the shards their jobs: a full shard never blocks another, and none has a long queue.

use proxy_shards::{Engine, Job};
use std::collections::VecDeque;
use std::num::NonZeroUsize;

/// Which shard gets which job.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Deal {
    /// In turns, as `proxy-checker check` does.
    #[default]
    Even,
    /// By the hash of the address, as the service does.
    Hash,
}

/// The jobs that each shard still has to be given.
pub(super) struct Feed {
    queues: Vec<VecDeque<Job>>,
    /// How many each has now.
    out: Vec<usize>,
    /// How many it may have: one for each lane, and a batch that waits.
    most: usize,
    batch: usize,
}

impl Feed {
    pub(super) fn new(engine: &Engine, jobs: Vec<Job>, deal: Deal, batch: NonZeroUsize) -> Feed {
        let shards = engine.shards();
        let mut queues = vec![VecDeque::new(); shards];
        for job in jobs {
            let shard = match deal {
                Deal::Even => job.id as usize % shards,
                Deal::Hash => engine.shard_of(job.address),
            };
            queues[shard].push_back(job);
        }
        Feed {
            queues,
            out: vec![0; shards],
            most: engine.lanes_per_shard() + batch.get(),
            batch: batch.get(),
        }
    }

    /// Hands every shard what it has room for, by batches.
    pub(super) fn top_up(&mut self, engine: &Engine) {
        for (shard, queue) in self.queues.iter_mut().enumerate() {
            while self.out[shard] < self.most && !queue.is_empty() {
                let room = self.most - self.out[shard];
                let count = room.min(self.batch).min(queue.len());
                self.out[shard] += count;
                engine.submit(shard, queue.drain(..count).collect());
            }
        }
    }

    /// So many jobs of `shard` came back.
    pub(super) fn ended(&mut self, shard: usize, jobs: usize) {
        self.out[shard] = self.out[shard].saturating_sub(jobs);
    }
}
