//! When a snapshot is due, and what of the last one it can share.

use super::event::unix;
use crate::ledger::{Change, Ledger, renumbered};
use crate::snapshot::{Pool, Proxy, Stale};
use proxy_shards::{Candidate, TARGETS_MAX, Targets};
use std::sync::Arc;

/// Shortest time between two publications, in milliseconds.
const PAUSE_MS: u64 = 250;

/// The pool as it was last published, with the figures that are drawn from it.
#[derive(Clone, Debug, Default)]
pub(super) struct View {
    pub(super) pool: Arc<Pool>,
    pub(super) latency_ms_p50: u32,
    pub(super) latency_ms_p95: u32,
    /// How many of the alive reach each target.
    pub(super) reached: [u64; TARGETS_MAX],
}

/// Knows what changed since the last publication, and when that was.
#[derive(Debug, Default)]
pub(super) struct Publisher {
    last_ms: Option<u64>,
    figures_changed: bool,
    pool_changed: bool,
    first_served: bool,
    view: View,
    retired: Retired,
}

/// Pools that were published before. They are kept until no reader has them, so that it is never a
/// reader who has to free the memory of a hundred thousand proxies; the next pool is written into it.
#[derive(Debug, Default)]
struct Retired(Vec<Arc<Pool>>);

impl Retired {
    /// Keeps a pool that has been replaced.
    fn add(&mut self, pool: Arc<Pool>) {
        self.0.push(pool);
    }

    /// An empty pool, in the memory of one that nobody reads any more, if that is not far too much
    /// for `expected` proxies.
    fn blank(&mut self, expected: usize) -> Pool {
        let mut blank = Pool::default();
        for pool in std::mem::take(&mut self.0) {
            match Arc::try_unwrap(pool) {
                Ok(pool) if pool.proxies().len() / 4 <= expected => blank = pool.cleared(),
                Ok(_) => {}
                Err(read) => self.0.push(read),
            }
        }
        blank
    }
}

impl Publisher {
    /// A verdict changed something.
    pub(super) fn note(&mut self, change: Change) {
        match change {
            Change::Found | Change::Confirmed | Change::Lost => self.pool_changed = true,
            Change::Local | Change::Failed => {}
        }
        self.figures_changed = true;
    }

    /// A figure changed.
    pub(super) fn note_figures(&mut self) {
        self.figures_changed = true;
    }

    /// Something about the alive changed that is no verdict: their sources, or who they are.
    pub(super) fn note_pool(&mut self) {
        self.pool_changed = true;
        self.figures_changed = true;
    }

    /// When the next publication is due, if anything changed. The first alive proxy does not wait.
    pub(super) fn due_at(&self, ledger: &Ledger) -> Option<u64> {
        let first = !self.first_served && ledger.total_alive() > 0;
        let pause = if first { 0 } else { PAUSE_MS };
        self.figures_changed
            .then(|| self.last_ms.map_or(0, |last| last + pause))
    }

    /// 95th percentile of the latency of the alive at the last publication, in milliseconds.
    pub(super) fn latency_ms_p95(&self) -> u32 {
        self.view.latency_ms_p95
    }

    /// Proxies in the pool that was last published.
    pub(super) fn served(&self) -> usize {
        self.view.pool.proxies().len()
    }

    /// What is to be published now; the pool is the last one if the alive did not change, or if none
    /// is left and the last one is served as stale.
    pub(super) fn take(&mut self, ledger: &Ledger, now_ms: u64, stale: Option<Stale>) -> View {
        self.last_ms = Some(now_ms);
        self.first_served |= ledger.total_alive() > 0;
        self.figures_changed = false;
        let is_kept = stale.is_some() && ledger.total_alive() == 0;
        if !is_kept && std::mem::take(&mut self.pool_changed) {
            let blank = self.retired.blank(ledger.total_alive() as usize);
            self.replace(View::of(ledger, blank));
        }
        self.view.clone()
    }

    /// The configuration is another one. A pool that is served though none of it is alive any more
    /// follows: `targets` has the old place of each, and what is not `allowed` leaves.
    pub(super) fn follow(
        &mut self,
        targets: &[Option<usize>],
        allowed: impl Fn(&Candidate) -> bool,
    ) {
        let proxies = self.view.pool.proxies().iter();
        let allowed = proxies.filter(|proxy| allowed(&proxy.candidate));
        let moved = allowed.map(|proxy| Proxy {
            targets: renumbered(proxy.targets, targets),
            source: None,
            ..proxy.clone()
        });
        let pool = Arc::new(Pool::new(moved.collect()));
        self.replace(View {
            pool,
            ..self.view.clone()
        });
        self.note_pool();
    }

    fn replace(&mut self, view: View) {
        let before = std::mem::replace(&mut self.view, view);
        self.retired.add(before.pool);
    }
}

impl View {
    /// Of all that is alive, written into `pool`, which is empty.
    fn of(ledger: &Ledger, mut pool: Pool) -> View {
        let mut reached = [0; TARGETS_MAX];
        let mut last = (u32::MAX, Targets::NONE);
        let mut latencies = Vec::with_capacity(ledger.total_alive() as usize);
        ledger.alive().for_each(|alive| {
            if last.0 != alive.index {
                last = (alive.index, Targets::NONE);
            }
            for place in alive.targets.without(last.1).iter() {
                reached[place] += 1;
            }
            last.1 = last.1.or(alive.targets);
            let latency_ms = to_ms(alive.latency_us);
            latencies.push(latency_ms);
            pool.push(Proxy {
                candidate: alive.candidate,
                protocol: alive.protocol,
                targets: alive.targets,
                exit: alive.exit,
                latency_ms,
                last_check: unix(alive.checked_at_ms),
                source: alive.source,
            });
        });
        View {
            latency_ms_p50: percentile(&mut latencies, 50),
            latency_ms_p95: percentile(&mut latencies, 95),
            pool: Arc::new(pool),
            reached,
        }
    }
}

/// Microseconds to the nearest millisecond.
fn to_ms(us: u32) -> u32 {
    us.saturating_add(500) / 1000
}

/// The smallest of `values` that `percent` of them do not exceed; 0 of none.
fn percentile(values: &mut [u32], percent: usize) -> u32 {
    if values.is_empty() {
        return 0;
    }
    let rank = (values.len() * percent).div_ceil(100).max(1) - 1;
    *values.select_nth_unstable(rank).1
}

#[cfg(test)]
mod tests {
    use super::*;
    use proxy_shards::{Protocol, Record, Verdict};

    #[test]
    fn a_percentile_is_a_value_that_occurred() {
        let mut values: Vec<u32> = (1..=100).rev().collect();
        assert_eq!(percentile(&mut values, 50), 50);
        assert_eq!(percentile(&mut values, 95), 95);
        assert_eq!(percentile(&mut [7], 95), 7);
        assert_eq!(percentile(&mut [], 95), 0);
    }

    /// A ledger of one alive proxy.
    fn ledger() -> Ledger {
        let mut ledger = Ledger::new(1);
        let index = ledger.admit("http://9.9.9.9:80".parse().unwrap(), 0);
        let record = Record::unprobed(0, Verdict::Alive);
        ledger.apply(index.unwrap(), &record, Targets::first(1), 1);
        ledger
    }

    #[test]
    fn a_pool_is_written_over_when_its_last_reader_is_gone_and_not_before() {
        let (mut publisher, ledger) = (Publisher::default(), ledger());
        let mut take = || {
            publisher.note_pool();
            publisher.take(&ledger, 0, None).pool
        };
        let place = |pool: &Arc<Pool>| pool.proxies().as_ptr();
        let first = take();
        let reader = Arc::clone(&first);
        let second = take();
        let third = take();
        assert!(place(&third) != place(&first) && place(&third) != place(&second));
        let was = place(&first);
        drop((first, reader));
        let fourth = take();
        assert_eq!(place(&fourth), was, "nobody reads the first");
        assert_eq!(
            (fourth.proxies().len(), fourth.of(Protocol::Http)),
            (1, &[0][..])
        );
        let owners = Arc::strong_count(&second);
        assert_eq!(owners, 2, "a reader never drops the last one");
    }

    #[test]
    fn a_pool_that_is_far_too_large_is_not_written_over() {
        let one = View::of(&ledger(), Pool::default()).pool.proxies()[0].clone();
        let mut retired = Retired::default();
        for (expected, is_reused) in [(20, false), (50, true)] {
            retired.add(Arc::new(Pool::new(vec![one.clone(); 100])));
            assert_eq!(retired.blank(expected).has_room(), is_reused);
        }
    }

    #[test]
    fn nothing_is_due_while_nothing_changed() {
        let (mut publisher, ledger) = (Publisher::default(), Ledger::new(0));
        assert_eq!(publisher.due_at(&ledger), None);
        publisher.note_figures();
        assert_eq!(publisher.due_at(&ledger), Some(0));
        publisher.take(&ledger, 40, None);
        assert_eq!(publisher.due_at(&ledger), None);
        publisher.note(Change::Failed);
        assert_eq!(publisher.due_at(&ledger), Some(290));
    }
}
