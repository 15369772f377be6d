//! `proxy-checker config`: looks at a configuration without starting anything, and says what it may be.

use super::serve::{Findings, examined};
use super::status::{EXIT_USAGE, Failure, print};
use crate::config;
use clap::{Args, Subcommand};
use std::io::Write;
use std::path::PathBuf;

/// Check a configuration file, or print the schema of one.
#[derive(Args, Clone, Debug)]
#[command(after_help = format!("{EXAMPLES}\n\n{STATUS}"))]
pub struct ConfigArgs {
    #[command(subcommand)]
    question: Question,
}

#[derive(Subcommand, Clone, Debug)]
enum Question {
    /// Validate a file as `serve` would, and print every problem and warning with its place
    #[command(after_help = STATUS)]
    Check(CheckArgs),
    /// Print the JSON Schema (2020-12) of the file, for editors
    #[command(after_help = STATUS)]
    Schema,
}

#[derive(Args, Clone, Debug)]
struct CheckArgs {
    /// The file; without it as `serve` finds it
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    /// Take secrets for given that are in no variable here
    #[arg(long)]
    without_secrets: bool,
}

const EXAMPLES: &str = "\
Examples:
  proxy-checker config check /etc/proxy-checker/config.json
  proxy-checker config check --without-secrets config.json      where the service's variables are not set
  proxy-checker config schema > proxy-checker.schema.json";

const STATUS: &str = "\
Exit status: 0 the service would start with it, perhaps with warnings, or the schema was printed; \
1 it could not be written; 2 wrong usage, or the service would not start with it.";

/// Answers, and returns the exit status.
///
/// # Errors
/// The output cannot be written.
pub fn run(args: &ConfigArgs, stdout: &mut dyn Write) -> Result<u8, Failure> {
    match &args.question {
        Question::Check(check) => {
            let findings = examined(check.file.as_deref(), check.without_secrets);
            print(told(&findings).as_bytes(), stdout)?;
            Ok(match findings.problems.is_empty() {
                true => 0,
                false => EXIT_USAGE,
            })
        }
        Question::Schema => {
            let schema = config::schema();
            print(format!("{schema:#}\n").as_bytes(), stdout).map(|()| 0)
        }
    }
}

/// One line for each finding, and one for what follows.
fn told(findings: &Findings) -> String {
    let Findings {
        place,
        problems,
        warnings,
    } = findings;
    let warned = warnings.iter().map(|w| format!("{place}: warning: {w}\n"));
    let mut text: String = problems
        .iter()
        .map(|problem| format!("{place}: {problem}\n"))
        .chain(warned)
        .collect();
    let follows = match (problems.len(), warnings.len()) {
        (0, 0) => "valid".to_owned(),
        (0, odd) => format!("valid, with warnings: {odd}"),
        (bad, _) => format!("not valid, problems: {bad}"),
    };
    text.push_str(&format!("{place}: {follows}\n"));
    text
}
