//! Raw → checked: all blocks, and the small ones (`snapshot`, `logging`) themselves.

use super::problem::{Report, quoted};
use super::raw::{RawConfig, RawLogging, RawSnapshot};
use super::serving::Env;
use super::{
    Config, LogPlace, Logging, Otlp, SnapshotLife, alerts, checker, cluster, serving, source,
    storage,
};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tracing_subscriber::EnvFilter;
use url::Url;

/// Longest time that a stale snapshot may be served, in seconds: a week.
const STALE_SECONDS_MAX: u64 = 604_800;

/// The words of a log level, from the most to the least.
const LEVELS: [&str; 6] = ["trace", "debug", "info", "warn", "error", "off"];

/// The whole file, checked; relative paths of sources and certificates start at `folder`.
/// There is none if the report has problems.
pub(super) fn config(
    raw: &RawConfig,
    folder: &Path,
    env: Env<'_>,
    report: &mut Report,
) -> Option<Config> {
    let aggregator = source::aggregator(&raw.aggregator, folder, report);
    let checker = checker::checker(&raw.checker, &aggregator.user_agent, folder, env, report);
    let config = Config {
        snapshot: snapshot(&raw.snapshot, report),
        api: serving::api(&raw.api, env, report),
        storage: storage::storage(&raw.storage, folder, env, report),
        cluster: cluster::cluster(&raw.cluster, folder, env, report),
        metrics: serving::metrics(&raw.metrics, &raw.api, report),
        logging: logging(&raw.logging, report),
        alerts: Arc::new(alerts::alerts(&raw.alerts, env, report)),
        aggregator,
        checker: checker?,
    };
    (report.count() == 0).then_some(config)
}

fn snapshot(raw: &RawSnapshot, report: &mut Report) -> SnapshotLife {
    let stale_max = report.number(
        "snapshot.max_stale_seconds",
        raw.max_stale_seconds,
        RawSnapshot::default().max_stale_seconds,
        1..=STALE_SECONDS_MAX,
    );
    SnapshotLife {
        stale_max: Duration::from_secs(stale_max),
    }
}

fn logging(raw: &RawLogging, report: &mut Report) -> Logging {
    let json = match raw.format.as_str() {
        "" | "json" => Ok(true),
        "text" => Ok(false),
        word => Err(format!(
            "{} is no log format; choose json or text",
            quoted(word)
        )),
    };
    Logging {
        level: report.take("logging.level", level(&raw.level), "info".into()),
        json: report.take("logging.format", json, true),
        file: log_file(raw, report),
        otlp: otlp(raw, report),
    }
}

fn log_file(raw: &RawLogging, report: &mut Report) -> Option<LogPlace> {
    let default = RawLogging::default();
    let bytes_max = report.number(
        "logging.file_max_bytes",
        raw.file_max_bytes,
        default.file_max_bytes,
        4_096..=1 << 40,
    );
    let keep = report.number(
        "logging.file_keep",
        raw.file_keep,
        default.file_keep,
        1..=1_000,
    );
    (!raw.file.is_empty()).then(|| LogPlace {
        path: PathBuf::from(&raw.file),
        bytes_max,
        keep: u32::try_from(keep).unwrap_or(u32::MAX),
    })
}

fn otlp(raw: &RawLogging, report: &mut Report) -> Option<Otlp> {
    let sample_percent = report.number(
        "logging.otlp_sample_percent",
        raw.otlp_sample_percent,
        RawLogging::default().otlp_sample_percent,
        1..=100,
    );
    let endpoint = match raw.otlp_endpoint.trim() {
        "" => Ok(None),
        text => otlp_endpoint(text).map(Some),
    };
    let endpoint = report.take("logging.otlp_endpoint", endpoint, None)?;
    Some(Otlp {
        endpoint,
        sample_percent: u8::try_from(sample_percent).unwrap_or(100),
    })
}

/// The URL for traces: of a collector without a path the usual one (OTLP 1.x, "OTLP/HTTP Request").
fn otlp_endpoint(text: &str) -> Result<Box<str>, String> {
    const FORM: &str = "give http://HOST:4318";
    let url = Url::parse(text).map_err(|error| format!("is not a URL ({error}); {FORM}"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(format!("{} cannot be posted to; {FORM}", quoted(text)));
    }
    // It stands in warnings.
    if !url.username().is_empty() || url.password().is_some() {
        return Err("carries a user name or password; use a URL without".to_owned());
    }
    match url.path() {
        "/" => Ok(format!("{}v1/traces", url.as_str()).into()),
        _ => Ok(url.as_str().into()),
    }
}

/// A level, or a filter by module. The names that the old service had for its levels are kept.
fn level(text: &str) -> Result<Box<str>, String> {
    let words = text.split(',').map(str::trim).filter(|w| !w.is_empty());
    let words: Vec<String> = words.map(level_word).collect::<Result<_, _>>()?;
    let filter = match words.is_empty() {
        true => RawLogging::default().level,
        false => words.join(","),
    };
    match EnvFilter::try_new(&filter) {
        Ok(_) => Ok(filter.into()),
        Err(error) => Err(format!(
            "{} is no filter ({error}); write info, or info,proxy_checker::api=debug",
            quoted(&filter)
        )),
    }
}

// A filter takes any bare word for a module whose every event is wanted, and drops all others: a
// mistyped level would silence the log.
fn level_word(word: &str) -> Result<String, String> {
    let lower = word.to_ascii_lowercase();
    match lower.as_str() {
        _ if word.contains('=') => Ok(word.to_owned()),
        "warning" => Ok("warn".to_owned()),
        "dpanic" | "panic" | "fatal" => Ok("error".to_owned()),
        level if LEVELS.contains(&level) => Ok(lower),
        _ => Err(format!(
            "{} is no level; choose {}, or write MODULE=LEVEL",
            quoted(word),
            LEVELS.join(", ")
        )),
    }
}
