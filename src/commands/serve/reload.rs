//! What a reload does beside the coordinator: reads, and tells those who keep a part of the
//! configuration.

use super::notify;
use super::place::Place;
use crate::api::Settings;
use crate::config::{Alerts, Config, ConfigError, Problem, Source};
use crate::io::{FetchAll, Outcome, Plan, Reload};
use crate::logging;
use crate::metrics::Metrics;
use crate::sources::fetch::{FetchError, Fetched, Fetcher};
use crate::traces;
use std::sync::Arc;
use tokio::sync::{mpsc, watch};

/// A configuration, with a fetcher that knows its limits and remembers nothing yet.
pub(super) fn plan(config: Config) -> Result<Plan, FetchError> {
    let fetcher = Fetcher::new(&config.aggregator)?;
    Ok(Plan {
        config: Arc::new(config),
        fetch: fetch_all(fetcher),
    })
}

fn fetch_all(fetcher: Fetcher) -> FetchAll {
    Arc::new(
        move |sources: Vec<Source>, to: mpsc::Sender<(usize, Outcome)>| {
            let fetcher = fetcher.clone();
            Box::pin(async move {
                let (results, mut arrived) =
                    mpsc::channel::<(usize, Result<Fetched, FetchError>)>(1);
                let pass_on = async {
                    while let Some((place, result)) = arrived.recv().await {
                        let outcome = result.map_err(|error| error.to_string().into());
                        if to.send((place, outcome)).await.is_err() {
                            return;
                        }
                    }
                };
                tokio::join!(fetcher.fetch_all(&sources, results), pass_on);
            })
        },
    )
}

/// Reads the configuration again from where it came from.
#[derive(Debug)]
pub(super) struct Reloader {
    place: Place,
    /// The configuration that the process started with: what takes a restart is compared with it.
    started: Arc<Config>,
    settings: watch::Sender<Arc<Settings>>,
    metrics: Arc<Metrics>,
    alerts: watch::Sender<Arc<Alerts>>,
}

impl Reloader {
    pub(super) fn new(
        place: Place,
        started: Arc<Config>,
        settings: watch::Sender<Arc<Settings>>,
        metrics: Arc<Metrics>,
        alerts: watch::Sender<Arc<Alerts>>,
    ) -> Reloader {
        Reloader {
            place,
            started,
            settings,
            metrics,
            alerts,
        }
    }

    /// The words of what is wrong with a configuration that validates, in the form of those that do not.
    fn refusal(&self, key: &str, text: String) -> String {
        let problem = Problem {
            place: key.to_owned(),
            text,
        };
        let error = ConfigError {
            file: self.place.name(),
            problems: vec![problem],
        };
        error.to_string()
    }

    /// What the API goes by from now on: where the metrics are, and their prefix, stays.
    fn settings(&self, config: &Config) -> Settings {
        let mut settings = Settings::from(config);
        let started = &self.started.metrics;
        settings.metrics.endpoint = started.endpoint.clone();
        settings.metrics.namespace = started.namespace.clone();
        settings
    }
}

impl Reload for Reloader {
    fn read(&self) -> Result<Plan, String> {
        notify::reloading();
        // Whoever rotates the log asks for a reload, and the log has moved whatever comes of that.
        logging::reopen();
        let (config, warnings) = self.place.load().map_err(|error| error.to_string())?;
        for warning in &warnings {
            tracing::warn!("{warning}");
        }
        // The socket stays where it was bound, whatever the file says now.
        let listening = self.started.api.addr;
        if config.api.may_listen_on(listening).is_err() {
            return Err(self.refusal(
                "api.enable_api_key_auth",
                format!(
                    "is off, and the API goes on listening on {listening}, where whoever reaches it would get the proxies, for a changed api.addr moves it at the next start only; turn it on with keys in the variable that api.api_key_env names, set api.allow_anonymous to true, or restart the service"
                ),
            ));
        }
        plan(config).map_err(|error| {
            let key = match error {
                FetchError::Client(_) => "aggregator.user_agent",
                _ => "aggregator.sources",
            };
            self.refusal(key, error.to_string())
        })
    }

    fn accepted(&self, plan: &Plan) -> Vec<&'static str> {
        let config = &plan.config;
        let restart = self.started.diff_needs_restart(config);
        if !restart.is_empty() {
            let keys = restart.join(", ");
            tracing::warn!(keys, "changed, but in force only after a restart");
        }
        // A key that was taken back must not work on until the lists of the reload before are read.
        self.settings.send_replace(Arc::new(self.settings(config)));
        restart
    }

    fn applied(&self, id: u64, plan: &Plan) {
        let config = &plan.config;
        if let Err(error) = logging::init(&config.logging) {
            tracing::warn!(%error, "the log level stays as it was");
        }
        traces::resample(config.logging.otlp.as_ref());
        self.alerts.send_replace(config.alerts.clone());
        self.metrics.reload_succeeded();
        let sources = config.aggregator.sources.len();
        tracing::info!(reload = id, sources, "the configuration is in force");
        notify::reloaded();
    }

    fn refused(&self, why: &str) {
        self.metrics.reload_failed();
        tracing::error!(%why, "the configuration was refused; the one before stays in force");
        notify::reloaded();
    }
}
