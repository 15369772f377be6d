//! How the service of a scenario probes.

use proxy_bench::harness::service::Setup;

/// Options of every scenario over a service; the defaults are those of the service, but for lanes,
/// of which a shard has as many as there are descriptors.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Probing {
    /// Probes at once
    #[arg(long, default_value_t = 19_000)]
    lanes: u32,
    /// The deadline of a probe, in milliseconds
    #[arg(long, default_value_t = 15_000)]
    timeout_ms: u64,
    /// The part of it that the connect may take, in milliseconds
    #[arg(long, default_value_t = 5_000)]
    connect_timeout_ms: u64,
    /// Pause between two tries of the target without a proxy, in seconds; failures count, and a
    /// sweep is over, only after one that was answered
    #[arg(long, default_value_t = 5)]
    control_interval: u64,
    /// What keeps the proxies: sled or file
    #[arg(long, default_value = "sled", value_parser = ["sled", "file"])]
    store: String,
}

impl Probing {
    pub(crate) fn setup(&self, interval_seconds: u64) -> Setup {
        Setup {
            interval_seconds,
            lanes: self.lanes,
            timeout_ms: self.timeout_ms,
            // As the default of the service does, it gives way to a shorter deadline.
            connect_timeout_ms: self.connect_timeout_ms.min(self.timeout_ms),
            control_interval_seconds: self.control_interval,
            store: self.store.clone(),
            persist_seconds: 300,
        }
    }

    /// Longest time that a sweep over `count` candidates may take: it is over when the last lane
    /// is, and what takes many times longer than that never ends.
    pub(crate) fn patience(&self, count: usize) -> std::time::Duration {
        let rounds = count as u64 / u64::from(self.lanes.max(1)) + 1;
        std::time::Duration::from_millis(4 * rounds * self.timeout_ms + 60_000)
    }
}
