//! How many lanes a check had, how busy they were, and whether the CPUs were late for them.

use proxy_shards::{Report, Verdict};
use std::time::Duration;

/// Of a shorter check it says nothing how busy its lanes were.
const OCCUPATION_MIN: Duration = Duration::from_secs(1);

/// Lanes over the time of a check; where they are governed there are not always as many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Occupation {
    /// Time that lanes were held, summed over all probes, in microseconds.
    held_us: u64,
    /// Time that there were lanes, summed over them, and of the check.
    lane_time: Duration,
    time: Duration,
    fewest: usize,
    most: usize,
    last: usize,
    /// Probes whose time passed while their shard was late, and the latest of the shards.
    late_probes: u64,
    lag_us: u32,
}

impl Occupation {
    /// There were so many lanes for `span`.
    pub(super) fn had(&mut self, lanes: usize, span: Duration) {
        self.fewest = match self.time.is_zero() {
            true => lanes,
            false => self.fewest.min(lanes),
        };
        self.most = self.most.max(lanes);
        self.last = lanes;
        self.time += span;
        self.lane_time += span * u32::try_from(lanes).unwrap_or(u32::MAX);
    }

    /// A shard says what its lanes did.
    pub(super) fn note(&mut self, report: &Report) {
        self.held_us += report.tally.latency_us_sum;
        self.late_probes += report.tally.verdicts[Verdict::LocalLate as usize];
        self.lag_us = self.lag_us.max(report.lag_us);
    }

    /// How much of the time the lanes were at work: if that was nearly all of it, more of them would
    /// have ended the check sooner. Nothing of a check that was over in a moment.
    pub(super) fn line(&self) -> Option<String> {
        let busy_s = self.held_us as f64 / 1e6;
        let percent = (100.0 * busy_s / self.lane_time.as_secs_f64()).min(100.0);
        let Occupation {
            fewest, most, last, ..
        } = self;
        let lanes = match fewest == most {
            true => format!("{last} lanes"),
            false => format!("{last} lanes in the end, {fewest} to {most} before,"),
        };
        (self.time >= OCCUPATION_MIN)
            .then(|| format!("{lanes} were busy {percent:.0} % of the time, {busy_s:.0} s in all"))
    }

    /// What to do about CPUs that were late; `unjudged` candidates have no verdict for it.
    pub(super) fn warning(&self, unjudged: u64) -> Option<String> {
        let (late_ms, probes) = (self.lag_us.div_ceil(1_000), self.late_probes);
        (probes > 0).then(|| {
            format!(
                "the CPUs were late by up to {late_ms} ms at a time, and {probes} probes ran out of time meanwhile: they were made again, and {unjudged} proxies are local_late; raise --timeout, or lower --concurrency"
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proxy_shards::Tally;

    fn report(verdict: Verdict, total_us: u32, lag_us: u32) -> Report {
        let mut tally = Tally::default();
        tally.record(verdict, total_us);
        Report {
            shard: 0,
            records: Vec::new(),
            controls: Vec::new(),
            tally,
            in_flight: 0,
            queued: 0,
            lag_us,
            restarts: 0,
        }
    }

    /// The line of a check whose lanes were held for so many seconds, and had so for so long.
    fn line(held_s: u32, lanes: &[(usize, u64)]) -> Option<String> {
        let mut occupation = Occupation::default();
        for _ in 0..held_s {
            occupation.note(&report(Verdict::Alive, 1_000_000, 0));
        }
        for &(lanes, millis) in lanes {
            occupation.had(lanes, Duration::from_millis(millis));
        }
        occupation.line()
    }

    #[test]
    fn lanes_that_were_busy_all_the_time_are_too_few() {
        let full = "10 lanes were busy 97 % of the time, 194 s in all";
        assert_eq!(line(194, &[(10, 20_000)]).as_deref(), Some(full));
        let idle = "1000 lanes were busy 2 % of the time, 15 s in all";
        assert_eq!(
            line(15, &[(1_000, 400), (1_000, 600)]).as_deref(),
            Some(idle)
        );
        assert_eq!(line(1, &[(1, 999)]), None, "a moment is no time");
        assert_eq!(line(0, &[]), None);
    }

    #[test]
    fn lanes_that_became_fewer_are_told_as_they_were() {
        let governed =
            "150 lanes in the end, 100 to 200 before, were busy 67 % of the time, 300 s in all";
        let lanes = [(200, 1_000), (100, 1_000), (150, 1_000)];
        assert_eq!(line(300, &lanes).as_deref(), Some(governed));
    }

    #[test]
    fn cpus_that_were_late_are_named_with_what_it_cost() {
        let mut occupation = Occupation::default();
        occupation.note(&report(Verdict::ResponseTimeout, 1_000_000, 900_000));
        assert_eq!(occupation.warning(0), None, "no probe was lost to it");
        occupation.note(&report(Verdict::LocalLate, 1_000_000, 1_234_567));
        let warning = occupation.warning(3).unwrap();
        for word in ["up to 1235 ms", "1 probes", "3 proxies", "--timeout"] {
            assert!(warning.contains(word), "{word}: {warning}");
        }
    }
}
