//! The pool as it was last published, with the figures that are drawn from it: made of the ledger, or
//! of the last one and what changed since.

use super::event::unix;
use crate::ledger::{Alive, Ledger};
use crate::snapshot::{Pool, Proxy, Spread};
use proxy_shards::{TARGETS_MAX, Targets};
use std::sync::Arc;

/// The pool as it was last published, with the figures that are drawn from it.
#[derive(Clone, Debug, Default)]
pub(crate) struct View {
    pub(crate) pool: Arc<Pool>,
    pub(crate) latency_ms_p50: u32,
    pub(crate) latency_ms_p95: u32,
    pub(crate) latency_spread: Spread,
    /// How many of the alive each source is the first to list, by its place.
    pub(super) by_source: Arc<Vec<u64>>,
    /// How many of the alive reach each target.
    pub(super) reached: [u64; TARGETS_MAX],
    /// The candidate of each proxy, in the order of the pool; it never falls.
    indexes: Arc<Vec<u32>>,
}

impl View {
    /// Of all that is alive, written into `blank`.
    pub(super) fn of(ledger: &Ledger, blank: Pool) -> View {
        let mut making = Making::new(blank, ledger.total_alive() as usize);
        ledger.alive().for_each(|alive| making.add_alive(alive));
        making.finish()
    }

    /// The same figures with another pool, from which no next one can be made.
    pub(super) fn with(&self, pool: Arc<Pool>) -> View {
        View {
            pool,
            ..self.clone()
        }
    }

    /// The same where only the candidates in `changed` may be served otherwise than in this one. A
    /// copy from one end to the other takes far less time than to look everything up again.
    pub(super) fn changed(&self, changed: &mut Vec<u32>, ledger: &Ledger, blank: Pool) -> View {
        changed.sort_unstable();
        changed.dedup();
        let (proxies, indexes) = (self.pool.proxies(), &self.indexes[..]);
        let mut making = Making::new(blank, proxies.len());
        let mut place = 0;
        for &index in changed.iter() {
            let end = place + indexes[place..].partition_point(|&i| i < index);
            making.add_all(&indexes[place..end], &proxies[place..end]);
            let was = indexes[end..].iter().take_while(|&&i| i == index);
            place = end + was.count();
            for alive in ledger.alive_as(index) {
                making.add_alive(alive);
            }
        }
        making.add_all(&indexes[place..], &proxies[place..]);
        making.finish()
    }
}

/// A view under way.
struct Making {
    pool: Pool,
    indexes: Vec<u32>,
    latencies: Vec<u32>,
    by_source: Vec<u64>,
    reached: [u64; TARGETS_MAX],
    /// The candidate that was added last, and what was counted of it.
    last: (u32, Targets),
}

impl Making {
    fn new(blank: Pool, expected: usize) -> Making {
        Making {
            pool: blank,
            indexes: Vec::with_capacity(expected),
            latencies: Vec::with_capacity(expected),
            by_source: Vec::new(),
            reached: [0; TARGETS_MAX],
            last: (u32::MAX, Targets::NONE),
        }
    }

    fn add_alive(&mut self, alive: Alive) {
        let proxy = Proxy {
            candidate: alive.candidate,
            protocol: alive.protocol,
            targets: alive.targets,
            banned_at: alive.banned_at,
            exit: alive.exit,
            latency_ms: to_ms(alive.latency_us),
            last_check: unix(alive.checked_at_ms),
            source: alive.source,
        };
        self.add(alive.index, proxy);
    }

    fn add_all(&mut self, indexes: &[u32], proxies: &[Proxy]) {
        for (&index, proxy) in indexes.iter().zip(proxies) {
            self.add(index, proxy.clone());
        }
    }

    fn add(&mut self, index: u32, proxy: Proxy) {
        if self.last.0 != index {
            self.last = (index, Targets::NONE);
            self.count_source(proxy.source);
        }
        for place in proxy.targets.without(self.last.1).iter() {
            self.reached[place] += 1;
        }
        self.last.1 = self.last.1.or(proxy.targets);
        self.latencies.push(proxy.latency_ms);
        self.indexes.push(index);
        self.pool.push(proxy);
    }

    fn count_source(&mut self, source: Option<u16>) {
        let Some(place) = source.map(usize::from) else {
            return;
        };
        if self.by_source.len() <= place {
            self.by_source.resize(place + 1, 0);
        }
        self.by_source[place] += 1;
    }

    fn finish(mut self) -> View {
        View {
            latency_spread: self.latencies.iter().copied().collect(),
            by_source: Arc::new(self.by_source),
            latency_ms_p50: percentile(&mut self.latencies, 50),
            latency_ms_p95: percentile(&mut self.latencies, 95),
            pool: Arc::new(self.pool),
            reached: self.reached,
            indexes: Arc::new(self.indexes),
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

    #[test]
    fn a_percentile_is_a_value_that_occurred() {
        let mut values: Vec<u32> = (1..=100).rev().collect();
        assert_eq!(percentile(&mut values, 50), 50);
        assert_eq!(percentile(&mut values, 95), 95);
        assert_eq!(percentile(&mut [7], 95), 7);
        assert_eq!(percentile(&mut [], 95), 0);
    }
}
