//! Leases: proxies that one client has for itself for a while. Bounded, and in memory only.
//!
//! A proxy is leased with all its protocols: they lead to the same host, and to the same exit. It is
//! known by its address and credentials, so a lease outlives the snapshot that it was taken from.
//! Leases end by themselves without a thread: whoever opens the table drops those whose time is over.

mod identity;

use super::holder::Holder;
use crate::snapshot::Proxy;
use identity::{Identity, Sought};
use rustls::crypto::SecureRandom;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Shortest time between two looks for leased proxies that died: each goes through the whole pool.
const LOOK_PAUSE: Duration = Duration::from_secs(1);

/// How many proxies may be leased. Each lease has at least one, so these bound the leases too, and
/// the work of whoever drops those that are over.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    pub(super) total: usize,
    /// And never more than half of the alive, so that no client takes all from the others.
    pub(super) per_holder: usize,
}

impl Default for Bounds {
    fn default() -> Bounds {
        Bounds {
            total: 10_000,
            per_holder: 1_000,
        }
    }
}

/// The name of a lease: 128 bits that nobody guesses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct LeaseId(u128);

impl LeaseId {
    /// A new one, from the operating system; `None` if that has no randomness.
    pub(super) fn random() -> Option<LeaseId> {
        let mut bytes = [0; 16];
        let source: &dyn SecureRandom = rustls::crypto::ring::default_provider().secure_random;
        source.fill(&mut bytes).ok()?;
        Some(LeaseId(u128::from_ne_bytes(bytes)))
    }

    /// Reads what [`LeaseId`] writes: 32 hexadecimal digits.
    pub(super) fn read(text: &str) -> Option<LeaseId> {
        let is_one = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let id = u128::from_str_radix(text, 16).ok()?;
        is_one.then_some(LeaseId(id))
    }
}

impl fmt::Display for LeaseId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// Why nothing was leased.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Full {
    /// The client has too many.
    Holder,
    /// All clients together have.
    Total,
}

/// The table, for all requests. Where nothing is leased, a read costs one look at a number.
#[derive(Debug, Default)]
pub(super) struct Leases {
    leased: AtomicUsize,
    table: Mutex<Table>,
}

impl Leases {
    /// Whether anything is leased, or was until just now.
    pub(super) fn any(&self) -> bool {
        self.leased.load(Ordering::Acquire) > 0
    }

    /// Opens the table; what is over at `now` is gone.
    pub(super) fn open(&self, now: Instant) -> Open<'_> {
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        table.drop_ended(now);
        Open {
            leased: &self.leased,
            table,
        }
    }
}

/// The table while nobody else has it.
#[derive(Debug)]
pub(super) struct Open<'t> {
    leased: &'t AtomicUsize,
    table: MutexGuard<'t, Table>,
}

impl Deref for Open<'_> {
    type Target = Table;

    fn deref(&self) -> &Table {
        &self.table
    }
}

impl DerefMut for Open<'_> {
    fn deref_mut(&mut self) -> &mut Table {
        &mut self.table
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        let leased = self.table.by_proxy.len();
        self.leased.store(leased, Ordering::Release);
    }
}

#[derive(Debug)]
struct Lease {
    holder: Holder,
    proxies: Vec<Identity>,
    ends: Instant,
}

/// Every lease, by all that it is looked for. Pure: the time and the ids come from outside.
#[derive(Debug, Default)]
pub(super) struct Table {
    bounds: Bounds,
    leases: HashMap<LeaseId, Lease>,
    by_proxy: hashbrown::HashMap<Identity, LeaseId>,
    by_end: BTreeSet<(Instant, LeaseId)>,
    /// Proxies that each holder has.
    by_holder: HashMap<Holder, usize>,
    /// How many proxies there are to lease in a generation, if that was told.
    alive: Option<(u64, usize)>,
    /// The generation in which dead proxies were last looked for, and when.
    looked: Option<(u64, Instant)>,
}

impl Table {
    /// Leases that are not over.
    pub(super) fn len(&self) -> usize {
        self.leases.len()
    }

    /// Whether nobody has the proxy.
    pub(super) fn is_free(&self, proxy: &Proxy) -> bool {
        self.by_proxy.is_empty() || !self.by_proxy.contains_key(&Sought::of(proxy))
    }

    /// When the first lease is over.
    pub(super) fn first_end(&self) -> Option<Instant> {
        self.by_end.first().map(|(ends, _)| *ends)
    }

    /// When the first lease of `holder` is over.
    pub(super) fn first_end_of(&self, holder: Holder) -> Option<Instant> {
        let its = |id: &LeaseId| self.leases.get(id).is_some_and(|l| l.holder == holder);
        self.by_end
            .iter()
            .find(|(_, id)| its(id))
            .map(|(ends, _)| *ends)
    }

    /// These are there to lease: nobody has more than half of them, or one. They are gone through once
    /// in a generation.
    pub(super) fn is_of(&mut self, generation: u64, pool: &[Proxy]) {
        if self.alive.is_some_and(|(seen, _)| seen == generation) {
            return;
        }
        // The rows of one proxy stand together, one for each protocol.
        let proxies = pool.chunk_by(|a, b| Sought::of(a) == Sought::of(b));
        self.alive = Some((generation, proxies.count()));
    }

    fn per_holder(&self) -> usize {
        let half = |(_, alive): (u64, usize)| (alive / 2).max(1);
        let half = self.alive.map_or(usize::MAX, half);
        self.bounds.per_holder.min(half)
    }

    /// Leaves as many of `picked` as `holder` may still have. Who may have none more keeps them, and is
    /// refused by [`Table::take`].
    pub(super) fn fit(&self, holder: Holder, picked: &mut Vec<&Proxy>) {
        let held = self.by_holder.get(&holder).copied().unwrap_or(0);
        let room = self.per_holder().saturating_sub(held);
        if room == 0 {
            return;
        }
        let mut kept = HashSet::new();
        // A proxy counts once, under however many protocols it is there.
        picked.retain(|proxy| {
            let identity = Identity::of(proxy);
            kept.contains(&identity) || (kept.len() < room && kept.insert(identity))
        });
    }

    /// Leases `proxies`, which are free, to `holder` under a new id.
    pub(super) fn take(
        &mut self,
        id: LeaseId,
        holder: Holder,
        proxies: &[&Proxy],
        ends: Instant,
    ) -> Result<(), Full> {
        let proxies: HashSet<Identity> = proxies.iter().map(|proxy| Identity::of(proxy)).collect();
        let held = self.by_holder.get(&holder).copied().unwrap_or(0);
        if held + proxies.len() > self.per_holder() {
            return Err(Full::Holder);
        }
        if self.by_proxy.len() + proxies.len() > self.bounds.total {
            return Err(Full::Total);
        }
        let named = proxies.iter().map(|proxy| (proxy.clone(), id));
        self.by_proxy.extend(named);
        self.by_end.insert((ends, id));
        *self.by_holder.entry(holder).or_default() += proxies.len();
        let proxies = proxies.into_iter().collect();
        let lease = Lease {
            holder,
            proxies,
            ends,
        };
        self.leases.insert(id, lease);
        Ok(())
    }

    /// Ends a lease of `holder`; `false` if it has none of that id.
    pub(super) fn end(&mut self, id: LeaseId, holder: Holder) -> bool {
        let its = self.leases.get(&id).is_some_and(|l| l.holder == holder);
        if its {
            self.remove(id);
        }
        its
    }

    /// Gives up leased proxies that are not in `pool` any more, and the leases that have none left.
    /// Looks at most once a second, and only at another generation.
    pub(super) fn drop_dead(&mut self, generation: u64, pool: &[Proxy], now: Instant) {
        let is_due = self.looked.is_none_or(|(seen, at)| {
            seen != generation && now.saturating_duration_since(at) >= LOOK_PAUSE
        });
        if self.leases.is_empty() || !is_due {
            return;
        }
        self.looked = Some((generation, now));
        let leased = pool.iter().filter(|proxy| !self.is_free(proxy));
        let alive: HashSet<Identity> = leased.map(Identity::of).collect();
        if alive.len() == self.by_proxy.len() {
            return;
        }
        self.by_proxy.retain(|proxy, _| alive.contains(proxy));
        let mut over = Vec::new();
        for (&id, lease) in &mut self.leases {
            let before = lease.proxies.len();
            lease.proxies.retain(|proxy| alive.contains(proxy));
            give_back(
                &mut self.by_holder,
                lease.holder,
                before - lease.proxies.len(),
            );
            if lease.proxies.is_empty() {
                over.push(id);
            }
        }
        over.into_iter().for_each(|id| self.remove(id));
    }

    fn drop_ended(&mut self, now: Instant) {
        while let Some(&(ends, id)) = self.by_end.first()
            && ends <= now
        {
            self.remove(id);
        }
    }

    fn remove(&mut self, id: LeaseId) {
        let Some(lease) = self.leases.remove(&id) else {
            return;
        };
        self.by_end.remove(&(lease.ends, id));
        give_back(&mut self.by_holder, lease.holder, lease.proxies.len());
        for proxy in &lease.proxies {
            self.by_proxy.remove(proxy);
        }
    }
}

/// The holder has so many proxies less.
fn give_back(by_holder: &mut HashMap<Holder, usize>, holder: Holder, count: usize) {
    if let Some(held) = by_holder.get_mut(&holder) {
        *held = held.saturating_sub(count);
        if *held == 0 {
            by_holder.remove(&holder);
        }
    }
}

#[cfg(test)]
mod tests;
