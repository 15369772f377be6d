//! The names of the keys in Redis: everything of one cluster begins with its prefix.

/// The one group of consumers of the jobs; each node is a consumer of its own name.
pub(super) const GROUP: &str = "workers";

/// Every key of one cluster.
#[derive(Clone, Debug)]
pub(super) struct Keys {
    /// Who leads, `token|node`; gone when the lease ends.
    pub(super) leader: String,
    /// The last token.
    pub(super) epoch: String,
    /// The fingerprint of the leader's policy.
    pub(super) policy: String,
    /// Stream of the jobs that are handed out.
    pub(super) jobs: String,
    /// Which jobs of an entry of that stream were reported, as a hash from its id to 64 bits.
    pub(super) done: String,
    /// Stream of what workers report.
    pub(super) reports: String,
    /// Stream of what the leader is asked and told on other nodes.
    pub(super) words: String,
    /// Stream of what the leader logged.
    pub(super) log: String,
    /// Which image is the checkpoint, and where the log goes on from it.
    pub(super) checkpoint: String,
    /// What each node said of itself last, and when.
    pub(super) nodes: String,
}

impl Keys {
    /// The keys that begin with `prefix`.
    pub(super) fn new(prefix: &str) -> Keys {
        let key = |name: &str| format!("{prefix}:{name}");
        Keys {
            leader: key("leader"),
            epoch: key("epoch"),
            policy: key("policy"),
            jobs: key("jobs"),
            done: key("done"),
            reports: key("reports"),
            words: key("words"),
            log: key("log"),
            checkpoint: key("checkpoint"),
            nodes: key("nodes"),
        }
    }

    /// Where the chunks of one image stand: no two images ever have the same key.
    pub(super) fn image(&self, token: u64, number: u64) -> String {
        format!("{}:{token}-{number}", self.checkpoint)
    }
}
