//! What tells the clients who report apart, and says nothing else about them.

use super::holder::Holder;
use crate::config::Cluster;
use sha2::{Digest, Sha256};
use std::fmt;
use std::net::IpAddr;

/// Makes a number of a client: the same on all nodes of a cluster, and with a key that no client knows,
/// so that none can choose to be taken for another.
#[derive(Clone)]
pub struct Voices {
    key: [u8; 32],
}

impl Voices {
    /// Of a machine alone; other numbers after each start.
    pub fn random() -> Voices {
        use std::hash::{BuildHasher, RandomState};
        let mut key = Sha256::new();
        for part in 0..4u8 {
            key.update(RandomState::new().hash_one(part).to_le_bytes());
        }
        Voices {
            key: key.finalize().into(),
        }
    }

    /// Of a cluster: what only its nodes know makes the key.
    pub fn of_cluster(cluster: &Cluster) -> Voices {
        let redis = &cluster.redis;
        let mut key = Sha256::new();
        for part in [
            &*cluster.prefix,
            redis.url.path(),
            redis.password.as_deref().unwrap_or(""),
        ] {
            key.update((part.len() as u64).to_le_bytes());
            key.update(part);
        }
        Voices {
            key: key.finalize().into(),
        }
    }

    pub(super) fn of(&self, holder: Holder) -> u64 {
        let mut hash = Sha256::new();
        hash.update(self.key);
        match holder {
            Holder::Key(key) => {
                hash.update([0]);
                hash.update(key);
            }
            Holder::Address(IpAddr::V4(ip)) => {
                hash.update([4]);
                hash.update(ip.octets());
            }
            Holder::Address(IpAddr::V6(ip)) => {
                hash.update([6]);
                hash.update(ip.octets());
            }
        }
        let digest: [u8; 32] = hash.finalize().into();
        let [a, b, c, d, e, f, g, h, ..] = digest;
        u64::from_le_bytes([a, b, c, d, e, f, g, h])
    }
}

impl fmt::Debug for Voices {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Voices").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::RedisPlace;
    use std::time::Duration;

    fn cluster(node: &str, url: &str) -> Cluster {
        Cluster {
            redis: RedisPlace::new(url, None, None).unwrap(),
            node: node.into(),
            prefix: "p".into(),
            lease: Duration::from_secs(5),
        }
    }

    #[test]
    fn a_client_is_the_same_on_all_nodes_of_a_cluster_and_on_no_other() {
        let [a, b] = ["a", "b"].map(|n| Voices::of_cluster(&cluster(n, "redis://:pw@h:1")));
        let other = Voices::of_cluster(&cluster("a", "redis://:else@h:1"));
        let holders = [
            Holder::Key([7; 32]),
            Holder::Address([192, 0, 2, 1].into()),
            Holder::Address([192, 0, 2, 2].into()),
            Holder::Address("2001:db8::".parse().unwrap()),
        ];
        for holder in holders {
            assert_eq!(a.of(holder), b.of(holder));
            assert_ne!(a.of(holder), other.of(holder));
            assert_ne!(a.of(holder), Voices::random().of(holder));
        }
        let mut voices = holders.map(|holder| a.of(holder));
        voices.sort_unstable();
        assert!(voices.windows(2).all(|pair| pair[0] != pair[1]));
    }
}
