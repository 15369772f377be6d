//! The sweep: when it begins, when it is complete, and the line of each in the log.

use super::event::Now;
use super::state::State;
use crate::snapshot::Sweep;
use crate::traces;
use proxy_shards::{Tally, Verdict};
use std::fmt::Write;

/// What to do about a host that is late.
const LATE_REMEDY: &str = "raise checker.timeout_ms, lower checker.concurrency_total, set \
    checker.enable_adaptive_concurrency, or leave the CPUs to this service";

/// Sweep `id`, which begins now.
pub(super) fn begun(id: u64, now: Now) -> Sweep {
    Sweep {
        id,
        started: Some(now.system()),
        ..Sweep::default()
    }
}

impl State {
    /// Sees how far the sweep has come, and says so once it is complete.
    pub(super) fn note_sweep(&mut self, now: Now) {
        let progress = self.schedule.progress();
        (self.sweep.total, self.sweep.done) = (progress.total, progress.done);
        self.sweep.unjudged = progress.unjudged;
        let complete = progress.done == progress.total && self.origins.are_complete();
        if complete && self.sweep.finished.is_none() {
            self.sweep.finished = Some(now.system());
            self.asked.over_ms = now.unix_ms;
            self.saves.unsaved = true;
            self.saves.sweep_ended();
            self.publisher.note_figures();
            self.tell_of_end();
        }
    }

    /// What was known already is in the sweep from its beginning; lists add to it.
    pub(super) fn tell_of_begin(&self) {
        tracing::info!(
            sweep = self.sweep.id,
            known = self.ledger.len(),
            sources = self.origins.all.len(),
            "a sweep has begun"
        );
        traces::sweep_began(self.sweep.id, self.ledger.len());
    }

    /// Verdicts are the last ones of all that is known.
    fn tell_of_end(&self) {
        tracing::info!(
            sweep = self.sweep.id,
            candidates = self.sweep.total,
            alive = self.ledger.total_alive(),
            dead = self.ledger.total_dead(),
            seconds = seconds(self.sweep),
            verdicts = words(self.ledger.verdicts()),
            "the sweep is complete"
        );
        let late = self.sweep.unjudged.saturating_sub(self.without_way);
        if late > 0 {
            tracing::warn!(
                sweep = self.sweep.id,
                unjudged = late,
                "the CPUs were too late to tell anything of these candidates: they stay what they were, \
                 and are tried again; {LATE_REMEDY}"
            );
        }
        if self.without_way > 0 {
            tracing::warn!(
                sweep = self.sweep.id,
                unjudged = self.without_way,
                "this host has no way to these candidates: they stay what they were, and are tried \
                 again; give it a route there, or leave them out with aggregator.deny_networks \
                 ([\"::/0\"] if it has no IPv6)"
            );
        }
        traces::sweep_ended(self.sweep.total, self.ledger.total_alive(), true);
    }

    /// One line a sweep, when the first probe in it is made again because this host was late.
    pub(super) fn tell_of_lateness(&mut self, probes: &Tally) {
        let is_late = probes.verdicts[Verdict::LocalLate as usize] > 0;
        if is_late && self.late_in != self.sweep.id {
            self.late_in = self.sweep.id;
            tracing::warn!(
                sweep = self.sweep.id,
                "the CPUs are so late that probes run out of time for it: they are made again, with \
                 the time that they lost added to their deadlines; {LATE_REMEDY}"
            );
        }
    }

    /// For a reload that comes before the sweep is complete.
    pub(super) fn tell_of_end_before_time(&self) {
        if self.sweep.finished.is_none() {
            tracing::info!(
                sweep = self.sweep.id,
                candidates = self.sweep.total,
                done = self.sweep.done,
                "a reload has ended the sweep before it was complete"
            );
            traces::sweep_ended(self.sweep.total, self.ledger.total_alive(), false);
        }
    }
}

/// How long it took, in seconds.
fn seconds(sweep: Sweep) -> f64 {
    let span = |from, to: std::time::SystemTime| to.duration_since(from).ok();
    let took = sweep.started.zip(sweep.finished);
    let took = took.and_then(|(from, to)| span(from, to));
    took.unwrap_or_default().as_secs_f64()
}

/// The verdicts that there are, as `alive=3 refused=2`.
fn words(verdicts: &[u64; Verdict::COUNT]) -> String {
    let mut words = String::new();
    for verdict in Verdict::ALL {
        let count = verdicts[verdict as usize];
        if count > 0 {
            let blank = if words.is_empty() { "" } else { " " };
            // Writing to a string does not fail.
            let _ = write!(words, "{blank}{}={count}", verdict.label());
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, SystemTime};

    #[test]
    fn verdicts_that_nothing_has_are_not_said() {
        let mut verdicts = [0; Verdict::COUNT];
        assert_eq!(words(&verdicts), "");
        verdicts[Verdict::Alive as usize] = 3;
        verdicts[Verdict::Refused as usize] = 2;
        assert_eq!(words(&verdicts), "alive=3 refused=2");
    }

    #[test]
    fn a_clock_that_was_set_back_makes_no_negative_time() {
        let at = |seconds| Some(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds));
        let sweep = |from, to| Sweep {
            started: at(from),
            finished: at(to),
            ..Sweep::default()
        };
        assert_eq!(seconds(sweep(5, 7)), 2.0);
        assert_eq!(seconds(sweep(7, 5)), 0.0);
    }
}
