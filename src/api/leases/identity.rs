//! What of a proxy makes it the same one, kept or only looked for. Pure.

use crate::snapshot::Proxy;
use hashbrown::Equivalent;
use proxy_shards::{Credentials, Host};
use std::sync::Arc;

/// What of a proxy makes it the same one: its candidate, whatever the scheme.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Identity {
    host: Host,
    port: u16,
    credentials: Option<Arc<Credentials>>,
}

/// The same, borrowed of a candidate that is only looked for: a request may look at a whole pool. Its
/// fields are in the same order, so that both have one hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Sought<'p> {
    host: &'p Host,
    port: u16,
    credentials: Option<&'p Credentials>,
}

impl<'p> Sought<'p> {
    pub(super) fn of(proxy: &'p Proxy) -> Sought<'p> {
        let candidate = &proxy.candidate;
        Sought {
            host: &candidate.host,
            port: candidate.port,
            credentials: candidate.credentials.as_deref(),
        }
    }
}

impl Equivalent<Identity> for Sought<'_> {
    fn equivalent(&self, key: &Identity) -> bool {
        *self.host == key.host
            && self.port == key.port
            && self.credentials == key.credentials.as_deref()
    }
}

impl Identity {
    pub(super) fn of(proxy: &Proxy) -> Identity {
        let candidate = &proxy.candidate;
        Identity {
            host: candidate.host.clone(),
            port: candidate.port,
            credentials: candidate.credentials.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::testing::proxies;

    #[test]
    fn what_is_borrowed_finds_what_is_kept() {
        let all = proxies(&[
            "http://1.1.1.1:80",
            "http://u:p@1.1.1.1:80",
            "http://[2001:db8::1]:80",
            "http://proxy.example.com:80",
        ]);
        for kept in &all {
            let mut map = hashbrown::HashMap::new();
            map.insert(Identity::of(kept), ());
            let found = |sought: &Proxy| map.contains_key(&Sought::of(sought));
            let same = |sought: &Proxy| sought.candidate == kept.candidate;
            assert!(all.iter().all(|sought| found(sought) == same(sought)));
        }
    }
}
