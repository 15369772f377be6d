//! Token buckets, one for each key of a table that cannot grow past its bound. Pure.
//!
//! `governor` counts (GCRA: a bucket is kept as the one time at which it is full again); the table is
//! ours, because those of `governor` have no bound: whoever owns a /32 of IPv6 has four thousand
//! million /64s to fill one with.

use governor::clock::Clock;
use governor::middleware::StateInformationMiddleware;
use governor::nanos::Nanos;
use governor::state::StateStore;
use governor::{Quota, RateLimiter};
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::hash::Hash;
use std::num::NonZeroU32;
use std::time::Duration;

/// Where a bucket stands after a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Standing {
    /// Tokens that it wins back in a minute.
    pub(super) per_minute: u32,
    /// Tokens that it holds when it is full.
    pub(super) size: u32,
    /// Tokens that are left in it.
    pub(super) left: u32,
    /// Time until it is full again, if nothing more is taken.
    pub(super) full_in: Duration,
}

impl Standing {
    /// Time until there is a token, if nothing more is taken.
    pub(super) fn next_in(&self) -> Duration {
        let every = Duration::from_secs(60) / self.per_minute.max(1);
        match self.left {
            0 => self.full_in.saturating_sub(every * (self.size - 1)),
            _ => Duration::ZERO,
        }
    }
}

/// A bucket for each `K`.
#[derive(Debug)]
pub(super) struct Buckets<K: Eq + Hash + Clone> {
    limiter: RateLimiter<K, Table<K>, Told, StateInformationMiddleware>,
    quota: Quota,
    per_minute: NonZeroU32,
}

impl<K: Eq + Hash + Clone> Buckets<K> {
    /// `per_minute` tokens a minute, `size` of them at once; at most `entries_max` buckets are
    /// remembered.
    pub(super) fn new(per_minute: NonZeroU32, size: NonZeroU32, entries_max: usize) -> Buckets<K> {
        let quota = Quota::per_minute(per_minute).allow_burst(size);
        Buckets {
            limiter: RateLimiter::new(quota, Table::new(entries_max), Told::default()),
            quota,
            per_minute,
        }
    }

    /// Tokens a minute.
    pub(super) fn per_minute(&self) -> NonZeroU32 {
        self.per_minute
    }

    /// Takes a token of `key`. `now` is the time since any fixed moment, and never goes back.
    ///
    /// # Errors
    /// There is none: where the bucket stands, and the time until there is one. That costs nothing.
    pub(super) fn take(&self, key: &K, now: Duration) -> Result<Standing, (Standing, Duration)> {
        self.limiter.clock().0.set(now.into());
        let every = self.quota.replenish_interval();
        let size = self.quota.burst_size().get();
        let standing = |left, full_in| Standing {
            per_minute: self.per_minute.get(),
            size,
            left,
            full_in,
        };
        match self.limiter.check_key(key) {
            Ok(snapshot) => {
                let left = snapshot.remaining_burst_capacity();
                Ok(standing(left, every * (size - left)))
            }
            Err(until) => {
                let wait = until.wait_time_from(now.into());
                Err((standing(0, wait + every * (size - 1)), wait))
            }
        }
    }

    /// Buckets that are remembered.
    #[cfg(test)]
    fn len(self) -> usize {
        self.limiter.into_state_store().full_at.take().len()
    }
}

/// The time as the caller told it last.
#[derive(Debug, Default)]
struct Told(Cell<Nanos>);

impl Clock for Told {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        self.0.get()
    }
}

/// When each bucket is full again.
#[derive(Debug)]
struct Table<K> {
    full_at: RefCell<HashMap<K, Nanos>>,
    entries_max: usize,
}

impl<K> Table<K> {
    fn new(entries_max: usize) -> Table<K> {
        Table {
            full_at: RefCell::default(),
            entries_max,
        }
    }
}

impl<K: Eq + Hash + Clone> StateStore for Table<K> {
    type Key = K;

    fn measure_and_replace<T, F, E>(&self, key: &K, measure: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let mut full_at = self.full_at.borrow_mut();
        if let Some(known) = full_at.get_mut(key) {
            let (outcome, next) = measure(Some(*known))?;
            *known = next;
            return Ok(outcome);
        }
        let (outcome, next) = measure(None)?;
        if full_at.len() >= self.entries_max {
            forget(&mut full_at);
        }
        full_at.insert(key.clone(), next);
        Ok(outcome)
    }
}

/// Makes room: the fuller half of the buckets goes, those first that are full and so say nothing.
///
/// A bucket that is forgotten is full when its owner comes again, so an attacker with many addresses
/// takes nothing from an honest client. What it may win is a fresh bucket for an address of its own that
/// is at its limit; but that one is emptier than the others, and goes only after as many addresses as
/// half the table has took as much as it did: more requests than the fresh bucket holds. It costs one
/// pass over the table for every half of it that came anew.
fn forget<K>(full_at: &mut HashMap<K, Nanos>)
where
    K: Eq + Hash,
{
    let mut times: Vec<Nanos> = full_at.values().copied().collect();
    let middle = times.len() / 2;
    let (_, &mut median, _) = times.select_nth_unstable(middle);
    full_at.retain(|_, at| *at > median);
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
