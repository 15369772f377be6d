//! `proxy-bench compare`: holds results against the truth.

use super::{Done, open};
use proxy_bench::compare::Comparison;
use std::io::{BufReader, Write};
use std::path::PathBuf;
use std::process::ExitCode;

/// Compare the results of `proxy-checker check --format jsonl --all` with the truth.
///
/// Exits with 1 if a proxy is falsely alive, was given the verdict of another one, or is missing,
/// doubled or unknown, or if less than 99.9 % of those that work were found; with --exact also if
/// any verdict is wrong.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// What `proxy-bench farm` wrote
    #[arg(long, value_name = "FILE")]
    truth: PathBuf,
    /// JSON lines with the fields `proxy` and `verdict`, and perhaps `protocols`, `exit`,
    /// `anonymity` and `latency_ms`
    #[arg(long, value_name = "FILE")]
    results: PathBuf,
    /// Let no wrong verdict pass, also of one failure for another
    #[arg(long)]
    exact: bool,
    /// Print the distribution of `latency_ms` for each behaviour too
    #[arg(long)]
    timing: bool,
}

pub(crate) fn run(options: &Options) -> Done {
    let truth = BufReader::new(open(&options.truth)?);
    let results = BufReader::new(open(&options.results)?);
    let found = Comparison::of(truth, results)?;
    let mut out = std::io::stdout().lock();
    write!(out, "{found}")?;
    if options.timing {
        write!(out, "{}", found.timing())?;
    }
    let is_good = match options.exact {
        true => found.is_exact(),
        false => found.holds(),
    };
    Ok(match is_good {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}
