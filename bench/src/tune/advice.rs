//! What the figures advise: whether a value is better than the default by more than chance. Pure.

use crate::harness::figures::Series;
use std::fmt;

/// Least rounds from which anything is advised.
pub const RUNS_MIN: usize = 3;

/// How much the same settings differ from themselves, as a part of one: the most that the default
/// was off itself when it ran twice in a round.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Noise {
    /// In CPU time a probe.
    pub cpu: f64,
    /// In time on the clock.
    pub wall: f64,
    /// Rounds in which that was seen.
    pub rounds: usize,
}

impl Noise {
    /// From the ratios of the default to itself, round by round.
    pub fn of(cpu: &Series, wall: &Series) -> Noise {
        let most_off = |ratios: &Series| {
            let off = ratios.runs().iter().map(|ratio| (ratio - 1.0).abs());
            off.fold(0.0, f64::max)
        };
        Noise {
            cpu: most_off(cpu),
            wall: most_off(wall),
            rounds: cpu.runs().len(),
        }
    }
}

/// What one value did, against the default in the same rounds.
#[derive(Clone, Debug, PartialEq)]
pub struct Seen {
    /// The value.
    pub value: String,
    /// Its CPU time a probe over the default's, round by round.
    pub cpu: Series,
    /// Its time on the clock over the default's.
    pub wall: Series,
}

/// What is advised of a knob.
#[derive(Clone, Debug, PartialEq)]
pub enum Advice {
    /// Too few rounds to tell anything.
    TooFewRounds,
    /// No value ran.
    NothingRan,
    /// No value is better by more than the noise.
    Keep(Found),
    /// The best one costs less CPU, and more time.
    Slower(Found),
    /// This one is better.
    Change(Found),
}

/// The best value that was found, by CPU time a probe.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// The value.
    pub value: String,
    /// Its CPU time over the default's: the median of the rounds.
    pub cpu: f64,
    /// The same in its worst round.
    pub cpu_worst: f64,
    /// Its time on the clock likewise.
    pub wall: f64,
    /// What both would have to beat.
    pub noise: Noise,
}

/// What is advised after `seen`. A value is better if it was so in every round, by more than the
/// default was ever off itself in their median, and if it is not slower by more than that.
pub fn advise(seen: &[Seen], noise: Noise) -> Advice {
    if noise.rounds < RUNS_MIN {
        return Advice::TooFewRounds;
    }
    let found = seen.iter().filter_map(|seen| {
        Some(Found {
            value: seen.value.clone(),
            cpu: seen.cpu.median()?,
            cpu_worst: seen.cpu.max()?,
            wall: seen.wall.median()?,
            noise,
        })
    });
    let mut found: Vec<_> = found.collect();
    found.sort_by(|a, b| a.cpu.total_cmp(&b.cpu));
    let gains = |found: &&Found| 1.0 - found.cpu > noise.cpu && found.cpu_worst < 1.0;
    let is_slower = |found: &Found| found.wall - 1.0 > noise.wall;
    match (
        found.iter().filter(gains).find(|f| !is_slower(f)),
        found.first(),
    ) {
        (Some(better), _) => Advice::Change(better.clone()),
        (None, Some(best)) if gains(&best) => Advice::Slower(best.clone()),
        (None, Some(best)) => Advice::Keep(best.clone()),
        (None, None) => Advice::NothingRan,
    }
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Found {
            value, cpu, wall, ..
        } = self;
        let Noise {
            cpu: cpu_noise,
            wall: wall_noise,
            ..
        } = self.noise;
        write!(
            f,
            "best {value}: CPU × {cpu:.3} (noise {cpu_noise:.3}), time × {wall:.3} (noise {wall_noise:.3})"
        )
    }
}

impl fmt::Display for Advice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Advice::TooFewRounds => {
                write!(f, "keep the default: it takes {RUNS_MIN} rounds to tell")
            }
            Advice::NothingRan => f.write_str("keep the default: nothing else ran"),
            Advice::Keep(found) => write!(f, "keep the default; {found}"),
            Advice::Slower(found) => write!(f, "keep the default; less CPU, but slower: {found}"),
            Advice::Change(found) => write!(f, "change it; {found}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(values: &[f64]) -> Series {
        values.iter().copied().collect()
    }

    fn seen(value: &str, cpu: &[f64], wall: &[f64]) -> Seen {
        Seen {
            value: value.into(),
            cpu: series(cpu),
            wall: series(wall),
        }
    }

    fn noise() -> Noise {
        Noise::of(&series(&[1.02, 0.96, 1.0]), &series(&[1.01, 1.0, 0.9]))
    }

    #[test]
    fn the_noise_is_the_most_that_the_default_was_off_itself() {
        let noise = noise();
        assert!((noise.cpu - 0.04).abs() < 1e-9 && (noise.wall - 0.1).abs() < 1e-9);
        assert_eq!(noise.rounds, 3);
    }

    #[test]
    fn a_gain_within_the_noise_or_not_in_every_round_is_none() {
        for cpu in [[0.97, 0.5, 0.99], [0.7, 0.7, 1.01]] {
            let advice = advise(&[seen("100", &cpu, &[1.0, 1.0, 1.0])], noise());
            assert!(
                matches!(&advice, Advice::Keep(found) if found.value == "100"),
                "{advice}"
            );
        }
    }

    #[test]
    fn the_best_value_that_is_not_slower_is_advised() {
        let all = [
            seen("0", &[1.2, 1.2, 1.2], &[0.5, 0.5, 0.5]),
            seen("100", &[0.9, 0.91, 0.92], &[1.05, 1.0, 1.0]),
            seen("1000", &[0.7, 0.7, 0.7], &[1.5, 1.5, 1.5]),
        ];
        let advice = advise(&all, noise());
        assert!(
            matches!(&advice, Advice::Change(found) if found.value == "100"),
            "{advice}"
        );
        let advice = advise(&all[2..], noise());
        assert!(matches!(advice, Advice::Slower(_)), "{advice}");
    }

    #[test]
    fn what_did_not_run_and_what_ran_twice_advise_nothing() {
        let refused = seen("3", &[], &[]);
        assert_eq!(advise(&[refused], noise()), Advice::NothingRan);
        let twice = Noise::of(&series(&[1.0, 1.0]), &series(&[1.0, 1.0]));
        let great = seen("100", &[0.1, 0.1], &[0.1, 0.1]);
        assert_eq!(advise(&[great], twice), Advice::TooFewRounds);
    }
}
