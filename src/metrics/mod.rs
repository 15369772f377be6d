//! Every metric family in one table (`families.rs`), and its rendering as Prometheus text.
//!
//! What the coordinator knows is read from the snapshot at each scrape; there is no second channel
//! from it. Only what no snapshot holds is recorded here: requests, reloads, saves.

mod families;
mod lists;
mod page;
mod snapshot;

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
    reload_ok: IntGaugeVec,
    reload_at: GaugeVec,
    storage_errors: IntCounterVec,
    saved_at: GaugeVec,
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
            reload_ok: IntGaugeVec::new(opts(&families::RELOAD_OK), families::RELOAD_OK.labels)?,
            reload_at: GaugeVec::new(opts(&families::RELOAD_AT), families::RELOAD_AT.labels)?,
            storage_errors: counter(&families::STORAGE_ERRORS)?,
            saved_at: GaugeVec::new(opts(&families::SAVED_AT), families::SAVED_AT.labels)?,
            lists: Mutex::default(),
        };
        let recorded: [Box<dyn Collector>; 6] = [
            Box::new(metrics.api_requests.clone()),
            Box::new(metrics.api_duration.clone()),
            Box::new(metrics.reload_ok.clone()),
            Box::new(metrics.reload_at.clone()),
            Box::new(metrics.storage_errors.clone()),
            Box::new(metrics.saved_at.clone()),
        ];
        for collector in recorded {
            metrics.registry.register(collector)?;
        }
        metrics
            .process
            .register(Box::new(ProcessCollector::for_self()))?;
        metrics.storage_errors.with_label_values(&NO_LABELS);
        metrics.reload_succeeded();
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

    /// A configuration was applied just now.
    pub fn reload_succeeded(&self) {
        self.reload_ok.with_label_values(&NO_LABELS).set(1);
        self.reload_at
            .with_label_values(&NO_LABELS)
            .set(unix_seconds(SystemTime::now()));
    }

    /// A configuration was refused; the one before stays.
    pub fn reload_failed(&self) {
        self.reload_ok.with_label_values(&NO_LABELS).set(0);
    }

    /// A save or a load of the ledger failed.
    pub fn storage_failed(&self) {
        self.storage_errors.with_label_values(&NO_LABELS).inc();
    }

    /// The ledger was saved.
    pub fn saved(&self, at: SystemTime) {
        self.saved_at
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

fn unix_seconds(at: SystemTime) -> f64 {
    at.duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or(Duration::ZERO)
        .as_secs_f64()
}

#[cfg(test)]
mod tests;
