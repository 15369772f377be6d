//! What waits to be sent to one webhook: in order, tried again ever more rarely, and bounded. Pure.

use super::alarm::Alarm;
use std::collections::VecDeque;
use std::sync::Arc;

/// Notices that wait for one webhook.
pub(super) const WAITING_MAX: usize = 64;
/// Pause after the first failure, in milliseconds; it doubles with each.
const PAUSE_MS: u64 = 1_000;
/// Longest pause, in milliseconds.
const PAUSE_MS_MAX: u64 = 300_000;
/// A notice that was not taken for so long is given up, in milliseconds.
const AGE_MS_MAX: u64 = 3_600_000;

/// A notice that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Letter {
    pub(super) alarm: Alarm,
    pub(super) body: Arc<str>,
    born_ms: u64,
    failures: u32,
    due_ms: u64,
}

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Reply {
    /// The receiver has it.
    Taken,
    /// The receiver will never take it; why.
    Refused(String),
    /// Not this time; why.
    Failed(String),
}

/// What becomes of the notice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It is delivered.
    Sent(Alarm),
    /// It is tried again.
    Waits,
    /// It is not.
    GivenUp(Alarm),
}

/// The notices for one webhook.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    letters: VecDeque<Letter>,
    /// Whether the first is on its way.
    is_out: bool,
    /// Failures since something was taken.
    failures: u64,
}

impl Outbox {
    /// Adds a notice. Where there are too many, the oldest that is not on its way goes, and is
    /// given back.
    pub(super) fn push(&mut self, alarm: Alarm, body: Arc<str>, now_ms: u64) -> Option<Letter> {
        let lost = (self.letters.len() >= WAITING_MAX)
            .then(|| self.letters.remove(usize::from(self.is_out)))
            .flatten();
        self.letters.push_back(Letter {
            alarm,
            body,
            born_ms: now_ms,
            failures: 0,
            due_ms: now_ms,
        });
        lost
    }

    /// The notice that is to be sent now, one at a time. Each must be followed by [`Outbox::ended`].
    pub(super) fn take(&mut self, now_ms: u64) -> Option<Letter> {
        let first = self.letters.front()?;
        if self.is_out || first.due_ms > now_ms {
            return None;
        }
        self.is_out = true;
        Some(first.clone())
    }

    /// The one that was on its way came to this.
    pub(super) fn ended(&mut self, reply: &Reply, now_ms: u64) -> Fate {
        // The webhook may have been taken out of the configuration and put back meanwhile.
        if !std::mem::take(&mut self.is_out) {
            return Fate::Waits;
        }
        let Some(first) = self.letters.front_mut() else {
            return Fate::Waits;
        };
        let alarm = first.alarm;
        if *reply == Reply::Taken {
            self.failures = 0;
            self.letters.pop_front();
            return Fate::Sent(alarm);
        }
        self.failures += 1;
        first.failures += 1;
        let pause = PAUSE_MS << (first.failures - 1).min(16);
        first.due_ms = now_ms + pause.min(PAUSE_MS_MAX);
        let is_old = first.due_ms.saturating_sub(first.born_ms) > AGE_MS_MAX;
        if is_old || matches!(reply, Reply::Refused(_)) {
            self.letters.pop_front();
            return Fate::GivenUp(alarm);
        }
        Fate::Waits
    }

    /// Failures since the last notice that was taken.
    pub(super) fn failures(&self) -> u64 {
        self.failures
    }

    /// Notices that wait.
    pub(super) fn waiting(&self) -> usize {
        self.letters.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed() -> Reply {
        Reply::Failed("500".into())
    }

    #[test]
    fn it_is_tried_after_one_second_then_ever_more_rarely_and_for_an_hour() {
        let mut outbox = Outbox::default();
        outbox.push(Alarm::JudgeDown, "x".into(), 0);
        let (mut tries, mut fate) = (Vec::new(), Fate::Waits);
        for second in 0..10_000 {
            if outbox.take(second * 1_000).is_some() {
                tries.push(second);
                fate = outbox.ended(&failed(), second * 1_000);
            }
        }
        assert_eq!(&tries[..10], [0, 1, 3, 7, 15, 31, 63, 127, 255, 511]);
        assert_eq!(&tries[10..12], [811, 1_111], "five minutes at most");
        assert!(*tries.last().unwrap() <= 3_600, "{tries:?}");
        assert_eq!(fate, Fate::GivenUp(Alarm::JudgeDown));
        assert_eq!(outbox.waiting(), 0);
    }

    #[test]
    fn they_are_sent_in_order_and_one_at_a_time() {
        let mut outbox = Outbox::default();
        for body in ["1", "2"] {
            outbox.push(Alarm::AliveBelow, body.into(), 0);
        }
        assert_eq!(&*outbox.take(0).unwrap().body, "1");
        assert_eq!(outbox.take(0), None, "one is on its way");
        assert_eq!(outbox.ended(&failed(), 0), Fate::Waits);
        assert_eq!(outbox.take(999), None, "the second does not overtake");
        assert_eq!(&*outbox.take(1_000).unwrap().body, "1");
        assert_eq!(
            outbox.ended(&Reply::Taken, 1_000),
            Fate::Sent(Alarm::AliveBelow)
        );
        assert_eq!((outbox.failures(), outbox.waiting()), (0, 1));
        assert_eq!(&*outbox.take(1_000).unwrap().body, "2");
        let refused = Reply::Refused("404".into());
        assert_eq!(
            outbox.ended(&refused, 1_000),
            Fate::GivenUp(Alarm::AliveBelow)
        );
    }

    #[test]
    fn where_too_many_wait_the_oldest_goes_but_not_the_one_on_its_way() {
        let mut outbox = Outbox::default();
        let push = |outbox: &mut Outbox, n: usize| {
            outbox.push(Alarm::SourceDead, n.to_string().as_str().into(), 0)
        };
        for n in 0..WAITING_MAX {
            assert_eq!(push(&mut outbox, n), None);
        }
        assert_eq!(&*push(&mut outbox, 100).unwrap().body, "0");
        assert_eq!(&*outbox.take(0).unwrap().body, "1");
        assert_eq!(&*push(&mut outbox, 101).unwrap().body, "2");
        outbox.ended(&Reply::Taken, 0);
        assert_eq!(&*outbox.take(0).unwrap().body, "3");
        assert_eq!(outbox.waiting(), WAITING_MAX - 1);
    }
}
