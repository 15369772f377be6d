//! The rows, the ratios and the plot.

use super::measure::Measured;
use super::{Phase, ROUTES, Run};
use proxy_bench::harness::figures::Series;
use proxy_bench::harness::plot::Bars;
use proxy_bench::harness::report::{Column, Row};
use serde_json::json;

pub(super) const COLUMNS: [Column; 12] = [
    Column::text("route", 19),
    Column::text("beside it", 9),
    Column::figures("requests/s", "1/s", 0, 20),
    Column::figures("p50", "ms", 2, 16),
    Column::figures("p90", "ms", 2, 16),
    Column::figures("p99", "ms", 1, 16),
    Column::figures("p99.9", "ms", 1, 16),
    Column::figures("max", "ms", 0, 13),
    Column::figures("bytes/s", "MB/s", 1, 16),
    Column::figures("server's CPU", "%", 0, 12),
    Column::figures("a CPU second", "requests", 0, 22),
    Column::figures("probes/s", "1/s", 0, 16),
];

pub(super) fn row(route: &str, phase: Phase, runs: &[&Measured], commands: Vec<String>) -> Row {
    let series = |of: &dyn Fn(&Measured) -> f64| -> Series { runs.iter().map(|m| of(m)).collect() };
    let values = [
        series(&|m| m.outcome.rate()),
        series(&|m| m.outcome.latency.p50),
        series(&|m| m.outcome.latency.p90),
        series(&|m| m.outcome.latency.p99),
        series(&|m| m.outcome.latency.p99_9),
        series(&|m| m.outcome.latency.max),
        series(&|m| m.outcome.bytes as f64 / m.outcome.seconds / 1e6),
        series(&|m| m.cpu_s / m.outcome.seconds * 100.0),
        runs.iter().filter_map(|m| m.per_cpu_s()).collect(),
        series(&|m| m.probes as f64 / m.outcome.seconds),
    ];
    let texts = [route.into(), phase.label().into()];
    Row {
        values: texts.into_iter().chain(values.map(Into::into)).collect(),
        commands,
        runs: runs.iter().map(|measured| json!(measured)).collect(),
    }
}

/// Requests per CPU second of each route over those of nginx in the same run.
pub(super) fn ratios(all: &[Run]) -> Vec<String> {
    let nginx = all.iter().filter_map(|run| run.nginx.as_ref()?.per_cpu_s());
    let nginx: Series = nginx.collect();
    let ratio = |(place, path): (usize, &str)| {
        let ours = per_cpu(all, Phase::Quiet, place).over(&nginx);
        format!("{path}: {} × nginx's requests a CPU second", ours.text(2))
    };
    ROUTES.into_iter().enumerate().map(ratio).collect()
}

fn per_cpu(all: &[Run], phase: Phase, route: usize) -> Series {
    let measured = all.iter().map(|run| &run.routes[phase as usize][route]);
    measured.filter_map(Measured::per_cpu_s).collect()
}

pub(super) fn plot(all: &[Run]) -> Bars {
    let group = |(place, path): (usize, &str)| {
        let bars = Phase::ALL.map(|phase| per_cpu(all, phase, place));
        // The words under a group are narrow.
        (path.replace('?', ", ?"), bars.to_vec())
    };
    Bars {
        title: "Requests that a second of the API thread's CPU time serves".into(),
        y: "requests a CPU second".into(),
        names: Phase::ALL
            .map(|phase| format!("beside it: {}", phase.label()))
            .to_vec(),
        groups: ROUTES.into_iter().enumerate().map(group).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(answers: u64) -> Measured {
        let mut measured = Measured {
            cpu_s: 2.0,
            ..Measured::default()
        };
        (measured.outcome.answers, measured.outcome.seconds) = (answers, 4.0);
        measured
    }

    #[test]
    fn a_ratio_is_that_of_the_cpu_time_in_the_same_run() {
        let run = |ours, nginx| {
            let mut run = Run {
                nginx: Some(measured(nginx)),
                ..Run::default()
            };
            run.routes[Phase::Quiet as usize].fill(measured(ours));
            run
        };
        let ratios = ratios(&[run(50, 100), run(150, 300)]);
        assert_eq!(ratios.len(), ROUTES.len());
        assert_eq!(
            ratios[0],
            "/get-proxy: 0.50 (0.50–0.50) × nginx's requests a CPU second"
        );
    }

    #[test]
    fn a_row_has_a_value_for_each_column() {
        let row = row("/health", Phase::Sweeping, &[&measured(100)], Vec::new());
        assert_eq!(row.values.len(), COLUMNS.len());
        let rate: Series = [25.0].into_iter().collect();
        assert_eq!(row.values[2], rate.into());
    }
}
