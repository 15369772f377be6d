//! `proxy-bench tune`: which values of the engine's knobs are best on this machine.

mod contestant;

pub(crate) use contestant::{Arena, Trouble};

use super::Done;
use super::engine::Deadlines;
use contestant::Contestant;
use proxy_bench::harness::bench::Bench;
use proxy_bench::harness::options::Common;
use proxy_bench::harness::plot::Bars;
use proxy_bench::harness::report::{Column, Report};
use proxy_bench::harness::stage::Cast;
use proxy_bench::harness::steering::{self, Held, Steering};
use proxy_bench::harness::{Error, Result};
use proxy_bench::tune::advice::{Advice, Noise, Seen, advise};
use proxy_bench::tune::grid::{Axis, Setting, Trial, one_at_a_time, product, usual_axes};
use proxy_bench::tune::knob::Knob;
use proxy_bench::tune::settings::Settings;
use std::io::Write;
use std::process::ExitCode;

/// Try values of the engine's knobs against its defaults, and say which are better.
///
/// The engine runs alone, in a process of its own. One knob is turned at a time, in rounds: each
/// round runs every value and, twice, the defaults, so that ratios come out of one round and the
/// defaults against themselves show what is noise. What is better by more than that is tried
/// together in further rounds. Exits with 1 if a run hung, failed, or gave a wrong verdict; settings
/// that the kernel declines are rows that say so.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    common: Common,
    /// A knob and the values to try, again for another one; `--grid help=` lists the knobs [default:
    /// every knob, the usual values]
    #[arg(long, value_name = "KNOB=VALUE,VALUE…")]
    grid: Vec<Axis>,
    /// Try every combination of the values of --grid, not one knob at a time
    #[arg(long, requires = "grid")]
    full: bool,
    /// What the knobs are turned around, where that is not the default; again for another one
    #[arg(long, value_name = "KNOB=VALUE")]
    base: Vec<Setting>,
    /// What the proxies do: labels of `proxy-bench farm --behaviour`, with commas between
    #[arg(long, default_value = "forwards")]
    behaviour: String,
    /// Have loopback's receive work done by the farm's CPU
    #[arg(long, default_value = "yes", value_name = "yes|no", value_parser = yes_or_no, action = clap::ArgAction::Set)]
    steered: bool,
    #[command(flatten)]
    deadlines: Deadlines,
}

pub(crate) fn yes_or_no(text: &str) -> std::result::Result<bool, String> {
    match text {
        "yes" => Ok(true),
        "no" => Ok(false),
        _ => Err("yes or no".into()),
    }
}

const COLUMNS: [Column; 9] = [
    Column::text("knob", 12),
    Column::text("value", 19),
    Column::figures("CPU", "µs a probe", 1, 19),
    Column::figures("CPU", "× default", 3, 21),
    Column::figures("wall", "s", 2, 18),
    Column::figures("wall", "× default", 3, 21),
    Column::figures("peak RSS", "MiB", 1, 18),
    Column::figures("sleeps", "a probe", 3, 21),
    Column::text("verdicts", 8),
];

pub(crate) fn run(options: &Options) -> Done {
    let mut base = Settings::default();
    options.base.iter().for_each(|set| set.apply(&mut base));
    let trials = match (options.full, options.grid.as_slice()) {
        (true, grid) => product(&base, grid)?,
        (false, []) => one_at_a_time(&base, &usual_axes()),
        (false, grid) => one_at_a_time(&base, grid),
    };
    let bench = Bench::new(&options.common)?;
    let stage = bench.stage(&Cast::of(&*options.behaviour, options.common.count))?;
    let arena = Arena {
        bench: &bench,
        stage: &stage,
        deadlines: &options.deadlines,
    };
    let mut report = bench.report("tune", COLUMNS.to_vec())?;
    let _held = steer(options.steered, &bench, &mut report)?;
    let mut contest = Contest::new(&base, &trials, options.full);
    contest.rounds(&arena)?;
    contest.print(&mut report)?;
    let found = contest.advise(&mut report)?;
    let plots = contest.plots()?;
    let mut is_good = contest.is_good();
    if let Some(together) = found.filter(|_| !options.full) {
        is_good &= confirm(&base, &together, &arena, &mut report)?;
    }
    let plots: Vec<_> = plots
        .iter()
        .map(|(name, svg)| (&**name, svg.clone()))
        .collect();
    report.end(&plots)?;
    Ok(match is_good {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}

/// Steers if it is wanted and this host lets us; else the report says why not.
pub(crate) fn steer(wanted: bool, bench: &Bench, report: &mut Report) -> Result<Option<Held>> {
    match (wanted, steering::can_be_set()) {
        (false, _) => Ok(None),
        (true, None) => steering::hold(Steering::ToFarm, &bench.cpus).map(Some),
        (true, Some(why)) => {
            report.note(format!("not steered: {why}"))?;
            Ok(None)
        }
    }
}

/// The defaults, twice, and everything that is tried against them.
struct Contest {
    base: Contestant,
    again: Contestant,
    tried: Vec<(Trial, Contestant)>,
    full: bool,
}

impl Contest {
    fn new(base: &Settings, trials: &[Trial], full: bool) -> Contest {
        let contestant = |trial: &Trial| match trial.changes.as_slice() {
            [one] => Contestant::new(one.knob.label(), &*one.value, trial.settings),
            _ => Contestant::new("together", trial.to_string(), trial.settings),
        };
        let with = |trial: &Trial| (trial.clone(), contestant(trial));
        Contest {
            base: Contestant::new("default", "", *base),
            again: Contestant::new("default", "again", *base),
            tried: trials.iter().map(with).collect(),
            full,
        }
    }

    /// All rounds, each from another beginning: what only the place in a round does falls out.
    fn rounds(&mut self, arena: &Arena<'_>) -> Result<()> {
        let rounds = arena.bench.options.runs as usize;
        for round in 0..rounds {
            let mut order: Vec<&mut Contestant> = Vec::new();
            order.push(&mut self.base);
            order.extend(self.tried.iter_mut().map(|(_, contestant)| contestant));
            // As far from the other as most are.
            order.insert(order.len().div_ceil(2), &mut self.again);
            let (count, half) = (order.len(), order.len() / 2);
            order.rotate_left(round * half.max(1) % count);
            writeln!(
                std::io::stderr(),
                "round {} of {rounds}: {count} runs",
                round + 1
            )
            .ok();
            order.into_iter().try_for_each(|one| one.run(arena))?;
            if let Some(trouble) = [&self.base, &self.again]
                .iter()
                .find_map(|c| c.trouble.as_ref())
            {
                let details = trouble.details().unwrap_or_default();
                let told = format!("the default: {}\n{details}", trouble.text());
                return Err(Error::NotTrue(told));
            }
        }
        Ok(())
    }

    fn print(&self, report: &mut Report) -> Result<()> {
        let tried = self.tried.iter().map(|(_, contestant)| contestant);
        for one in [&self.base, &self.again].into_iter().chain(tried) {
            report.row(one.row(&self.base))?;
            if let Some(details) = one.trouble.as_ref().and_then(Trouble::details) {
                report.note(details)?;
            }
        }
        Ok(())
    }

    fn is_good(&self) -> bool {
        let mut troubles = self
            .tried
            .iter()
            .filter_map(|(_, one)| one.trouble.as_ref());
        !troubles.any(Trouble::is_defect)
    }

    fn noise(&self) -> Noise {
        let (base, again) = (&self.base, &self.again);
        Noise::of(
            &again.cpu_us.over(&base.cpu_us),
            &again.wall_s.over(&base.wall_s),
        )
    }

    fn seen(&self, contestant: &Contestant) -> Seen {
        Seen {
            value: contestant.value.clone(),
            cpu: contestant.cpu_us.over(&self.base.cpu_us),
            wall: contestant.wall_s.over(&self.base.wall_s),
        }
    }

    /// Says what is advised of each knob; gives the changes, if there are any.
    fn advise(&self, report: &mut Report) -> Result<Option<Vec<Setting>>> {
        report.note("")?;
        if self.full {
            let seen: Vec<_> = self.tried.iter().map(|(_, one)| self.seen(one)).collect();
            report.note(format!("of all: {}", advise(&seen, self.noise())))?;
            return Ok(None);
        }
        let mut changes = Vec::new();
        for knob in Knob::ALL {
            let of_it = |(trial, _): &&(Trial, Contestant)| trial.changes[0].knob == knob;
            let tried = self.tried.iter().filter(of_it);
            let seen: Vec<_> = tried.map(|(_, one)| self.seen(one)).collect();
            if seen.is_empty() {
                continue;
            }
            let advice = advise(&seen, self.noise());
            report.note(format!("{knob}: {advice}"))?;
            if let Advice::Change(found) = advice {
                report.note(format!("    {}", knob.in_force(&found.value)))?;
                changes.push(Setting {
                    knob,
                    value: found.value,
                });
            }
        }
        Ok((!changes.is_empty()).then_some(changes))
    }

    /// A plot for each knob, or one for all combinations.
    fn plots(&self) -> Result<Vec<(String, String)>> {
        let groups = || self.tried.iter().map(|(_, one)| one);
        if self.full {
            return Ok(vec![(
                "product".into(),
                self.plot("combinations", groups())?,
            )]);
        }
        let mut plots = Vec::new();
        for knob in Knob::ALL {
            let mut of_it = groups().filter(|one| one.knob == knob.label()).peekable();
            if of_it.peek().is_some() {
                plots.push((knob.label().to_owned(), self.plot(knob.label(), of_it)?));
            }
        }
        Ok(plots)
    }

    fn plot<'a>(&self, what: &str, tried: impl Iterator<Item = &'a Contestant>) -> Result<String> {
        let group = |name: String, one: &Contestant| {
            let seen = self.seen(one);
            (name, vec![seen.cpu, seen.wall])
        };
        let again = group("default, again".into(), &self.again);
        // A comma begins a new line.
        let tried = tried.map(|one| group(one.value.replace(' ', ", "), one));
        let bars = Bars {
            title: format!("{what}: against the default"),
            y: "ratio to the default".into(),
            names: vec!["CPU a probe".into(), "time".into()],
            groups: [again].into_iter().chain(tried).collect(),
        };
        bars.svg()
    }
}

/// What was better alone is tried together, in as many rounds again.
fn confirm(
    base: &Settings,
    changes: &[Setting],
    arena: &Arena<'_>,
    report: &mut Report,
) -> Result<bool> {
    let Some(all) = Trial::of(base, changes.iter().cloned()) else {
        return Ok(true);
    };
    let mut contest = Contest::new(base, &[all], false);
    contest.rounds(arena)?;
    report.note("\nall of these at once, in further rounds:")?;
    contest.print(report)?;
    let (_, together) = &contest.tried[0];
    report.note(match advise(&[contest.seen(together)], contest.noise()) {
        Advice::Change(_) => "put them in force: together they are better too",
        _ => "keep the defaults: together they are not better",
    })?;
    Ok(contest.is_good())
}
