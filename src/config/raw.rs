//! Mirrors the JSON: every key, its type and its default. Nothing is checked here.
//!
//! `RawConfig::template` is the table of known keys; the example, the documentation and the
//! search for mistyped keys are all held against it.

use super::secret::JUDGE_SECRET_ENV;
use proxy_shards::target::{BODY_BYTES_MAX_DEFAULT, TARGET_NAME_DEFAULT};
use serde::{Deserialize, Serialize};

/// Declares a block of the file: each key on one line, with its type and default.
macro_rules! block {
    ($(#[$doc:meta])* $name:ident { $($(#[$key_doc:meta])* $key:ident: $kind:ty = $default:expr,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        #[serde(default)]
        pub(super) struct $name {
            $($(#[$key_doc])* pub(super) $key: $kind,)*
        }

        impl Default for $name {
            fn default() -> $name {
                $name { $($key: $default,)* }
            }
        }
    };
}

block! {
    /// The whole file.
    RawConfig {
        aggregator: RawAggregator = RawAggregator::default(),
        checker: RawChecker = RawChecker::default(),
        snapshot: RawSnapshot = RawSnapshot::default(),
        api: RawApi = RawApi::default(),
        storage: RawStorage = RawStorage::default(),
        cluster: RawCluster = RawCluster::default(),
        metrics: RawMetrics = RawMetrics::default(),
        logging: RawLogging = RawLogging::default(),
        alerts: RawAlerts = RawAlerts::default(),
    }
}

block! {
    /// `aggregator`
    RawAggregator {
        interval_seconds: u64 = 60,
        sources: Vec<RawSource> = Vec::new(),
        user_agent: String = "proxy-checker".to_owned(),
        allow_private: bool = false,
        allow_networks: Vec<String> = Vec::new(),
        deny_networks: Vec<String> = Vec::new(),
        deny_ports: Vec<u64> = vec![25],
        source_timeout_ms: u64 = 30_000,
        source_bytes_max: u64 = 67_108_864,
    }
}

block! {
    /// One of `aggregator.sources`
    RawSource {
        url: String = String::new(),
        // The word is the file's, not Rust's.
        r#type: String = "auto".to_owned(),
        format: String = "auto".to_owned(),
        enabled: bool = false,
    }
}

block! {
    /// `checker`
    RawChecker {
        timeout_ms: u64 = 15_000,
        connect_timeout_ms: u64 = 5_000,
        concurrency_total: u64 = 20_000,
        max_connects_per_second: u64 = 0,
        batch_size: u64 = 2_000,
        retries: u64 = 0,
        test_url: String = "https://www.google.com/generate_204".to_owned(),
        mode: String = "full-http".to_owned(),
        expect: RawExpect = RawExpect::default(),
        targets: Vec<RawTarget> = Vec::new(),
        require: String = "all".to_owned(),
        control_probe: bool = true,
        control_interval_seconds: u64 = 5,
        ca_file: String = String::new(),
        shards: u64 = 0,
        backoff_max_seconds: u64 = 1_800,
        enable_adaptive_concurrency: bool = false,
        max_fd_usage_percent: u64 = 80,
        max_cpu_usage_percent: u64 = 95,
    }
}

block! {
    /// One of `checker.targets`
    RawTarget {
        name: String = TARGET_NAME_DEFAULT.to_owned(),
        url: String = String::new(),
        judge: bool = false,
        secret_env: String = JUDGE_SECRET_ENV.to_owned(),
        tunnel: bool = false,
        expect: RawExpect = RawExpect::default(),
    }
}

block! {
    /// `checker.expect`, and that of a target
    RawExpect {
        status: u64 = 0,
        body_contains: String = String::new(),
        body_equals_sha256: String = String::new(),
        header: String = String::new(),
        max_bytes: u64 = BODY_BYTES_MAX_DEFAULT as u64,
    }
}

block! {
    /// `snapshot`
    RawSnapshot {
        max_stale_seconds: u64 = 600,
    }
}

block! {
    /// `api`
    RawApi {
        addr: String = "127.0.0.1:8083".to_owned(),
        api_key_env: String = String::new(),
        rate_limit_per_minute: u64 = 1_200,
        rate_limit_per_ip: u64 = 100,
        enable_api_key_auth: bool = false,
        allow_anonymous: bool = false,
        enable_ip_rate_limit: bool = false,
        trusted_proxies: Vec<String> = Vec::new(),
        max_connections_per_ip: u64 = 256,
        report_quorum: u64 = 0,
        cors_origins: Vec<String> = Vec::new(),
    }
}

block! {
    /// `storage`
    RawStorage {
        r#type: String = "sled".to_owned(),
        path: String = String::new(),
        password_env: String = String::new(),
        ca_file: String = String::new(),
        prefix: String = "proxychecker".to_owned(),
        persist_interval_seconds: u64 = 300,
        backup: RawBackup = RawBackup::default(),
    }
}

block! {
    /// `storage.backup`
    RawBackup {
        every_seconds: u64 = 0,
        keep: u64 = 7,
        folder: String = String::new(),
    }
}

block! {
    /// `cluster`
    RawCluster {
        redis_url: String = String::new(),
        password_env: String = String::new(),
        ca_file: String = String::new(),
        node: String = String::new(),
        prefix: String = "proxychecker".to_owned(),
        lease_ms: u64 = 5_000,
    }
}

block! {
    /// `metrics`
    RawMetrics {
        enabled: bool = false,
        endpoint: String = "/metrics".to_owned(),
        namespace: String = "proxychecker".to_owned(),
        require_key: bool = false,
    }
}

block! {
    /// `logging`
    RawLogging {
        level: String = "info".to_owned(),
        format: String = "json".to_owned(),
        file: String = String::new(),
        file_max_bytes: u64 = 104_857_600,
        file_keep: u64 = 7,
        otlp_endpoint: String = String::new(),
        otlp_sample_percent: u64 = 1,
    }
}

block! {
    /// `alerts`
    RawAlerts {
        alive_below: u64 = 0,
        source_failures: u64 = 5,
        webhooks: Vec<RawWebhook> = Vec::new(),
    }
}

block! {
    /// One of `alerts.webhooks`
    RawWebhook {
        url: String = String::new(),
        events: Vec<String> = Vec::new(),
        secret_env: String = String::new(),
    }
}

impl RawConfig {
    /// Every key with its default; each list holds one element, to show its form.
    pub(super) fn template() -> RawConfig {
        let mut template = RawConfig::default();
        template.aggregator.sources.push(RawSource::default());
        template.checker.targets.push(RawTarget::default());
        template.aggregator.allow_networks.push(String::new());
        template.aggregator.deny_networks.push(String::new());
        template.api.trusted_proxies.push(String::new());
        template.api.cors_origins.push(String::new());
        template.alerts.webhooks.push(RawWebhook {
            events: vec![String::new()],
            ..RawWebhook::default()
        });
        template
    }
}
