//! `proxy-bench compare`: holds results against the truth.

use super::{Done, open};
use proxy_bench::compare::Comparison;
use std::io::{BufReader, Write};
use std::path::PathBuf;
use std::process::ExitCode;

/// Compare the results of `proxy-checker check --format jsonl --all` with the truth.
///
/// Exits with 1 if one verdict is wrong, or one proxy is missing, doubled or unknown.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// What `proxy-bench farm` wrote
    #[arg(long, value_name = "FILE")]
    truth: PathBuf,
    /// JSON lines with the fields `proxy` and `verdict`
    #[arg(long, value_name = "FILE")]
    results: PathBuf,
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
    Ok(match found.is_exact() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}
