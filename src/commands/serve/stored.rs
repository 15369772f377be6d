//! What was known when the service ended, and the store that keeps what it finds out.

use super::ServeError;
use crate::config::Config;
use crate::ledger::Entry;
use crate::metrics::Metrics;
use crate::store::{self, Image, LateStore, Store};
use proxy_shards::Verdict;
use std::path::Path;
use std::time::{Duration, SystemTime};

/// Opens the store and reads it. One that has no room begins empty, and is opened when it has.
///
/// # Errors
/// It cannot be opened or read.
pub(super) fn open(
    config: &Config,
    metrics: &Metrics,
) -> Result<(Box<dyn Store>, Image), ServeError> {
    let opened = store::open(&config.storage.backend).and_then(|mut store| {
        let image = store.load()?;
        Ok((store, image))
    });
    let (mut store, image) = match opened {
        // A node of a cluster has its ledger from the others, and starts when its disk can be written.
        Err(error) if error.wants_room() && config.cluster.is_none() => {
            tracing::error!(
                "storage: {error}; the service starts with nothing known and saves nothing until it can be written"
            );
            metrics.storage_failed();
            tell_of_set_aside(config, None);
            let store: Box<dyn Store> = Box::new(LateStore::new(&config.storage.backend));
            return Ok((store, Image::default()));
        }
        opened => opened?,
    };
    if image.saved_at_ms > 0 {
        let at = SystemTime::UNIX_EPOCH + Duration::from_millis(image.saved_at_ms);
        metrics.saves().restored(at);
    }
    let recovered = store.recovered();
    let just_now = recovered.as_ref().map(|recovered| &*recovered.moved_to);
    tell_of_set_aside(config, just_now);
    if let Some(recovered) = recovered {
        tracing::error!("storage: {recovered}");
        metrics.storage_recovered();
    }
    let alive = |entry: &Entry| entry.verdict == Some(Verdict::Alive);
    tracing::info!(
        candidates = image.entries.len(),
        alive = image.entries.iter().filter(alive).count(),
        "the store is open"
    );
    Ok((store, image))
}

/// What was moved aside because it could not be read, but for what was just now. A start that was cut short,
/// or that nobody read the log of, must not be the only one to say it.
fn tell_of_set_aside(config: &Config, just_now: Option<&Path>) {
    for earlier in store::set_aside(&config.storage.backend) {
        if just_now != Some(&*earlier) {
            tracing::warn!(
                moved_to = %earlier.display(),
                "what was stored could not be read once, was moved aside, and the service began anew; import a \
                 backup if it was not done, and remove it when nobody needs it"
            );
        }
    }
}
