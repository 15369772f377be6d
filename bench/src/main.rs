//! `proxy-bench`: the farm of mock proxies, and the comparison of a checker's results with it.

mod commands;

use clap::Parser;
use std::io::Write;
use std::process::ExitCode;

/// A farm of mock proxies for proxy-checker, and what judges it.
#[derive(Debug, Parser)]
#[command(version)]
enum Command {
    Farm(commands::farm::Options),
    Compare(commands::compare::Options),
    First(commands::first::Options),
    Freshness(commands::freshness::Options),
    Api(commands::api::Options),
    Soak(commands::soak::Options),
}

fn main() -> ExitCode {
    let done = match Command::parse() {
        Command::Farm(options) => commands::farm::run(&options),
        Command::Compare(options) => commands::compare::run(&options),
        Command::First(options) => commands::first::run(&options),
        Command::Freshness(options) => commands::freshness::run(&options),
        Command::Api(options) => commands::api::run(&options),
        Command::Soak(options) => commands::soak::run(&options),
    };
    done.unwrap_or_else(|error| {
        writeln!(std::io::stderr(), "proxy-bench: {error}").ok();
        ExitCode::from(2)
    })
}
