//! Figures of several runs: the median and how far they spread.

use serde::Serialize;
use std::fmt;

/// One figure of each run, in the order of the runs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Series(Vec<f64>);

impl Series {
    /// A figure more.
    pub fn push(&mut self, value: f64) {
        self.0.push(value);
    }

    /// The figures in the order of the runs.
    pub fn runs(&self) -> &[f64] {
        &self.0
    }

    /// The middle one, or the mean of the two in the middle; `None` without a run.
    pub fn median(&self) -> Option<f64> {
        let mut sorted = self.0.clone();
        sorted.sort_unstable_by(f64::total_cmp);
        let middle = sorted.len() / 2;
        match sorted.len() {
            0 => None,
            len if len % 2 == 1 => Some(sorted[middle]),
            _ => Some(f64::midpoint(sorted[middle - 1], sorted[middle])),
        }
    }

    /// The least of its figures that so many percent of them do not exceed; `None` without any.
    pub fn percentile(&self, percent: f64) -> Option<f64> {
        let mut sorted = self.0.clone();
        sorted.sort_unstable_by(f64::total_cmp);
        let rank = (sorted.len() as f64 * percent / 100.0).ceil().max(1.0);
        sorted.get(rank as usize - 1).copied()
    }

    /// The least; `None` without a run.
    pub fn min(&self) -> Option<f64> {
        self.0.iter().copied().min_by(f64::total_cmp)
    }

    /// The most; `None` without a run.
    pub fn max(&self) -> Option<f64> {
        self.0.iter().copied().max_by(f64::total_cmp)
    }

    /// Each run over the same run of `base`, so that what both met in one round falls out. Runs
    /// that only one of them has are left out.
    pub fn over(&self, base: &Series) -> Series {
        self.0.iter().zip(&base.0).map(|(a, b)| a / b).collect()
    }

    /// `54.3 (52.0–60.1)`, or `54.3` of one run; `–` without any.
    pub fn text(&self, decimals: usize) -> String {
        fmt::from_fn(|f| match (self.median(), self.min(), self.max()) {
            (Some(median), Some(min), Some(max)) if self.0.len() > 1 => {
                write!(f, "{median:.decimals$} ({min:.decimals$}–{max:.decimals$})")
            }
            (Some(median), ..) => write!(f, "{median:.decimals$}"),
            _ => f.write_str("–"),
        })
        .to_string()
    }
}

impl FromIterator<f64> for Series {
    fn from_iter<T: IntoIterator<Item = f64>>(values: T) -> Series {
        Series(values.into_iter().collect())
    }
}

impl Serialize for Series {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Form<'a> {
            median: Option<f64>,
            min: Option<f64>,
            max: Option<f64>,
            runs: &'a [f64],
        }
        let form = Form {
            median: self.median(),
            min: self.min(),
            max: self.max(),
            runs: &self.0,
        };
        form.serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(values: &[f64]) -> Series {
        values.iter().copied().collect()
    }

    #[test]
    fn the_median_stands_between_the_extremes() {
        assert_eq!(series(&[60.1, 52.0, 54.3]).text(1), "54.3 (52.0–60.1)");
        assert_eq!(series(&[1.0, 4.0, 2.0, 3.0]).median(), Some(2.5));
    }

    #[test]
    fn one_run_has_no_spread_and_none_no_figure() {
        assert_eq!(series(&[7.25]).text(2), "7.25");
        assert_eq!(series(&[]).text(2), "–");
        assert_eq!(series(&[]).median(), None);
    }

    #[test]
    fn a_percentile_is_a_figure_that_occurred() {
        let hundred: Series = (1..=100).rev().map(f64::from).collect();
        assert_eq!(hundred.percentile(95.0), Some(95.0));
        assert_eq!(hundred.percentile(99.9), Some(100.0));
        assert_eq!(hundred.percentile(0.0), Some(1.0));
        assert_eq!(series(&[7.0]).percentile(50.0), Some(7.0));
        assert_eq!(series(&[]).percentile(50.0), None);
    }

    #[test]
    fn a_ratio_is_taken_round_by_round() {
        let (slow, base) = (series(&[10.0, 40.0, 9.0]), series(&[5.0, 20.0]));
        assert_eq!(slow.over(&base), series(&[2.0, 2.0]));
    }

    #[test]
    fn every_run_is_in_the_json() {
        let json = serde_json::to_string(&series(&[3.0, 1.0])).expect("JSON");
        let form = r#"{"median":2.0,"min":1.0,"max":3.0,"runs":[3.0,1.0]}"#;
        assert_eq!(json, form);
    }
}
