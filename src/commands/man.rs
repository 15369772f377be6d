//! `proxy-checker man`: the manual page, of the program or of one command.

use super::status::{Failure, PRINTS, print};
use clap::{Args, Command};
use clap_mangen::Man;
use std::io::Write;

/// Print the manual page, of the program or of one command.
#[derive(Args, Clone, Debug)]
#[command(after_help = format!("{EXAMPLES}\n\n{PRINTS}"))]
pub struct ManArgs {
    /// Which command, such as check; without it the page of the program
    #[arg(value_name = "COMMAND")]
    command: Option<String>,
}

const EXAMPLES: &str = "\
Examples:
  proxy-checker man check | man -l -
  proxy-checker man > /usr/local/share/man/man1/proxy-checker.1";

/// Prints that of `program`.
///
/// # Errors
/// There is no such command, or the output cannot be written.
pub fn run(args: &ManArgs, mut program: Command, stdout: &mut dyn Write) -> Result<(), Failure> {
    // Only then do commands know what they are called in full.
    program.build();
    let named = match &args.command {
        None => &program,
        Some(name) => program
            .find_subcommand(name)
            .ok_or_else(|| Failure::Usage(format!("there is no command {name:?}")))?,
    };
    let mut page = Vec::new();
    Man::new(named.clone())
        .render(&mut page)
        .map_err(|error| Failure::Failed(format!("no page: {error}")))?;
    print(&page, stdout)
}
