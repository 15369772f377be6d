//! Addresses of host names, as they were last resolved.

use std::collections::HashMap;
use std::net::IpAddr;

/// How long an address is used before its name is asked for again, in milliseconds.
const FRESH_MS: u64 = 5 * 60 * 1000;

/// The address of each candidate that is listed by name.
#[derive(Debug, Default)]
pub(super) struct Names {
    resolved: HashMap<u32, (IpAddr, u64)>,
}

impl Names {
    /// The candidate's name has this address.
    pub(super) fn learn(&mut self, index: u32, ip: IpAddr, now_ms: u64) {
        self.resolved.insert(index, (ip, now_ms));
    }

    /// Its address, unless it is unknown or too old.
    pub(super) fn fresh(&self, index: u32, now_ms: u64) -> Option<IpAddr> {
        let &(ip, at) = self.resolved.get(&index)?;
        (now_ms.saturating_sub(at) <= FRESH_MS).then_some(ip)
    }

    /// Forgets the addresses that are not `allowed`, and gives the candidates that had them.
    pub(super) fn forbid(&mut self, allowed: impl Fn(IpAddr) -> bool) -> Vec<u32> {
        let forbidden = self.resolved.extract_if(|_, (ip, _)| !allowed(*ip));
        forbidden.map(|(index, _)| index).collect()
    }

    /// The candidate is no longer known.
    pub(super) fn forget(&mut self, index: u32) {
        self.resolved.remove(&index);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_fresh_for_five_minutes() {
        let mut names = Names::default();
        let ip: IpAddr = "9.9.9.9".parse().unwrap();
        names.learn(1, ip, 1_000);
        assert_eq!(names.fresh(1, 301_000), Some(ip));
        assert_eq!(names.fresh(1, 301_001), None);
        names.forget(1);
        assert_eq!(names.fresh(1, 1_000), None);
    }
}
