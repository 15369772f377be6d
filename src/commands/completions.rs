//! `proxy-checker completions`: what a shell needs to complete commands and options.

use super::status::{Failure, PRINTS, print};
use clap::{Args, Command};
use clap_complete::Shell;
use std::io::Write;

/// Print the completions of a shell.
#[derive(Args, Clone, Debug)]
#[command(after_help = format!("{EXAMPLES}\n\n{PRINTS}"))]
pub struct CompletionsArgs {
    /// Which shell
    #[arg(value_enum, value_name = "SHELL")]
    shell: Shell,
}

const EXAMPLES: &str = "\
Examples:
  proxy-checker completions bash > ~/.local/share/bash-completion/completions/proxy-checker
  proxy-checker completions zsh > ~/.zfunc/_proxy-checker
  proxy-checker completions fish > ~/.config/fish/completions/proxy-checker.fish";

/// Prints those of `program`.
///
/// # Errors
/// The output cannot be written.
pub fn run(
    args: &CompletionsArgs,
    mut program: Command,
    stdout: &mut dyn Write,
) -> Result<(), Failure> {
    let name = program.get_name().to_owned();
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut program, name, &mut script);
    print(&script, stdout)
}
