//! The command line: arguments in, a subcommand run, an exit status out.

use crate::commands::check::{self, CheckArgs};
use crate::commands::completions::CompletionsArgs;
use crate::commands::config::{self, ConfigArgs};
use crate::commands::doctor::{self, DoctorArgs};
use crate::commands::explain::{self, ExplainArgs};
use crate::commands::export::{self, ExportArgs};
use crate::commands::health::{self, HealthArgs};
use crate::commands::import::{self, ImportArgs};
use crate::commands::judge::{self, JudgeArgs};
use crate::commands::man::ManArgs;
use crate::commands::save::{self, SaveArgs};
use crate::commands::status::{EXIT_USAGE, Failure};
use crate::commands::{ListArgs, completions, man, parse, serve};
use crate::version;
use clap::{Args, CommandFactory, Parser, Subcommand};
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

/// Finds the proxies that work now.
#[derive(Parser, Clone, Debug)]
#[command(name = "proxy-checker", bin_name = "proxy-checker", version = version::LINE)]
#[command(args_conflicts_with_subcommands = true, after_help = EXAMPLES)]
#[command(
    long_about = "Finds the proxies that work now: probes long lists of HTTP, SOCKS4 and SOCKS5 \
    proxies and keeps those through which a known page really comes back.\n\n\
    Without a subcommand it runs the service (`serve`)."
)]
pub struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: ServeArgs,
}

#[derive(Subcommand, Clone, Debug)]
enum Command {
    /// Run the service: fetch the sources, keep checking, serve the alive over HTTP (the default)
    Serve(ServeArgs),
    /// Check lists once and print the proxies that are alive
    Check(Box<CheckArgs>),
    /// Print the proxies that lists hold, without checking them
    #[command(after_help = parse::STATUS)]
    Parse(ListArgs),
    /// Probe one proxy and tell what happened, stage by stage
    Explain(Box<ExplainArgs>),
    /// Be the target that no proxy can imitate: answer with what was seen, sealed
    Judge(JudgeArgs),
    /// Hold this host and the configuration against what the service needs, and say what to change
    Doctor(DoctorArgs),
    /// Ask a running service whether it lives: for the health check of a container
    Health(HealthArgs),
    /// Write all that is known to a file, from a running or a stopped service
    Export(ExportArgs),
    /// Take what was exported into a running or a stopped service
    Import(ImportArgs),
    /// Have the running service save what it knows, now
    Save(SaveArgs),
    /// Check a configuration file, or print the schema of one
    Config(ConfigArgs),
    /// Print the completions of a shell
    Completions(CompletionsArgs),
    /// Print the manual page, of the program or of one command
    Man(ManArgs),
}

/// Arguments of `serve`.
#[derive(Args, Clone, Debug)]
#[command(after_help = serve::STATUS)]
struct ServeArgs {
    /// Configuration file; without it, built-in defaults with public lists
    #[arg(long, short, value_name = "FILE")]
    config: Option<PathBuf>,
}

const EXAMPLES: &str = "\
Examples:
  proxy-checker                               run the service with the built-in lists
  proxy-checker serve --config config.json    … with your own configuration
  curl 'http://127.0.0.1:8083/get-proxy?limit=5'
                                              ask it for five alive proxies
  proxy-checker check proxies.txt             check a file, print the alive, fastest first
  proxy-checker parse page.html               see which proxies a file holds

`proxy-checker check --help` says more about checking lists.";

/// Reads the arguments, runs what they name and returns the exit status.
pub fn run() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return misread(&error),
    };
    let help = match &cli.command {
        None => "proxy-checker --help",
        Some(Command::Serve(_)) => "proxy-checker serve --help",
        Some(Command::Check(_)) => "proxy-checker check --help",
        Some(Command::Parse(_)) => "proxy-checker parse --help",
        Some(Command::Explain(_)) => "proxy-checker explain --help",
        Some(Command::Judge(_)) => "proxy-checker judge --help",
        Some(Command::Doctor(_)) => "proxy-checker doctor --help",
        Some(Command::Health(_)) => "proxy-checker health --help",
        Some(Command::Export(_)) => "proxy-checker export --help",
        Some(Command::Import(_)) => "proxy-checker import --help",
        Some(Command::Save(_)) => "proxy-checker save --help",
        Some(Command::Config(_)) => "proxy-checker config --help",
        Some(Command::Completions(_)) => "proxy-checker completions --help",
        Some(Command::Man(_)) => "proxy-checker man --help",
    };
    let ended = match cli.command {
        None => run_serve(&cli.serve),
        Some(Command::Serve(args)) => run_serve(&args),
        Some(Command::Check(args)) => {
            check::run(&args, io::stdout(), &mut io::stderr()).map(ExitCode::from)
        }
        Some(Command::Parse(args)) => run_parse(&args),
        Some(Command::Explain(args)) => {
            explain::run(&args, io::stdout(), &mut io::stderr()).map(ExitCode::from)
        }
        Some(Command::Judge(args)) => judge::run(&args, &mut io::stderr()).map(ExitCode::from),
        Some(Command::Doctor(args)) => doctor::run(&args, io::stdout()).map(ExitCode::from),
        Some(Command::Health(args)) => {
            health::run(&args, &mut io::stdout()).map(|()| ExitCode::SUCCESS)
        }
        Some(Command::Export(args)) => export::run(&args, io::stdout()).map(|()| ExitCode::SUCCESS),
        Some(Command::Import(args)) => {
            import::run(&args, &mut io::stdout(), &mut io::stderr()).map(|()| ExitCode::SUCCESS)
        }
        Some(Command::Save(args)) => {
            save::run(&args, &mut io::stdout()).map(|()| ExitCode::SUCCESS)
        }
        Some(Command::Config(args)) => config::run(&args, &mut io::stdout()).map(ExitCode::from),
        Some(Command::Completions(args)) => {
            let printed = completions::run(&args, Cli::command(), &mut io::stdout());
            printed.map(|()| ExitCode::SUCCESS)
        }
        Some(Command::Man(args)) => {
            let printed = man::run(&args, Cli::command(), &mut io::stdout());
            printed.map(|()| ExitCode::SUCCESS)
        }
    };
    ended.unwrap_or_else(|failure| {
        report(&failure, help);
        ExitCode::from(failure.status())
    })
}

fn run_serve(args: &ServeArgs) -> Result<ExitCode, Failure> {
    serve::run(args.config.as_deref())
        .map(|()| ExitCode::SUCCESS)
        .map_err(|e| Failure::Failed(e.to_string()))
}

fn run_parse(args: &ListArgs) -> Result<ExitCode, Failure> {
    let exit = parse::run(args, &mut io::stdout(), &mut io::stderr())?;
    Ok(exit.into())
}

/// Help and version go to stdout with status 0; a wrong call goes to stderr with status 2.
fn misread(error: &clap::Error) -> ExitCode {
    if error.use_stderr() {
        // Nothing is left to tell it to if stderr is closed.
        let _ = write!(io::stderr(), "proxy-checker: {}", error.render());
        return ExitCode::from(EXIT_USAGE);
    }
    // A reader that closed `--help | head` has what it wanted.
    let _ = error.print();
    ExitCode::SUCCESS
}

fn report(failure: &Failure, help: &str) {
    let mut stderr = io::stderr().lock();
    let _ = writeln!(stderr, "proxy-checker: error: {failure}");
    if matches!(failure, Failure::Usage(_)) {
        let _ = writeln!(stderr, "Try '{help}'.");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proxy_shards::Scheme;

    fn parse(line: &str) -> Result<Cli, clap::error::ErrorKind> {
        Cli::try_parse_from(line.split_whitespace()).map_err(|e| e.kind())
    }

    #[test]
    fn the_definition_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn without_a_subcommand_the_service_runs_with_the_config_that_is_named() {
        let cli = parse("proxy-checker --config a.json").unwrap();
        assert!(cli.command.is_none());
        assert_eq!(cli.serve.config, Some("a.json".into()));
        assert!(parse("proxy-checker").unwrap().serve.config.is_none());
    }

    #[test]
    fn serve_reads_its_own_config() {
        let cli = parse("proxy-checker serve --config b.json").unwrap();
        let Some(Command::Serve(args)) = cli.command else {
            panic!("not serve: {cli:?}");
        };
        assert_eq!(args.config, Some("b.json".into()));
    }

    #[test]
    fn check_and_parse_read_inputs_and_the_protocol_of_bare_lines() {
        let cli = parse("proxy-checker parse --protocol auto a.txt - http://x.test/l").unwrap();
        let Some(Command::Parse(lists)) = cli.command else {
            panic!("not parse: {cli:?}");
        };
        assert_eq!(lists.protocol, Scheme::Auto);
        assert_eq!(lists.inputs().unwrap().len(), 3);
        assert!(!lists.addresses.allow_private);
    }

    /// The statuses that a help text says: each follows `Exit status:` or a semicolon.
    fn statuses_of_help(command: &mut clap::Command) -> Vec<u8> {
        let help = command.render_long_help().to_string();
        let (_, statuses) = help.split_once("Exit status: ").expect("statuses");
        let first_words = statuses.split(';').map(str::split_whitespace);
        let numbers = first_words.filter_map(|mut words| words.next()?.parse().ok());
        numbers.collect()
    }

    /// Those of the command's row in the README.
    fn statuses_of_readme(name: &str) -> Vec<u8> {
        let page = include_str!("../README.md");
        let mut rows = page.lines();
        let names = |row: &&str| {
            let first = row
                .strip_prefix("| `")
                .and_then(|row| row.split('|').next());
            first.is_some_and(|first| first.split('`').any(|word| word == name))
        };
        let row = rows.find(names);
        let cells: Vec<&str> = row.expect(name).split('|').map(str::trim).collect();
        let fixed = (0..3).filter(|&status| !cells[usize::from(status) + 2].is_empty());
        let (others, _) = cells[5].split_once(':').unwrap_or_default();
        let others = others.split(", ").filter_map(|status| status.parse().ok());
        fixed.chain(others).collect()
    }

    #[test]
    fn each_command_says_how_it_ends_and_the_readme_says_the_same() {
        let mut commands = 0;
        for command in Cli::command().get_subcommands_mut() {
            let said = statuses_of_help(command);
            assert!(said.starts_with(&[0]) && said.contains(&2), "{said:?}");
            let mut in_readme = statuses_of_readme(command.get_name());
            let mut said_sorted = said.clone();
            in_readme.sort_unstable();
            said_sorted.sort_unstable();
            assert_eq!(said_sorted, in_readme, "{}", command.get_name());
            commands += 1;
        }
        assert!(commands >= 7, "{commands}");
    }

    #[test]
    fn a_protocol_that_does_not_exist_is_wrong_usage() {
        let kind = parse("proxy-checker check --protocol ftp a.txt").unwrap_err();
        assert_eq!(kind, clap::error::ErrorKind::ValueValidation);
    }
}
