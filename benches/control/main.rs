//! What a million candidates cost the control plane: parsing, holding, publishing, saving.
//!
//! `cargo bench --bench control` prints the table; words behind `--` choose sections by name. Every
//! run of a section is a process of its own, so that its memory is its own.

#[path = "../shared/answers.rs"]
mod answers;
mod house;
mod lists;
mod measure;
mod sections;

use measure::{Figure, Unit};
use sections::Section;
use std::collections::BTreeMap;
use std::error::Error;
use std::io::{self, Write};
use std::process::{Command, Stdio};

/// The argument that makes this process one run of a section.
const RUN: &str = "--run-section";
/// How often each section runs.
const RUNS: usize = 5;

type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> Outcome<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if let [flag, name] = &words[..]
        && flag == RUN
    {
        let section = Section::named(name).ok_or("no such section")?;
        let figures = section.run()?;
        serde_json::to_writer(io::stdout(), &figures)?;
        return Ok(());
    }
    // Cargo adds flags of its own.
    let chosen: Vec<&String> = words.iter().filter(|w| !w.starts_with("--")).collect();
    let mut out = io::stdout();
    writeln!(
        out,
        "| figure | median | min–max | runs |\n|---|---|---|---|"
    )?;
    for section in Section::ALL {
        if chosen.is_empty() || chosen.iter().any(|name| *name == section.name()) {
            print(&mut out, &runs(section)?)?;
        }
    }
    Ok(())
}

/// Every figure of a section, run by run.
fn runs(section: Section) -> Outcome<BTreeMap<String, (Unit, Vec<f64>)>> {
    let mut all = BTreeMap::new();
    for _ in 0..RUNS {
        let run = Command::new(std::env::current_exe()?)
            .args([RUN, section.name()])
            .stderr(Stdio::inherit())
            .output()?;
        if !run.status.success() {
            return Err(format!("{} failed: {}", section.name(), run.status).into());
        }
        for Figure { name, unit, value } in serde_json::from_slice::<Vec<Figure>>(&run.stdout)? {
            let (_, values) = all.entry(name).or_insert((unit, Vec::new()));
            values.push(value);
        }
    }
    Ok(all)
}

fn print(out: &mut impl Write, figures: &BTreeMap<String, (Unit, Vec<f64>)>) -> io::Result<()> {
    for (name, (unit, values)) in figures {
        let (median, least, most) = measure::spread(values);
        let text = |value: f64| unit.text(value);
        writeln!(
            out,
            "| {name} | {} {} | {}–{} | {} |",
            text(median),
            unit.label(),
            text(least),
            text(most),
            values.len()
        )?;
    }
    out.flush()
}
