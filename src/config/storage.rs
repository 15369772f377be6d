//! Checks `storage`: which store, where it is, and how one gets in.

use super::checker::ca_pem;
use super::problem::{Report, quoted};
use super::raw::RawStorage;
use super::redis::{password, prefix};
use super::serving::Env;
use super::source::PAUSE_SECONDS_MAX;
use super::{Backend, RedisPlace, Storage, backup};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The block, checked; the password comes from `env`, a relative `ca_file` starts at `folder`.
pub(super) fn storage(
    raw: &RawStorage,
    folder: &Path,
    env: Env<'_>,
    report: &mut Report,
) -> Storage {
    let persist_interval = report.number(
        "storage.persist_interval_seconds",
        raw.persist_interval_seconds,
        RawStorage::default().persist_interval_seconds,
        1..=PAUSE_SECONDS_MAX,
    );
    let backend = backend(raw, folder, env, report);
    Storage {
        backup: backup::backup(&raw.backup, &backend, report),
        backend,
        persist_interval: Duration::from_secs(persist_interval),
    }
}

fn backend(raw: &RawStorage, folder: &Path, env: Env<'_>, report: &mut Report) -> Backend {
    let or = |default: &str| match raw.path.as_str() {
        "" => default.to_owned(),
        path => path.to_owned(),
    };
    let at = |default: &str| PathBuf::from(or(default));
    let backend = match raw.r#type.as_str() {
        "redis" => return redis(raw, &or("127.0.0.1:6379"), folder, env, report),
        "" | "sled" => Backend::Sled(at("data/ledger")),
        "file" => Backend::File(at("data/proxies.json")),
        "sqlite" => Backend::Sqlite(at("data/ledger.db")),
        "memory" => Backend::Memory,
        word => {
            let text = format!(
                "{} is no store; use sled, file, sqlite, redis or memory",
                quoted(word)
            );
            report.problem("storage.type", text);
            Backend::Memory
        }
    };
    warn_of_unused(raw, &backend, report);
    backend
}

/// A key that does nothing is taken for one that does.
fn warn_of_unused(raw: &RawStorage, backend: &Backend, report: &mut Report) {
    let default = RawStorage::default();
    for (place, differs) in [
        (
            "storage.password_env",
            raw.password_env != default.password_env,
        ),
        ("storage.ca_file", raw.ca_file != default.ca_file),
    ] {
        if differs {
            report.warning(place, "is for storage.type redis only; remove it");
        }
    }
    if *backend == Backend::Memory && !raw.path.is_empty() {
        report.warning(
            "storage.path",
            "is not used: memory keeps nothing; remove it",
        );
    }
}

fn redis(
    raw: &RawStorage,
    path: &str,
    folder: &Path,
    env: Env<'_>,
    report: &mut Report,
) -> Backend {
    let password = report.take(
        "storage.password_env",
        password(&raw.password_env, env),
        None,
    );
    let ca = report.take("storage.ca_file", ca_pem(&raw.ca_file, folder), None);
    let has_ca = ca.is_some();
    let prefix = report.take(
        "storage.prefix",
        prefix(&raw.prefix, &RawStorage::default().prefix),
        Box::default(),
    );
    let place = RedisPlace::new(path, password, ca.map(Into::into));
    match place {
        Ok(place) => {
            if has_ca && place.url.scheme() != "rediss" {
                let text =
                    "is given, but storage.path asks for no TLS; write rediss://host:port/0 there";
                report.problem("storage.ca_file", text);
            }
            Backend::Redis { place, prefix }
        }
        Err(why) => {
            report.problem("storage.path", why);
            Backend::Memory
        }
    }
}
