//! The row and the plots.

use super::judge::{Bounds, Figure, descriptors, rss_mb, text, threads};
use proxy_bench::harness::figures::Series;
use proxy_bench::harness::plot::Lines;
use proxy_bench::harness::report::{Column, Row, Value};
use proxy_bench::harness::slope::Slope;
use proxy_bench::harness::usage::Moment;
use serde_json::json;

pub(super) const COLUMNS: [Column; 9] = [
    Column::figures("time", "min", 1, 6),
    Column::figures("warm-up", "min", 1, 7),
    Column::figures("true sweeps", "", 0, 11),
    Column::figures("CPU", "% of one", 1, 8),
    Column::figures("RSS after it", "MB", 1, 12),
    Column::figures("RSS, end", "MB", 1, 9),
    Column::text("memory, MB/h", 16),
    Column::text("descriptors, 1/h", 22),
    Column::text("threads, 1/h", 22),
];

pub(super) fn row(samples: &[Moment], bounds: &Bounds, sweeps: u64, commands: Vec<String>) -> Row {
    let one = |figure: f64| -> Value { [figure].into_iter().collect::<Series>().into() };
    let judged = bounds.judged(samples);
    let (first, last) = (judged.first(), samples.last().copied().unwrap_or_default());
    let of = |figure: Figure| bounds.growth(samples, figure);
    let growth = [of(rss_mb), of(descriptors), of(threads)];
    let known = |slope: &Option<Slope>, decimals| {
        slope.map_or_else(|| "–".to_owned(), |slope| text(&slope, decimals))
    };
    let held = |figure: Figure, slope: &Option<Slope>| -> Value {
        let level: Series = judged.iter().map(figure).collect();
        format!("{}; {}", level.text(0), known(slope, 2)).into()
    };
    Row {
        values: vec![
            one(last.at_s / 60.0),
            one(bounds.warm_up_s / 60.0),
            one(sweeps as f64),
            one(last.cpu_s / last.at_s.max(f64::MIN_POSITIVE) * 100.0),
            first.map(rss_mb).into_iter().collect::<Series>().into(),
            one(rss_mb(&last)),
            known(&growth[0], 2).into(),
            held(descriptors, &growth[1]),
            held(threads, &growth[2]),
        ],
        commands,
        runs: vec![json!({
            "growth_per_hour": {
                "rss_mb": growth[0], "descriptors": growth[1], "threads": growth[2],
            },
            "samples": samples,
        })],
    }
}

fn line(samples: &[Moment], bounds: &Bounds, of: Figure) -> Vec<(f64, Series)> {
    let intervals = bounds.by_interval(samples, of);
    let minutes = |(end, series)| (end / 60.0, series);
    intervals.into_iter().map(minutes).collect()
}

fn lines(title: &str, y: &str, lines: Vec<(String, Vec<(f64, Series)>)>) -> Lines {
    Lines {
        title: title.into(),
        x: "minutes".into(),
        y: y.into(),
        lines,
    }
}

pub(super) fn memory(samples: &[Moment], bounds: &Bounds) -> Lines {
    let rss = line(samples, bounds, rss_mb);
    let name = "resident memory by interval: median, least and most".into();
    lines("Memory while the list changes", "MB", vec![(name, rss)])
}

pub(super) fn handles(samples: &[Moment], bounds: &Bounds) -> Lines {
    let both = vec![
        ("descriptors".into(), line(samples, bounds, descriptors)),
        ("threads".into(), line(samples, bounds, threads)),
    ];
    lines("Descriptors and threads while the list changes", "", both)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_that_ends_at_once_has_a_row_and_plots_too() {
        let bounds = Bounds {
            warm_up_s: 600.0,
            interval_s: 30.0,
            length_s: 7_200.0,
        };
        for samples in [Vec::new(), vec![Moment::default()]] {
            let row = row(&samples, &bounds, 0, Vec::new());
            assert_eq!(row.values.len(), COLUMNS.len());
            assert_eq!(row.values[6], "–".into());
            assert!(memory(&samples, &bounds).svg().is_ok());
            assert!(handles(&samples, &bounds).svg().is_ok());
        }
    }
}
