//! How fast a figure grows: a straight line through it by least squares.

use serde::Serialize;

/// A slope, and how sure it is.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Slope {
    /// What the figure grows by while x grows by one.
    pub rise: f64,
    /// The standard error of that, if what is beside the line is chance.
    pub error: f64,
}

impl Slope {
    /// The line through these points; `None` for less than three, or if all have the same x.
    pub fn through(points: &[(f64, f64)]) -> Option<Slope> {
        let count = points.len() as f64;
        let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / count;
        let (x_mean, y_mean) = (mean(|p| p.0), mean(|p| p.1));
        let spread: f64 = points.iter().map(|(x, _)| (x - x_mean).powi(2)).sum();
        if points.len() < 3 || spread <= 0.0 {
            return None;
        }
        let both = points.iter().map(|(x, y)| (x - x_mean) * (y - y_mean));
        let rise = both.sum::<f64>() / spread;
        let beside = points.iter().map(|(x, y)| y - y_mean - rise * (x - x_mean));
        let beside: f64 = beside.map(|d| d.powi(2)).sum();
        Some(Slope {
            rise,
            error: (beside / (count - 2.0) / spread).sqrt(),
        })
    }

    /// What it surely rises by: of twenty slopes that are chance one or less is above this.
    pub fn at_least(&self) -> f64 {
        self.rise - 2.0 * self.error
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_on_a_line_have_its_slope_for_sure() {
        let points: Vec<_> = (0..10)
            .map(|x| (f64::from(x), 3.0 + 2.5 * f64::from(x)))
            .collect();
        let slope = Slope::through(&points).expect("a line");
        assert!(
            (slope.rise - 2.5).abs() < 1e-9 && slope.error < 1e-9,
            "{slope:?}"
        );
    }

    #[test]
    fn what_goes_up_and_down_has_a_small_slope_that_is_not_sure() {
        // By hand: x̄ 1.5, Σ(x−x̄)² 5, Σ(x−x̄)(y−ȳ) 2; what is left beside the line is 3.2.
        let slope = Slope::through(&[(0.0, 0.0), (1.0, 2.0), (2.0, 0.0), (3.0, 2.0)]);
        let slope = slope.expect("a line");
        assert!((slope.rise - 0.4).abs() < 1e-9, "{slope:?}");
        assert!(
            (slope.error - (3.2f64 / 2.0 / 5.0).sqrt()).abs() < 1e-9,
            "{slope:?}"
        );
        assert!(slope.at_least() < 0.0);
    }

    #[test]
    fn two_points_and_one_place_are_no_line() {
        assert_eq!(Slope::through(&[(0.0, 1.0), (1.0, 2.0)]), None);
        assert_eq!(Slope::through(&[(1.0, 1.0), (1.0, 2.0), (1.0, 3.0)]), None);
    }
}
