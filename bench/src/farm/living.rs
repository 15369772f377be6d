//! Which proxies of a farm live: those that are gone reset whoever comes.

use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{PoisonError, RwLock};

/// The living; without a set, all.
#[derive(Debug, Default)]
pub(super) struct Living(RwLock<Option<HashSet<Ipv4Addr>>>);

impl Living {
    /// From now on only these live.
    pub(super) fn set(&self, proxies: HashSet<Ipv4Addr>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Some(proxies);
    }

    /// Whether the proxy at this address lives. On IPv6 there is only one, which always does.
    pub(super) fn has(&self, ip: IpAddr) -> bool {
        let IpAddr::V4(ip) = ip else { return true };
        let living = self.0.read().unwrap_or_else(PoisonError::into_inner);
        living.as_ref().is_none_or(|living| living.contains(&ip))
    }
}
