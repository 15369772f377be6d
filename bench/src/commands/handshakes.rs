//! `proxy-bench handshakes`: the scenario of TLS, with and without resumption.

use super::Done;
use proxy_bench::farm::Aim;
use proxy_bench::handshakes::alone::{self, Exercise};
use proxy_bench::handshakes::client::Kind;
use proxy_bench::handshakes::server::Chain;
use proxy_bench::harness::bench::Bench;
use proxy_bench::harness::figures::Series;
use proxy_bench::harness::options::Common;
use proxy_bench::harness::plot::Bars;
use proxy_bench::harness::program::Program;
use proxy_bench::harness::report::{Column, Report, Row};
use proxy_bench::harness::stage::{Cast, Stage};
use proxy_bench::harness::steering::{self, Steering};
use proxy_bench::harness::verdicts::{Fineness, hold};
use serde_json::{Value as Json, json};
use std::process::ExitCode;

/// TLS handshakes per second and core: the engine and plain rustls over blocking sockets, and both
/// in memory.
///
/// Over the farm each proxy is an HTTP proxy that forwards, and the target speaks TLS: a probe is
/// connect, CONNECT, handshake, request, answer, and all CPU time of the program counts, the kernel's
/// too. The plain checker has as many threads as the engine has lanes: one alone would leave the CPU
/// idle between its probes, which costs it nothing here and is no way to check a list. Where sessions
/// are not resumed it is because the farm gives no tickets. In memory only the client's half counts.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    common: Common,
    /// Probes at once: lanes of the engine, threads of the plain checker
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=4096))]
    lanes: u32,
    /// Lanes of the engine in one more row, where it is as it usually runs; 0: no such row
    #[arg(long, default_value_t = 1000)]
    wide: u32,
    /// Handshakes of each exercise in memory
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..))]
    alone: u32,
    /// Have loopback's receive work done by the CPU that sends, even where it can be steered
    #[arg(long)]
    not_steered: bool,
}

const COLUMNS: [Column; 7] = [
    Column::text("run", 34),
    Column::text("sessions", 12),
    Column::figures("CPU", "µs a handshake", 1, 22),
    Column::figures("handshakes", "per s and core", 0, 22),
    Column::figures("over rustls", "ratio", 2, 18),
    Column::figures("resumed", "%", 1, 18),
    Column::text("verdicts", 10),
];

/// What is held against what.
#[derive(Clone, Copy, PartialEq)]
enum Contestant {
    /// Plain rustls over blocking sockets with so many threads.
    Plain(u32),
    /// `proxy-checker check` with so many lanes.
    Engine(u32),
}

/// The figures of a contestant, one of each run.
#[derive(Default)]
struct Figures {
    cpu_us: Series,
    resumed_percent: Series,
    commands: Vec<String>,
    runs: Vec<Json>,
}

impl Contestant {
    fn label(self) -> String {
        match self {
            Contestant::Plain(threads) => format!("plain rustls, {threads} threads"),
            Contestant::Engine(lanes) => format!("proxy-checker, {lanes} lanes"),
        }
    }

    fn fineness(self) -> Fineness {
        match self {
            Contestant::Plain(_) => Fineness::AliveOnly,
            Contestant::Engine(_) => Fineness::Exact,
        }
    }

    fn program(self, bench: &Bench, stage: &Stage) -> proxy_bench::harness::Result<Program> {
        let (list, ca) = (stage.list(), stage.ca());
        Ok(match self {
            Contestant::Plain(threads) => bench
                .own(["plain-tls", "--threads", &threads.to_string()])
                .with(["--target", stage.target()])
                .with(["--ca".as_ref(), ca.as_os_str()])
                .with(["--list".as_ref(), list.as_os_str()]),
            Contestant::Engine(lanes) => bench
                .checker(["check", "--allow-private", "--shards", "1", "--all"])?
                .with(["--format", "jsonl", "--concurrency", &lanes.to_string()])
                .with(["--test-url", stage.target()])
                .with(["--ca-file".as_ref(), ca.as_os_str()])
                .with([list.as_os_str()]),
        })
    }

    /// One run, beside a farm of its own.
    fn run(
        self,
        bench: &Bench,
        resumes: bool,
        into: &mut Figures,
    ) -> Result<(), Box<dyn std::error::Error>> {
        let count = bench.options.count;
        let cast = Cast {
            aim: Aim::Https,
            ..Cast::of("forwards", count)
        };
        let tickets = if resumes { "2" } else { "0" };
        let stage = bench.stage_with(&cast, &["--tickets", tickets])?;
        let results = stage.path("results.jsonl");
        let program = self.program(bench, &stage)?.to(&results);
        let usage = program.run()?;
        hold(&stage, &results, self.fineness())?;
        into.commands = vec![stage.command(), stage.short(&program.command())];
        let (full, resumed) =
            handshakes(&stage.end()?).ok_or("the farm did not say how many handshakes it saw")?;
        let all = (full + resumed).max(1) as f64;
        into.cpu_us.push(usage.cpu_s() * 1e6 / count as f64);
        into.resumed_percent.push(resumed as f64 * 100.0 / all);
        into.runs
            .push(json!({"usage": usage, "full": full, "resumed": resumed}));
        Ok(())
    }
}

/// `TLS handshakes: 1 full, 2 resumed` among what a farm says at its end.
fn handshakes(said: &str) -> Option<(u64, u64)> {
    let line = |line: &str| line.strip_prefix("TLS handshakes: ").map(str::to_owned);
    let counts = said.lines().find_map(line)?;
    let (full, resumed) = counts.split_once(" full, ")?;
    let resumed = resumed.strip_suffix(" resumed")?;
    Some((full.parse().ok()?, resumed.parse().ok()?))
}

pub(crate) fn run(options: &Options) -> Done {
    let bench = Bench::new(&options.common)?;
    let mut report = bench.report("handshakes", COLUMNS.to_vec())?;
    let mut plot = Bars {
        title: "CPU time of a TLS handshake".into(),
        y: "µs".into(),
        names: vec!["rustls".into(), "engine".into()],
        groups: Vec::new(),
    };
    over_the_farm(options, &bench, &mut report, &mut plot)?;
    in_memory(options, &mut report, &mut plot)?;
    report.end(&[("cpu", plot.svg()?)])?;
    Ok(ExitCode::SUCCESS)
}

/// Words for a table.
const fn sessions(resumes: bool) -> &'static str {
    match resumes {
        true => "resumed",
        false => "full",
    }
}

fn over_the_farm(
    options: &Options,
    bench: &Bench,
    report: &mut Report,
    plot: &mut Bars,
) -> Result<(), Box<dyn std::error::Error>> {
    let steering = match (options.not_steered, steering::can_be_set()) {
        (true, _) => Steering::Off,
        (false, None) => Steering::ToFarm,
        (false, Some(why)) => {
            report.note(format!("not steered: {why}"))?;
            Steering::Off
        }
    };
    let _held = match steering::can_be_set() {
        None => Some(steering::hold(steering, &bench.cpus)?),
        Some(_) => None,
    };
    let mut contestants = vec![
        Contestant::Plain(options.lanes),
        Contestant::Engine(options.lanes),
    ];
    if options.wide > 0 {
        contestants.push(Contestant::Engine(options.wide));
    }
    for resumes in [false, true] {
        let mut figures: Vec<Figures> = contestants.iter().map(|_| Figures::default()).collect();
        for _ in 0..bench.options.runs {
            for (contestant, figures) in contestants.iter().zip(&mut figures) {
                contestant.run(bench, resumes, figures)?;
            }
        }
        let base = figures[0].cpu_us.clone();
        for (contestant, figures) in contestants.iter().zip(&figures) {
            let words = format!("{}, {}", contestant.label(), steering.label());
            let praise = contestant.fineness().praise();
            report.row(row(words, resumes, figures, &base, praise))?;
        }
        plot.groups.push((
            format!("farm, {}", sessions(resumes)),
            vec![base, figures[1].cpu_us.clone()],
        ));
    }
    Ok(())
}

fn row(words: String, resumes: bool, figures: &Figures, base: &Series, praise: &str) -> Row {
    let each = |cpu_us: &f64| 1e6 / cpu_us;
    let per_second: Series = figures.cpu_us.runs().iter().map(each).collect();
    Row {
        values: vec![
            words.into(),
            sessions(resumes).into(),
            figures.cpu_us.clone().into(),
            per_second.into(),
            figures.cpu_us.over(base).into(),
            figures.resumed_percent.clone().into(),
            praise.into(),
        ],
        commands: figures.commands.clone(),
        runs: figures.runs.clone(),
    }
}

fn in_memory(
    options: &Options,
    report: &mut Report,
    plot: &mut Bars,
) -> Result<(), Box<dyn std::error::Error>> {
    for chain in Chain::ALL {
        for resumes in [false, true] {
            let mut both = Kind::ALL.map(|_| Figures::default());
            for _ in 0..options.common.runs {
                for (kind, figures) in Kind::ALL.into_iter().zip(&mut both) {
                    let exercise = Exercise {
                        kind,
                        chain,
                        resumes,
                    };
                    figures.cpu_us.push(alone::cpu_us(exercise, options.alone)?);
                    figures
                        .resumed_percent
                        .push(if resumes { 100.0 } else { 0.0 });
                }
            }
            let base = both[0].cpu_us.clone();
            for (kind, figures) in Kind::ALL.into_iter().zip(&both) {
                let words = format!("memory, {}, {}", kind.label(), chain.label());
                report.row(row(words, resumes, figures, &base, "all alive"))?;
            }
            plot.groups.push((
                format!("memory, {}, {}", sessions(resumes), chain.short()),
                both.map(|figures| figures.cpu_us).into(),
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::handshakes;

    #[test]
    fn what_a_farm_says_of_its_handshakes_is_understood() {
        let said = "behaviour accepted served\nforwards 3 3\nTLS handshakes: 12 full, 34 resumed\n";
        assert_eq!(handshakes(said), Some((12, 34)));
        assert_eq!(handshakes("TLS handshakes: many"), None);
        assert_eq!(handshakes(""), None);
    }
}
