//! When a snapshot is due, and what of the last one it can share.

use super::view::View;
use crate::ledger::{Change, Ledger, renumbered};
use crate::snapshot::{Pool, Proxy, Stale};
use proxy_shards::Candidate;
use std::sync::Arc;

/// Shortest time between two publications, in milliseconds.
const PAUSE_MS: u64 = 250;
/// Most candidates of which it is remembered that they changed; with more, all count as changed.
const CHANGED_MAX: usize = 16 * 1024;

/// Knows what changed since the last publication, and when that was.
#[derive(Debug, Default)]
pub(crate) struct Publisher {
    last_ms: Option<u64>,
    figures_changed: bool,
    /// Candidates that are served otherwise than in the last pool, or may be.
    changed: Vec<u32>,
    /// Every candidate may be.
    all_changed: bool,
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
                Ok(pool) if pool.capacity() / 4 <= expected => blank = pool.cleared(),
                Ok(_) => {}
                Err(read) => self.0.push(read),
            }
        }
        blank
    }
}

impl Publisher {
    /// A verdict on the candidate `index` changed something.
    pub(crate) fn note(&mut self, index: u32, change: Change, ledger: &Ledger) {
        self.figures_changed = true;
        match change {
            Change::Found | Change::Confirmed | Change::Lost => {}
            Change::Local | Change::Failed => return,
        }
        if self.changed.len() >= CHANGED_MAX {
            self.all_changed = true;
            self.changed.clear();
        }
        if !self.all_changed {
            self.changed.push(index);
            self.changed.extend(ledger.beside(index));
        }
    }

    /// A figure changed.
    pub(super) fn note_figures(&mut self) {
        self.figures_changed = true;
    }

    /// Something about the alive changed that is no verdict: their sources, or who they are.
    pub(crate) fn note_pool(&mut self) {
        self.all_changed = true;
        self.figures_changed = true;
    }

    /// Whether every candidate may be served otherwise than in the last pool.
    pub(super) fn is_all_changed(&self) -> bool {
        self.all_changed
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
    pub(crate) fn take(&mut self, ledger: &Ledger, now_ms: u64, stale: Option<Stale>) -> View {
        self.last_ms = Some(now_ms);
        self.first_served |= ledger.total_alive() > 0;
        self.figures_changed = false;
        let is_kept = stale.is_some() && ledger.total_alive() == 0;
        let changed = self.all_changed || !self.changed.is_empty();
        if changed && !is_kept {
            let blank = self.retired.blank(ledger.total_alive() as usize);
            let view = match std::mem::take(&mut self.all_changed) {
                true => View::of(ledger, blank),
                false => self.view.changed(&mut self.changed, ledger, blank),
            };
            self.changed.clear();
            self.replace(view);
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
            banned_at: renumbered(proxy.banned_at, targets),
            source: None,
            ..proxy.clone()
        });
        let pool = Arc::new(Pool::new(moved.collect()));
        let view = match pool.proxies().is_empty() {
            // No figures of what is gone.
            true => View::default(),
            false => self.view.with(pool),
        };
        self.replace(view);
        self.note_pool();
    }

    fn replace(&mut self, view: View) {
        let before = std::mem::replace(&mut self.view, view);
        self.retired.add(before.pool);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fastrand::Rng;
    use proxy_shards::{Protocol, Record, Scheme, Targets, Verdict, Works};

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

    /// All that a view says.
    fn told(view: &View) -> String {
        let by_protocol = Protocol::ALL.map(|protocol| view.pool.of(protocol));
        format!("{view:?} {by_protocol:?}")
    }

    #[test]
    fn a_pool_made_of_the_last_one_and_the_changes_is_the_one_that_the_ledger_gives() {
        let seed = fastrand::u64(..);
        eprintln!("seed {seed}"); // shown if the test fails
        let mut random = Rng::with_seed(seed);
        let (mut publisher, mut ledger) = (Publisher::default(), Ledger::new(1));
        // Few addresses under many schemes: what one is served as depends on the others.
        let candidate = |random: &mut Rng| -> Candidate {
            let scheme = random.choice(Scheme::ALL).unwrap().label();
            let user = random.choice(["", "", "u:p@"]).unwrap();
            let host = random.u8(1..=6);
            format!("{scheme}://{user}9.9.9.{host}:80").parse().unwrap()
        };
        let mut served = 0;
        for round in 0..3_000 {
            for _ in 0..random.usize(..4) {
                let index = ledger.admit(candidate(&mut random), 0);
                let index = index.unwrap_or_else(|known| known);
                let change = ledger.apply(index, &record(&mut random), Targets::first(2), round);
                publisher.note(index, change, &ledger);
            }
            if random.u8(..20) == 0 {
                // Another list: what it does not hold is forgotten, and its index used again.
                let kept = ledger.indexes().filter(|_| random.u8(..4) > 0);
                let kept: Vec<u32> = kept.collect();
                ledger.set_list(0, ledger.indexes().collect());
                ledger.set_list(0, kept);
                publisher.note_pool();
                publisher.take(&ledger, round, None);
                let over: Vec<u32> = ledger.indexes().filter(|&i| ledger.is_over(i)).collect();
                over.into_iter().for_each(|index| ledger.forget(index));
            }
            if random.bool() {
                let view = publisher.take(&ledger, round, None);
                served += view.pool.proxies().len();
                assert_eq!(told(&view), told(&View::of(&ledger, Pool::default())));
            }
        }
        assert!(served > 3_000, "{served}");
    }

    /// Alive by some protocols, or refused.
    fn record(random: &mut Rng) -> Record {
        let mut works = Works::default();
        if random.u8(..3) == 0 {
            return Record::unprobed(0, Verdict::Refused);
        }
        for protocol in Protocol::ALL {
            if random.bool() {
                works.set(protocol, Targets::from_bits(random.u8(..4)));
            }
        }
        let mut record = Record::unprobed(0, Verdict::Alive);
        record.works = works;
        record.timing.total_us = random.u32(..3_000_000);
        record
    }

    #[test]
    fn more_changes_than_are_remembered_are_changes_of_all() {
        let (mut publisher, ledger) = (Publisher::default(), ledger());
        publisher.take(&ledger, 0, None);
        for _ in 0..=CHANGED_MAX {
            assert!(!publisher.all_changed);
            publisher.note(0, Change::Confirmed, &ledger);
        }
        assert!(publisher.all_changed && publisher.changed.is_empty());
        assert_eq!(publisher.take(&ledger, 1, None).pool.proxies().len(), 1);
        assert!(!publisher.all_changed);
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
        publisher.note(0, Change::Failed, &ledger);
        assert_eq!(publisher.due_at(&ledger), Some(290));
    }
}
