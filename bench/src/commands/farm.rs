//! `proxy-bench farm`: serves a farm, and writes its list and its truth.

mod orders;

use super::{Done, at};
use orders::Order;
use proxy_bench::farm::{Aim, Behaviour, Counts, Farm, FarmOptions, JUDGE_SECRET, Listing, Window};
use proxy_bench::limits::raise_descriptors;
use proxy_bench::truth::{self, Truth};
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::mpsc::Receiver;

/// Serve mock proxies on 127.x.y.z until SIGTERM or SIGINT.
///
/// SIGUSR1 takes the target away, and brings it back the next time; a line says so each time. With
/// --until-eof a line `slide N` on the standard input has the first N proxies of the list die and
/// N others come behind the last; list and truth are written anew before a line says so.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// How many proxies to list
    #[arg(long, default_value_t = 20_000)]
    count: usize,
    /// What they do: labels with commas between, or `all`; `help` lists them. One that is named
    /// twice has twice as many proxies
    #[arg(long, default_value = "all", value_parser = behaviours)]
    behaviour: Behaviours,
    /// The first of six consecutive ports; 0: any that are free
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// Where to write the proxies, one a line
    #[arg(long, value_name = "FILE")]
    list: PathBuf,
    /// Leave the schemes out of the list, for a checker to find out
    #[arg(long)]
    auto: bool,
    /// Where to write the verdicts that they must get, as JSON lines
    #[arg(long, value_name = "FILE")]
    truth: Option<PathBuf>,
    /// What is fetched through them: 204, page, tunnel, https, judge, judge_tls or connect
    #[arg(long, default_value = "204", value_parser = aim)]
    aim: Aim,
    /// Where to write the certificate of the target's authority, as PEM
    #[arg(long, value_name = "FILE")]
    ca_out: Option<PathBuf>,
    /// How many tickets each TLS handshake gives; with 0 no session is resumed
    #[arg(long, default_value_t = 2, value_name = "N")]
    tickets: usize,
    /// Where to write the secret of the judge
    #[arg(long, value_name = "FILE")]
    secret_out: Option<PathBuf>,
    /// Serve the list over HTTP too
    #[arg(long)]
    serve_list: bool,
    /// End when the standard input does, too
    #[arg(long)]
    until_eof: bool,
}

fn aim(text: &str) -> Result<Aim, String> {
    Aim::from_label(text).ok_or_else(|| {
        let known: Vec<_> = Aim::ALL.iter().map(|aim| aim.label()).collect();
        format!("{text:?} is no aim; these are: {}", known.join(", "))
    })
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
        let line = |b: &Behaviour| format!("\n  {:<24} {}", b.label(), b.meaning());
        let known: String = Behaviour::ALL.iter().map(line).collect();
        format!("{unknown:?} is no behaviour; these are:{known}")
    })
}

pub(crate) fn run(options: &Options) -> Done {
    let Behaviours(behaviours) = &options.behaviour;
    let window = Window::first(options.count, behaviours)
        .ok_or("--count: these behaviours have not so many proxies")?;
    let orders = orders::listen(options.until_eof)?;
    raise_descriptors()?;
    let farm = Farm::start(FarmOptions {
        port: options.port,
        tickets: options.tickets,
        ..FarmOptions::default()
    })?;
    let list = write_files(options, &farm, &window)?;
    let list_url = options.serve_list.then(|| farm.serve_list(&list));
    drop(list);
    announce(&farm, options, list_url.as_deref())?;
    obey(&orders, options, &farm, window, list_url.as_deref())?;
    report(&farm)?;
    farm.stop()?;
    Ok(ExitCode::SUCCESS)
}

/// Does what it is told until that is to end.
fn obey(
    orders: &Receiver<Order>,
    options: &Options,
    farm: &Farm,
    mut window: Window,
    list_url: Option<&str>,
) -> io::Result<()> {
    let mut target_is_up = true;
    for order in orders {
        match order {
            Order::End => break,
            Order::ToggleTarget => {
                target_is_up = !target_is_up;
                farm.set_target(target_is_up);
                say(if target_is_up {
                    "target: up"
                } else {
                    "target: down"
                })?;
            }
            Order::Slide(by) => {
                window.slide(by);
                farm.keep_only(&window);
                let list = write_files(options, farm, &window)?;
                if let Some(url) = list_url {
                    farm.set_list(url, &list);
                }
                say(&format!("list: from {}", window.begins()))?;
            }
            Order::Unknown(line) => say(&format!("not understood: {line}"))?,
        }
    }
    Ok(())
}

/// Writes what the options name, and returns the list.
fn write_files(options: &Options, farm: &Farm, window: &Window) -> io::Result<String> {
    let listing = match options.auto {
        true => Listing::Auto,
        false => Listing::Schemed,
    };
    let truths = farm.truths_of(window, options.aim, listing);
    let list: String = truths
        .iter()
        .map(|truth| format!("{}\n", truth.proxy))
        .collect();
    let write = |path: &Path, text: &str| std::fs::write(path, text).map_err(at(path));
    write(&options.list, &list)?;
    if let Some(path) = &options.truth {
        write_truth(path, truths).map_err(at(path))?;
    }
    if let Some(path) = &options.ca_out {
        write(path, farm.ca_pem())?;
    }
    if let Some(path) = &options.secret_out {
        write(path, JUDGE_SECRET)?;
    }
    Ok(list)
}

fn write_truth(path: &Path, truths: Vec<Truth>) -> io::Result<()> {
    let mut out = BufWriter::new(File::create(path)?);
    truth::write(&mut out, truths)?;
    out.flush()
}

/// The one line that says that all is there: whoever waits for it may begin.
fn announce(farm: &Farm, options: &Options, list: Option<&str>) -> io::Result<()> {
    let ports: Vec<String> = farm.ports().iter().map(u16::to_string).collect();
    let (count, ports, target) = (options.count, ports.join(" "), farm.target(options.aim));
    let list = list.map(|url| format!(", list {url}")).unwrap_or_default();
    say(&format!(
        "ready: {count} proxies on ports {ports}, target {target}{list}"
    ))
}

fn say(line: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()
}

fn report(farm: &Farm) -> io::Result<()> {
    let mut out = io::stderr().lock();
    writeln!(
        out,
        "{:<24} {:>10} {:>10}",
        "behaviour", "accepted", "served"
    )?;
    let rows = Behaviour::ALL.map(|b| (b.label(), farm.counts(b)));
    for (label, counts) in rows.into_iter().chain([("(target)", farm.target_counts())]) {
        if counts != Counts::default() {
            let Counts { accepted, served } = counts;
            writeln!(out, "{label:<24} {accepted:>10} {served:>10}")?;
        }
    }
    let tls = farm.handshakes();
    writeln!(
        out,
        "TLS handshakes: {} full, {} resumed",
        tls.full, tls.resumed
    )
}
