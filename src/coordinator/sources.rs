//! The lists as they come in: taken into the ledger in pieces, so that no list holds up the reports.

use super::event::Now;
use super::state::{Route, State};
use crate::candidates;
use crate::config::Source;
use crate::ledger::SOURCES_MAX;
use crate::snapshot::{SourceStat, Sweep};
use crate::sources::fetch::Fetched;
use crate::sources::parse::Parsed;
use std::collections::VecDeque;
use std::time::Duration;

/// Candidates taken in before reports have their turn again.
const PIECE: usize = 10_000;

/// A source, and what is known of it.
#[derive(Debug)]
pub(super) struct Origin {
    pub(super) source: Source,
    pub(super) stat: SourceStat,
    /// Whether it was heard of since the reload, well or ill.
    pub(super) heard: bool,
}

/// A list that is being taken in.
#[derive(Debug)]
struct Intake {
    source: u16,
    candidates: candidates::IntoIter,
    indexes: Vec<u32>,
    in_sweep: bool,
    /// Of its candidates, those that no list had before.
    new: u64,
    /// What the log says of it at its end.
    skipped: u64,
    bytes: u64,
    took: Duration,
}

impl Intake {
    /// The one line for a list that has been taken in; `url` names its source without credentials.
    fn tell(&self, url: &str) {
        tracing::info!(
            source = url,
            found = self.indexes.len(),
            new = self.new,
            skipped = self.skipped,
            bytes = self.bytes,
            ms = self.took.as_millis() as u64,
            "a source was read"
        );
    }
}

/// The sources of the configuration in force, and the lists that wait to be taken in.
#[derive(Debug, Default)]
pub(super) struct Origins {
    pub(super) all: Vec<Origin>,
    intakes: VecDeque<Intake>,
}

impl Origins {
    /// Replaces the sources. Those that were there before keep their figures; for each, the place
    /// that it had is returned.
    pub(super) fn replace(&mut self, sources: &[Source]) -> Vec<Option<usize>> {
        self.intakes.clear();
        let old = std::mem::take(&mut self.all);
        let place = |source: &Source| old.iter().position(|o| o.source == *source);
        let sources = &sources[..sources.len().min(SOURCES_MAX)];
        let kept: Vec<Option<usize>> = sources.iter().map(place).collect();
        let origin = |(source, kept): (&Source, &Option<usize>)| Origin {
            source: source.clone(),
            stat: kept.map_or_else(|| blank(source), |place| old[place].stat.clone()),
            heard: false,
        };
        self.all = sources.iter().zip(&kept).map(origin).collect();
        kept
    }

    /// Whether every list of the reload has come in, or failed to.
    pub(super) fn are_complete(&self) -> bool {
        self.intakes.is_empty() && self.all.iter().all(|origin| origin.heard)
    }

    /// Whether a list waits to be taken in.
    pub(super) fn has_intake(&self) -> bool {
        !self.intakes.is_empty()
    }

    fn take_list(&mut self, source: u16, parsed: Parsed, sweep: &Sweep, now: Now) {
        // A list that waits for its turn when the next one of its source comes is out of date. Were it
        // kept, a source of millions could hand in faster than they are taken in.
        let mut waited_in_sweep = false;
        self.intakes.retain(|intake| {
            let is_old = intake.source == source && intake.indexes.is_empty();
            waited_in_sweep |= is_old && intake.in_sweep;
            !is_old
        });
        let origin = &mut self.all[usize::from(source)];
        origin.stat.found = parsed.candidates.len() as u64;
        origin.stat.skipped = parsed.skipped.iter().sum();
        self.intakes.push_back(Intake {
            source,
            indexes: Vec::with_capacity(parsed.candidates.len()),
            candidates: parsed.candidates.into_iter(),
            // A sweep that was over before the process began stays so.
            in_sweep: waited_in_sweep || !origin.heard && sweep.finished.is_none(),
            new: 0,
            skipped: origin.stat.skipped,
            bytes: parsed.bytes,
            took: parsed.took,
        });
        origin.stat.fetched_at = Some(now.system());
    }
}

fn blank(source: &Source) -> SourceStat {
    SourceStat {
        url: source.url.clone(),
        ..SourceStat::default()
    }
}

impl State {
    /// A source was fetched, or failed. What failed keeps its last good list.
    pub(super) fn source(&mut self, source: usize, outcome: Result<Fetched, Box<str>>, now: Now) {
        let Some(origin) = self.origins.all.get_mut(source) else {
            return;
        };
        match outcome {
            Ok(fetched) => {
                origin.stat.error = Box::default();
                origin.stat.failures = 0;
                match fetched {
                    Fetched::List(parsed) => {
                        self.ledger.expect(parsed.candidates.len());
                        self.schedule.expect(parsed.candidates.len());
                        self.origins
                            .take_list(source as u16, parsed, &self.sweep, now);
                    }
                    Fetched::NotModified => {
                        tracing::debug!(source = %origin.stat.url, "a source has not changed");
                        origin.stat.fetched_at = Some(now.system());
                    }
                }
            }
            Err(text) => {
                origin.stat.error = text;
                origin.stat.failures = origin.stat.failures.saturating_add(1);
            }
        }
        self.origins.all[source].heard = true;
        self.publisher.note_figures();
    }

    /// Takes in the next piece of the lists that wait. New candidates are due at once.
    pub(super) fn take_in(&mut self, now: Now, route: Route<'_>) {
        let mut left = PIECE;
        while left > 0 {
            let Some(mut intake) = self.origins.intakes.pop_front() else {
                return;
            };
            self.publisher.note_figures();
            for candidate in intake.candidates.by_ref().take(left) {
                left -= 1;
                if !self.may_dial(&candidate) {
                    continue;
                }
                let index = match self.ledger.admit(candidate, intake.source) {
                    Ok(new) => {
                        intake.new += 1;
                        self.begin(new, intake.in_sweep, now, route);
                        new
                    }
                    Err(known) => known,
                };
                intake.indexes.push(index);
            }
            if intake.candidates.len() == 0 {
                intake.tell(&self.origins.all[usize::from(intake.source)].stat.url);
                self.ledger.set_list(intake.source, intake.indexes);
                self.publisher.note_pool();
                self.forget_over();
            } else {
                self.origins.intakes.push_front(intake);
            }
        }
    }

    /// Forgets what no source lists any more and is not alive; what is out is forgotten when it is
    /// back.
    pub(super) fn forget_over(&mut self) {
        self.ledger.expect_lists(!self.origins.are_complete());
        let over: Vec<u32> = self
            .ledger
            .indexes()
            .filter(|&index| self.ledger.is_over(index))
            .collect();
        for index in over {
            if self.schedule.remove(index) {
                self.forget(index);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::coordinator::simulation::{list, source};

    #[test]
    fn of_each_source_at_most_one_list_waits_for_its_turn_and_that_is_the_newest() {
        let (mut origins, sweep) = (Origins::default(), Sweep::default());
        origins.replace(&[source("a"), source("b")]);
        let mut take = |source, numbers: std::ops::Range<u32>| {
            origins.take_list(source, list(numbers), &sweep, Now::default());
            origins.all[usize::from(source)].heard = true;
            let waiting = origins.intakes.iter();
            let waiting = waiting.map(|i| (i.source, i.candidates.len(), i.in_sweep));
            waiting.collect::<Vec<_>>()
        };
        assert_eq!(take(0, 0..3), [(0, 3, true)]);
        assert_eq!(take(1, 0..4), [(0, 3, true), (1, 4, true)]);
        assert_eq!(
            take(0, 0..9),
            [(1, 4, true), (0, 9, true)],
            "it takes the place of the other in the sweep too"
        );
    }
}
