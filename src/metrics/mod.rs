//! Every metric family in one table (`families.rs`), and its rendering as Prometheus text.
//!
//! What the coordinator knows is read from the snapshot at each scrape; there is no second channel
//! from it. Only what no snapshot holds is recorded here: requests, reloads, saves.

mod families;
mod lists;
mod page;
mod saves;
mod snapshot;

pub use saves::Saves;

use crate::alerts::Alarm;
use crate::ledger::Experience;
use crate::snapshot::Snapshot;
use families::Family;
use lists::Lists;
use page::Page;
use prometheus::core::Collector;
use prometheus::process_collector::ProcessCollector;
use prometheus::{
    GaugeVec, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGaugeVec, Opts,
    Registry,
};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

/// What is recorded, and the page made of it.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    process: Registry,
    api_requests: IntCounterVec,
    api_duration: HistogramVec,
    api_rate_limited: IntCounterVec,
    api_connections: IntGaugeVec,
    api_connections_refused: IntCounterVec,
    api_leases: IntGaugeVec,
    proxy_reports: IntCounterVec,
    reloads: IntCounterVec,
    reload_ok: IntGaugeVec,
    reload_at: GaugeVec,
    storage_errors: IntCounterVec,
    storage_recovered: IntCounterVec,
    saves: Saves,
    webhooks_sent: IntCounterVec,
    webhooks_failed: IntCounterVec,
    saved_at: GaugeVec,
    backed_up_at: GaugeVec,
    lists: Mutex<Lists>,
}

/// Where requests with one method, route and status are counted.
#[derive(Debug)]
pub struct ApiRoute {
    requests: IntCounter,
    duration: Histogram,
}

impl ApiRoute {
    /// One was answered after this time.
    pub fn count(&self, seconds: f64) {
        self.requests.inc();
        self.duration.observe(seconds);
    }
}

impl Metrics {
    /// Nothing happened yet, but that the configuration which the process starts with was applied.
    ///
    /// # Errors
    /// Only a faulty row of the table, which the tests would name first.
    pub fn new() -> prometheus::Result<Metrics> {
        let api_duration =
            HistogramOpts::new(families::API_DURATION.name, families::API_DURATION.help)
                .buckets(families::API_BUCKETS_SECONDS.to_vec());
        let metrics = Metrics {
            registry: Registry::new(),
            process: Registry::new(),
            api_requests: counter(&families::API_REQUESTS)?,
            api_duration: HistogramVec::new(api_duration, families::API_DURATION.labels)?,
            api_rate_limited: counter(&families::API_RATE_LIMITED)?,
            api_connections: gauge(&families::API_CONNECTIONS)?,
            api_connections_refused: counter(&families::API_CONNECTIONS_REFUSED)?,
            api_leases: IntGaugeVec::new(opts(&families::API_LEASES), families::API_LEASES.labels)?,
            proxy_reports: counter(&families::PROXY_REPORTS)?,
            reloads: counter(&families::RELOADS)?,
            reload_ok: IntGaugeVec::new(opts(&families::RELOAD_OK), families::RELOAD_OK.labels)?,
            reload_at: GaugeVec::new(opts(&families::RELOAD_AT), families::RELOAD_AT.labels)?,
            storage_errors: counter(&families::STORAGE_ERRORS)?,
            storage_recovered: counter(&families::STORAGE_RECOVERED)?,
            backed_up_at: GaugeVec::new(
                opts(&families::BACKED_UP_AT),
                families::BACKED_UP_AT.labels,
            )?,
            saves: Saves::default(),
            webhooks_sent: counter(&families::WEBHOOKS_SENT)?,
            webhooks_failed: counter(&families::WEBHOOKS_FAILED)?,
            saved_at: GaugeVec::new(opts(&families::SAVED_AT), families::SAVED_AT.labels)?,
            lists: Mutex::default(),
        };
        let recorded: [Box<dyn Collector>; 16] = [
            Box::new(metrics.webhooks_sent.clone()),
            Box::new(metrics.webhooks_failed.clone()),
            Box::new(metrics.api_requests.clone()),
            Box::new(metrics.api_duration.clone()),
            Box::new(metrics.api_rate_limited.clone()),
            Box::new(metrics.api_connections.clone()),
            Box::new(metrics.api_connections_refused.clone()),
            Box::new(metrics.api_leases.clone()),
            Box::new(metrics.proxy_reports.clone()),
            Box::new(metrics.reloads.clone()),
            Box::new(metrics.reload_ok.clone()),
            Box::new(metrics.reload_at.clone()),
            Box::new(metrics.storage_errors.clone()),
            Box::new(metrics.saved_at.clone()),
            Box::new(metrics.storage_recovered.clone()),
            Box::new(metrics.backed_up_at.clone()),
        ];
        for collector in recorded {
            metrics.registry.register(collector)?;
        }
        metrics
            .process
            .register(Box::new(ProcessCollector::for_self()))?;
        metrics.storage_errors.with_label_values(&NO_LABELS);
        metrics.storage_recovered.with_label_values(&NO_LABELS);
        metrics.webhooks_failed.with_label_values(&NO_LABELS);
        for alarm in Alarm::ALL {
            metrics.webhooks_sent.with_label_values(&[alarm.label()]);
        }
        metrics.api_connections.with_label_values(&NO_LABELS);
        metrics
            .api_connections_refused
            .with_label_values(&NO_LABELS);
        for limit in families::API_LIMITS {
            metrics.api_rate_limited.with_label_values(&[limit]);
        }
        metrics.leases(0);
        for experience in Experience::ALL {
            metrics
                .proxy_reports
                .with_label_values(&[experience.label()]);
        }
        for result in families::RELOAD_RESULTS {
            metrics.reloads.with_label_values(&[result]);
        }
        metrics.configured();
        Ok(metrics)
    }

    /// Counts a request. `method` and `endpoint` come from closed sets, never from the peer.
    pub fn api_request(
        &self,
        method: &'static str,
        endpoint: &'static str,
        status: u16,
        seconds: f64,
    ) {
        self.api_route(method, endpoint, status).count(seconds);
    }

    /// Where requests of one kind are counted, found once.
    pub fn api_route(&self, method: &'static str, endpoint: &'static str, status: u16) -> ApiRoute {
        ApiRoute {
            requests: self
                .api_requests
                .with_label_values(&[method, endpoint, &status.to_string()]),
            duration: self.api_duration.with_label_values(&[method, endpoint]),
        }
    }

    /// Counts a request that exceeded `limit`, which is of a closed set.
    pub fn api_rate_limited(&self, limit: &'static str) {
        self.api_rate_limited.with_label_values(&[limit]).inc();
    }

    /// A client's connection was opened.
    pub fn api_connection_opened(&self) {
        self.api_connections.with_label_values(&NO_LABELS).inc();
    }

    /// A client's connection was closed.
    pub fn api_connection_closed(&self) {
        self.api_connections.with_label_values(&NO_LABELS).dec();
    }

    /// A connection was closed at once, because its address had too many.
    pub fn api_connection_refused(&self) {
        self.api_connections_refused
            .with_label_values(&NO_LABELS)
            .inc();
    }

    /// So many leases are in force at this scrape.
    pub fn leases(&self, count: usize) {
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        self.api_leases.with_label_values(&NO_LABELS).set(count);
    }

    /// A report about a proxy was taken; `outcome` is the label of an [`Experience`].
    pub fn proxy_report(&self, outcome: &'static str) {
        self.proxy_reports.with_label_values(&[outcome]).inc();
    }

    /// A reload has put a configuration into force just now.
    pub fn reload_succeeded(&self) {
        let applied = self.reloads.with_label_values(&[families::RELOAD_APPLIED]);
        applied.inc();
        self.configured();
    }

    /// The configuration of this moment is in force.
    fn configured(&self) {
        self.reload_ok.with_label_values(&NO_LABELS).set(1);
        self.reload_at
            .with_label_values(&NO_LABELS)
            .set(unix_seconds(SystemTime::now()));
    }

    /// A configuration was refused; the one before stays.
    pub fn reload_failed(&self) {
        let refused = self.reloads.with_label_values(&[families::RELOAD_REFUSED]);
        refused.inc();
        self.reload_ok.with_label_values(&NO_LABELS).set(0);
    }

    /// A save of the ledger began.
    pub fn save_began(&self) {
        self.saves.began();
    }

    /// A save of the ledger failed.
    pub fn storage_failed(&self) {
        self.saves.failed(SystemTime::now());
        self.storage_errors.with_label_values(&NO_LABELS).inc();
    }

    /// A backup of the ledger failed, which says nothing of the last save.
    pub fn backup_failed(&self) {
        self.storage_errors.with_label_values(&NO_LABELS).inc();
    }

    /// How the saves of the ledger end.
    pub fn saves(&self) -> &Saves {
        &self.saves
    }

    /// Whether the last save failed, or hangs.
    pub fn storage_is_failing(&self) -> bool {
        self.saves.failing_since().is_some()
    }

    /// A webhook took a notice; `event` is the label of an [`Alarm`].
    pub fn webhook_sent(&self, event: &'static str) {
        self.webhooks_sent.with_label_values(&[event]).inc();
    }

    /// A notice to a webhook was given up.
    pub fn webhook_failed(&self) {
        self.webhooks_failed.with_label_values(&NO_LABELS).inc();
    }

    /// The ledger was saved.
    pub fn saved(&self, at: SystemTime) {
        self.saves.succeeded(at);
        self.saved_at
            .with_label_values(&NO_LABELS)
            .set(unix_seconds(at));
    }

    /// What was stored could not be read and was moved aside.
    pub fn storage_recovered(&self) {
        self.storage_recovered.with_label_values(&NO_LABELS).inc();
    }

    /// A backup of the ledger was made.
    pub fn backed_up(&self, at: SystemTime) {
        self.backed_up_at
            .with_label_values(&NO_LABELS)
            .set(unix_seconds(at));
    }

    /// The page for a scrape at `now`: what was recorded, what `snapshot` says, and the process.
    ///
    /// # Errors
    /// Only a faulty row of the table, which the tests would name first.
    pub fn render(
        &self,
        snapshot: &Snapshot,
        namespace: &str,
        now: SystemTime,
    ) -> prometheus::Result<Vec<u8>> {
        let mut page = Page::default();
        page.extend(self.registry.gather());
        {
            let mut lists = self.lists.lock().unwrap_or_else(PoisonError::into_inner);
            lists.look_at(&snapshot.stat.sources);
            snapshot::put_all(&mut page, snapshot, &lists, now);
        }
        page.put_one(
            &families::LOG_LINES_DROPPED,
            crate::logging::dropped() as f64,
        );
        page.prefix(namespace);
        page.extend(self.process.gather());
        page.text()
    }
}

const NO_LABELS: [&str; 0] = [];

fn opts(family: &Family) -> Opts {
    Opts::new(family.name, family.help)
}

fn counter(family: &Family) -> prometheus::Result<IntCounterVec> {
    IntCounterVec::new(opts(family), family.labels)
}

fn gauge(family: &Family) -> prometheus::Result<IntGaugeVec> {
    IntGaugeVec::new(opts(family), family.labels)
}

fn unix_seconds(at: SystemTime) -> f64 {
    at.duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or(Duration::ZERO)
        .as_secs_f64()
}

#[cfg(test)]
mod tests;
