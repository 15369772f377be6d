//! Which changes of a configuration take a restart.

use super::{Backend, Backup, Cluster, Config, RedisPlace};

impl Config {
    /// The keys whose change from `self` to `new` takes a restart; all others apply at once.
    pub fn diff_needs_restart(&self, new: &Config) -> Vec<&'static str> {
        let (old, now) = (place(self), place(new));
        let changes = [
            ("checker.shards", self.checker.shards != new.checker.shards),
            ("api.addr", self.api.addr != new.api.addr),
            ("storage.type", old.kind != now.kind),
            ("storage.path", old.path != now.path),
            ("storage.password_env", old.password != now.password),
            ("storage.ca_file", old.ca != now.ca),
            ("storage.prefix", old.prefix != now.prefix),
            (
                "storage.backup.every_seconds",
                backup(self).map(|b| b.every) != backup(new).map(|b| b.every),
            ),
            (
                "storage.backup.keep",
                backup(self).map(|b| b.keep) != backup(new).map(|b| b.keep),
            ),
            (
                "storage.backup.folder",
                backup(self).map(|b| &b.folder) != backup(new).map(|b| &b.folder),
            ),
            (
                "metrics.endpoint",
                self.metrics.endpoint != new.metrics.endpoint,
            ),
            (
                "metrics.namespace",
                self.metrics.namespace != new.metrics.namespace,
            ),
            ("logging.format", self.logging.json != new.logging.json),
            ("logging.otlp_endpoint", endpoint(self) != endpoint(new)),
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

/// Where spans go.
fn endpoint(config: &Config) -> Option<&str> {
    config.logging.otlp.as_ref().map(|otlp| &*otlp.endpoint)
}

/// What a store is opened with, key by key.
#[derive(Default)]
struct Place<'a> {
    kind: &'static str,
    /// With the user, who stands in it too.
    path: String,
    password: Option<&'a str>,
    ca: Option<&'a [u8]>,
    prefix: Option<&'a str>,
}

fn place(config: &Config) -> Place<'_> {
    let (kind, path) = match &config.storage.backend {
        Backend::Memory => ("memory", String::new()),
        Backend::Sled(path) => ("sled", path.display().to_string()),
        Backend::File(path) => ("file", path.display().to_string()),
        Backend::Sqlite(path) => ("sqlite", path.display().to_string()),
        Backend::Redis { place, prefix } => return redis(place, prefix),
    };
    Place {
        kind,
        path,
        ..Place::default()
    }
}

fn redis<'a>(place: &'a RedisPlace, prefix: &'a str) -> Place<'a> {
    Place {
        kind: "redis",
        path: format!("{} {}", place.url, place.user),
        password: place.password.as_deref(),
        ca: place.ca.as_deref(),
        prefix: Some(prefix),
    }
}

fn backup(config: &Config) -> Option<&Backup> {
    config.storage.backup.as_ref()
}
