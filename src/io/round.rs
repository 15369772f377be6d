//! One fetch of sources, side by side.

use super::{FetchAll, Outcome};
use crate::config::Source;
use std::task::{Context, Poll};
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
    /// The place of each source in the configuration, in the order in which they are fetched; none once
    /// it was heard of.
    silent: Vec<Option<usize>>,
    task: AbortHandle,
}

impl Round {
    /// Begins to fetch those of the `sources` that stand at `places`, in that order.
    pub(super) fn begin(
        occasion: Occasion,
        fetch: &FetchAll,
        sources: &[Source],
        places: Vec<usize>,
    ) -> Round {
        let (to, results) = mpsc::channel(BACKLOG);
        let chosen = places.iter().map(|&place| sources[place].clone());
        let task = tokio::spawn(fetch(chosen.collect(), to)).abort_handle();
        Round {
            occasion,
            results,
            silent: places.into_iter().map(Some).collect(),
            task,
        }
    }

    /// Whether the source at `place` belongs to this round and was not heard of yet.
    pub(super) fn waits_for(&self, place: usize) -> bool {
        self.silent.contains(&Some(place))
    }

    /// What came of the next source, each of them once; `None` after the last.
    pub(super) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<(usize, Outcome)>> {
        while let Some((number, outcome)) = std::task::ready!(self.results.poll_recv(cx)) {
            let silent = self.silent.get_mut(number);
            if let Some(place) = silent.and_then(Option::take) {
                return Poll::Ready(Some((place, outcome)));
            }
        }
        let forgotten = self.silent.iter_mut().find_map(Option::take);
        let text = "the fetch ended by itself, which is a bug; the next fetch tries again";
        Poll::Ready(forgotten.map(|place| (place, Err(text.into()))))
    }
}

impl Drop for Round {
    fn drop(&mut self) {
        self.task.abort();
    }
}
