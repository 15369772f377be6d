//! Spans for a collector of OpenTelemetry, if one is configured; else each call here is one load.
//!
//! A span is made when what it tells is over, with the times that were measured anyway: nothing is
//! carried along by who does the work, and no span is open in a probe or an answer. Only the sweep is
//! open while it lasts, for it is the parent of what happens meanwhile. Spans wait for the exporter's
//! own thread in a bounded list; what finds no room there is dropped.

mod export;
mod parent;

pub use export::TracesError;

use crate::config::Otlp;
use axum::http::HeaderMap;
use opentelemetry::trace::{Span, SpanContext, SpanKind, Status, TraceContextExt, Tracer};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, SystemTime};

/// A publication that took longer has a span also if no sweep has just ended.
const LONG_PUBLICATION: Duration = Duration::from_millis(10);
/// Longest wait for spans on their way at the end of the process: all of it may take five seconds.
const END_WITHIN: Duration = Duration::from_millis(300);

static TRACES: OnceLock<Traces> = OnceLock::new();

struct Traces {
    provider: SdkTracerProvider,
    tracer: SdkTracer,
    sample_percent: AtomicU8,
    sweep: Mutex<Sweep>,
}

/// The sweep that others belong to.
#[derive(Default)]
struct Sweep {
    open: Option<opentelemetry_sdk::trace::Span>,
    /// Of a sweep that is over and not published yet.
    ended: Option<SpanContext>,
}

/// One answered request.
#[derive(Clone, Copy, Debug)]
pub struct Request<'r> {
    /// Of a closed set.
    pub method: &'static str,
    /// The pattern of its route.
    pub endpoint: &'static str,
    /// The status of the answer.
    pub status: u16,
    /// From its head to its answer.
    pub took: Duration,
    /// Its name.
    pub request_id: &'r str,
    /// Where `traceparent` may stand.
    pub headers: &'r HeaderMap,
}

/// Begins to export spans, as this node. Later calls change the share of requests only.
///
/// # Errors
/// The exporter cannot be made. That nobody answers at the endpoint is no error.
pub fn begin(otlp: Option<&Otlp>, node: &str) -> Result<(), TracesError> {
    let Some(otlp) = otlp else {
        return Ok(());
    };
    if let Some(traces) = TRACES.get() {
        traces
            .sample_percent
            .store(otlp.sample_percent, Ordering::Relaxed);
        return Ok(());
    }
    let (provider, tracer) = export::provider(&otlp.endpoint, node)?;
    // Another call cannot have come between: the service starts once.
    let _ = TRACES.set(Traces {
        provider,
        tracer,
        sample_percent: AtomicU8::new(otlp.sample_percent),
        sweep: Mutex::default(),
    });
    Ok(())
}

/// Another share of requests is in force.
pub fn resample(otlp: Option<&Otlp>) {
    if let Some(traces) = TRACES.get() {
        let percent = otlp.map_or(0, |otlp| otlp.sample_percent);
        traces.sample_percent.store(percent, Ordering::Relaxed);
    }
}

/// Exports what waits, for a moment.
pub fn end() {
    if let Some(traces) = TRACES.get() {
        // A collector that does not answer has been complained of.
        let _ = traces.provider.shutdown_with_timeout(END_WITHIN);
    }
}

/// Calls [`end`] when it is dropped.
#[derive(Debug)]
pub struct EndOfTraces;

impl Drop for EndOfTraces {
    fn drop(&mut self) {
        end();
    }
}

/// Whether a request names the span that it belongs to.
#[cfg(any(test, fuzzing))]
pub(crate) fn has_parent(headers: &HeaderMap) -> bool {
    parent::of(headers).has_active_span()
}

/// Whether spans are exported.
pub fn is_on() -> bool {
    TRACES.get().is_some()
}

/// A sweep has begun; `known` candidates were there before.
pub fn sweep_began(id: u64, known: usize) {
    let Some(traces) = TRACES.get() else { return };
    let mut span = traces.tracer.span_builder("sweep").start(&traces.tracer);
    span.set_attribute(KeyValue::new("sweep.id", number(id)));
    span.set_attribute(KeyValue::new("sweep.known", number(known as u64)));
    traces.sweep().open = Some(span);
}

/// The sweep is over. One that a reload ended is not complete.
pub fn sweep_ended(candidates: u64, alive: u64, is_complete: bool) {
    let Some(traces) = TRACES.get() else { return };
    let mut sweep = traces.sweep();
    let Some(mut span) = sweep.open.take() else {
        return;
    };
    span.set_attribute(KeyValue::new("sweep.candidates", number(candidates)));
    span.set_attribute(KeyValue::new("sweep.alive", number(alive)));
    span.set_attribute(KeyValue::new("sweep.complete", is_complete));
    sweep.ended = is_complete.then(|| span.span_context().clone());
    span.end();
}

/// A source was fetched, with so many candidates and bytes, or failed; `url` holds no credentials.
pub fn source_fetched(url: &str, took: Duration, outcome: Result<(u64, u64), String>) {
    let Some(traces) = TRACES.get() else { return };
    let mut attributes = vec![KeyValue::new("source", url.to_owned())];
    let status = match outcome {
        Ok((found, bytes)) => {
            attributes.push(KeyValue::new("source.found", number(found)));
            attributes.push(KeyValue::new("source.bytes", number(bytes)));
            Status::Ok
        }
        Err(error) => Status::error(error),
    };
    let parent = traces.sweep().parent(false);
    traces.record(
        "source fetch",
        SpanKind::Client,
        took,
        &parent,
        attributes,
        status,
    );
}

/// A save ended.
pub fn saved(took: Duration, error: Option<&str>) {
    let Some(traces) = TRACES.get() else { return };
    let status = error.map_or(Status::Ok, |error| Status::error(error.to_owned()));
    let parent = traces.sweep().parent(false);
    traces.record(
        "save",
        SpanKind::Internal,
        took,
        &parent,
        Vec::new(),
        status,
    );
}

/// A snapshot was published. Only the one that follows the end of a sweep has a span, and those that
/// took long.
pub fn published(took: Duration) {
    let Some(traces) = TRACES.get() else { return };
    let mut sweep = traces.sweep();
    if sweep.ended.is_none() && took < LONG_PUBLICATION {
        return;
    }
    let parent = sweep.parent(true);
    drop(sweep);
    traces.record(
        "publish",
        SpanKind::Internal,
        took,
        &parent,
        Vec::new(),
        Status::Ok,
    );
}

/// A request was answered. A share of them has a span.
pub fn answered(request: Request<'_>) {
    let Some(traces) = TRACES.get() else { return };
    if fastrand::u8(..100) >= traces.sample_percent.load(Ordering::Relaxed) {
        return;
    }
    let attributes = vec![
        KeyValue::new("http.request.method", request.method),
        KeyValue::new("http.route", request.endpoint),
        KeyValue::new("http.response.status_code", i64::from(request.status)),
        KeyValue::new("request.id", request.request_id.to_owned()),
    ];
    let status = match request.status {
        500.. => Status::error(""),
        _ => Status::Unset,
    };
    let name = format!("{} {}", request.method, request.endpoint);
    let parent = parent::of(request.headers);
    traces.record(
        name,
        SpanKind::Server,
        request.took,
        &parent,
        attributes,
        status,
    );
}

impl Traces {
    fn sweep(&self) -> MutexGuard<'_, Sweep> {
        self.sweep.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A span that ends now and began `took` ago.
    fn record(
        &self,
        name: impl Into<std::borrow::Cow<'static, str>>,
        kind: SpanKind,
        took: Duration,
        parent: &Context,
        attributes: Vec<KeyValue>,
        status: Status,
    ) {
        let now = SystemTime::now();
        let builder = self.tracer.span_builder(name).with_kind(kind);
        let builder = builder.with_start_time(now.checked_sub(took).unwrap_or(now));
        let builder = builder.with_attributes(attributes);
        let mut span = builder.start_with_context(&self.tracer, parent);
        span.set_status(status);
        span.end_with_timestamp(now);
    }
}

impl Sweep {
    /// What belongs to the sweep under way, or to one whose end is being `published`.
    fn parent(&mut self, published: bool) -> Context {
        let ended = published.then(|| self.ended.take()).flatten();
        let open = self.open.as_ref().map(|span| span.span_context().clone());
        match ended.or(open) {
            Some(context) => Context::new().with_remote_span_context(context),
            None => Context::new(),
        }
    }
}

fn number(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
