//! Whether this node leads, by its own clock: one place that all its threads ask. Pure: the time
//! comes in as an argument.

use crate::cluster::wire::Id;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// How far a reign has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// The lease is taken; what was logged until then is still being read.
    Rising,
    /// That was read.
    Ready,
    /// The coordinator knows.
    Leading,
}

/// A lease that this node holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hold {
    pub(crate) token: u64,
    pub(crate) phase: Phase,
    /// The last entry of the log when it was taken: nobody else has appended since.
    pub(crate) last: Id,
    until: Instant,
}

/// The lease of this node, if it has it.
#[derive(Debug, Default)]
pub(crate) struct Reign(Mutex<Option<Hold>>);

impl Reign {
    fn lock(&self) -> MutexGuard<'_, Option<Hold>> {
        // What a thread that panicked had set is whole: it is one assignment.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The lease was taken, and is safe until then.
    pub(crate) fn begin(&self, token: u64, last: Id, until: Instant) {
        *self.lock() = Some(Hold {
            token,
            phase: Phase::Rising,
            last,
            until,
        });
    }

    /// It was renewed; `false` if it had lapsed in between, which it stays: somebody may have been told.
    pub(crate) fn extend(&self, token: u64, until: Instant, now: Instant) -> bool {
        match &mut *self.lock() {
            Some(hold) if hold.token == token && now < hold.until => {
                hold.until = until.max(hold.until);
                true
            }
            _ => false,
        }
    }

    /// The lease, if it is safe to act under it now.
    pub(crate) fn hold(&self, now: Instant) -> Option<Hold> {
        self.lock().filter(|hold| now < hold.until)
    }

    /// Whether it is safe to act under this token now.
    pub(crate) fn holds(&self, token: u64, now: Instant) -> bool {
        self.hold(now).is_some_and(|hold| hold.token == token)
    }

    /// The token under which this node leads, and its coordinator knows.
    pub(crate) fn leads(&self, now: Instant) -> Option<u64> {
        let hold = self.hold(now)?;
        (hold.phase == Phase::Leading).then_some(hold.token)
    }

    /// A reign of this token has come as far as that.
    pub(crate) fn advance(&self, token: u64, phase: Phase) {
        if let Some(hold) = &mut *self.lock()
            && hold.token == token
        {
            hold.phase = phase;
        }
    }

    /// When it ends unless it is renewed.
    pub(crate) fn until(&self) -> Option<Instant> {
        self.lock().map(|hold| hold.until)
    }

    /// It is over for this token, whatever its time.
    pub(crate) fn end(&self, token: u64) {
        self.lock().take_if(|hold| hold.token == token);
    }

    /// Ends it if its time is over; the token that ended.
    pub(crate) fn lapse(&self, now: Instant) -> Option<u64> {
        let ended = self.lock().take_if(|hold| now >= hold.until);
        ended.map(|hold| hold.token)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn a_reign_that_lapsed_is_not_extended_any_more() {
        let (reign, start) = (Reign::default(), Instant::now());
        reign.begin(7, Id::default(), start + 10 * MS);
        assert!(reign.extend(7, start + 20 * MS, start + 9 * MS));
        assert!(reign.holds(7, start + 19 * MS) && !reign.holds(7, start + 20 * MS));
        assert!(!reign.extend(7, start + 40 * MS, start + 20 * MS));
        assert_eq!(reign.lapse(start + 19 * MS), None);
        assert_eq!(reign.lapse(start + 20 * MS), Some(7));
        assert_eq!(reign.lapse(start + 20 * MS), None);
    }

    #[test]
    fn only_the_token_itself_ends_or_advances_a_reign() {
        let (reign, start) = (Reign::default(), Instant::now());
        reign.begin(7, Id::default(), start + MS);
        reign.end(6);
        reign.advance(6, Phase::Leading);
        assert_eq!(reign.leads(start), None);
        reign.advance(7, Phase::Leading);
        assert_eq!(reign.leads(start), Some(7));
        reign.end(7);
        assert_eq!(reign.hold(start), None);
    }

    #[test]
    fn a_late_answer_never_shortens_a_reign() {
        let (reign, start) = (Reign::default(), Instant::now());
        reign.begin(7, Id::default(), start + 20 * MS);
        assert!(reign.extend(7, start + 10 * MS, start));
        assert!(reign.holds(7, start + 15 * MS));
    }
}
