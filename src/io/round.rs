//! One fetch of all sources, side by side.

use super::{FetchAll, Outcome};
use crate::config::Source;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

/// Lists that wait to be handed on.
const BACKLOG: usize = 4;

/// Whom a round is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Occasion {
    /// A reload: its end lets the next one start.
    Reload,
    /// The interval has passed.
    Interval,
}

/// A round under way; dropping it gives it up.
#[derive(Debug)]
pub(super) struct Round {
    pub(super) occasion: Occasion,
    results: mpsc::Receiver<(usize, Outcome)>,
    /// Sources that were not heard of yet.
    silent: Vec<bool>,
    task: AbortHandle,
}

impl Round {
    /// Begins to fetch `sources`.
    pub(super) fn begin(occasion: Occasion, fetch: &FetchAll, sources: &[Source]) -> Round {
        let (to, results) = mpsc::channel(BACKLOG);
        let task = tokio::spawn(fetch(sources.to_vec(), to)).abort_handle();
        Round {
            occasion,
            results,
            silent: vec![true; sources.len()],
            task,
        }
    }

    /// What came of the next source, each of them once; `None` after the last.
    pub(super) async fn next(&mut self) -> Option<(usize, Outcome)> {
        while let Some((source, outcome)) = self.results.recv().await {
            if let Some(silent) = self.silent.get_mut(source)
                && std::mem::take(silent)
            {
                return Some((source, outcome));
            }
        }
        let source = self.silent.iter().position(|silent| *silent)?;
        self.silent[source] = false;
        let text = "the fetch ended by itself, which is a bug; the next fetch tries again";
        Some((source, Err(text.into())))
    }
}

impl Drop for Round {
    fn drop(&mut self) {
        self.task.abort();
    }
}
