//! Which changes of a configuration take a restart.

use super::{Backend, Cluster, Config};
use std::path::Path;

impl Config {
    /// The keys whose change from `self` to `new` takes a restart; all others apply at once.
    pub fn diff_needs_restart(&self, new: &Config) -> Vec<&'static str> {
        let ((old_kind, old_path), (new_kind, new_path)) = (place(self), place(new));
        let changes = [
            ("checker.shards", self.checker.shards != new.checker.shards),
            ("api.addr", self.api.addr != new.api.addr),
            ("storage.type", old_kind != new_kind),
            ("storage.path", old_path != new_path),
            (
                "metrics.endpoint",
                self.metrics.endpoint != new.metrics.endpoint,
            ),
            (
                "metrics.namespace",
                self.metrics.namespace != new.metrics.namespace,
            ),
            ("logging.format", self.logging.json != new.logging.json),
        ];
        let changes = changes.into_iter().chain(cluster_changes(self, new));
        changes
            .filter(|(_, changed)| *changed)
            .map(|(key, _)| key)
            .collect()
    }
}

/// As `diff_needs_restart`, of the block `cluster`.
fn cluster_changes(old: &Config, new: &Config) -> [(&'static str, bool); 6] {
    let [old, new] = [old, new].map(|config| config.cluster.as_ref());
    let redis = |of: Option<&'_ Cluster>| of.map(|c| format!("{} {}", c.redis.url, c.redis.user));
    let password = |of: Option<&Cluster>| of.and_then(|c| c.redis.password.clone());
    let ca = |of: Option<&Cluster>| of.and_then(|c| c.redis.ca.clone());
    let lease = |of: Option<&Cluster>| of.map(|c| c.lease);
    let node = |of: Option<&Cluster>| of.map(|c| c.node.clone());
    let prefix = |of: Option<&Cluster>| of.map(|c| c.prefix.clone());
    [
        ("cluster.redis_url", redis(old) != redis(new)),
        ("cluster.password_env", password(old) != password(new)),
        ("cluster.ca_file", ca(old) != ca(new)),
        ("cluster.node", node(old) != node(new)),
        ("cluster.prefix", prefix(old) != prefix(new)),
        ("cluster.lease_ms", lease(old) != lease(new)),
    ]
}

/// The kind and the path of the store.
fn place(config: &Config) -> (&'static str, &Path) {
    match &config.storage.backend {
        Backend::Sled(path) => ("sled", path),
        Backend::File(path) => ("file", path),
    }
}
