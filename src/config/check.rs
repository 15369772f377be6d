//! Raw → checked: all blocks, and the small ones (`storage`, `logging`) themselves.

use super::problem::{Report, quoted};
use super::raw::{RawConfig, RawLogging, RawSnapshot, RawStorage};
use super::serving::Env;
use super::source::PAUSE_SECONDS_MAX;
use super::{Backend, Config, Logging, SnapshotLife, Storage, checker, cluster, serving, source};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tracing_subscriber::EnvFilter;

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
        storage: storage(&raw.storage, report),
        cluster: cluster::cluster(&raw.cluster, folder, env, report),
        metrics: serving::metrics(&raw.metrics, &raw.api, report),
        logging: logging(&raw.logging, report),
        aggregator,
        checker: checker?,
    };
    report.problems.is_empty().then_some(config)
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

fn storage(raw: &RawStorage, report: &mut Report) -> Storage {
    let persist_interval = report.number(
        "storage.persist_interval_seconds",
        raw.persist_interval_seconds,
        RawStorage::default().persist_interval_seconds,
        1..=PAUSE_SECONDS_MAX,
    );
    let backend = backend(&raw.r#type, &raw.path);
    Storage {
        backend: report.take("storage.type", backend, Backend::Sled(PathBuf::new())),
        persist_interval: Duration::from_secs(persist_interval),
    }
}

fn backend(word: &str, path: &str) -> Result<Backend, String> {
    let at = |default: &str| PathBuf::from(if path.is_empty() { default } else { path });
    match word {
        "" | "sled" => Ok(Backend::Sled(at("data/ledger"))),
        "file" => Ok(Backend::File(at("data/proxies.json"))),
        "sqlite" | "redis" => Err(format!("{word} is not built in yet; use sled or file")),
        word => Err(format!("{} is no store; use sled or file", quoted(word))),
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
