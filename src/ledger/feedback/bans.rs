//! Which proxies one client lately called banned by a target: only so many count, so that nobody has
//! all others passed over.

use super::{CELLS_MAX, FEEDBACK_MS};
use std::collections::{BTreeSet, HashMap};

/// Bans of one client by one target that count in any case.
const COUNTED_MIN: usize = 100;

/// Most bans of one client by one target that count while so many proxies are alive: a tenth, and at
/// least [`COUNTED_MIN`].
pub(super) fn counted_max(alive: usize) -> usize {
    COUNTED_MIN.max(alive / 10)
}

/// What one client says of one target.
#[derive(Debug, Default)]
struct Claim {
    at_ms: HashMap<u32, u64>,
    by_time: BTreeSet<(u64, u32)>,
}

impl Claim {
    fn remove(&mut self, index: u32) {
        if let Some(at_ms) = self.at_ms.remove(&index) {
            self.by_time.remove(&(at_ms, index));
        }
    }

    fn drop_old(&mut self, now_ms: u64) {
        while let Some(&(at_ms, index)) = self.by_time.first()
            && now_ms.saturating_sub(at_ms) >= FEEDBACK_MS
        {
            self.remove(index);
        }
    }
}

/// The claims, by client and the place of the target. As many as there are cells: where there are more
/// clients than that, the bans of another one do not count.
#[derive(Debug, Default)]
pub(super) struct Bans(HashMap<(u64, usize), Claim>);

impl Bans {
    /// Whether it counts that `client` calls the candidate banned at `place`, one of at most `most`.
    pub(super) fn count(
        &mut self,
        (client, place): (u64, usize),
        index: u32,
        most: usize,
        now_ms: u64,
    ) -> bool {
        if self.0.len() >= CELLS_MAX && !self.0.contains_key(&(client, place)) {
            self.0.retain(|_, claim| {
                claim.drop_old(now_ms);
                !claim.at_ms.is_empty()
            });
            if self.0.len() >= CELLS_MAX {
                return false;
            }
        }
        let claim = self.0.entry((client, place)).or_default();
        claim.drop_old(now_ms);
        if claim.at_ms.len() >= most && !claim.at_ms.contains_key(&index) {
            return false;
        }
        claim.remove(index);
        claim.at_ms.insert(index, now_ms);
        claim.by_time.insert((now_ms, index));
        true
    }

    /// The client was served there: it takes its word back.
    pub(super) fn take_back(&mut self, client: u64, place: usize, index: u32) {
        if let Some(claim) = self.0.get_mut(&(client, place)) {
            claim.remove(index);
        }
    }

    /// `places` has the old place of each target.
    pub(super) fn renumber(&mut self, places: &[Option<usize>]) {
        let old = std::mem::take(&mut self.0);
        let moved = old.into_iter().filter_map(|((client, was), claim)| {
            let place = places.iter().position(|old| *old == Some(was))?;
            Some(((client, place), claim))
        });
        self.0 = moved.collect();
    }
}
