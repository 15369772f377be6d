//! What the candidates are asked, in a form that outlives the process.

use super::event::Now;
use crate::config::Config;
use crate::store::Asked;
use proxy_shards::ProbePolicy;
use sha2::{Digest, Sha256};

/// Everything is due from now on.
pub(super) fn now(config: &Config, now: Now) -> Asked {
    Asked {
        policy: mark(&config.checker.policy),
        since_ms: now.unix_ms,
        over_ms: 0,
    }
}

/// Tells what is asked of a proxy from anything else that might be. Another version of the program may
/// have other words for the same: then everything is asked once more, and nothing else happens.
pub(crate) fn mark(policy: &ProbePolicy) -> u64 {
    let asked = (&policy.mode, &policy.require, &policy.targets);
    let digest: [u8; 32] = Sha256::digest(format!("{asked:?}")).into();
    let (first, _) = digest.split_first_chunk().expect("32 bytes begin with 8");
    // 0 says that it is not known.
    u64::from_le_bytes(*first).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::coordinator::simulation::controlled;
    use proxy_shards::Require;

    #[test]
    fn what_is_asked_is_the_same_until_a_target_or_the_requirement_is_another() {
        let mark = |targets: &[&str], require| {
            let mut config = controlled(targets, require);
            let policy = mark(&config.checker.policy);
            config.aggregator.interval *= 2;
            assert_eq!(now(&config, Now::default()).policy, policy);
            policy
        };
        let one = mark(&["a", "b"], Require::All);
        assert_eq!(one, mark(&["a", "b"], Require::All));
        assert_ne!(one, mark(&["a", "c"], Require::All));
        assert_ne!(one, mark(&["b", "a"], Require::All));
        assert_ne!(one, mark(&["a", "b"], Require::Any));
        assert_ne!(one, mark(&["a"], Require::All));
    }
}
