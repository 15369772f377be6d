//! The plots of a sweep: CPU and memory of each case, and CPU over the number of lanes.

use super::case::Case;
use super::contest::Outcome;
use proxy_bench::harness::Result;
use proxy_bench::harness::figures::Series;
use proxy_bench::harness::plot::{Bars, Lines};

/// What is drawn of a contestant.
#[derive(Debug)]
struct Figures {
    name: &'static str,
    cpu: Series,
    rss: Series,
}

/// What was measured so far.
#[derive(Debug, Default)]
pub(super) struct Plots {
    cases: Vec<(Case, Vec<Figures>)>,
}

impl Plots {
    pub(super) fn add(&mut self, case: &Case, outcomes: &[Outcome]) {
        let figures = outcomes.iter().map(|outcome| Figures {
            name: outcome.contestant.label(),
            cpu: outcome.cpu(),
            rss: outcome.rss(),
        });
        self.cases.push((*case, figures.collect()));
    }

    /// Every plot with its name; nothing if nothing was measured.
    pub(super) fn drawn(&self) -> Result<Vec<(&'static str, String)>> {
        if self.cases.is_empty() {
            return Ok(Vec::new());
        }
        let cpu = self.bars("CPU of a probe", "µs a probe", |figures| &figures.cpu);
        let memory = self.bars("Peak of resident memory", "MiB", |figures| &figures.rss);
        let mut drawn = vec![("cpu", cpu.svg()?), ("memory", memory.svg()?)];
        let lines = self.lines();
        if lines.lines.iter().any(|(_, points)| points.len() > 1) {
            drawn.push(("lanes", lines.svg()?));
        }
        Ok(drawn)
    }

    fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        for Figures { name, .. } in self.cases.iter().flat_map(|(_, figures)| figures) {
            if !names.iter().any(|known| known == name) {
                names.push((*name).to_owned());
            }
        }
        names
    }

    fn bars(&self, title: &str, y: &str, figure: impl Fn(&Figures) -> &Series) -> Bars {
        let names = self.names();
        let group = |(case, figures): &(Case, Vec<Figures>)| {
            let of = |name: &String| {
                let found = figures.iter().find(|figures| figures.name == name);
                found.map(|found| figure(found).clone()).unwrap_or_default()
            };
            (case.to_string(), names.iter().map(of).collect())
        };
        Bars {
            title: title.into(),
            y: y.into(),
            groups: self.cases.iter().map(group).collect(),
            names: names.clone(),
        }
    }

    /// A line for each contestant and load of the first steering and number of shards.
    fn lines(&self) -> Lines {
        let mut lines: Vec<(String, Vec<(f64, Series)>)> = Vec::new();
        let first = self
            .cases
            .first()
            .map(|(case, _)| (case.steering, case.shards));
        let alike = |case: &Case| Some((case.steering, case.shards)) == first;
        for (case, figures) in self.cases.iter().filter(|(case, _)| alike(case)) {
            for Figures { name, cpu, .. } in figures {
                let name = format!("{name}, {}", case.load.label());
                let point = (f64::from(case.lanes), cpu.clone());
                match lines.iter_mut().find(|(known, _)| *known == name) {
                    Some((_, points)) => points.push(point),
                    None => lines.push((name, vec![point])),
                }
            }
        }
        let steering = first.map_or("", |(steering, _)| steering.label());
        Lines {
            title: format!("CPU of a probe over the number of lanes, {steering}"),
            x: "lanes".into(),
            y: "µs a probe".into(),
            lines,
        }
    }
}
