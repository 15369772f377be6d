//! Who is told how saves and backups end.

use crate::coordinator::{Event, SaveOutcome};
use crate::metrics::Metrics;
use crate::store::keeper::Kept;
use crossbeam_channel::Sender;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// Tells the metrics and the coordinator how each save ended, and the metrics of the backups.
pub(super) fn told(
    metrics: &Arc<Metrics>,
    events: &Sender<Event>,
) -> impl FnMut(Kept) + Send + 'static {
    let (metrics, events) = (metrics.clone(), events.clone());
    let unix = |ms| SystemTime::UNIX_EPOCH + Duration::from_millis(ms);
    move |kept| {
        let outcome = match kept {
            Kept::Saved(Ok(saved_at_ms)) => {
                metrics.saved(unix(saved_at_ms));
                SaveOutcome::Saved
            }
            Kept::Saved(Err(_)) => {
                metrics.storage_failed();
                SaveOutcome::Failed
            }
            Kept::BackedUp(Ok(saved_at_ms)) => return metrics.backed_up(unix(saved_at_ms)),
            Kept::BackedUp(Err(_)) => return metrics.backup_failed(),
            Kept::Recovered(_) => return metrics.storage_recovered(),
        };
        // The coordinator is gone after the last save.
        let _ = events.send(Event::Saved(outcome));
    }
}

/// The same of the checkpoints of a cluster. What is saved goes to the store of this node as well, and
/// that one ends the save: were both to end it, the next would begin, and wait, while a store that hangs
/// still has the one before. A checkpoint that failed is made again with the next save.
pub(super) fn told_of_checkpoints(
    metrics: &Arc<Metrics>,
    events: &Sender<Event>,
) -> impl FnMut(Kept) + Send + 'static {
    let mut tell = told(metrics, events);
    move |kept| match kept {
        Kept::Saved(Ok(_)) => {}
        other => tell(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crossbeam_channel::unbounded;

    #[test]
    fn a_save_ends_when_the_store_of_the_node_has_it_and_not_with_its_checkpoint() {
        let metrics = Arc::new(Metrics::new().unwrap());
        let (events, told_events) = unbounded();
        let mut tell_of_checkpoint = told_of_checkpoints(&metrics, &events);
        tell_of_checkpoint(Kept::Saved(Ok(1)));
        assert!(told_events.try_recv().is_err(), "the store may hang");
        tell_of_checkpoint(Kept::Saved(Err("another node leads".to_owned())));
        let failed = told_events.try_recv();
        assert!(matches!(failed, Ok(Event::Saved(SaveOutcome::Failed))));
        told(&metrics, &events)(Kept::Saved(Ok(1)));
        let saved = told_events.try_recv();
        assert!(matches!(saved, Ok(Event::Saved(SaveOutcome::Saved))));
    }

    #[test]
    fn a_backup_that_failed_is_no_save_that_failed() {
        let (metrics, (events, heard)) = (Arc::new(Metrics::new().unwrap()), unbounded());
        let mut tell = told(&metrics, &events);
        let failed = || Err("no room".to_owned());
        tell(Kept::Saved(Ok(1)));
        tell(Kept::BackedUp(failed()));
        assert!(!metrics.storage_is_failing(), "what is known was saved");
        tell(Kept::Saved(failed()));
        tell(Kept::BackedUp(Ok(2)));
        assert!(metrics.storage_is_failing(), "a backup saves nothing");
        assert_eq!(heard.try_iter().count(), 2, "backups are no saves");
    }
}
