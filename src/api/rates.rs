//! The rate limits in force: which of them hold for a request, and where its client stands.

use super::Settings;
use super::buckets::{Buckets, Standing};
use super::client::{Client, KeyHash};
use crate::origin::Origin;
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use std::hash::Hash;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Most clients that a limit remembers; some 5 MiB for each of the two that count by address.
const ENTRIES_MAX: usize = 100_000;
/// Wrong keys of an address in a minute, all of them at once if it likes.
const FAILED_KEYS_PER_MINUTE: NonZeroU32 = NonZeroU32::new(10).unwrap();

/// What was exceeded. Closed set: the label in the metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Limit {
    /// Requests with a key.
    Key,
    /// Requests of an address.
    Address,
    /// Wrong keys of an address.
    FailedKeys,
}

impl Limit {
    /// Its label in the metrics.
    pub(super) const fn label(self) -> &'static str {
        match self {
            Limit::Key => "key",
            Limit::Address => "address",
            Limit::FailedKeys => "failed_keys",
        }
    }
}

/// A limit that left nothing for a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Exceeded {
    pub(super) limit: Limit,
    standing: Standing,
    /// Time until one request passes.
    retry_in: Duration,
}

#[cfg(test)]
impl Exceeded {
    /// Of a client that is to come again in a second.
    pub(super) fn sample() -> Exceeded {
        Exceeded {
            limit: Limit::Address,
            standing: Standing {
                per_minute: 60,
                size: 6,
                left: 0,
                full_in: Duration::from_secs(6),
            },
            retry_in: Duration::from_secs(1),
        }
    }
}

/// The buckets of all limits. Only the API's thread comes here: the locks are never waited for.
#[derive(Debug)]
pub(super) struct Rates {
    since: Instant,
    by_key: Mutex<Option<Buckets<KeyHash>>>,
    by_address: Mutex<Option<Buckets<Origin>>>,
    failed_keys: Mutex<Buckets<Origin>>,
}

impl Rates {
    /// Nothing was taken yet; `now` is the earliest time that the other calls may tell.
    pub(super) fn new(now: Instant) -> Rates {
        let at_once = FAILED_KEYS_PER_MINUTE;
        let failed_keys = Buckets::new(FAILED_KEYS_PER_MINUTE, at_once, ENTRIES_MAX);
        Rates {
            since: now,
            by_key: Mutex::default(),
            by_address: Mutex::default(),
            failed_keys: Mutex::new(failed_keys),
        }
    }

    /// Takes a token of the client's address and one of its key, as far as `settings` limit them.
    /// Of two limits, the one that leaves less is told; `None`: there is no limit.
    ///
    /// # Errors
    /// There is no token. The key's stays untouched if it is the address that has none; if it is the
    /// key, the address's is gone, and the time to wait is that until both have one.
    pub(super) fn take(
        &self,
        client: &Client,
        settings: &Settings,
        now: Instant,
    ) -> Result<Option<Standing>, Exceeded> {
        let now = now.saturating_duration_since(self.since);
        let address = take(&self.by_address, settings.rate_limit_per_ip, now, || {
            Some(Origin::of(client.address))
        })
        .map_err(exceeded(Limit::Address))?;
        let key = take(&self.by_key, settings.rate_limit_per_minute, now, || {
            client.key
        })
        .map_err(|(standing, wait)| {
            // It took one of the address: who comes again needs another one of that, too.
            let wait = wait.max(address.map_or(Duration::ZERO, |address| address.next_in()));
            exceeded(Limit::Key)((standing, wait))
        })?;
        Ok([address, key]
            .into_iter()
            .flatten()
            .min_by_key(|standing| standing.left))
    }

    /// Counts a wrong key of `address`.
    ///
    /// # Errors
    /// There were too many.
    pub(super) fn key_failed(&self, address: IpAddr, now: Instant) -> Result<(), Exceeded> {
        let now = now.saturating_duration_since(self.since);
        let failed_keys = self
            .failed_keys
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        match failed_keys.take(&Origin::of(address), now) {
            Ok(_) => Ok(()),
            Err(refused) => Err(exceeded(Limit::FailedKeys)(refused)),
        }
    }
}

fn exceeded(limit: Limit) -> impl FnOnce((Standing, Duration)) -> Exceeded {
    move |(standing, retry_in)| Exceeded {
        limit,
        standing,
        retry_in,
    }
}

/// Takes a token of `key` out of buckets with this limit. Where the limit is another one than before,
/// all buckets are new, and full.
fn take<K: Eq + Hash + Clone>(
    buckets: &Mutex<Option<Buckets<K>>>,
    per_minute: Option<NonZeroU32>,
    now: Duration,
    key: impl FnOnce() -> Option<K>,
) -> Result<Option<Standing>, (Standing, Duration)> {
    // Without limits nothing is locked, nor is anything worked out about the client.
    let Some(per_minute) = per_minute else {
        return Ok(None);
    };
    let Some(key) = key() else {
        return Ok(None);
    };
    let mut buckets = buckets.lock().unwrap_or_else(PoisonError::into_inner);
    let in_force = buckets.take_if(|buckets| buckets.per_minute() != per_minute);
    drop(in_force);
    let buckets =
        buckets.get_or_insert_with(|| Buckets::new(per_minute, burst(per_minute), ENTRIES_MAX));
    buckets.take(&key, now).map(Some)
}

/// What may come at once: a tenth of a minute's worth, and at least one.
fn burst(per_minute: NonZeroU32) -> NonZeroU32 {
    NonZeroU32::new(per_minute.get() / 10).unwrap_or(NonZeroU32::MIN)
}

const LIMIT: HeaderName = HeaderName::from_static("ratelimit-limit");
const REMAINING: HeaderName = HeaderName::from_static("ratelimit-remaining");
const RESET: HeaderName = HeaderName::from_static("ratelimit-reset");
const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

impl Standing {
    /// The fields of draft-ietf-httpapi-ratelimit-headers-06: so many requests until the bucket is
    /// full again in so many seconds, and the policy behind it.
    pub(super) fn describe(&self, headers: &mut HeaderMap) {
        headers.insert(LIMIT, self.size.into());
        headers.insert(REMAINING, self.left.into());
        headers.insert(RESET, seconds(self.full_in).into());
        let policy = format!("{};w=60;burst={}", self.per_minute, self.size);
        if let Ok(policy) = HeaderValue::try_from(policy) {
            headers.insert(POLICY, policy);
        }
    }
}

impl Exceeded {
    /// The same, and when to come again.
    pub(super) fn describe(&self, headers: &mut HeaderMap) {
        self.standing.describe(headers);
        headers.insert(header::RETRY_AFTER, seconds(self.retry_in).max(1).into());
        // Who guesses keys does so over a new connection each time.
        if self.limit == Limit::FailedKeys {
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
    }
}

/// Whole seconds, rounded up: who waits that long has waited long enough.
fn seconds(duration: Duration) -> u64 {
    duration.as_secs() + u64::from(duration.subsec_nanos() > 0)
}

#[cfg(test)]
mod tests;
