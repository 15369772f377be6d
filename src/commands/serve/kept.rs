//! Who is told how saves, backups and the checkpoints of a cluster end.

use crate::coordinator::{Event, Import, SaveOutcome};
use crate::metrics::Metrics;
use crate::store::keeper::Kept;
use crossbeam_channel::Sender;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::sync::oneshot;

/// Tells the metrics and the coordinator how each save ended, and the metrics of the backups.
pub(super) fn told(
    metrics: &Arc<Metrics>,
    events: &Sender<Event>,
) -> impl FnMut(Kept) + Send + 'static {
    let (metrics, events) = (metrics.clone(), events.clone());
    let unix = |ms| SystemTime::UNIX_EPOCH + Duration::from_millis(ms);
    move |kept| {
        let outcome = match kept {
            Kept::Begun => return metrics.save_began(),
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
            Kept::BackupDue => {
                // What comes of it this thread sees first; the coordinator may be gone.
                let (ask, _) = oneshot::channel();
                return drop(events.send(Event::Save(ask)));
            }
            Kept::Recovered(_) => return metrics.storage_recovered(),
            Kept::Found(image) => {
                // What comes of it is seen in what is served.
                let (reply, _) = oneshot::channel();
                let _ = events.send(Event::Import(Import { image, reply }));
                return;
            }
        };
        // The coordinator is gone after the last save.
        let _ = events.send(Event::Saved(outcome));
    }
}

/// Tells the coordinator how each checkpoint of a cluster ended. One that fails says that another node
/// leads, which keeps it then; the store of this node is as well as before.
pub(super) fn shared(events: &Sender<Event>) -> impl FnMut(Kept) + Send + 'static {
    let events = events.clone();
    move |kept| {
        let outcome = match kept {
            Kept::Saved(Ok(_)) => SaveOutcome::Saved,
            Kept::Saved(Err(why)) => {
                tracing::info!(%why, "a checkpoint was given up");
                SaveOutcome::Failed
            }
            Kept::Begun
            | Kept::BackedUp(_)
            | Kept::BackupDue
            | Kept::Recovered(_)
            | Kept::Found(_) => return,
        };
        // The coordinator is gone after the last save.
        let _ = events.send(Event::Checkpointed(outcome));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crossbeam_channel::unbounded;

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
        tell(Kept::BackupDue);
        assert!(
            matches!(heard.try_recv(), Ok(Event::Save(_))),
            "a save is asked for"
        );
    }

    #[test]
    fn a_checkpoint_that_another_leader_makes_is_no_trouble_of_this_nodes_store() {
        let metrics = Arc::new(Metrics::new().unwrap());
        let (events, heard) = unbounded();
        let (mut store, mut checkpoints) = (told(&metrics, &events), shared(&events));
        checkpoints(Kept::Saved(Err("another node leads".into())));
        assert!(!metrics.storage_is_failing());
        assert!(matches!(
            heard.try_recv(),
            Ok(Event::Checkpointed(SaveOutcome::Failed))
        ));
        store(Kept::Saved(Err("no space".into())));
        checkpoints(Kept::Saved(Ok(1)));
        assert!(metrics.storage_is_failing(), "nor does it heal it");
        let both: Vec<Event> = heard.try_iter().collect();
        assert!(matches!(
            both[..],
            [
                Event::Saved(SaveOutcome::Failed),
                Event::Checkpointed(SaveOutcome::Saved)
            ]
        ));
    }
}
