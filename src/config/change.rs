//! Which changes of a configuration take a restart.

use super::{Backend, Config};
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
            ("logging.otlp_endpoint", endpoint(self) != endpoint(new)),
        ];
        let changed = changes.into_iter().filter(|(_, changed)| *changed);
        changed.map(|(key, _)| key).collect()
    }
}

/// Where spans go.
fn endpoint(config: &Config) -> Option<&str> {
    config.logging.otlp.as_ref().map(|otlp| &*otlp.endpoint)
}

/// The kind and the path of the store.
fn place(config: &Config) -> (&'static str, &Path) {
    match &config.storage.backend {
        Backend::Sled(path) => ("sled", path),
        Backend::File(path) => ("file", path),
    }
}
