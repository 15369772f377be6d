//! `proxy-checker parse`: lists in, one candidate a line out.

use super::ListArgs;
use super::status::Failure;
use crate::sources::input::{Held, Input, InputError, Inputs, Limits};
use crate::sources::parse::{Skipped, describe};
use proxy_shards::Candidate;
use std::fmt;
use std::io::{self, BufWriter, Write};
use std::process::ExitCode;

/// How it ends, for its help.
pub const STATUS: &str = "\
Exit status: 0 at least one proxy was found; 1 none was found, or nothing could be read; 2 wrong usage.";

/// How the command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// At least one candidate was found, or nobody wants to read any more.
    Done,
    /// No input could be read, none held a candidate, or the output failed.
    Failed,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        match exit {
            Exit::Done => ExitCode::SUCCESS,
            Exit::Failed => ExitCode::from(1),
        }
    }
}

/// Reads the inputs, writes each candidate once to `stdout` in URL form as soon as it is found, and
/// tells on `stderr` how many there were and what was skipped.
///
/// # Errors
/// If there is nothing to read.
pub fn run(
    lists: &ListArgs,
    stdout: &mut dyn Write,
    stderr: &mut dyn Write,
) -> Result<Exit, Failure> {
    let mut report = Report::default();
    let mut reader = Inputs::new(lists.reading(lists.addresses.policy()), Limits::default());
    let mut lines = BufWriter::new(stdout);
    for input in &lists.inputs()? {
        let held = reader.read(input, &mut |found| {
            report.written += found.len();
            write_lines(&mut lines, &found)
        });
        let output_failed = match &held {
            // Nobody reads on; that is how `| head` ends.
            Err(InputError::Output(e)) if e.kind() == io::ErrorKind::BrokenPipe => {
                return Ok(Exit::Done);
            }
            held => matches!(held, Err(InputError::Output(_))),
        };
        report.add(input, held, stderr);
        if output_failed {
            return Ok(Exit::Failed);
        }
    }
    Ok(report.end(stderr))
}

/// One candidate a line, and out with it: the reader may be waiting.
fn write_lines(lines: &mut impl Write, found: &[Candidate]) -> io::Result<()> {
    for candidate in found {
        writeln!(lines, "{}", candidate.url())?;
    }
    lines.flush()
}

/// The figures of all inputs.
#[derive(Default)]
struct Report {
    inputs: usize,
    failed: usize,
    written: usize,
    skipped: Skipped,
}

impl Report {
    /// Tells how reading one input ended. A message that cannot be written is nobody's loss.
    fn add(&mut self, input: &Input, held: Result<Held, InputError>, stderr: &mut dyn Write) {
        self.inputs += 1;
        match held {
            Ok(held) => {
                let counts = counts(held.candidates, &held.skipped);
                let _ = writeln!(stderr, "{input}: {counts}");
                self.add_skipped(&held.skipped);
            }
            Err(error) => {
                let _ = writeln!(stderr, "{input}: {error}");
                self.failed += 1;
                if let InputError::NothingFound(skipped) = &error {
                    self.add_skipped(skipped);
                }
            }
        }
    }

    fn add_skipped(&mut self, skipped: &Skipped) {
        for (sum, count) in self.skipped.iter_mut().zip(skipped) {
            *sum += count;
        }
    }

    fn end(self, stderr: &mut dyn Write) -> Exit {
        if self.inputs > 1 {
            let read = self.inputs - self.failed;
            let counts = counts(self.written, &self.skipped);
            let _ = writeln!(stderr, "total of {read} in {} lists: {counts}", self.inputs);
        }
        match self.written {
            0 => Exit::Failed,
            _ => Exit::Done,
        }
    }
}

/// `12 proxies, 3 skipped (bad_port 1, noise 2)`
fn counts(candidates: usize, skipped: &Skipped) -> impl fmt::Display {
    let total: u64 = skipped.iter().sum();
    fmt::from_fn(move |f| {
        let proxies = if candidates == 1 { "proxy" } else { "proxies" };
        write!(f, "{candidates} {proxies}, {total} skipped")?;
        if total > 0 {
            write!(f, " ({})", describe(skipped))?;
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests;
