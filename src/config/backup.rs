//! Checks `storage.backup`: how often, how many, where.

use super::problem::Report;
use super::raw::RawBackup;
use super::source::PAUSE_SECONDS_MAX;
use super::{Backend, Backup};
use crate::store::backup::usual_folder;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

/// Most backups that may be kept.
const BACKUPS_MAX: u64 = 10_000;
/// Shortest time between two backups, in seconds; their names have no more.
const SECONDS_MIN: u64 = 1;

/// The block, checked; `None` if it is switched off.
pub(super) fn backup(raw: &RawBackup, backend: &Backend, report: &mut Report) -> Option<Backup> {
    let keep = report.number(
        "storage.backup.keep",
        raw.keep,
        RawBackup::default().keep,
        1..=BACKUPS_MAX,
    );
    if raw.every_seconds == 0 {
        return None;
    }
    let every = report.number(
        "storage.backup.every_seconds",
        raw.every_seconds,
        SECONDS_MIN,
        SECONDS_MIN..=PAUSE_SECONDS_MAX,
    );
    let folder = match (raw.folder.as_str(), backend.path()) {
        ("", Some(path)) => Ok(usual_folder(path)),
        ("", None) => {
            Err("is missing, and this store has no place of its own; name one".to_owned())
        }
        (folder, _) => Ok(PathBuf::from(folder)),
    };
    Some(Backup {
        every: Duration::from_secs(every),
        keep: usize::try_from(keep)
            .ok()
            .and_then(NonZeroUsize::new)
            .unwrap_or(NonZeroUsize::MIN),
        folder: report.take("storage.backup.folder", folder, PathBuf::new()),
    })
}
