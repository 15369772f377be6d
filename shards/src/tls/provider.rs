//! The cryptography of TLS: ring's, in our order of preference.

use rustls::crypto::{CryptoProvider, ring};
use rustls::{CipherSuite, SupportedCipherSuite};
use std::sync::Arc;

/// ring, with the suites last that hash by SHA-384, which rustls has first.
///
/// ring uses the CPU's instructions for SHA-256 and has none for SHA-384, which was an eighth of all
/// CPU time of a probe, the kernel's included (docs/performance.md). AES with 128 bits comes with
/// SHA-256; that is the order of browsers too. It concerns servers that leave the choice to us.
pub(super) fn provider() -> Arc<CryptoProvider> {
    let mut provider = ring::default_provider();
    provider.cipher_suites.sort_by_key(hashes_slowly);
    Arc::new(provider)
}

fn hashes_slowly(suite: &SupportedCipherSuite) -> bool {
    matches!(
        suite.suite(),
        CipherSuite::TLS13_AES_256_GCM_SHA384
            | CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384
            | CipherSuite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384
    )
}

#[cfg(test)]
mod tests {
    use super::super::peer::{Authority, Server};
    use super::super::tests::{ALIVE, URL, check, talk};
    use super::*;
    use crate::Verdict;
    use rustls::version::{TLS12, TLS13};

    #[test]
    fn a_server_that_leaves_the_choice_to_us_hashes_as_cpus_do_by_themselves() {
        let authority = Authority::new();
        let policy = authority.policy(URL);
        for version in [&TLS12, &TLS13] {
            let provider = ring::default_provider();
            let mut server = Server::with(&authority, "a.example", ALIVE, provider, &[version]);
            assert_eq!(talk(&policy, &mut server, usize::MAX), Verdict::Alive);
            let suite = server.tls.negotiated_cipher_suite().unwrap().suite();
            let name = format!("{suite:?}");
            assert!(name.ends_with("_AES_128_GCM_SHA256"), "{name}");
        }
    }

    #[test]
    fn a_server_that_hashes_slowly_is_spoken_to_as_well() {
        let authority = Authority::new();
        let policy = authority.policy(URL);
        for suite in [
            ring::cipher_suite::TLS13_AES_256_GCM_SHA384,
            ring::cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
        ] {
            let provider = || CryptoProvider {
                cipher_suites: vec![suite],
                ..ring::default_provider()
            };
            let versions = [suite.version()];
            let server = || Server::with(&authority, "a.example", ALIVE, provider(), &versions);
            check(&policy, server, Verdict::Alive);
        }
    }
}
