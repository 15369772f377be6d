//! `proxy-checker import`: takes what was exported into the ledger of a running or a stopped service.

use super::reach::{Need, Reach, ReachArgs, failed};
use super::status::Failure;
use crate::config::Backend;
use crate::operator::{Imported, client};
use crate::store::merge::merge;
use crate::store::{self, Image, Merged, text};
use clap::Args;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

const STATUS: &str = "\
Exit status: 0 all of it was taken in; 1 a part or all of it was not; 2 wrong usage.";

/// Arguments of `import`.
#[derive(Args, Clone, Debug)]
#[command(after_help = STATUS)]
pub struct ImportArgs {
    #[command(flatten)]
    reach: ReachArgs,
    /// What `export` or a backup wrote, compressed or not; `-` is standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Forget what the store holds, instead of merging; only while the service is stopped
    #[arg(long)]
    replace: bool,
}

/// Takes the file in, says what came of it, and returns when that is on disk.
///
/// # Errors
/// It cannot be read, the ledger cannot be reached, or not every line was an entry: then the others
/// were taken in all the same, unless they were to replace what is there.
pub fn run(
    args: &ImportArgs,
    stdout: &mut dyn Write,
    stderr: &mut dyn Write,
) -> Result<(), Failure> {
    let name = args.file.display();
    let wrong = |error: &dyn std::fmt::Display| failed(format!("{name}: {error}"));
    let file = open(&args.file).map_err(|error| wrong(&error))?;
    let imported = match args.reach.reach(Need::Any)? {
        Reach::Service(_) if args.replace => {
            let text = "the service runs: stop it, so that nobody adds to what --replace leaves";
            return Err(Failure::Failed(text.to_owned()));
        }
        Reach::Service(socket) => client::import(&socket, file)
            .map_err(|error| failed(format!("{}: {error}", socket.display())))?,
        Reach::Store(backend, known) => take_in(&backend, &known, file, args)?,
    };
    report(&imported, &args.file, stdout, stderr)
}

fn open(path: &Path) -> io::Result<Box<dyn Read + Send>> {
    Ok(match path.as_os_str() == "-" {
        true => Box::new(io::stdin()),
        false => {
            let file = File::open(path)?;
            if file.metadata()?.is_dir() {
                return Err(io::ErrorKind::IsADirectory.into());
            }
            Box::new(file)
        }
    })
}

/// Takes the file into a store that nobody else has open, and that holds what is `known`.
fn take_in(
    backend: &Backend,
    known: &Image,
    file: Box<dyn Read + Send>,
    args: &ImportArgs,
) -> Result<Imported, Failure> {
    let wrong = |error: &dyn std::fmt::Display| failed(format!("{} {error}", args.file.display()));
    let reading = text::plain(file).map_err(Into::into).and_then(text::read);
    let reading = reading.map_err(|error| wrong(&error))?;
    let whole = reading.cut.is_none() && reading.bad_lines == 0;
    if args.replace && !whole {
        return Err(wrong(
            &"is not whole, so it replaces nothing; without --replace what is good of it is taken in",
        ));
    }
    let (image, merged) = match args.replace {
        true => {
            let merged = Merged {
                added: reading.image.entries.len() as u64,
                ..Merged::default()
            };
            (reading.image, merged)
        }
        false => merge(known, &reading.image),
    };
    let mut store = store::open(backend).map_err(failed)?;
    if let Some(recovered) = store.recovered() {
        return Err(failed(recovered));
    }
    store.save(&image).map_err(failed)?;
    Ok(Imported {
        merged,
        bad_lines: reading.bad_lines,
        bad: reading.bad,
        cut: reading.cut,
    })
}

fn report(
    imported: &Imported,
    file: &Path,
    stdout: &mut dyn Write,
    stderr: &mut dyn Write,
) -> Result<(), Failure> {
    let Merged {
        added,
        updated,
        kept,
        refused,
    } = imported.merged;
    let not_allowed = match refused {
        0 => String::new(),
        some => format!(", {some} that may not be dialled left out"),
    };
    // Nobody has to read it.
    let _ = writeln!(
        stdout,
        "{added} added, {updated} updated, {kept} known as well or better{not_allowed}"
    );
    let file = file.display();
    for line in imported.bad_in_words() {
        let _ = writeln!(stderr, "proxy-checker: {file}, {line}");
    }
    let mut missing = Vec::new();
    if imported.bad_lines > 0 {
        missing.push(format!("{} lines that are no entries", imported.bad_lines));
    }
    if let Some(cut) = &imported.cut {
        let why = cut
            .why
            .as_ref()
            .map_or(String::new(), |why| format!(" ({why})"));
        let (found, expected) = (cut.found, cut.expected);
        missing.push(format!("it ends after {found} of {expected} entries{why}"));
    }
    match missing.is_empty() {
        true => Ok(()),
        false => Err(Failure::Failed(format!(
            "{file}: what is good of it was taken in, but not all: {}",
            missing.join("; ")
        ))),
    }
}
