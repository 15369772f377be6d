//! Whether memory, descriptors and threads stay what they are: pure, over the samples so far.

use proxy_bench::harness::figures::Series;
use proxy_bench::harness::slope::Slope;
use proxy_bench::harness::usage::Moment;

/// What memory may grow by, in MB an hour.
const GROWTH_MAX: f64 = 1.0;
/// Runs that are shorter say nothing about growth: a megabyte more or less is not seen in them.
const GROWTH_JUDGED_AFTER_S: f64 = 1_800.0;
/// A run ends before its time for growth only after so many seconds of it: a busy host makes a step of
/// some megabytes, which is a steep slope as long as little else was seen.
const GROWTH_SEEN_S: f64 = 1_200.0;
/// With fewer samples after the warm-up nothing is said about descriptors and threads.
const SAMPLES_MIN: usize = 30;
/// One more or less is a connection that happens to be closed for a while, or a thread that rests.
const LEVEL_TOLERANCE: f64 = 1.0;

/// How the samples are read.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Bounds {
    /// What is not judged at the beginning, in seconds.
    pub(super) warm_up_s: f64,
    /// What happens in one is seen as one, in seconds: in each memory rises and falls.
    pub(super) interval_s: f64,
    /// How long the run is to be, in seconds.
    pub(super) length_s: f64,
}

/// A figure of a sample.
pub(super) type Figure = fn(&Moment) -> f64;

pub(super) fn rss_mb(moment: &Moment) -> f64 {
    moment.rss_kib as f64 * 1024.0 / 1e6
}

pub(super) fn descriptors(moment: &Moment) -> f64 {
    moment.descriptors as f64
}

pub(super) fn threads(moment: &Moment) -> f64 {
    moment.threads as f64
}

impl Bounds {
    /// The samples that are judged.
    pub(super) fn judged<'a>(&self, samples: &'a [Moment]) -> &'a [Moment] {
        let first = samples.partition_point(|sample| sample.at_s < self.warm_up_s);
        &samples[first..]
    }

    /// A figure by interval: when it ended, in seconds, and the samples in it.
    pub(super) fn by_interval(&self, samples: &[Moment], of: Figure) -> Vec<(f64, Series)> {
        let mut intervals: Vec<(f64, Series)> = Vec::new();
        for sample in samples {
            let end = ((sample.at_s / self.interval_s).floor() + 1.0) * self.interval_s;
            match intervals.last_mut().filter(|(last, _)| *last == end) {
                Some((_, series)) => series.push(of(sample)),
                None => intervals.push((end, [of(sample)].into_iter().collect())),
            }
        }
        intervals
    }

    /// How fast a figure grows after the warm-up, an hour; the medians of the intervals are the
    /// points, because samples of one interval are not independent of each other.
    pub(super) fn growth(&self, samples: &[Moment], of: Figure) -> Option<Slope> {
        let intervals = self.by_interval(self.judged(samples), of);
        let point = |(end, series): &(f64, Series)| Some((end / 3600.0, series.median()?));
        let points: Vec<_> = intervals.iter().filter_map(point).collect();
        Slope::through(&points)
    }

    /// Which bound is crossed already, while the run goes on: memory only if it surely has grown by
    /// more than it may in the whole time, because a short piece of it may rise by chance.
    pub(super) fn fault_so_far(&self, samples: &[Moment]) -> Option<String> {
        let whole_h = (self.length_s - self.warm_up_s).max(0.0) / 3600.0;
        let is_over = |slope: &Slope, judged_h: f64| {
            judged_h * 3600.0 >= GROWTH_SEEN_S
                && slope.at_least() > 0.0
                && slope.at_least() * judged_h >= GROWTH_MAX * whole_h
        };
        self.grows(samples, is_over)
            .or_else(|| self.shifts(samples))
    }

    /// Which bound is crossed in the end.
    pub(super) fn fault_at_the_end(&self, samples: &[Moment]) -> Option<String> {
        self.grows(samples, |slope, _| slope.rise >= GROWTH_MAX)
            .or_else(|| self.shifts(samples))
    }

    /// Judges the growth of memory over so many hours.
    fn grows(&self, samples: &[Moment], is_over: impl Fn(&Slope, f64) -> bool) -> Option<String> {
        let length_s = samples.last()?.at_s;
        let slope = self.growth(samples, rss_mb)?;
        let judged_h = (length_s - self.warm_up_s) / 3600.0;
        let is_over = length_s >= GROWTH_JUDGED_AFTER_S && is_over(&slope, judged_h);
        is_over.then(|| format!("memory grows by {} MB an hour", text(&slope, 2)))
    }

    /// Descriptors and threads have a level, which must be the same at the end.
    fn shifts(&self, samples: &[Moment]) -> Option<String> {
        let judged = self.judged(samples);
        if judged.len() < SAMPLES_MIN {
            return None;
        }
        let third = judged.len() / 3;
        let level = |some: &[Moment], of: Figure| some.iter().map(of).collect::<Series>().median();
        let figures: [(&str, Figure); 2] = [("descriptors", descriptors), ("threads", threads)];
        figures.into_iter().find_map(|(what, of)| {
            let before = level(&judged[..third], of)?;
            let after = level(&judged[judged.len() - third..], of)?;
            ((after - before).abs() > LEVEL_TOLERANCE)
                .then(|| format!("{what} went from {before} to {after}"))
        })
    }
}

/// `0.12 ± 0.30`: what it rises by, and twice its standard error.
pub(super) fn text(slope: &Slope, decimals: usize) -> String {
    format!(
        "{:.decimals$} ± {:.decimals$}",
        slope.rise,
        2.0 * slope.error
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: Bounds = Bounds {
        warm_up_s: 600.0,
        interval_s: 30.0,
        length_s: 7_200.0,
    };

    /// A sample every three seconds for so many minutes.
    fn samples(minutes: u32, of: impl Fn(f64, &mut Moment)) -> Vec<Moment> {
        let sample = |at: u32| {
            let mut moment = Moment {
                at_s: f64::from(at) * 3.0,
                rss_kib: 40_000,
                descriptors: 20,
                threads: 8,
                ..Moment::default()
            };
            of(moment.at_s, &mut moment);
            moment
        };
        (0..minutes * 20).map(sample).collect()
    }

    /// MB an hour as KiB after so many seconds.
    fn grown(mb_per_hour: f64, at_s: f64) -> u64 {
        40_000 + (mb_per_hour * 1e6 / 1024.0 * at_s / 3600.0) as u64
    }

    #[test]
    fn what_stays_as_it_is_crosses_no_bound() {
        // Up and down in each interval, and much more of everything in the warm-up.
        let calm = samples(120, |at, moment| {
            moment.rss_kib += (at as u64 % 30) * 100;
            moment.descriptors += u64::from((at as u64).is_multiple_of(30));
            if at < 600.0 {
                moment.rss_kib -= 20_000;
                moment.descriptors -= 9;
            }
        });
        assert_eq!(BOUNDS.fault_at_the_end(&calm), None);
        assert_eq!(BOUNDS.fault_so_far(&calm), None);
    }

    #[test]
    fn memory_that_grows_is_seen_and_not_judged_in_a_short_run() {
        let leak = |at: f64, moment: &mut Moment| moment.rss_kib = grown(4.0, at);
        let fault = BOUNDS.fault_so_far(&samples(60, leak)).expect("it grows");
        assert!(fault.starts_with("memory grows by 4.00 ± 0.0"), "{fault}");
        assert_eq!(BOUNDS.fault_at_the_end(&samples(29, leak)), None);
        // In half an hour it has not grown by what it may in two hours.
        assert_eq!(BOUNDS.fault_so_far(&samples(31, leak)), None);
        let slow = |at: f64, moment: &mut Moment| moment.rss_kib = grown(0.5, at);
        assert_eq!(BOUNDS.fault_at_the_end(&samples(120, slow)), None);
    }

    #[test]
    fn a_step_right_after_the_warm_up_does_not_stop_a_run() {
        let step = |at: f64, moment: &mut Moment| {
            moment.rss_kib += if at > 1_860.0 { 3_000 } else { 0 };
        };
        let bounds = Bounds {
            warm_up_s: 1_800.0,
            ..BOUNDS
        };
        assert_eq!(bounds.fault_so_far(&samples(33, step)), None);
        assert_eq!(bounds.fault_at_the_end(&samples(120, step)), None);
    }

    #[test]
    fn growth_that_may_be_chance_does_not_stop_a_run_but_fails_it_in_the_end() {
        let noisy = samples(120, |at, moment| {
            // Up and down by a megabyte from one interval to the next.
            let up = (at as u64 / 30).is_multiple_of(2);
            moment.rss_kib = grown(1.05, at) + if up { 1_000 } else { 0 };
        });
        assert_eq!(BOUNDS.fault_so_far(&noisy), None);
        assert!(BOUNDS.fault_at_the_end(&noisy).is_some());
    }

    #[test]
    fn descriptors_and_threads_that_are_others_in_the_end_are_seen() {
        let leak = samples(30, |at, moment| moment.descriptors += (at / 300.0) as u64);
        let fault = BOUNDS.fault_so_far(&leak).expect("it leaks");
        assert!(fault.starts_with("descriptors went from "), "{fault}");
        let lost = samples(30, |at, moment| {
            if at > 1500.0 {
                moment.threads = 6;
            }
        });
        let fault = BOUNDS.fault_so_far(&lost);
        assert_eq!(fault.as_deref(), Some("threads went from 8 to 6"));
        assert_eq!(BOUNDS.fault_so_far(&lost[..220]), None);
    }

    #[test]
    fn samples_are_read_by_interval() {
        let two = samples(1, |at, moment| moment.threads = at as u64);
        let intervals = BOUNDS.by_interval(&two, threads);
        assert_eq!(intervals.len(), 2);
        assert_eq!((intervals[0].0, intervals[0].1.runs().len()), (30.0, 10));
        assert_eq!(intervals[1].1.min(), Some(30.0));
    }
}
