//! Another configuration forbids addresses: whoever is there leaves the ledger and the pool at once.

use super::state::State;
use crate::sources::address::AddressPolicy;
use proxy_shards::Candidate;
use std::collections::HashSet;

impl State {
    /// Drops what may no longer be dialled: no outage, but the operator's order, so nothing of it is
    /// held. Gives the names whose address was one that is forbidden now; they may have others, so they
    /// stay known, as if they had never been checked.
    ///
    /// The others are on no list any more. What is out is forgotten when it is back, whatever it brings.
    pub(super) fn forbid(&mut self, addresses: &AddressPolicy) -> HashSet<Candidate> {
        if *addresses == self.config.aggregator.addresses {
            return HashSet::new();
        }
        let ledger = &self.ledger;
        let is_forbidden = |&index: &u32| {
            let candidate = ledger.candidate(index);
            !addresses.allows_proxy(&candidate.host, candidate.port)
        };
        let forbidden: Vec<u32> = ledger.indexes().filter(is_forbidden).collect();
        let elsewhere = self.names.forbid(|ip| addresses.allows(ip));
        let mut alive = 0;
        for &index in forbidden.iter().chain(&elsewhere) {
            alive += u64::from(self.ledger.withdraw(index));
            self.schedule.outdate_one(index);
        }
        if alive > 0 {
            tracing::info!(
                candidates = forbidden.len(),
                alive,
                "the configuration forbids the addresses of proxies that were alive: they are no longer served"
            );
        }
        let elsewhere = elsewhere.into_iter();
        elsewhere
            .map(|index| self.ledger.candidate(index))
            .collect()
    }
}
