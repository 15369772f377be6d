//! `proxy-bench farm`: serves a farm, and writes its list and its truth.

use super::{Done, at};
use clap::ValueEnum;
use proxy_bench::farm::{Behaviour, Counts, Expect, Farm, FarmOptions, PROXIES_PER_BEHAVIOUR};
use proxy_bench::limits::raise_descriptors;
use proxy_bench::truth::{self, Truth};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Serve mock proxies on 127.x.y.z until SIGTERM or SIGINT.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// How many proxies to list
    #[arg(long, default_value_t = 20_000)]
    count: usize,
    /// What they do: labels with commas between, or `all`; `help` lists them
    #[arg(long, default_value = "all", value_parser = behaviours)]
    behaviour: Behaviours,
    /// The first of five consecutive ports; 0: any that are free
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// Where to write the proxies, one URL a line
    #[arg(long, value_name = "FILE")]
    list: PathBuf,
    /// Where to write the verdicts that they must get, as JSON lines
    #[arg(long, value_name = "FILE")]
    truth: Option<PathBuf>,
    /// What the target's answer is expected to be
    #[arg(long, value_enum, default_value_t = Expected::NoContent)]
    expect: Expected,
    /// Serve the list over HTTP too
    #[arg(long)]
    serve_list: bool,
    /// End when the standard input does, too
    #[arg(long)]
    until_eof: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Expected {
    /// Status 204 and no body
    #[value(name = "204")]
    NoContent,
    /// Status 200 and the farm's known body
    #[value(name = "body")]
    KnownBody,
}

impl From<Expected> for Expect {
    fn from(expected: Expected) -> Expect {
        match expected {
            Expected::NoContent => Expect::NoContent,
            Expected::KnownBody => Expect::KnownBody,
        }
    }
}

#[derive(Clone, Debug)]
struct Behaviours(Vec<Behaviour>);

fn behaviours(text: &str) -> Result<Behaviours, String> {
    if text == "all" {
        return Ok(Behaviours(Behaviour::ALL.to_vec()));
    }
    let label = |label: &str| Behaviour::from_label(label.trim()).ok_or(label.to_owned());
    let found: Result<Vec<_>, _> = text.split(',').map(label).collect();
    found.map(Behaviours).map_err(|unknown| {
        let line = |b: &Behaviour| format!("\n  {:<20} {}", b.label(), b.meaning());
        let known: String = Behaviour::ALL.iter().map(line).collect();
        format!("{unknown:?} is no behaviour; these are:{known}")
    })
}

pub(crate) fn run(options: &Options) -> Done {
    let Behaviours(behaviours) = &options.behaviour;
    let most = behaviours.len() * PROXIES_PER_BEHAVIOUR as usize;
    if options.count > most {
        return Err(format!("--count: these behaviours have {most} proxies at most").into());
    }
    // From here on a signal ends the farm in order, not the process.
    let mut signals = Signals::new([SIGTERM, SIGINT])?;
    raise_descriptors()?;
    let farm = Farm::start(FarmOptions {
        port: options.port,
        ..FarmOptions::default()
    })?;
    let mix = farm.mix(options.count, behaviours);
    let expect = options.expect.into();
    let list: String = mix.iter().map(|(proxy, _)| format!("{proxy}\n")).collect();
    std::fs::write(&options.list, &list).map_err(at(&options.list))?;
    if let Some(path) = &options.truth {
        write_truth(path, &mix, expect).map_err(at(path))?;
    }
    let list_url = options.serve_list.then(|| farm.serve_list(&list));
    drop(list);
    announce(&farm, options.count, expect, list_url.as_deref())?;
    if options.until_eof {
        let handle = signals.handle();
        std::thread::spawn(move || {
            io::copy(&mut io::stdin().lock(), &mut io::sink()).ok();
            handle.close();
        });
    }
    signals.forever().next();
    report(&farm)?;
    farm.stop()?;
    Ok(ExitCode::SUCCESS)
}

fn write_truth(path: &Path, mix: &[(String, Behaviour)], expect: Expect) -> io::Result<()> {
    let mut out = BufWriter::new(File::create(path)?);
    let truths = mix.iter().map(|(proxy, b)| Truth::new(proxy, *b, expect));
    truth::write(&mut out, truths)?;
    out.flush()
}

/// The one line that says that all is there: whoever waits for it may begin.
fn announce(farm: &Farm, count: usize, expect: Expect, list: Option<&str>) -> io::Result<()> {
    let ports: Vec<String> = farm.ports().iter().map(u16::to_string).collect();
    let (ports, target) = (ports.join(" "), farm.target(expect));
    let mut out = io::stdout().lock();
    write!(
        out,
        "ready: {count} proxies on ports {ports}, target {target}"
    )?;
    if let Some(url) = list {
        write!(out, ", list {url}")?;
    }
    writeln!(out)?;
    out.flush()
}

fn report(farm: &Farm) -> io::Result<()> {
    let mut out = io::stderr().lock();
    writeln!(
        out,
        "{:<20} {:>10} {:>10}",
        "behaviour", "accepted", "served"
    )?;
    let rows = Behaviour::ALL.map(|b| (b.label(), farm.counts(b)));
    for (label, counts) in rows.into_iter().chain([("(target)", farm.target_counts())]) {
        if counts != Counts::default() {
            let Counts { accepted, served } = counts;
            writeln!(out, "{label:<20} {accepted:>10} {served:>10}")?;
        }
    }
    Ok(())
}
