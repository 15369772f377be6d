//! The exporter: OTLP over HTTP in protobuf, on a thread of its own, and one warning while nobody
//! takes the spans.

use opentelemetry::KeyValue;
use opentelemetry::trace::TracerProvider;
use opentelemetry_otlp::{ExporterBuildError, Protocol, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{
    BatchConfigBuilder, BatchSpanProcessor, Sampler, SdkTracer, SdkTracerProvider, SpanData,
    SpanExporter,
};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Spans that wait for the collector; more are dropped.
const WAITING_MAX: usize = 2_048;
/// Longest time that a span waits for others to go with it.
const DELAY: Duration = Duration::from_secs(2);
/// Longest time that the collector may take.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Who we are in traces.
const SERVICE: &str = "proxy-checker";

/// Why there are no traces; the text names the key.
#[derive(Debug, thiserror::Error)]
pub enum TracesError {
    /// The exporter does not take the configuration.
    #[error("logging.otlp_endpoint: {0}")]
    Exporter(#[from] ExporterBuildError),
    /// There is no HTTP client.
    #[error("logging.otlp_endpoint: {0}")]
    Client(#[from] reqwest::Error),
}

/// What makes spans and sends them to `endpoint`.
pub(super) fn provider(
    endpoint: &str,
    node: &str,
) -> Result<(SdkTracerProvider, SdkTracer), TracesError> {
    let exporter = opentelemetry_otlp::SpanExporter::builder()
        .with_http()
        .with_http_client(client()?)
        .with_protocol(Protocol::HttpBinary)
        .with_endpoint(endpoint)
        .with_timeout(TIMEOUT)
        .build()?;
    let batches = BatchConfigBuilder::default()
        .with_max_queue_size(WAITING_MAX)
        .with_scheduled_delay(DELAY)
        .build();
    let watched = Watched {
        exporter,
        endpoint: endpoint.to_owned(),
        failing: AtomicBool::new(false),
    };
    let processor = BatchSpanProcessor::builder(watched).with_batch_config(batches);
    // Nothing of it is taken from the environment: what a span says is said here.
    let resource = Resource::builder_empty().with_service_name(SERVICE);
    let resource = resource.with_attributes([
        KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
        KeyValue::new("service.instance.id", node.to_owned()),
    ]);
    let provider = SdkTracerProvider::builder()
        .with_sampler(Sampler::AlwaysOn) // which requests have a span was decided before
        .with_resource(resource.build())
        .with_span_processor(processor.build())
        .build();
    let tracer = provider.tracer(SERVICE);
    Ok((provider, tracer))
}

fn client() -> reqwest::Result<reqwest::blocking::Client> {
    // Fails if the process has chosen a provider before, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let builder = || {
        reqwest::blocking::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .timeout(TIMEOUT)
    };
    let built = builder().build();
    // The one thing that building needs from the machine is its root certificates.
    built.or_else(|_| builder().tls_certs_only([]).build())
}

/// An exporter whose failures are said once, and their end.
#[derive(Debug)]
struct Watched<E> {
    exporter: E,
    endpoint: String,
    failing: AtomicBool,
}

impl<E: SpanExporter> SpanExporter for Watched<E> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let outcome = self.exporter.export(batch).await;
        let failed_before = self.failing.swap(outcome.is_err(), Ordering::Relaxed);
        let endpoint = &*self.endpoint;
        match &outcome {
            Err(error) if !failed_before => {
                tracing::warn!(endpoint, %error, "the collector does not take spans, which are dropped until it does");
            }
            Ok(()) if failed_before => tracing::info!(endpoint, "the collector takes spans again"),
            _ => {}
        }
        outcome
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}
