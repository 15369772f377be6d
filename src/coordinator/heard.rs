//! What clients say of proxies: enough of them have one looked at again, and nothing else follows.

use super::event::{Hearsay, Now};
use super::state::State;
use crate::ledger::{Change, Standing, Word};

/// Shortest time from a check of a proxy to the next that clients bring about, in milliseconds: no
/// proxy is hammered because of what is said of it.
const PAUSE_MS: u64 = 10_000;
/// Checks that clients bring about within [`PAUSE_MS`], all together: what they say takes few lanes
/// from those that are due.
const CHECKS_MAX: u32 = 100;

/// How many checks clients have brought about lately.
#[derive(Debug, Default)]
pub(super) struct Allowance {
    began_ms: u64,
    used: u32,
}

impl Allowance {
    /// Takes one check, if one is left.
    fn take(&mut self, now_ms: u64) -> bool {
        if now_ms.saturating_sub(self.began_ms) >= PAUSE_MS {
            *self = Allowance {
                began_ms: now_ms,
                used: 0,
            };
        }
        let left = self.used < CHECKS_MAX;
        self.used += u32::from(left);
        left
    }
}

impl State {
    /// Takes in what a client says of the candidates at an address, and says whether there are any.
    pub(super) fn hear(&mut self, said: Hearsay, now: Now) {
        let indexes = self.ledger.find_at(&said.host, said.port);
        // Whoever said it may have gone away.
        let _ = said.reply.send(!indexes.is_empty());
        let target = said.target.as_deref();
        let word = Word {
            client: said.client,
            experience: said.experience,
            target: target.and_then(|name| self.ledger.targets().iter().position(|t| **t == *name)),
        };
        for index in indexes {
            let banned_at = self.ledger.banned_at(index);
            self.ledger.hear(index, word, now.unix_ms);
            if self.ledger.standing(index) != Standing::Alive {
                continue; // readers do not see it, and it is checked by its own rule
            }
            if self.ledger.banned_at(index) != banned_at {
                self.publisher.note(index, Change::Confirmed, &self.ledger);
            }
            self.look_again(index, now);
        }
    }

    /// Has an alive proxy checked ahead of its time if enough clients complain of it.
    fn look_again(&mut self, index: u32, now: Now) {
        let Some(due_ms) = self.schedule.waits_until(index) else {
            return; // it is being looked at
        };
        if !self.ledger.is_complained_of(index, now.unix_ms) {
            return;
        }
        let since = now.unix_ms.saturating_sub(self.ledger.checked_at_ms(index));
        let at_ms = now.clock_ms + PAUSE_MS.saturating_sub(since);
        if due_ms > at_ms && self.heard.take(now.clock_ms) {
            self.ledger.close_complaints(index);
            self.schedule.hasten(index, at_ms);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_allowance_is_used_up_and_comes_back_after_the_pause() {
        let mut allowance = Allowance::default();
        let taken =
            |allowance: &mut Allowance, at| (0..1_000).filter(|_| allowance.take(at)).count();
        assert_eq!(taken(&mut allowance, 50_000), 100);
        assert_eq!(taken(&mut allowance, 50_000 + PAUSE_MS - 1), 0);
        assert_eq!(taken(&mut allowance, 50_000 + PAUSE_MS), 100);
    }
}
