//! Every metric family, one row each: name, kind, labels, help. A new metric starts here.

use prometheus::proto::MetricType;
use prometheus::proto::MetricType::{COUNTER, GAUGE, HISTOGRAM};

/// One family, without the namespace that is put before its name.
#[derive(Debug)]
pub(super) struct Family {
    pub(super) name: &'static str,
    pub(super) kind: MetricType,
    pub(super) labels: &'static [&'static str],
    pub(super) help: &'static str,
}

macro_rules! families {
    ($($row:ident: $name:literal $kind:ident $labels:tt $help:literal;)*) => {
        $(pub(super) const $row: Family =
            Family { name: $name, kind: $kind, labels: &$labels, help: $help };)*

        /// The whole table.
        #[cfg(test)]
        pub(super) const ALL: &[&Family] = &[$(&$row),*];
    };
}

families! {
    // Derived from the snapshot at each scrape.
    CHECKS: "checks_total" COUNTER ["result"] "Probes that ended with a verdict on the proxy, by result; local failures are in neither.";
    CHECKS_SUCCESS: "checks_success_total" COUNTER [] "Probes that ended alive.";
    CHECKS_FAILURE: "checks_failure_total" COUNTER [] "Probes that ended with any other verdict on the proxy; local failures are not counted.";
    CHECK_DURATION: "check_duration_seconds" HISTOGRAM [] "Time from the first SYN of a probe to its verdict.";
    PROBES: "probes_total" COUNTER ["verdict"] "Probes by verdict, retries and local failures included.";
    PROBES_IN_FLIGHT: "probes_in_flight" GAUGE ["shard"] "Probes under way.";
    PROBES_QUEUED: "probes_queued" GAUGE ["shard"] "Jobs that wait for a lane.";
    LANES: "lanes" GAUGE ["shard"] "Lanes in force, which is the most probes that the shard can have under way.";
    LANES_WANTED: "lanes_wanted" GAUGE [] "Lanes as configured, all shards together; 0 before the first snapshot.";
    GOVERNOR_DECISIONS: "governor_decisions_total" COUNTER ["cause"] "Times that the governor changed the number of lanes, by cause.";
    LAG: "executor_lag_seconds" GAUGE ["shard"] "How late the shard came to its own tick at worst, in the time of its last report.";
    SHARD_RESTARTS: "shard_restarts_total" COUNTER ["shard"] "Restarts of a shard after a panic.";
    ALIVE: "alive_proxies" GAUGE [] "Candidates whose last verdict is alive.";
    DEAD: "dead_proxies" GAUGE [] "Candidates whose last verdict is another one on the proxy.";
    TURNS: "alive_checks_total" COUNTER ["result"] "Checks about candidates that were or became alive: kept, lost, or found.";
    SWEEP_PROGRESS: "sweep_progress_ratio" GAUGE [] "Part of the current sweep that has a verdict, 0 to 1.";
    SWEEP_UNJUDGED: "sweep_unjudged" GAUGE [] "Candidates of the current sweep of which nothing could be told because this host was late or has no way to them.";
    GENERATION: "snapshot_generation" GAUGE [] "Number of the published snapshot; 0 before the first.";
    AGE: "snapshot_age_seconds" GAUGE [] "Time since the snapshot was published, or since the start if none was.";
    STALE: "snapshot_stale" GAUGE [] "1 while the last good snapshot is served because verdicts cannot be trusted or nothing is alive any more.";
    BY_PROTOCOL: "proxies_by_protocol" GAUGE ["protocol"] "Proxies served under a protocol; one that speaks several is counted under each.";
    REACHED: "proxies_reached" GAUGE ["target"] "Alive candidates that reach the target.";
    CONTROL_UP: "control_up" GAUGE ["target"] "1 if the target answered its last probe without a proxy as it should; absent before the first.";
    CONTROL_DURATION: "control_duration_seconds" GAUGE ["target"] "Time that the last probe of the target without a proxy took; absent before the first.";
    HELD: "verdicts_held" GAUGE [] "Verdicts that wait until the targets have answered without a proxy.";
    SCRAPED: "proxies_scraped_total" COUNTER ["source"] "Candidates found in the lists of a source, added up over the lists seen at scrapes.";
    SOURCE_UP: "source_up" GAUGE ["source"] "1 if the last fetch of the source gave a list; absent before the first.";
    SOURCE_CANDIDATES: "source_candidates" GAUGE ["source"] "Candidates in the last good list of the source.";
    CLUSTER_NODES: "cluster_nodes" GAUGE [] "Nodes that are heard, this one included; absent on a machine alone, as all of these.";
    CLUSTER_LEADER: "cluster_leader" GAUGE [] "1 on the node that leads, 0 on the others.";
    CLUSTER_LAG: "cluster_lag_entries" GAUGE [] "Entries of the log that this node has not followed yet.";
    CLUSTER_LINK_UP: "cluster_link_up" GAUGE [] "1 while the other nodes can be heard.";
    CLUSTER_AGE: "cluster_figures_age_seconds" GAUGE [] "How old the figures of the nodes are while the others cannot be heard; 0 while they can.";
    CLUSTER_NODE_LANES: "cluster_node_lanes" GAUGE ["node"] "Lanes of a node; 0 while it takes no jobs.";
    BUILD_INFO: "build_info" GAUGE ["version", "commit"] "Always 1; its labels name the version that runs, and the commit it was built from.";

    // Recorded where they happen.
    API_REQUESTS: "api_requests_total" COUNTER ["method", "endpoint", "status"] "Requests answered by the API, by route.";
    API_DURATION: "api_request_duration_seconds" HISTOGRAM ["method", "endpoint"] "Time from the head of a request to its answer, before the answer is sent.";
    API_RATE_LIMITED: "api_rate_limited_total" COUNTER ["limit"] "Requests answered 429, by the limit that they exceeded.";
    API_CONNECTIONS: "api_connections" GAUGE [] "Connections of clients that are open.";
    API_CONNECTIONS_REFUSED: "api_connections_refused_total" COUNTER [] "Connections that were closed at once because their address had too many.";
    API_LEASES: "api_leases" GAUGE [] "Leases of proxies that are not over.";
    PROXY_REPORTS: "proxy_reports_total" COUNTER ["outcome"] "Reports of clients about proxies that were taken, by outcome.";
    RELOADS: "config_reloads_total" COUNTER ["result"] "Reloads of the configuration that began, and configurations that were refused.";
    RELOAD_OK: "config_last_reload_successful" GAUGE [] "1 if the last reload of the configuration was applied.";
    RELOAD_AT: "config_last_reload_success_timestamp_seconds" GAUGE [] "Unix time of the last configuration that was applied.";
    STORAGE_ERRORS: "storage_errors_total" COUNTER [] "Saves and backups of the ledger that failed.";
    STORAGE_RECOVERED: "storage_recovered_total" COUNTER [] "Times that what was stored could not be read and was moved aside.";
    BACKED_UP_AT: "backup_last_success_timestamp_seconds" GAUGE [] "Unix time of the last good backup of the ledger; absent before the first.";
    WEBHOOKS_SENT: "webhooks_sent_total" COUNTER ["event"] "Notices that a webhook took, by event.";
    WEBHOOKS_FAILED: "webhooks_failed_total" COUNTER [] "Notices to a webhook that were given up.";
    LOG_LINES_DROPPED: "log_lines_dropped_total" COUNTER [] "Log lines that were dropped because more came than could be written.";
    SAVED_AT: "storage_last_save_timestamp_seconds" GAUGE [] "Unix time of the last good save of the ledger; absent before the first.";
}

/// The labels of [`API_RATE_LIMITED`], so that each is on the page before it first happens.
pub(super) const API_LIMITS: [&str; 3] = ["key", "address", "failed_keys"];

/// The labels of [`RELOADS`].
pub(super) const RELOAD_RESULTS: [&str; 2] = [RELOAD_APPLIED, RELOAD_REFUSED];
/// All of a configuration is in force.
pub(super) const RELOAD_APPLIED: &str = "applied";
/// A configuration was not valid, or could not be read.
pub(super) const RELOAD_REFUSED: &str = "refused";

/// Upper bounds of [`API_DURATION`], in seconds: a read of the snapshot takes microseconds, a
/// listing of all of it some milliseconds, a reload up to its 5 s.
pub(super) const API_BUCKETS_SECONDS: [f64; 12] = [
    0.0001, 0.000_25, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 1.0, 5.0,
];
