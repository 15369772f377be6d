//! What a million candidates cost the control plane: parsing, holding, publishing, saving.
//!
//! `cargo bench --bench control` prints the table; words behind `--` choose sections by name, and
//! `--records N` the size of the ledger in `store`, which is 100 000 and 1 000 000 otherwise. Every run
//! of a section is a process of its own, so that its memory is its own.

#[path = "../shared/answers.rs"]
mod answers;
mod house;
mod lists;
mod measure;
#[path = "../../tests/support/redis.rs"]
mod redis_server;
mod sections;
mod stores;

use measure::{Figure, Unit};
use sections::Section;
use std::collections::BTreeMap;
use std::error::Error;
use std::io::{self, Write};
use std::process::{Command, Stdio};

/// The argument that makes this process one run of a section.
const RUN: &str = "--run-section";
/// The argument that says how long the ledger of `store` is.
const RECORDS: &str = "--records";
/// How often each section runs.
const RUNS: usize = 5;

type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> Outcome<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if let [flag, name, rest @ ..] = &words[..]
        && flag == RUN
    {
        let section = Section::named(name).ok_or("no such section")?;
        let figures = section.run(records(rest)?)?;
        serde_json::to_writer(io::stdout(), &figures)?;
        return Ok(());
    }
    let records = records(&words)?;
    // Cargo adds flags of its own; a number belongs to the flag before it.
    let is_name = |word: &&String| !word.starts_with("--") && word.parse::<u32>().is_err();
    let chosen: Vec<&String> = words.iter().filter(is_name).collect();
    let mut out = io::stdout();
    writeln!(
        out,
        "| figure | median | min–max | runs |\n|---|---|---|---|"
    )?;
    for section in Section::ALL {
        if chosen.is_empty() || chosen.iter().any(|name| *name == section.name()) {
            print(&mut out, &runs(section, records)?)?;
        }
    }
    Ok(())
}

/// The number behind `--records`, if there is one.
fn records(words: &[String]) -> Outcome<Option<u32>> {
    let Some(flag) = words.iter().position(|word| word == RECORDS) else {
        return Ok(None);
    };
    let number = words.get(flag + 1).ok_or("--records needs a number")?;
    Ok(Some(number.parse()?))
}

/// Every figure of a section, run by run.
fn runs(section: Section, records: Option<u32>) -> Outcome<BTreeMap<String, (Unit, Vec<f64>)>> {
    let mut all = BTreeMap::new();
    for _ in 0..RUNS {
        let run = Command::new(std::env::current_exe()?)
            .args([RUN, section.name()])
            .args(
                records
                    .map(|records| [RECORDS.to_owned(), records.to_string()])
                    .into_iter()
                    .flatten(),
            )
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
