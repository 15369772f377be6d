//! Whether this node knows enough to lead: where Redis has nothing, who knows more goes first. Pure:
//! the time comes in as an argument.
//!
//! A new leader's checkpoint replaces what all others know. So a node that has neither led nor read a
//! checkpoint or the log – a new one beside a Redis that was emptied – hears first what the others
//! say of themselves.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// What a node says that follows or has led: nobody knows more.
const ALL: u64 = u64::MAX;
/// How long a node hears the others first. All that can reach Redis have spoken by then: they do so
/// each second, or four times in a lease, and look for Redis as often.
const LISTEN: u32 = 3;
const TURN_MAX: Duration = Duration::from_secs(1);
/// Leases without a leader after which it leads though another says that it knows more: that one cannot.
const LEASES_MAX: u32 = 10;

/// What this node knows, and what the others say that they do.
#[derive(Debug)]
pub(crate) struct Worth(Mutex<Inner>);

#[derive(Debug)]
struct Inner {
    /// When what is known was saved, in milliseconds since the Unix epoch; 0: nothing is known.
    known: u64,
    /// The most that another node knows, and since when the others are heard without a break.
    others: Option<(u64, Instant)>,
}

impl Worth {
    /// `saved_at_ms`: when what was restored was saved, in milliseconds since the Unix epoch; 0 if
    /// nothing was.
    pub(crate) fn new(saved_at_ms: u64) -> Worth {
        Worth(Mutex::new(Inner {
            known: saved_at_ms.min(ALL - 1),
            others: None,
        }))
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // What a thread that panicked had set is whole: it is one assignment.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// This node has led, or has read what a leader wrote.
    pub(crate) fn in_touch(&self) {
        self.lock().known = ALL;
    }

    /// What the others are told.
    pub(crate) fn known(&self) -> u64 {
        self.lock().known
    }

    /// The others know so much at most.
    pub(crate) fn heard(&self, others: u64, now: Instant) {
        let mut inner = self.lock();
        let since = inner.others.map_or(now, |(_, since)| since);
        inner.others = Some((others, since));
    }

    /// The others cannot be heard: who was silent meanwhile may know more.
    pub(crate) fn unheard(&self) {
        self.lock().others = None;
    }

    /// Whether this node may take a lease of that length, where it has seen that nobody has it since
    /// `vacant`.
    pub(crate) fn may_lead(&self, lease: Duration, vacant: Option<Instant>, now: Instant) -> bool {
        let inner = self.lock();
        if inner.known == ALL {
            return true;
        }
        inner.others.is_some_and(|(others, since)| {
            let lasts = |since| now.saturating_duration_since(since);
            let listened = lasts(since) >= LISTEN * lease.min(TURN_MAX);
            let in_vain = vacant.is_some_and(|since| lasts(since) >= LEASES_MAX * lease);
            listened && (others <= inner.known || in_vain)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEASE: Duration = Duration::from_secs(5);

    fn after(worth: &Worth, start: Instant, seconds: u64) -> bool {
        worth.may_lead(LEASE, Some(start), start + Duration::from_secs(seconds))
    }

    #[test]
    fn who_followed_or_led_leads_at_once_and_who_did_not_listens_first() {
        let (worth, start) = (Worth::new(0), Instant::now());
        assert!(!after(&worth, start, 100), "it has heard nobody");
        worth.heard(0, start);
        assert!(!after(&worth, start, 2) && after(&worth, start, 3));
        worth.unheard();
        assert!(!after(&worth, start, 3));
        worth.in_touch();
        assert!(after(&worth, start, 0));
    }

    #[test]
    fn who_knows_more_goes_first_but_not_for_ever() {
        let (worth, start) = (Worth::new(7), Instant::now());
        for (others, listened) in [(0, true), (7, true), (8, false), (ALL, false)] {
            worth.heard(others, start);
            assert_eq!(after(&worth, start, 49), listened, "{others}");
            assert!(after(&worth, start, 50), "{others}");
            let led = worth.may_lead(LEASE, None, start + Duration::from_secs(50));
            assert_eq!(led, listened, "{others}");
        }
    }
}
