//! What clients say of proxies: enough of them have one looked at again, and nothing else follows.

use super::event::{Hearsay, Now};
use super::state::State;
use crate::ledger::{Change, Standing, Word};
use std::collections::{HashMap, VecDeque};

/// Shortest time from a check of a proxy to the next that clients bring about, in milliseconds: no
/// proxy is hammered because of what is said of it.
const PAUSE_MS: u64 = 10_000;
/// Checks that clients bring about within [`PAUSE_MS`], all together: what they say takes few lanes
/// from those that are due.
const CHECKS_MAX: u32 = 100;

/// Those of them that one client brings about: what it says delays nobody else's for long.
const CHECKS_OF_CLIENT_MAX: u32 = 10;
/// Complaints that wait for their check; those beyond are forgotten until somebody complains again.
const WAITING_MAX: usize = 1_000;
/// Those of them that are of one client.
const WAITING_OF_CLIENT_MAX: usize = 100;

/// A candidate that is complained of, and the client whose word made the quorum full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Complaint {
    index: u32,
    client: u64,
}

/// How many checks clients have brought about lately, and what waits until more may be.
#[derive(Debug, Default)]
pub(super) struct Allowance {
    began_ms: u64,
    used: u32,
    used_by: HashMap<u64, u32>,
    /// The oldest first, so that whoever waits has its turn however much others say.
    waiting: VecDeque<Complaint>,
}

impl Allowance {
    /// Takes one check for `client`, if one is left.
    fn take(&mut self, client: u64, now_ms: u64) -> bool {
        if now_ms.saturating_sub(self.began_ms) >= PAUSE_MS {
            (self.began_ms, self.used) = (now_ms, 0);
            self.used_by.clear();
        }
        let of_client = self.used_by.get(&client).copied().unwrap_or(0);
        let left = self.used < CHECKS_MAX && of_client < CHECKS_OF_CLIENT_MAX;
        if left {
            self.used += 1;
            self.used_by.insert(client, of_client + 1);
        }
        left
    }

    /// Keeps a complaint for which no check was left.
    fn keep(&mut self, complaint: Complaint) {
        let waits = self.waiting.iter().any(|w| w.index == complaint.index);
        let its = |w: &&Complaint| w.client == complaint.client;
        let is_full = self.waiting.len() >= WAITING_MAX
            || self.waiting.iter().filter(its).count() >= WAITING_OF_CLIENT_MAX;
        if !waits && !is_full {
            self.waiting.push_back(complaint);
        }
    }

    /// When checks are left again for what waits, on the clock of [`Now::clock_ms`].
    pub(super) fn due_at(&self) -> Option<u64> {
        (!self.waiting.is_empty()).then_some(self.began_ms + PAUSE_MS)
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
            self.ledger.hear(index, word, now.clock_ms);
            if self.ledger.standing(index) != Standing::Alive {
                continue; // readers do not see it, and it is checked by its own rule
            }
            if self.ledger.banned_at(index) != banned_at {
                self.publisher.note(index, Change::Confirmed, &self.ledger);
            }
            let client = said.client;
            self.look_again(Complaint { index, client }, now);
        }
    }

    /// Has those checked that wait for it, as far as checks are left again.
    pub(super) fn look_again_at_waiting(&mut self, now: Now) {
        if self.heard.due_at().is_none_or(|due| due > now.clock_ms) {
            return;
        }
        for complaint in std::mem::take(&mut self.heard.waiting) {
            // Nobody complains of what was forgotten meanwhile, or of another that has its index now.
            let is_open = self.ledger.is_complained_of(complaint.index, now.clock_ms);
            if is_open && self.ledger.standing(complaint.index) == Standing::Alive {
                self.look_again(complaint, now);
            }
        }
    }

    /// Has an alive proxy checked ahead of its time if enough clients complain of it.
    fn look_again(&mut self, complaint: Complaint, now: Now) {
        let index = complaint.index;
        let Some(due_ms) = self.schedule.waits_until(index) else {
            return; // it is being looked at
        };
        if !self.ledger.is_complained_of(index, now.clock_ms) {
            return;
        }
        let since = now.unix_ms.saturating_sub(self.ledger.checked_at_ms(index));
        let at_ms = now.clock_ms + PAUSE_MS.saturating_sub(since);
        if due_ms <= at_ms {
            return; // its own turn comes sooner
        }
        match self.heard.take(complaint.client, now.clock_ms) {
            true => {
                self.ledger.close_complaints(index);
                self.schedule.hasten(index, at_ms);
            }
            false => self.heard.keep(complaint),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_allowance_is_used_up_and_comes_back_after_the_pause() {
        let mut allowance = Allowance::default();
        let taken = |allowance: &mut Allowance, at| {
            let takes = |client: &u64| allowance.take(*client, at);
            (0..1_000).filter(takes).count()
        };
        assert_eq!(taken(&mut allowance, 50_000), 100);
        assert_eq!(taken(&mut allowance, 50_000 + PAUSE_MS - 1), 0);
        assert_eq!(taken(&mut allowance, 50_000 + PAUSE_MS), 100);
    }

    #[test]
    fn one_client_has_a_tenth_of_it() {
        let mut allowance = Allowance::default();
        let taken = (0..1_000).filter(|_| allowance.take(7, 50_000)).count();
        assert_eq!(taken, 10);
        assert!(allowance.take(8, 50_000));
    }

    #[test]
    fn what_waits_is_bounded_and_no_client_fills_it() {
        let mut allowance = Allowance::default();
        assert_eq!(allowance.due_at(), None);
        for index in 0..500 {
            allowance.keep(Complaint { index, client: 1 });
            allowance.keep(Complaint { index, client: 2 });
        }
        // Each candidate waits once: the second client's begin where the first's are over.
        assert_eq!(allowance.waiting.len(), 200);
        for client in 3..100 {
            let index = |n| u32::try_from(client * 1_000 + n).unwrap();
            (0..1_000).for_each(|n| {
                allowance.keep(Complaint {
                    index: index(n),
                    client,
                })
            });
        }
        assert_eq!(allowance.waiting.len(), WAITING_MAX);
    }
}
